package allocate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/quantize"
)

// A Problem is a model whose types are to be chosen.
type Problem struct {
	Weights  []Weight
	Base     int64                // bytes of the file besides the weights
	Fixed    map[string]gguf.Type // of tensors that are not chosen and become another type
	Mixtures []Mixture            // to compare with

	source     *quantize.Source
	options    quantize.Options     // of the user
	unmeasured map[string]gguf.Type // of tensors that could be chosen but not measured
	data       int64                // bytes of Base that are data of tensors
	parameters int64                // of all tensors
}

// A Mixture is a choice that a fixed rule makes.
type Mixture struct {
	Name  string
	Bytes int64 // of its file
	Types map[string]gguf.Type
}

// A Target says what is wanted of a choice: the least loss in a file of at most
// Bytes, or the smallest file that loses at most MaxLoss. One of them is set.
type Target struct {
	Bytes   int64
	MaxLoss float64
}

// A Sample says how many texts are used for what. The first Choose texts choose,
// and the HeldOut texts behind them take no part in that.
type Sample struct {
	Singles []int // each tensor's types see texts up to these, one after the other
	Context int   // texts that show what a change does within a choice
	Choose  int   // texts that choices are compared on
	HeldOut int
	Changes int // changes within a choice that are measured in a round
	Rounds  int
}

// DefaultSample returns how n texts, or windows, are used. A window has many
// predictions and takes long, so that fewer of them tell enough of single tensors.
func DefaultSample(n int, windows bool) Sample {
	held := min(256, n/3)
	choose := min(256, n-held)
	s := Sample{
		Singles: []int{max(1, choose/21), max(1, choose*3/16)},
		Context: max(1, choose/4), Choose: choose, HeldOut: held,
		Changes: 64, Rounds: 3,
	}
	if windows {
		s.Singles[1] = max(1, choose/11)
	}
	return s
}

// Texts returns how many texts are used in all.
func (s Sample) Texts() int { return s.Choose + s.HeldOut }

// Progress tells how far a search is.
type Progress struct {
	Stage       string // what is measured
	Done, Total int    // measurements of this stage
}

// Options of a search. State may hold what was measured before, and gets what is
// measured.
type Options struct {
	Target   Target
	Sample   Sample
	State    *State
	Progress func(Progress)
}

// A Result is a choice, and what was measured on the way.
type Result struct {
	Weights []Chosen
	Bytes   int64   // of the file
	Sum     float64 // of the losses that each change has alone, on the texts that chose
	Before  Figure  // loss before changes were tried in the choice itself
	Loss    Figure  // of the whole choice, on the texts that chose
	HeldOut Figure  // and on those that took no part
	Changes int     // tensors that got another type after their losses alone had chosen
	Texts   int     // that chose
	Points  []Point
}

// Chosen is what became of a weight.
type Chosen struct {
	Tensor string
	Candidate
	Single Single // what the type costs alone
}

// A Point is a file of the model: how large it is, and how much it loses on the
// texts that took no part.
type Point struct {
	Name  string // of a mixture, or "" for a choice by measured loss
	Bytes int64
	Loss  Figure
}

// Types returns the choice by tensor.
func (r *Result) Types() map[string]gguf.Type {
	types := make(map[string]gguf.Type, len(r.Weights))
	for _, w := range r.Weights {
		types[w.Tensor] = w.Type
	}
	return types
}

// search is a search that goes on.
type search struct {
	*Options
	ev      Evaluator
	problem *Problem
	singles [][]Single // of each weight, as its types
	rows    []row      // what is expected, without types that were dropped
	options [][]int    // the types that the options of rows are
	start   []int      // the choice by losses of single tensors
	scale   float64    // of the losses of whole choices to the sums of single ones
}

// Part measures the tensors of share k of n into o.State and chooses nothing.
func Part(ctx context.Context, ev Evaluator, p *Problem, o *Options, k, n int) error {
	s := &search{Options: o, ev: ev, problem: p}
	return s.measure(ctx, func(i int) bool { return i%n == k-1 })
}

// Search chooses the types of the weights of p. The result depends on nothing but
// what ev measures. With an error the state holds what was measured.
func Search(ctx context.Context, ev Evaluator, p *Problem, o *Options) (*Result, error) {
	s := &search{Options: o, ev: ev, problem: p, scale: 1}
	if o.Sample.Texts() > ev.Texts() || o.Sample.Choose < 1 {
		return nil, fmt.Errorf("there are %d texts to choose types by, too few", ev.Texts())
	}
	if o.Target.Bytes > 0 {
		if least := p.Smallest(); least > o.Target.Bytes {
			return nil, &TooSmallError{o.Target.Bytes, least}
		}
	}
	if err := s.measure(ctx, func(int) bool { return true }); err != nil {
		return nil, err
	}
	s.expect()
	var pick []int
	var err error
	if o.Target.Bytes > 0 {
		pick, err = s.within(ctx, o.Target.Bytes)
	} else {
		pick, err = s.below(ctx, o.Target.MaxLoss)
	}
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, pick)
}

// Smallest returns the bytes of the smallest file that can be made.
func (p *Problem) Smallest() int64 {
	bytes := p.Base
	for _, w := range p.Weights {
		bytes += w.Types[0].Bytes
	}
	return bytes
}

// A TooSmallError reports a target that no choice reaches.
type TooSmallError struct{ Target, Least int64 }

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("a file of %d bytes cannot be made of these types: the smallest has %d; choose a larger target or allow types of fewer bits with --types", e.Target, e.Least)
}

// measure measures the weights that are wanted and not known yet.
func (s *search) measure(ctx context.Context, wanted func(i int) bool) error {
	s.singles = make([][]Single, len(s.problem.Weights))
	var todo []int
	for i := range s.problem.Weights {
		w := &s.problem.Weights[i]
		if known, ok := s.State.singles[w.Tensor]; ok && matches(known, w.Types) {
			s.singles[i] = known
		} else if wanted(i) {
			todo = append(todo, i)
		}
	}
	for done, i := range todo {
		s.progress("measuring tensors one by one", done, len(todo))
		w := &s.problem.Weights[i]
		singles, err := measureSingles(ctx, s.ev, w, s.Sample.Singles)
		if err != nil {
			return err
		}
		s.singles[i] = singles
		if err := s.State.addSingles(w.Tensor, singles); err != nil {
			return err
		}
	}
	s.progress("measuring tensors one by one", len(todo), len(todo))
	return nil
}

func (s *search) progress(stage string, done, total int) {
	if s.Progress != nil {
		s.Progress(Progress{stage, done, total})
	}
}

func matches(singles []Single, types []Candidate) bool {
	return slices.EqualFunc(singles, types, func(a Single, b Candidate) bool { return a.Type == b.Type.String() })
}

// expect fills rows with the losses that were measured alone.
func (s *search) expect() {
	s.rows = make([]row, len(s.singles))
	s.options = make([][]int, len(s.singles))
	for i, singles := range s.singles {
		for k, x := range singles {
			if x.Dropped {
				continue
			}
			s.options[i] = append(s.options[i], k)
			s.rows[i].bytes = append(s.rows[i].bytes, s.problem.Weights[i].Types[k].Bytes)
			s.rows[i].loss = append(s.rows[i].loss, x.Mean)
		}
	}
}

// types returns a choice as the evaluator takes it.
func (s *search) types(pick []int) map[string]gguf.Type {
	types := maps.Clone(s.problem.Fixed)
	if types == nil {
		types = make(map[string]gguf.Type)
	}
	for i, o := range pick {
		if c := s.candidate(i, o); !c.Source {
			types[s.problem.Weights[i].Tensor] = c.Type
		}
	}
	return types
}

func (s *search) candidate(weight, option int) Candidate {
	return s.problem.Weights[weight].Types[s.options[weight][option]]
}

func (s *search) bytes(pick []int) int64 {
	bytes := s.problem.Base
	for i, o := range pick {
		bytes += s.rows[i].bytes[o]
	}
	return bytes
}

// combined measures a choice on texts, unless the state knows it.
func (s *search) combined(ctx context.Context, types map[string]gguf.Type, r Range) (Loss, error) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(types)) {
		fmt.Fprintf(h, "%q %s\n", name, types[name])
	}
	c := combination{hex.EncodeToString(h.Sum(nil)[:16]), r}
	if loss, ok := s.State.combined[c]; ok {
		return loss, nil
	}
	loss, err := s.ev.Combined(ctx, types, r)
	if err != nil {
		return nil, err
	}
	if len(loss) != r.End-r.First {
		return nil, fmt.Errorf("%d losses of %d texts", len(loss), r.End-r.First)
	}
	return loss, s.State.addCombined(c, loss)
}

// inContext measures a choice on the first texts.
func (s *search) inContext(ctx context.Context, pick []int) (Loss, error) {
	return s.combined(ctx, s.types(pick), Range{0, s.Sample.Context})
}

// whole measures a choice on all texts that choose.
func (s *search) whole(ctx context.Context, pick []int) (Loss, error) {
	loss, err := s.inContext(ctx, pick)
	if err != nil || s.Sample.Context == s.Sample.Choose {
		return loss, err
	}
	more, err := s.combined(ctx, s.types(pick), Range{s.Sample.Context, s.Sample.Choose})
	return slices.Concat(loss, more), err
}

// heldOut measures a choice on the texts that take no part in choosing.
func (s *search) heldOut(ctx context.Context, types map[string]gguf.Type) (Loss, error) {
	if s.Sample.HeldOut == 0 {
		return nil, nil
	}
	return s.combined(ctx, types, Range{s.Sample.Choose, s.Sample.Texts()})
}

// within returns the best choice of a file of at most so many bytes.
func (s *search) within(ctx context.Context, bytes int64) (pick []int, err error) {
	pick, ok := solve(s.rows, bytes-s.problem.Base)
	if !ok {
		return nil, &TooSmallError{bytes, s.bytes(pick)}
	}
	if pick, err = s.improve(ctx, pick, bytes); err != nil {
		return nil, err
	}
	pick = slices.Clone(pick)
	fill(s.rows, pick, bytes-s.problem.Base)
	return pick, nil
}

// below returns the choice of the smallest file that loses at most so much.
//
// The sum of what each tensor loses alone tells nearly how a choice stands among
// others, and measuring it whole how much it loses. The budget is halved between
// choices that lose too much and those that do not.
func (s *search) below(ctx context.Context, loss float64) ([]int, error) {
	low, high := s.problem.Smallest(), s.problem.Base
	for _, r := range s.rows {
		high += r.bytes[len(r.bytes)-1]
	}
	var best []int
	const trials = 12
	for n := 0; n < trials && (best == nil || float64(high-low) > 0.002*float64(high)); n++ {
		s.progress("looking for the size", n, trials)
		budget := s.guess(loss, low, high, n)
		pick, ok := solve(s.rows, budget-s.problem.Base)
		if !ok {
			low = budget
			continue
		}
		x, err := s.whole(ctx, pick)
		if err != nil {
			return nil, err
		}
		f := figure(x)
		if sum := s.sum(pick); sum > 0 && f.Mean > 0 {
			s.scale = f.Mean / sum
		}
		if f.Mean <= loss {
			best, high = pick, s.bytes(pick)
			continue
		}
		low = budget
	}
	if best == nil {
		return nil, &LossError{loss}
	}
	return s.improve(ctx, best, s.bytes(best))
}

// A LossError reports a loss that no choice stays below.
type LossError struct{ Loss float64 }

func (e *LossError) Error() string {
	return fmt.Sprintf("no choice of these types loses as little as %g; choose a larger loss or allow types of more bits with --types", e.Loss)
}

// guess returns a budget between low and high at which the loss is expected; every
// third is the middle, so that the interval shrinks whatever is expected.
func (s *search) guess(loss float64, low, high int64, n int) int64 {
	middle := low + (high-low)/2
	if n%3 == 2 {
		return middle
	}
	from, to := low, high
	for to-from > 1+high/2000 {
		m := from + (to-from)/2
		pick, ok := solve(s.rows, m-s.problem.Base)
		if ok && s.scale*s.sum(pick) <= loss {
			to = m
		} else {
			from = m
		}
	}
	// A little more than expected, so that both ends of the interval move.
	if slack := (high - low) / 50; n > 0 {
		to += slack
	}
	return min(max(to, low+1), high)
}

// sum returns what is expected of a choice when nothing interacts.
func (s *search) sum(pick []int) (sum float64) {
	for i, o := range pick {
		sum += s.rows[i].loss[o]
	}
	return sum
}

// finish measures what the report tells of a choice.
func (s *search) finish(ctx context.Context, pick []int) (*Result, error) {
	s.expect()
	r := &Result{Bytes: s.bytes(pick), Sum: s.sum(pick), Texts: s.Sample.Choose}
	for i, o := range pick {
		k := s.options[i][o]
		r.Weights = append(r.Weights, Chosen{s.problem.Weights[i].Tensor, s.problem.Weights[i].Types[k], s.singles[i][k]})
	}
	for i := range pick {
		if s.start[i] != pick[i] {
			r.Changes++
		}
	}
	for _, c := range []struct {
		pick []int
		to   *Figure
	}{{s.start, &r.Before}, {pick, &r.Loss}} {
		loss, err := s.whole(ctx, c.pick)
		if err != nil {
			return nil, err
		}
		*c.to = figure(loss)
	}
	held, err := s.heldOut(ctx, s.types(pick))
	if err != nil {
		return nil, err
	}
	r.HeldOut = figure(held)
	if r.Points, err = s.curve(ctx, r); err != nil {
		return nil, err
	}
	return r, nil
}

// curveSizes is how many files of other sizes are measured for the curve.
const curveSizes = 8

// curveBelow is the smallest of these sizes, as a part of that of the smallest
// mixture.
const curveBelow = 0.75

// curve measures files of other sizes, and those of the mixtures.
func (s *search) curve(ctx context.Context, r *Result) ([]Point, error) {
	least := float64(s.problem.Smallest())
	low, high := math.Inf(1), least
	for _, m := range s.problem.Mixtures {
		low, high = min(low, float64(m.Bytes)), max(high, float64(m.Bytes))
	}
	low = max(least, min(low*curveBelow, high))
	points := []Point{{"", r.Bytes, r.HeldOut}}
	texts := Range{s.Sample.Choose, s.Sample.Texts()}
	if s.Sample.HeldOut == 0 {
		texts = Range{0, s.Sample.Context}
		points[0].Loss = r.Loss
	}
	total := curveSizes + len(s.problem.Mixtures)
	add := func(name string, bytes int64, types map[string]gguf.Type) error {
		s.progress("measuring other sizes", len(points)-1, total)
		loss, err := s.combined(ctx, types, texts)
		if err == nil {
			points = append(points, Point{name, bytes, figure(loss)})
		}
		return err
	}
	for k := range curveSizes {
		budget := int64(low * math.Pow(high/low, (float64(k)+0.5)/curveSizes))
		pick, ok := solve(s.rows, budget-s.problem.Base)
		if !ok {
			continue
		}
		if err := add("", s.bytes(pick), s.types(pick)); err != nil {
			return nil, err
		}
	}
	for _, m := range s.problem.Mixtures {
		if err := add(m.Name, m.Bytes, m.Types); err != nil {
			return nil, err
		}
	}
	s.progress("measuring other sizes", total, total)
	slices.SortStableFunc(points, func(a, b Point) int { return int(min(max(a.Bytes-b.Bytes, -1), 1)) })
	return points, nil
}

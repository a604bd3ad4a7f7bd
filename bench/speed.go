package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/tokenizer"
)

// A ModelFile is a model that is to be measured.
type ModelFile struct {
	Name string // in the report; no two are the same
	Path string
}

// SpeedOptions say what is measured of models.
type SpeedOptions struct {
	Threads   []int // numbers of threads; 0 means one for each core
	Batches   []int // texts of a request
	Lengths   []int // tokens of a synthetic text; 0 means real text
	Precision infer.Precision
	Texts     []string // real text; nil means TextMix
	TextName  string
	Loads     int  // how often a model is loaded to measure that, at least once
	Ceilings  bool // whether those of the machine are measured

	Measure MeasureOptions

	// Note, when set, is told of what is left out, and why.
	Note func(message string)
	// Stage, when set, is told what is going on before requests are measured.
	Stage func(what string)
}

// A speedModel is a model and what its requests need.
type speedModel struct {
	ModelFile
	file    *gguf.File
	options *infer.Options
	model   *infer.Model
	threads map[int]*infer.Model // the same, for each number of threads that was asked for
	tok     *tokenizer.Tokenizer // nil where the file has none that is known
	noTok   error                // why
}

// openModel opens and loads a model.
func openModel(f ModelFile, o *SpeedOptions, threads int) (*speedModel, error) {
	file, err := gguf.Open(f.Path)
	if err != nil {
		return nil, err
	}
	m := &speedModel{ModelFile: f, file: file, options: &infer.Options{Threads: threads, Precision: o.Precision}}
	m.tok, m.noTok = tokenizer.FromGGUF(file.Metadata)
	if err := m.load(); err != nil {
		file.Close()
		return nil, err
	}
	return m, nil
}

// load loads the model, at other addresses than before.
func (m *speedModel) load() (err error) {
	m.model, m.threads = nil, map[int]*infer.Model{}
	m.model, err = infer.Load(m.file, m.options)
	return err
}

// with returns the model for a number of threads.
func (m *speedModel) with(threads int) *infer.Model {
	if m.threads[threads] == nil {
		m.threads[threads] = m.model.WithThreads(threads)
	}
	return m.threads[threads]
}

// MeasureSpeed measures models side by side.
func MeasureSpeed(ctx context.Context, models []ModelFile, o *SpeedOptions) (*SpeedReport, error) {
	if len(models) == 0 || len(o.Threads) == 0 || len(o.Batches) == 0 || len(o.Lengths) == 0 {
		return nil, errors.New("there is nothing to measure: models, threads, batches and lengths need one of each at least")
	}
	if o.Texts == nil {
		o.Texts, o.TextName = TextMix(), "built-in"
	}
	r := &SpeedReport{
		Schema: SpeedSchema, Machine: ThisMachine(), Ceilings: []Ceilings{},
		Settings: Settings{
			Repetitions: o.Measure.Repetitions, DurationSeconds: o.Measure.Duration.Seconds(),
			WarmupSeconds: o.Measure.Warmup.Seconds(), Text: o.TextName,
		},
	}
	var (
		cases  []*Case
		opened []*speedModel
	)
	for _, f := range models {
		o.stage("loading " + f.Name)
		speed, m, err := o.alone(ctx, f)
		if err != nil {
			return nil, err
		}
		r.Models = append(r.Models, *speed)
		if len(models) > 1 {
			// The memory of the next must not have that of this one in it.
			m.file.Close()
			m = nil
			debug.FreeOSMemory()
			continue
		}
		defer m.file.Close()
		opened = append(opened, m)
		if cases, err = m.cases(o.silent()); err != nil {
			return nil, err
		}
	}
	if len(models) > 1 {
		var each [][]*Case
		for _, f := range models {
			o.stage("loading " + f.Name)
			m, err := openModel(f, o, o.Threads[0])
			if err != nil {
				return nil, err
			}
			defer m.file.Close()
			opened = append(opened, m)
			c, err := m.cases(o.silent())
			if err != nil {
				return nil, err
			}
			each = append(each, c)
		}
		cases = interleave(each)
	}
	if len(cases) == 0 {
		return nil, errors.New("there is nothing to measure: no length fits a model, or real text needs a tokenizer; choose others")
	}
	if o.Ceilings {
		o.stage("measuring the machine")
		var threads []int
		for _, c := range cases {
			if !slices.Contains(threads, c.Threads) {
				threads = append(threads, c.Threads)
			}
		}
		r.Ceilings = MeasureCeilings(threads)
		debug.FreeOSMemory()
		resetPeak() // that memory was none of the models'
		if o.Measure.Yardstick == nil {
			o.Measure.Yardstick = newYardstick()
		}
	}
	o.Measure.Refreshes = r.refreshes(len(cases))
	o.Measure.Refresh = func(ctx context.Context) error {
		for _, m := range opened {
			m.model, m.threads = nil, nil
		}
		debug.FreeOSMemory()
		for _, m := range opened {
			if err := m.load(); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	r.Settings.Reloads = o.Measure.Refreshes
	measured, err := Measure(ctx, cases, &o.Measure)
	if err != nil {
		return nil, err
	}
	for i := range r.Ceilings {
		// The machine was perhaps not free at the start.
		c := &r.Ceilings[i]
		for k := range measured {
			if y := measured[k].Yardstick.Values; measured[k].Case.Threads == c.Threads && len(y) > 0 {
				c.FloatOperations = max(c.FloatOperations, maximum(y))
			}
		}
	}
	for i := range measured {
		var ceilings *Ceilings
		for k := range r.Ceilings {
			if r.Ceilings[k].Threads == measured[i].Case.Threads {
				ceilings = &r.Ceilings[k]
			}
		}
		r.Cases = append(r.Cases, measured[i].report(ceilings))
	}
	r.Process = ThisProcess()
	return r, nil
}

// Where a model lies in memory, by chance, makes it up to a tenth slower or faster,
// so it is loaded again while it is measured, in no more than a part of that time.
const (
	mostReloads = 4
	reloadShare = 0.25
)

// refreshes returns how often models are loaded again.
func (r *SpeedReport) refreshes(cases int) int {
	var load float64
	for _, m := range r.Models {
		load += m.LoadSeconds.Median
	}
	most := reloadShare * float64(cases) * r.Settings.DurationSeconds / max(load, 1e-9)
	return int(min(mostReloads, most, float64(r.Settings.Repetitions-1)))
}

// silent returns the options that cases need, without anyone to be told again of
// what is left out.
func (o *SpeedOptions) silent() *SpeedOptions {
	return &SpeedOptions{Threads: o.Threads, Batches: o.Batches, Lengths: o.Lengths, Texts: o.Texts}
}

func (o *SpeedOptions) stage(what string) {
	if o.Stage != nil {
		o.Stage(what)
	}
}

func (o *SpeedOptions) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

// alone measures what a model takes while no other is loaded, and returns it
// loaded.
func (o *SpeedOptions) alone(ctx context.Context, f ModelFile) (*ModelSpeed, *speedModel, error) {
	var (
		m          *speedModel
		loads, cpu []float64
	)
	for i := range max(1, o.Loads) {
		if m != nil {
			m.file.Close()
			m = nil
		}
		if i == max(1, o.Loads)-1 {
			debug.FreeOSMemory()
			resetPeak()
		} else {
			runtime.GC()
		}
		start, busy := time.Now(), processTime()
		var err error
		if m, err = openModel(f, o, o.Threads[0]); err != nil {
			return nil, nil, err
		}
		loads = append(loads, time.Since(start).Seconds())
		if busy := processTime() - busy; busy > 0 {
			cpu = append(cpu, busy.Seconds())
		}
		if err := ctx.Err(); err != nil {
			m.file.Close()
			return nil, nil, err
		}
	}
	speed := &ModelSpeed{
		Name: f.Name, Architecture: m.file.Metadata.Architecture(), Precision: m.model.Precision().String(),
		Context: m.model.ContextLength(), LoadSeconds: NewSamples(loads), LoadCPU: samplesOrNone(cpu),
	}
	for _, s := range m.file.Shards {
		speed.FileBytes += s.Size
	}
	peak := peakMemory() // before memory that is free goes back to the system
	debug.FreeOSMemory()
	speed.ResidentBytes = residentMemory()
	cases, err := m.cases(o)
	for _, c := range cases {
		if err == nil {
			// What is wrong with a request is told when it is measured.
			c.Request(ctx, 0)
			err = ctx.Err()
		}
	}
	if err != nil {
		m.file.Close()
		return nil, nil, err
	}
	speed.PeakBytes = max(peak, peakMemory())
	return speed, m, nil
}

// cases returns the ways of using a model that it allows.
func (m *speedModel) cases(o *SpeedOptions) ([]*Case, error) {
	var all []*Case
	for _, threads := range o.Threads {
		model := m.with(threads)
		for _, length := range o.Lengths {
			switch {
			case length > model.ContextLength():
				if threads == o.Threads[0] {
					o.note("%s takes texts of %d tokens at most; --length %d is left out", m.Name, model.ContextLength(), length)
				}
				continue
			case length == 0 && m.tok == nil:
				if threads == o.Threads[0] {
					o.note("%s: real text is left out: %v", m.Name, m.noTok)
				}
				continue
			}
			for _, batch := range o.Batches {
				c := &Case{Model: m.Name, Threads: model.Threads(), Batch: batch, Length: length}
				if length == 0 {
					requests := textRequests(o.Texts, batch)
					c.Request, c.Cycle = m.textRequests(threads, requests), len(requests)
				} else {
					c.Request = m.idRequests(threads, syntheticIDs(model.Vocabulary(), batch, length))
				}
				all = append(all, c)
			}
		}
	}
	return all, nil
}

// embedOptions has models that rank texts, which give no vectors, do the same work.
func embedOptions(m *infer.Model) *infer.EmbedOptions {
	if m.Pooling().String() == "rank" {
		return &infer.EmbedOptions{Pooling: infer.PoolingMean}
	}
	return new(infer.EmbedOptions)
}

// idRequests makes requests of tokens. The model is asked for each time, as it may
// have been loaded again.
func (m *speedModel) idRequests(threads int, requests [][][]int32) func(context.Context, int) (Served, error) {
	model, batch, length := m.with(threads), len(requests[0]), len(requests[0][0])
	lengths := make([]int, batch)
	for i := range lengths {
		lengths[i] = length
	}
	served := Served{Texts: batch, Tokens: batch * length, Work: model.Work(lengths)}
	o := embedOptions(model)
	return func(ctx context.Context, i int) (Served, error) {
		_, err := m.with(threads).Embed(ctx, requests[i%len(requests)], o)
		return served, err
	}
}

// textRequests makes requests of texts, whose tokenization is part of the work.
func (m *speedModel) textRequests(threads int, requests [][]string) func(context.Context, int) (Served, error) {
	model := m.with(threads)
	o := embedOptions(model)
	o.Truncated = func(text, from, to int) {}
	work := make([]infer.Work, len(requests)) // computed once, outside of what is measured
	for i, texts := range requests {
		var lengths []int
		for _, t := range texts {
			lengths = append(lengths, min(len(m.tok.Encode(t, true)), model.ContextLength()))
		}
		work[i] = model.Work(lengths)
	}
	return func(ctx context.Context, i int) (Served, error) {
		texts := requests[i%len(requests)]
		_, tokens, err := m.with(threads).EmbedTexts(ctx, m.tok, texts, o)
		served := Served{Texts: len(texts), Work: work[i%len(requests)]}
		for _, n := range tokens {
			served.Tokens += n
		}
		return served, err
	}
}

// interleave puts equal cases of all models beside each other.
func interleave(each [][]*Case) []*Case {
	var all []*Case
	type kind struct{ threads, length, batch int }
	taken := map[*Case]bool{}
	for _, cases := range each {
		for _, c := range cases {
			if taken[c] {
				continue
			}
			want := kind{c.Threads, c.Length, c.Batch}
			for _, others := range each {
				for _, d := range others {
					if !taken[d] && (kind{d.Threads, d.Length, d.Batch}) == want {
						taken[d] = true
						all = append(all, d)
					}
				}
			}
		}
	}
	return all
}

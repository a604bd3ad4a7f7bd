package allocate

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/calibrate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/quantize"
)

func opened(t *testing.T, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// quantized makes the file of a choice with package quantize; all else stays F32.
func quantized(t *testing.T, f *gguf.File, choice map[string]gguf.Type, importance map[string][]float32) *gguf.File {
	t.Helper()
	o := &quantize.Options{FileType: gguf.FileQ8_0, Importance: importance}
	for name, to := range choice {
		o.Overrides = append(o.Overrides, quantize.Override{Pattern: "^" + regexp.QuoteMeta(name) + "$", Type: to})
	}
	o.Overrides = append(o.Overrides, quantize.Override{Pattern: ".", Type: gguf.TypeF32})
	plan, err := quantize.NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range plan.Tensors {
		want, ok := choice[x.Name]
		if !ok {
			want = gguf.TypeF32
		}
		if x.To != want {
			t.Fatalf("%s becomes %s, want %s", x.Name, x.To, want)
		}
	}
	path := filepath.Join(t.TempDir(), "quantized.gguf")
	if _, err := quantize.Run(t.Context(), []quantize.Job{{Plan: plan, Out: path}}, nil); err != nil {
		t.Fatal(err)
	}
	return opened(t, path)
}

func loaded(t *testing.T, f *gguf.File) *infer.Model {
	t.Helper()
	m, err := infer.Load(f, &infer.Options{Threads: 1, Precision: infer.PrecisionF32})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// importanceOf gives the columns of all matrices different importance.
func importanceOf(f *gguf.File) map[string][]float32 {
	all := map[string][]float32{}
	for _, t := range f.Tensors {
		if len(t.Shape) < 2 {
			continue
		}
		for i := range t.RowLen() {
			all[t.Name] = append(all[t.Name], float32(1.1+math.Sin(float64(i))))
		}
	}
	return all
}

func ids(n, seed, vocab int) (all []int32) {
	for i := range n {
		all = append(all, int32((i*i*7+i*3+seed*13+1)%vocab))
	}
	return all
}

func evaluatorOf(t *testing.T, f *gguf.File, in *calibrate.Inputs, importance map[string][]float32, threads int) Evaluator {
	t.Helper()
	ev, err := NewModelLoss(f, in, importance, threads)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// A setting is a model and how it is measured.
type setting struct {
	name   string
	model  *synth.Model
	in     *calibrate.Inputs
	direct func(t *testing.T, source, changed *infer.Model, in *calibrate.Inputs) Loss // losses of all texts
}

func settings(t *testing.T) []setting {
	texts := func(vocab int) *calibrate.Inputs {
		return &calibrate.Inputs{Mode: calibrate.Texts, IDs: [][]int32{ids(9, 1, vocab), ids(3, 2, vocab), ids(17, 3, vocab), ids(1, 4, vocab), ids(12, 5, vocab)}}
	}
	windows := func(vocab, size int) *calibrate.Inputs {
		in, err := calibrate.CutWindows(ids(5*size, 1, vocab), nil, size, 0)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	return []setting{
		{"encoder", synth.BERT{Width: 64, Layers: 3, Heads: 4, FF: 256}.Model(), texts(100), cosines},
		{"decoder", synth.Decoder{Layers: 2, Vocab: 96}.Model(), windows(96, 16), divergences},
		{"tied decoder", synth.Decoder{Layers: 2, Vocab: 96, Tied: true}.Model(), windows(96, 16), divergences},
	}
}

func cosines(t *testing.T, source, changed *infer.Model, in *calibrate.Inputs) (losses Loss) {
	t.Helper()
	a, err := source.Embed(t.Context(), in.IDs, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := changed.Embed(t.Context(), in.IDs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		var ab, aa, bb float64
		for j := range a[i] {
			x, y := float64(a[i][j]), float64(b[i][j])
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		losses = append(losses, 1-ab/math.Sqrt(aa*bb))
	}
	return losses
}

// divergences are over the second half of each window, which is short enough for
// all of its positions to count.
func divergences(t *testing.T, source, changed *infer.Model, in *calibrate.Inputs) (losses Loss) {
	t.Helper()
	probabilities := func(m *infer.Model, window []int32) (all [][]float64) {
		err := m.Logits(t.Context(), window, len(window)/2, func(_ int, logits []float32) error {
			var sum float64
			p := make([]float64, len(logits))
			for i, v := range logits {
				p[i] = math.Exp(float64(v))
				sum += p[i]
			}
			for i := range p {
				p[i] /= sum
			}
			all = append(all, p)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, window := range in.IDs {
		p, q := probabilities(source, window), probabilities(changed, window)
		var kl float64
		for k := range p {
			for i := range p[k] {
				kl += p[k][i] * math.Log(p[k][i]/q[k][i]) / float64(len(p))
			}
		}
		losses = append(losses, kl)
	}
	return losses
}

func closeTo(a, b Loss) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= 1e-6 })
}

// What a type costs is what a file costs that was really quantized so.
func TestSingleIsTheFile(t *testing.T) {
	for _, s := range settings(t) {
		t.Run(s.name, func(t *testing.T) {
			f := s.model.Open(t)
			source := loaded(t, f)
			importance := importanceOf(f)
			ev := evaluatorOf(t, f, s.in, importance, 1)
			n := ev.Texts()
			largest := 0.0
			for _, x := range ev.Tensors() {
				if len(x.Types) == 0 {
					continue
				}
				types := []gguf.Type{gguf.TypeQ4_0, gguf.TypeF16, gguf.TypeQ8_0}
				if slices.Contains(x.Types, gguf.TypeIQ2XS) {
					types = append(types, gguf.TypeIQ2XS, gguf.TypeQ2_K)
				}
				// A part of the range first, as a search does.
				before, err := ev.Single(t.Context(), x.Name, types, Range{0, 2})
				if err != nil {
					t.Fatal(err)
				}
				after, err := ev.Single(t.Context(), x.Name, types, Range{2, n})
				if err != nil {
					t.Fatal(err)
				}
				for i, to := range types {
					if x.Name == "position_embd.weight" {
						continue // mixtures leave it alone
					}
					got := slices.Concat(before[i], after[i])
					want := s.direct(t, source, loaded(t, quantized(t, f, map[string]gguf.Type{x.Name: to}, importance)), s.in)
					if !closeTo(got, want) {
						t.Errorf("%s as %s: losses %v, want %v", x.Name, to, got, want)
					}
					mean, _ := got.Mean()
					largest = max(largest, mean)
				}
			}
			if largest < 1e-4 {
				t.Errorf("the largest loss is %g: nothing was compared", largest)
			}
		})
	}
}

// So it is with whole choices, wherever their measuring begins, and the bits depend
// neither on what was measured before nor on threads.
func TestCombinedIsTheFile(t *testing.T) {
	old := runtime.GOMAXPROCS(3)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
	for _, s := range settings(t) {
		t.Run(s.name, func(t *testing.T) {
			f := s.model.Open(t)
			source := loaded(t, f)
			importance := importanceOf(f)
			ev := evaluatorOf(t, f, s.in, importance, 1)
			all := Range{0, ev.Texts()}
			var names []string
			for _, x := range ev.Tensors() {
				if len(x.Types) > 0 && x.Name != "position_embd.weight" {
					names = append(names, x.Name)
				}
			}
			choice := map[string]gguf.Type{}
			for _, name := range names {
				choice[name] = gguf.TypeQ4_0
			}
			check := func(what string) {
				t.Helper()
				got, err := ev.Combined(t.Context(), choice, all)
				if err != nil {
					t.Fatal(err)
				}
				want := s.direct(t, source, loaded(t, quantized(t, f, choice, importance)), s.in)
				if !closeTo(got, want) {
					t.Errorf("%s: losses %v, want %v", what, got, want)
				}
				fresh, err := evaluatorOf(t, f, s.in, importance, 3).Combined(t.Context(), choice, all)
				if err != nil || !slices.Equal(fresh, got) {
					t.Errorf("%s: three threads from the start give %v, error %v; want %v", what, fresh, err, got)
				}
				part, err := ev.Combined(t.Context(), choice, Range{1, 3})
				if err != nil || !slices.Equal(part, got[1:3]) {
					t.Errorf("%s: a part of the texts gives %v, error %v; want %v", what, part, err, got[1:3])
				}
			}
			check("all Q4_0")
			last := names[len(names)-1]
			for _, name := range []string{last, names[1], names[0]} {
				choice[name] = gguf.TypeQ5_0
				check(name + " as Q5_0")
			}
			choice[last], choice[names[2]] = gguf.TypeQ8_0, gguf.TypeQ8_0
			check("an exchange")
			delete(choice, names[3])
			check(names[3] + " as in the source")
			none, err := ev.Combined(t.Context(), nil, all)
			if err != nil || slices.Max(none) != 0 {
				t.Errorf("no change costs %v, error %v", none, err)
			}
		})
	}
}

// Tensors that are added or scaled by stay; those that are looked up may change.
func TestTensors(t *testing.T) {
	f := synth.BERT{Width: 64, Layers: 1, Heads: 4, FF: 256}.Model().Open(t)
	in := settings(t)[0].in
	for _, weighted := range []bool{false, true} {
		var importance map[string][]float32
		if weighted {
			importance = importanceOf(f)
		}
		for _, x := range evaluatorOf(t, f, in, importance, 1).Tensors() {
			free := len(x.Shape) == 2 && x.Name != "token_types.weight"
			if (x.Fixed == "") != free || (len(x.Types) > 0) != free {
				t.Errorf("%s %v: %d types, fixed %q", x.Name, x.Shape, len(x.Types), x.Fixed)
			}
			if k := slices.Contains(x.Types, gguf.TypeQ4_K); free && k != (x.Shape[0] == 256) {
				t.Errorf("%s of %d columns: Q4_K is %v", x.Name, x.Shape[0], k)
			}
			if iq := slices.Contains(x.Types, gguf.TypeIQ2XS); free && iq != (x.Shape[0] == 256 && weighted) {
				t.Errorf("%s, weighted %v: IQ2_XS is %v", x.Name, weighted, iq)
			}
		}
	}
}

func TestEvaluatorRefuses(t *testing.T) {
	s := settings(t)[0]
	f := s.model.Open(t)
	ev := evaluatorOf(t, f, s.in, nil, 1)
	types := []gguf.Type{gguf.TypeQ4_0}
	single := func(ev Evaluator, name string, to gguf.Type, r Range) error {
		_, err := ev.Single(t.Context(), name, []gguf.Type{to}, r)
		return err
	}
	weights, err := NewWeightError(f, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{single(ev, "none", gguf.TypeQ4_0, Range{0, 1}), `has no tensor "none"`},
		{single(ev, "blk.0.ffn_up.weight", gguf.TypeQ4_0, Range{0, 6}), "texts 0 to 6 of 5 are not in the sample"},
		{single(ev, "blk.0.ffn_up.weight", gguf.TypeQ4_K, Range{0, 1}), "64 columns have no size as Q4_K"},
		{single(ev, "blk.0.ffn_up.weight", gguf.Type(200), Range{0, 1}), "cannot be written"},
		{single(weights, "none", gguf.TypeQ4_0, Range{0, 1}), `has no tensor "none"`},
		{single(weights, "blk.0.ffn_up.weight", gguf.TypeQ4_0, Range{0, 2}), "texts 0 to 2 of 1 are not in the sample"},
		{single(weights, "blk.0.ffn_up.weight", gguf.TypeQ4_K, Range{0, 1}), "64 columns have no size as Q4_K"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", c.err, c.want)
		}
	}
	if _, err := NewModelLoss(f, &calibrate.Inputs{Mode: calibrate.Texts}, nil, 1); err == nil {
		t.Error("no text suffices")
	}
	if _, err := NewModelLoss(f, &calibrate.Inputs{Mode: calibrate.Windows, IDs: s.in.IDs}, nil, 1); err == nil {
		t.Error("an encoder predicts tokens")
	}
	bad := map[string][]float32{"blk.0.ffn_up.weight": {1, 2}}
	if _, err := NewModelLoss(f, s.in, bad, 1); err == nil || !strings.Contains(err.Error(), "has 2 values") {
		t.Errorf("importance of another shape gives %v", err)
	}
	for _, s := range settings(t) {
		ctx, cancel := context.WithCancel(t.Context())
		f := s.model.Open(t)
		ev := evaluatorOf(t, f, s.in, nil, 1)
		if _, err := ev.Single(ctx, "blk.0.ffn_up.weight", types, Range{0, 1}); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := ev.Single(ctx, "blk.0.ffn_up.weight", types, Range{0, 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v of a single tensor, want a cancelled context", s.name, err)
		}
		if _, err := ev.Combined(ctx, map[string]gguf.Type{"blk.0.ffn_up.weight": gguf.TypeQ4_0}, Range{0, 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v of a choice, want a cancelled context", s.name, err)
		}
	}
}

// A type that cannot hold the weights is no error: it loses as much as can be lost.
func TestOverflowLosesMost(t *testing.T) {
	m := synth.BERT{Width: 64, Layers: 1, Heads: 4, FF: 256}.Model()
	const name = "blk.0.ffn_up.weight"
	f := m.Open(t)
	x := f.Tensor(name)
	large := make([]float32, x.Elements())
	large[5] = 1e6
	m.Encode = func(gguf.TensorInfo, []float32) ([]byte, error) {
		codec, _ := block.Lookup(gguf.TypeBF16)
		data := make([]byte, 2*len(large))
		return data, codec.EncodeRows(data, large, int(x.RowLen()), nil)
	}
	for i := range m.Tensors {
		if m.Tensors[i].Name == name {
			m.Tensors[i].Type = gguf.TypeBF16
		}
	}
	f = m.Open(t)
	in := settings(t)[0].in
	losses, err := evaluatorOf(t, f, in, nil, 1).Single(t.Context(), name, []gguf.Type{gguf.TypeF16, gguf.TypeBF16}, Range{0, 5})
	if err != nil || slices.Min(losses[0]) != 2 || slices.Max(losses[1]) != 0 {
		t.Errorf("losses %v, error %v", losses, err)
	}
	weights, err := NewWeightError(f, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if losses, err := weights.Single(t.Context(), name, []gguf.Type{gguf.TypeF16}, Range{0, 1}); err != nil || !(losses[0][0] > 0) {
		t.Errorf("losses %v, error %v", losses, err)
	}
}

// What is kept of encoded tensors stays within bounds, and what was dropped is made
// again.
func TestEncoderForgets(t *testing.T) {
	f := synth.Decoder{Layers: 1}.Model().Open(t)
	e, err := newEncoder(f, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	const name = "blk.0.ffn_up.weight"
	first, err := e.encode(name, gguf.TypeQ4_0, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.bytes = encodedMemory // as if others were kept
	if _, err := e.encode(name, gguf.TypeQ8_0, nil); err != nil {
		t.Fatal(err)
	}
	if len(e.kept) != 1 || e.recent.Len() != 1 {
		t.Errorf("%d tensors are kept beyond the bound", len(e.kept))
	}
	again, err := e.encode(name, gguf.TypeQ4_0, nil)
	if err != nil || !slices.Equal(first, again) || &first[0] == &again[0] {
		t.Errorf("what was dropped is not made again, error %v", err)
	}
}

// The error of weights is that of each column by its importance, and errors of
// tensors add up.
func TestWeightError(t *testing.T) {
	f := synth.Decoder{Layers: 1, Experts: 3}.Model().Open(t)
	importance := map[string][]float32{}
	var whole float64
	plain, err := NewWeightError(f, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range plain.Tensors() {
		if x.Fixed != "" {
			continue
		}
		whole += float64(x.Elements())
		n := x.Shape[0]
		if len(x.Shape) > 2 {
			n *= x.Shape[2]
		}
		for i := range n {
			importance[x.Name] = append(importance[x.Name], float32(1+i%7))
		}
	}
	ev, err := NewWeightError(f, importance, 3)
	if err != nil {
		t.Fatal(err)
	}
	codec, _ := block.Lookup(gguf.TypeQ4_0)
	choice := map[string]gguf.Type{}
	var sum float64
	for _, x := range ev.Tensors() {
		if x.Fixed != "" {
			continue
		}
		tensor := f.Tensor(x.Name)
		raw, err := f.Data(tensor, 0, tensor.Rows(), nil)
		if err != nil {
			t.Fatal(err)
		}
		weights, _ := block.ViewF32(raw)
		var wrong, all float64
		columns := int(x.Shape[0])
		for row := range int(tensor.Rows()) {
			w := weights[row*columns:][:columns]
			imp := importance[x.Name][:columns]
			if len(x.Shape) > 2 {
				imp = importance[x.Name][row/int(x.Shape[1])*columns:][:columns]
			}
			data := make([]byte, columns/32*18)
			back := make([]float32, columns)
			if err := codec.EncodeRow(data, w, imp); err != nil {
				t.Fatal(err)
			}
			codec.Decode(back, data)
			for i := range w {
				d := float64(w[i]) - float64(back[i])
				wrong += float64(imp[i]) * d * d
				all += float64(imp[i]) * float64(w[i]) * float64(w[i])
			}
		}
		want := wrong / all * float64(x.Elements()) / whole
		got, err := ev.Single(t.Context(), x.Name, []gguf.Type{gguf.TypeQ4_0}, Range{0, 1})
		if err != nil || !(math.Abs(got[0][0]-want) <= 1e-12+1e-9*want) {
			t.Errorf("%s: loss %v, error %v; want %v", x.Name, got, err, want)
		}
		choice[x.Name] = gguf.TypeQ4_0
		sum += want
	}
	got, err := ev.Combined(t.Context(), choice, Range{0, 1})
	if err != nil || !(math.Abs(got[0]-sum) <= 1e-9*sum) || ev.Unit() != UnitError || ev.Texts() != 1 {
		t.Errorf("losses %v, error %v; want %v", got, err, sum)
	}
	if _, err := ev.Combined(t.Context(), map[string]gguf.Type{"none": gguf.TypeQ4_0}, Range{0, 1}); err == nil {
		t.Error("a choice may name tensors that are not there")
	}
}

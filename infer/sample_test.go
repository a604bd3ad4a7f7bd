package infer

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
)

// changedData returns other data for a tensor, in another type where its rows fit.
func changedData(t testing.TB, s *synthetic, info gguf.TensorInfo) Stored {
	t.Helper()
	values := slices.Clone(s.weights(info))
	for i := range values {
		values[i] = float32(float64(values[i]) * (1 + 0.2*math.Sin(float64(i))))
	}
	info.Type = gguf.TypeF16
	if len(info.Shape) > 1 && info.Shape[0]%32 == 0 {
		info.Type = gguf.TypeQ4_0
	}
	data, err := encode(info, values)
	if err != nil {
		t.Fatal(err)
	}
	return Stored{Type: info.Type, Data: data}
}

// rewritten loads the model from a file with that data in place of the tensors'.
func (s *synthetic) rewritten(t testing.TB, changes map[string]Stored, o *Options) *Model {
	t.Helper()
	other := &synthetic{md: s.md, tensors: slices.Clone(s.tensors), stored: changes, weights: s.weights}
	for i := range other.tensors {
		if c, ok := changes[other.tensors[i].Name]; ok {
			other.tensors[i].Type = c.Type
		}
	}
	return other.load(t, o)
}

// answers returns what a model answers to the texts of a sample from first to end:
// vectors, and for decoders the logits of the last two positions.
func answers(t testing.TB, s *Sample, m *Model, first, end int) (all [][]float32) {
	t.Helper()
	return answersOf(t, s, []*Model{m}, first, end)[0]
}

// answersOf is answers of several models at once.
func answersOf(t testing.TB, s *Sample, models []*Model, first, end int) [][][]float32 {
	t.Helper()
	all, err := s.Embed(t.Context(), models, first, end)
	if err != nil {
		t.Fatal(err)
	}
	if !models[0].HasLogits() {
		return all
	}
	for i := range all {
		all[i] = append(all[i], make([][]float32, 2*(end-first))...)
	}
	last := func(text int) []int { n := s.Tokens(text); return []int{n - 2, n - 1} }
	err = s.Logits(t.Context(), models, first, end, last, func(model, text, k int, x []float32) error {
		all[model][end-first+2*(text-first)+k] = slices.Clone(x)
		clear(x) // which is allowed
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expected is answers by the plain ways through a model.
func expected(t testing.TB, m *Model, texts [][]int32) (all [][]float32) {
	t.Helper()
	all = embed(t, m, texts, nil)
	for _, ids := range texts {
		if m.HasLogits() {
			err := m.Logits(t.Context(), ids, len(ids)-2, func(_ int, x []float32) error {
				all = append(all, slices.Clone(x))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

func equalAnswers(a, b [][]float32) bool { return slices.EqualFunc(a, b, slices.Equal[[]float32]) }

// Whatever tensor is replaced, a sample gives to the bit what a file with that data
// gives, however much is kept; and the same goes for changes of changed models.
func TestSampleIsTheFile(t *testing.T) {
	type model struct {
		name  string
		s     *synthetic
		vocab int
	}
	models := []model{{"bert", newSynthetic(goldenBERT), 512}}
	for _, f := range readFamilies(t) {
		models = append(models, model{f.Name, f.synthetic(t), f.Vocab})
	}
	for _, c := range models {
		t.Run(c.name, func(t *testing.T) {
			o := &Options{Threads: 1, Precision: PrecisionF32}
			m := c.s.load(t, o)
			texts := [][]int32{text(9, 1, c.vocab), text(2, 2, c.vocab), text(18, 3, c.vocab), text(5, 4, c.vocab)}
			before := expected(t, m, texts)
			full, err := m.NewSample(t.Context(), texts, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			least, err := m.NewSample(t.Context(), texts, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := answers(t, full, m, 0, 4); !equalAnswers(got, before) {
				t.Fatal("the model itself gives other answers")
			}
			all := map[string]Stored{}
			chain, chained := m, full
			for i, info := range c.s.tensors {
				if info.Name == "rope_freqs.weight" {
					continue
				}
				stored := changedData(t, c.s, info)
				all[info.Name] = stored
				one := map[string]Stored{info.Name: stored}
				changed, err := m.With(one)
				if err != nil {
					t.Fatal(err)
				}
				fromFile := c.s.rewritten(t, one, o)
				want := expected(t, fromFile, texts)
				// The rows of types behind the first and of positions behind the texts do
				// not matter, but everything else does.
				if equalAnswers(want, before) && !strings.Contains(info.Name, "attn_k.bias") {
					t.Errorf("%s changes nothing", info.Name)
				}
				for _, s := range []*Sample{full, least, chained} {
					if got := answers(t, s, changed, 0, 4); !equalAnswers(got, want) {
						t.Errorf("%s: other answers than those of a file", info.Name)
					}
				}
				if got := answers(t, full, changed, 1, 3); !slices.Equal(got[0], want[1]) || !slices.Equal(got[1], want[2]) {
					t.Errorf("%s: a part of the texts has other answers", info.Name)
				}
				// Every third tensor is changed for good.
				if i%3 != 0 {
					continue
				}
				if chain, err = chain.With(one); err != nil {
					t.Fatal(err)
				}
				if chained, err = chained.With(t.Context(), chain, 4); err != nil {
					t.Fatal(err)
				}
				if i%9 == 0 {
					kept := map[string]Stored{}
					for name, s := range chain.replaced {
						kept[name] = s
					}
					if got := answers(t, chained, chain, 0, 4); !equalAnswers(got, expected(t, c.s.rewritten(t, kept, o), texts)) {
						t.Errorf("%d changes up to %s: other answers than those of a file", len(kept), info.Name)
					}
				}
			}
			changed, err := m.With(all)
			if err != nil {
				t.Fatal(err)
			}
			want := expected(t, c.s.rewritten(t, all, o), texts)
			if got := answers(t, full, changed, 0, 4); !equalAnswers(got, want) {
				t.Error("all tensors: other answers than those of a file")
			}
			if got := expected(t, changed, texts); !equalAnswers(got, want) {
				t.Error("all tensors: the model gives other answers without a sample")
			}
			if got := answers(t, full, m, 0, 4); !equalAnswers(got, before) {
				t.Error("a model with other tensors changes the one it was made of")
			}
		})
	}
}

// Several models at once give what each gives alone, on any number of threads.
func TestSampleOfModels(t *testing.T) {
	decoder := synth.Decoder{}.Model()
	for name, s := range map[string]*synthetic{
		"encoder": newSynthetic(goldenBERT),
		"decoder": {md: decoder.Metadata, tensors: decoder.Tensors, weights: steepWeights},
	} {
		for threads := 1; threads <= 4; threads++ {
			m := s.load(t, &Options{Threads: threads, Precision: PrecisionF32})
			var texts [][]int32
			for i := range 7 {
				texts = append(texts, text(2+(5*i)%11, i, 64))
			}
			sample, err := m.NewSample(t.Context(), texts, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			models := []*Model{m}
			for _, info := range s.tensors {
				if !strings.HasSuffix(info.Name, "_norm.weight") {
					continue
				}
				changed, err := m.With(map[string]Stored{info.Name: changedData(t, s, info)})
				if err != nil {
					t.Fatal(err)
				}
				models = append(models, changed)
			}
			for first := range len(texts) {
				for end := first; end <= len(texts); end++ {
					got := answersOf(t, sample, models, first, end)
					for i, m := range models {
						if !equalAnswers(got[i], answers(t, sample, m, first, end)) {
							t.Fatalf("%s, %d threads, texts %d to %d: model %d of %d gives other answers than alone", name, threads, first, end, i, len(models))
						}
					}
				}
			}
		}
	}
}

// A sample keeps no more than its budget allows for, but the first layer.
func TestSampleBudget(t *testing.T) {
	b := goldenBERT
	b.Layers = 7
	m := newSynthetic(b).load(t, nil)
	texts := [][]int32{text(10, 1, 512), text(15, 2, 512)}
	each := int64(25 * 32 * 4)
	for points := range int64(10) {
		s, err := m.NewSample(t.Context(), texts, points*each+each-1)
		if err != nil {
			t.Fatal(err)
		}
		var bytes int64
		for _, k := range s.kept {
			bytes += int64(len(k)) * 4
		}
		if bytes > max(points, 1)*each || bytes < min(max(points, 1), 8)*each/2 {
			t.Errorf("room for %d layers: %d bytes are kept in %d", points, bytes, len(s.kept))
		}
	}
}

// Only what differs is packed again, and what enters layers before that is shared.
func TestWithShares(t *testing.T) {
	s := newSynthetic(goldenBERT)
	m := s.load(t, nil)
	const name = "blk.1.ffn_up.weight"
	changed, err := m.With(map[string]Stored{name: changedData(t, s, *s.tensor(name))})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.weights.layers {
		a, b := m.weights.layers[i], changed.weights.layers[i]
		if a.qkv != b.qkv || a.attnOut != b.attnOut || a.down != b.down || (a.up == b.up) != (i == 0) {
			t.Errorf("layer %d: other weights are packed than those that differ", i)
		}
	}
	full, err := m.NewSample(t.Context(), [][]int32{text(9, 1, 512)}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	way, err := full.With(t.Context(), changed, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range full.kept {
		if shared := &full.kept[i][0] == &way.kept[i][0]; shared != (i <= 1) {
			t.Errorf("what enters layer %d is shared: %t", i, shared)
		}
	}
	for name, want := range map[string]int{
		"token_embd.weight": -1, "position_embd.weight": -1, "token_embd_norm.bias": -1, "blk.0.attn_q.weight": 0, "blk.1.layer_output_norm.weight": 1,
	} {
		if got := m.FirstChanged(name); got != want {
			t.Errorf("%s changes layer %d, want %d", name, got, want)
		}
	}
	decoder := (&synthetic{md: synth.Decoder{}.Model().Metadata, tensors: synth.Decoder{}.Model().Tensors, weights: steepWeights}).load(t, nil)
	for name, want := range map[string]int{"output.weight": 4, "output_norm.weight": 4, "blk.3.ffn_gate.weight": 3, "token_embd.weight": -1} {
		if got := decoder.FirstChanged(name); got != want {
			t.Errorf("%s changes layer %d, want %d", name, got, want)
		}
	}
}

// Of token embeddings the rows suffice that texts ask for.
func TestWithSomeRows(t *testing.T) {
	s := newSynthetic(goldenBERT)
	m := s.load(t, nil)
	table := changedData(t, s, *s.tensor(tokenTable))
	size := len(table.Data) / 512
	some := Stored{Type: table.Type, Rows: []int64{}}
	for i := int64(0); i < 512; i += 3 {
		some.Rows = append(some.Rows, i)
		some.Data = append(some.Data, table.Data[int(i)*size:][:size]...)
	}
	whole, err := m.With(map[string]Stored{tokenTable: table})
	if err != nil {
		t.Fatal(err)
	}
	part, err := m.With(map[string]Stored{tokenTable: some})
	if err != nil {
		t.Fatal(err)
	}
	ids := [][]int32{{0, 3, 510, 9}, {300}}
	if !equalAnswers(embed(t, whole, ids, nil), embed(t, part, ids, nil)) {
		t.Error("some rows give other vectors than all")
	}
	if _, err := part.Embed(t.Context(), [][]int32{{0, 4}}, nil); err == nil || !strings.Contains(err.Error(), `row 4 of "token_embd.weight" is not among`) {
		t.Errorf("a row that is not there gives %v", err)
	}
}

func TestWithRefuses(t *testing.T) {
	s := newSynthetic(goldenBERT)
	m := s.load(t, nil)
	tied := synth.Decoder{Tied: true}.Model()
	decoder := (&synthetic{md: tied.Metadata, tensors: tied.Tensors, weights: steepWeights}).load(t, nil)
	for _, c := range []struct {
		m    *Model
		name string
		s    Stored
		want string
	}{
		{m, "blk.9.ffn_up.weight", Stored{}, "has no tensor"},
		{m, "blk.0.ffn_up.weight", Stored{Type: gguf.TypeQ4_0, Data: make([]byte, 17)}, "17 bytes are not those of"},
		{m, "blk.0.ffn_up.weight", Stored{Type: gguf.TypeQ4_K, Data: make([]byte, 144)}, "are not those of"},
		{m, "blk.0.ffn_up.weight", Stored{Type: gguf.Type(200)}, "cannot be decoded"},
		{m, "blk.0.ffn_up.weight", Stored{Type: gguf.TypeF32, Data: slices.Repeat([]byte{0xff}, 4*32*64)}, "weights must be finite"},
		{m, "blk.0.ffn_up.weight", Stored{Type: gguf.TypeQ4_0, Rows: []int64{1}}, "all rows of"},
		{decoder, tokenTable, Stored{Type: gguf.TypeQ4_0, Rows: []int64{1}}, "all rows of"},
		{m, tokenTable, Stored{Type: gguf.TypeQ4_0, Rows: []int64{1}, Data: make([]byte, 19)}, "19 bytes are not those of"},
	} {
		if _, err := c.m.With(map[string]Stored{c.name: c.s}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s with %d bytes: error %v, want one with %q", c.name, c.s.Type, len(c.s.Data), err, c.want)
		}
	}
}

func TestSampleRefuses(t *testing.T) {
	m := newSynthetic(goldenBERT).load(t, nil)
	for _, c := range []struct {
		texts [][]int32
		want  string
	}{{nil, "there is no text"}, {[][]int32{{1}, {}}, "text 1 has no tokens"}, {[][]int32{{512}}, "token 0 has id 512"}} {
		if _, err := m.NewSample(t.Context(), c.texts, 1<<20); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.texts, err, c.want)
		}
	}
	// Texts are cut to the context.
	s, err := m.NewSample(t.Context(), [][]int32{text(50, 1, 512), text(4, 2, 512)}, 1<<20)
	if err != nil || s.Tokens(0) != 20 || s.Tokens(1) != 4 {
		t.Fatalf("error %v", err)
	}
	for _, r := range [][2]int{{-1, 1}, {1, 3}, {2, 1}} {
		if _, err := s.Embed(t.Context(), []*Model{m}, r[0], r[1]); err == nil {
			t.Errorf("texts %v are in a sample of two", r)
		}
	}
	if _, err := s.With(t.Context(), m, 3); err == nil {
		t.Error("three texts are in a sample of two")
	}
	if err := s.Logits(t.Context(), []*Model{m}, 0, 1, nil, nil); !isUnsupported(err) {
		t.Errorf("logits of BERT give %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Embed(ctx, []*Model{m}, 0, 0); err != nil {
		t.Errorf("no text: error %v", err)
	}
	if _, err := m.NewSample(ctx, [][]int32{{1}}, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want a cancelled context", err)
	}
	changed, err := m.With(map[string]Stored{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := changed.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	// A stranger is computed from its tokens.
	if _, err := s.Embed(ctx, []*Model{other}, 0, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want a cancelled context", err)
	}
}

// A model and one that shares its head may pack it at the same time.
func TestHeadIsShared(t *testing.T) {
	s := synth.Decoder{Layers: 1}.Model()
	m := (&synthetic{md: s.Metadata, tensors: s.Tensors, weights: steepWeights}).load(t, nil)
	changed, err := m.With(map[string]Stored{tokenTable: changedData(t, &synthetic{md: s.Metadata, tensors: s.Tensors, weights: steepWeights}, gguf.TensorInfo{Name: tokenTable, Shape: []int64{256, 64}})})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, x := range []*Model{m, changed, m.WithThreads(1)} {
		wg.Go(func() {
			if err := x.Logits(t.Context(), []int32{1, 2}, 1, func(int, []float32) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m.head != changed.head {
		t.Error("the head is packed twice")
	}
}

package infer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/synth"
)

// The vectors of transformers, in float64, of a text of each length.
func TestEmbedMatchesTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/bert.f32")
	if err != nil {
		t.Fatal(err)
	}
	m := newSynthetic(goldenBERT).load(t, nil)
	poolings := []Pooling{PoolingMean, PoolingCLS, PoolingLast}
	if len(data) != 4*m.ContextLength()*len(poolings)*m.Dimensions() {
		t.Fatalf("testdata/bert.f32 has %d bytes", len(data))
	}
	for n := 1; n <= m.ContextLength(); n++ {
		batch := [][]int32{text(n, n, goldenBERT.Vocab)}
		for _, p := range poolings {
			want := make([]float32, m.Dimensions())
			size, err := binary.Decode(data, binary.LittleEndian, want)
			if err != nil {
				t.Fatal(err)
			}
			data = data[size:]
			raw := embed(t, m, batch, &EmbedOptions{Pooling: p, Raw: true})[0]
			for i := range want {
				if d := math.Abs(float64(raw[i] - want[i])); d > 4e-6 {
					t.Fatalf("%d tokens, %v: element %d is %v, want %v", n, p, i, raw[i], want[i])
				}
			}
			unit := embed(t, m, batch, &EmbedOptions{Pooling: p})[0]
			if c := cosine(unit, want); c < 1-1e-12 {
				t.Fatalf("%d tokens, %v: cosine %.15f", n, p, c)
			}
			if l := length(unit); math.Abs(l-1) > 1e-7 {
				t.Fatalf("%d tokens, %v: length %.9f", n, p, l)
			}
		}
	}
}

func length(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func cosine(x, y []float32) float64 {
	var dot float64
	for i := range x {
		dot += float64(x[i]) * float64(y[i])
	}
	return dot / length(x) / length(y)
}

// companyBERT has texts that need several blocks of queries and panels that are
// not full.
var companyBERT = synth.BERT{Vocab: 512, Context: 70, Width: 36, Layers: 2, Heads: 3, FF: 50}

// A vector is the same to the bit whatever texts are beside it, in whatever
// order, on however many threads, in floats and in bytes.
func TestEmbedIsTheSameInAnyCompany(t *testing.T) {
	t.Run("f32", func(t *testing.T) { testCompany(t, newSynthetic(companyBERT), PrecisionF32) })
	t.Run("int8", func(t *testing.T) {
		b := companyBERT
		b.Width, b.FF = 96, 160
		model := newSynthetic(b)
		for i := range model.tensors {
			// Kinds of weights beside each other, among them neighbours that differ.
			if t := &model.tensors[i]; len(t.Shape) == 2 {
				t.Type = []gguf.Type{gguf.TypeQ8_0, gguf.TypeQ4_1, gguf.TypeQ5_0, gguf.TypeF16}[i%4]
			}
		}
		testCompany(t, model, PrecisionInt8)
	})
}

func testCompany(t *testing.T, model *synthetic, precision Precision) {
	withProcs(t, 7)
	var batch [][]int32
	for n := 1; n <= companyBERT.Context; n++ {
		batch = append(batch, text(n, n, 512))
	}
	one := model.load(t, &Options{Threads: 1, Precision: precision})
	var want [][]float32
	for _, ids := range batch {
		want = append(want, embed(t, one, [][]int32{ids}, nil)[0])
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2, 3, 7} {
		m := model.load(t, &Options{Threads: threads, Precision: precision})
		for range 6 {
			order := rng.Perm(len(batch))[:1+rng.IntN(40)]
			var some [][]int32
			for _, i := range order {
				some = append(some, batch[i])
			}
			for at, v := range embed(t, m, some, nil) {
				if !slices.Equal(v, want[order[at]]) {
					t.Fatalf("%d threads, %d texts: the vector of %d tokens differs", threads, len(some), len(batch[order[at]]))
				}
			}
		}
	}
}

func TestEmbedConcurrently(t *testing.T) {
	withProcs(t, 4)
	m := newSynthetic(goldenBERT).load(t, nil)
	batch := [][]int32{text(5, 1, 512), text(20, 2, 512), text(1, 3, 512)}
	want := embed(t, m, batch, nil)
	results := make(chan [][]float32)
	for range 8 {
		go func() {
			v, err := m.Embed(t.Context(), batch, nil)
			if err != nil {
				t.Error(err)
			}
			results <- v
		}()
	}
	for range 8 {
		if got := <-results; !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
			t.Error("vectors differ between calls at the same time")
		}
	}
}

func TestEmbedNothing(t *testing.T) {
	m := newSynthetic(goldenBERT).load(t, nil)
	if v := embed(t, m, nil, nil); v == nil || len(v) != 0 {
		t.Errorf("an empty batch gives %v", v)
	}
}

func TestEmbedDefaultPooling(t *testing.T) {
	batch := [][]int32{text(9, 4, 512)}
	for name, c := range map[string]struct {
		set  func(s *synthetic)
		want Pooling
	}{
		"mean":   {func(s *synthetic) { set[uint32](s, "pooling_type", 1) }, PoolingMean},
		"cls":    {func(s *synthetic) { set[uint32](s, "pooling_type", 2) }, PoolingCLS},
		"last":   {func(s *synthetic) { set[uint32](s, "pooling_type", 3) }, PoolingLast},
		"none":   {func(s *synthetic) { set[uint32](s, "pooling_type", 0) }, PoolingMean},
		"absent": {func(s *synthetic) { s.md.Delete("bert.pooling_type") }, PoolingMean},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSynthetic(goldenBERT)
			c.set(s)
			m := s.load(t, nil)
			if m.Pooling() != c.want {
				t.Errorf("pooling is %v, want %v", m.Pooling(), c.want)
			}
			got := embed(t, m, batch, nil)[0]
			if want := embed(t, m, batch, &EmbedOptions{Pooling: c.want})[0]; !slices.Equal(got, want) {
				t.Errorf("the default pooling is not %v", c.want)
			}
		})
	}
}

func TestEmbedRankModel(t *testing.T) {
	s := newSynthetic(goldenBERT)
	set[uint32](s, "pooling_type", 4)
	s.tensors = append(s.tensors, gguf.TensorInfo{Name: "cls.weight", Shape: []int64{32, 32}})
	m := s.load(t, nil)
	batch := [][]int32{{1, 2}}
	_, err := m.Embed(t.Context(), batch, nil)
	if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok || !strings.Contains(err.Error(), "ranks texts") {
		t.Errorf("error %v", err)
	}
	embed(t, m, batch, &EmbedOptions{Pooling: PoolingCLS})
}

func TestEmbedErrors(t *testing.T) {
	m := newSynthetic(goldenBERT).load(t, nil)
	good := text(5, 1, 512)
	for _, c := range []struct {
		batch [][]int32
		o     EmbedOptions
		want  string
	}{
		{[][]int32{good, {}}, EmbedOptions{}, "text 1 has no tokens"},
		{[][]int32{good, {}}, EmbedOptions{First: 7}, "text 8 has no tokens"},
		{[][]int32{good, good, {1, 512}}, EmbedOptions{}, "text 2: token 1 has id 512, but the model knows ids from 0 to 511"},
		{[][]int32{{-1}}, EmbedOptions{}, "text 0: token 0 has id -1"},
		{[][]int32{good, text(21, 1, 512)}, EmbedOptions{}, "text 1 has 21 tokens, but the model takes at most 20"},
		{[][]int32{good}, EmbedOptions{Pooling: 77}, "unknown pooling 77"},
	} {
		v, err := m.Embed(t.Context(), c.batch, &c.o)
		if v != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	_, err := m.Embed(t.Context(), [][]int32{good, {}}, &EmbedOptions{First: 100})
	if e, ok := errors.AsType[*EmptyTextError](err); !ok || e.Text != 101 {
		t.Errorf("error %v, want an EmptyTextError", err)
	}
	_, err = m.Embed(t.Context(), [][]int32{good, text(30, 1, 512)}, &EmbedOptions{First: 100})
	if e, ok := errors.AsType[*TooLongError](err); !ok || *e != (TooLongError{Text: 101, Tokens: 30, Limit: 20}) {
		t.Errorf("error %v, want a TooLongError", err)
	}
}

func TestEmbedTruncates(t *testing.T) {
	s := newSynthetic(goldenBERT)
	const sep, eos = 500, 501
	s.md.Set("tokenizer.ggml.seperator_token_id", gguf.ValueOf[uint32](sep))
	s.md.Set("tokenizer.ggml.eos_token_id", gguf.ValueOf[uint32](eos))
	m := s.load(t, nil)
	ids := text(40, 3, 500)
	closed := func(n int, last int32) []int32 { return append(slices.Clone(ids[:n]), last) }
	for _, c := range []struct{ long, short []int32 }{
		{closed(19, sep), closed(19, sep)},
		{closed(20, sep), closed(19, sep)},
		{closed(35, sep), closed(19, sep)},
		{closed(35, eos), closed(19, eos)},
		{ids, ids[:20]},
	} {
		before := slices.Clone(c.long)
		var reports []string
		o := &EmbedOptions{First: 7, Truncated: func(text, from, to int) { reports = append(reports, fmt.Sprint(text, from, to)) }}
		got := embed(t, m, [][]int32{ids[:3], c.long, c.long}, o)
		want := embed(t, m, [][]int32{c.short}, nil)[0]
		if !slices.Equal(got[1], want) || !slices.Equal(got[2], want) {
			t.Errorf("%d tokens: not the vector of %v", len(c.long), c.short)
		}
		if !slices.Equal(c.long, before) {
			t.Errorf("%d tokens: the text was changed", len(before))
		}
		var wantReports []string
		if n := len(c.long); n > 20 {
			wantReports = []string{fmt.Sprint(8, n, 20), fmt.Sprint(9, n, 20)}
		}
		if !slices.Equal(reports, wantReports) {
			t.Errorf("%d tokens: reported %v, want %v", len(c.long), reports, wantReports)
		}
	}
}

// An embedding that the loader does not read can still spoil a vector.
func TestEmbedRefusesVectorsThatAreNotFinite(t *testing.T) {
	s := newSynthetic(goldenBERT)
	s.weights = func(t gguf.TensorInfo) []float32 {
		w := steepWeights(t)
		if t.Name == "token_embd.weight" {
			w[7*32+5] = float32(math.NaN())
		}
		return w
	}
	m := s.load(t, nil)
	embed(t, m, [][]int32{{6, 8}}, nil)
	_, err := m.Embed(t.Context(), [][]int32{{6, 8}, {1}, {8, 7, 6}}, nil)
	if err == nil || !strings.Contains(err.Error(), "the vector of text 2 is not finite") {
		t.Errorf("error %v", err)
	}
}

func TestEmbedCanceled(t *testing.T) {
	withProcs(t, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for threads := 1; threads <= 4; threads++ {
		m := newSynthetic(goldenBERT).load(t, &Options{Threads: threads})
		if _, err := m.Embed(ctx, [][]int32{{1}, {2, 3}, {4, 5}, {6}}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%d threads: error %v", threads, err)
		}
	}
}

// byLetter is an Encoder of one token for each byte.
type byLetter struct{}

func (byLetter) Encode(text string, special bool) []int32 {
	ids := []int32{}
	if special {
		ids = append(ids, 2)
	}
	for i := range len(text) {
		ids = append(ids, int32(text[i]))
	}
	if special {
		ids = append(ids, 3)
	}
	return ids
}

func TestEmbedTexts(t *testing.T) {
	withProcs(t, 3)
	s := newSynthetic(goldenBERT)
	s.md.Set("tokenizer.ggml.seperator_token_id", gguf.ValueOf[uint32](3))
	m := s.load(t, nil)
	texts := []string{"brown", "", strings.Repeat("fox", 9)}
	if _, _, err := m.EmbedTexts(t.Context(), byLetter{}, texts, nil); err == nil || !strings.Contains(err.Error(), "text 2 has 29 tokens") {
		t.Errorf("error %v", err)
	}
	vectors, tokens, err := m.EmbedTexts(t.Context(), byLetter{}, texts, &EmbedOptions{Truncated: func(int, int, int) {}})
	if err != nil {
		t.Fatal(err)
	}
	want := embed(t, m, [][]int32{
		{2, 'b', 'r', 'o', 'w', 'n', 3}, {2, 3},
		append(append([]int32{2}, []int32("foxfoxfoxfoxfoxfox")...), 3),
	}, nil)
	if !slices.EqualFunc(vectors, want, slices.Equal[[]float32]) {
		t.Error("not the vectors of the ids")
	}
	if !slices.Equal(tokens, []int{7, 2, 20}) {
		t.Errorf("tokens %v, want [7 2 20]", tokens)
	}
}

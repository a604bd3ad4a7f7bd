package infer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// A family is a model of testdata/golden_families.py.
type family struct {
	Name        string
	Vocab       int
	Lengths     []int
	Keys        map[string]any
	Tensors     [][2]json.RawMessage // name, shape
	RopeFactors []float32            `json:"rope_factors"`
}

func readFamilies(t testing.TB) []family {
	t.Helper()
	data, err := os.ReadFile("testdata/families.json")
	if err != nil {
		t.Fatal(err)
	}
	var families []family
	if err := json.Unmarshal(data, &families); err != nil {
		t.Fatal(err)
	}
	return families
}

// synthetic returns the model as a file.
func (f *family) synthetic(t testing.TB) *synthetic {
	t.Helper()
	s := &synthetic{md: new(gguf.Metadata), weights: steepWeights}
	for key, v := range f.Keys {
		switch v := v.(type) {
		case string:
			s.md.Set(key, gguf.ValueOf(v))
		case bool:
			s.md.Set(key, gguf.ValueOf(v))
		case float64:
			if v == math.Trunc(v) && !strings.Contains(key, "rope.freq") && !strings.HasSuffix(key, "factor") {
				s.md.Set(key, gguf.ValueOf(uint32(v)))
			} else {
				s.md.Set(key, gguf.ValueOf(float32(v)))
			}
		default:
			t.Fatalf("key %s is %T", key, v)
		}
	}
	for _, d := range f.Tensors {
		var info gguf.TensorInfo
		if err := json.Unmarshal(d[0], &info.Name); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(d[1], &info.Shape); err != nil {
			t.Fatal(err)
		}
		s.tensors = append(s.tensors, info)
	}
	if f.RopeFactors != nil {
		s.tensors = append(s.tensors, gguf.TensorInfo{Name: "rope_freqs.weight", Shape: []int64{int64(len(f.RopeFactors))}})
		s.weights = func(t gguf.TensorInfo) []float32 {
			if t.Name == "rope_freqs.weight" {
				return f.RopeFactors
			}
			return steepWeights(t)
		}
	}
	return s
}

// outputs takes what transformers computed for f off the front of all.
func (f *family) outputs(t testing.TB, all *[]float32) []float32 {
	t.Helper()
	width := int(f.Keys[f.Keys["general.architecture"].(string)+".embedding_length"].(float64))
	n, last := 0, width // the vector, or the logits of the last token
	if f.isDecoder() {
		last = f.Vocab
	}
	for _, tokens := range f.Lengths {
		n += tokens*width + last
	}
	if n > len(*all) {
		t.Fatalf("testdata/families.f32 ends within %s", f.Name)
	}
	outputs := (*all)[:n]
	*all = (*all)[n:]
	return outputs
}

func (f *family) isDecoder() bool {
	arch := f.Keys["general.architecture"].(string)
	return arch != "nomic-bert" && arch != "gemma-embedding"
}

// fuse makes one tensor of the queries, keys and values of each layer.
func (s *synthetic) fuse() {
	weights := s.weights
	var fused []gguf.TensorInfo
	for _, t := range s.tensors {
		if stem, ok := strings.CutSuffix(t.Name, "attn_q.weight"); ok {
			t.Name = stem + "attn_qkv.weight"
			t.Shape = slices.Clone(t.Shape)
			t.Shape[1] += s.tensor(stem + "attn_k.weight").Shape[1] + s.tensor(stem + "attn_v.weight").Shape[1]
		} else if strings.HasSuffix(t.Name, "attn_k.weight") || strings.HasSuffix(t.Name, "attn_v.weight") {
			continue
		}
		fused = append(fused, t)
	}
	parts := map[string]gguf.TensorInfo{}
	for _, t := range s.tensors {
		parts[t.Name] = t
	}
	s.tensors = fused
	s.weights = func(t gguf.TensorInfo) []float32 {
		stem, ok := strings.CutSuffix(t.Name, "attn_qkv.weight")
		if !ok {
			return weights(t)
		}
		var all []float32
		for _, p := range []string{"attn_q.weight", "attn_k.weight", "attn_v.weight"} {
			all = append(all, weights(parts[stem+p])...)
		}
		return all
	}
}

// States, logits and vectors of every family are those of transformers.
func TestFamiliesMatchTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/families.f32")
	if err != nil {
		t.Fatal(err)
	}
	all := make([]float32, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range readFamilies(t) {
		seen[f.Keys["general.architecture"].(string)] = true
		outputs := f.outputs(t, &all)
		t.Run(f.Name, func(t *testing.T) {
			next := func(n int) (want []float32) {
				want, outputs = outputs[:n], outputs[n:]
				return want
			}
			o := &Options{Context: 150}
			m := f.synthetic(t).load(t, o)
			if m.HasLogits() != f.isDecoder() {
				t.Fatalf("HasLogits is %t", m.HasLogits())
			}
			fused := f.synthetic(t)
			if !slices.ContainsFunc(fused.tensors, func(t gguf.TensorInfo) bool { return strings.HasSuffix(t.Name, "attn_q.bias") }) {
				fused.fuse()
			}
			f2 := fused.load(t, o)
			for _, n := range f.Lengths {
				ids := text(n, n, f.Vocab)
				want := next(n * m.Width())
				got, err := m.States(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, got, want, m.Width())
				if also, err := f2.States(t.Context(), ids); err != nil || !slices.Equal(got, also) {
					t.Fatalf("%d tokens: fused queries, keys and values give other states, error %v", n, err)
				}
				if m.HasLogits() {
					want := next(f.Vocab)
					visits := 0
					err := m.Logits(t.Context(), ids, n-1, func(position int, logits []float32) error {
						if visits++; position != n-1 {
							t.Errorf("position %d, want %d", position, n-1)
						}
						compare(t, logits, want, f.Vocab)
						return nil
					})
					if err != nil || visits != 1 {
						t.Fatalf("%d visits, error %v", visits, err)
					}
					continue
				}
				want = next(m.Dimensions())
				compare(t, embed(t, m, [][]int32{ids}, &EmbedOptions{Raw: true})[0], want, len(want))
			}
		})
	}
	if len(all) != 0 {
		t.Errorf("%d numbers of testdata/families.f32 were not compared", len(all))
	}
	for _, a := range architectures {
		if !seen[a.name] && a.name != "bert" {
			t.Errorf("%s is not compared with transformers", a.name)
		}
	}
}

// compare compares rows of the given width.
func compare(t *testing.T, got, want []float32, width int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i := 0; i < len(want); i += width {
		g, w := got[i:i+width], want[i:i+width]
		if c := cosine(g, w); !(c >= 1-1e-9) {
			t.Fatalf("row %d: cosine %.12f", i/width, c)
		}
		for j := range w {
			if d := math.Abs(float64(g[j] - w[j])); !(d <= 2e-5*length(w)) {
				t.Fatalf("row %d, column %d: %v, want %v", i/width, j, g[j], w[j])
			}
		}
	}
}

// The states of every family are the same to the bit in any company and on any
// number of threads.
func TestFamiliesInAnyCompany(t *testing.T) {
	withProcs(t, 3)
	for _, f := range readFamilies(t) {
		t.Run(f.Name, func(t *testing.T) {
			s := f.synthetic(t)
			one := s.load(t, &Options{Threads: 1, Context: 160})
			batch := [][]int32{text(155, 1, f.Vocab), text(3, 2, f.Vocab), text(50, 3, f.Vocab), text(129, 4, f.Vocab), text(1, 5, f.Vocab)}
			var want [][]float32
			for _, ids := range batch {
				want = append(want, embed(t, one, [][]int32{ids}, &EmbedOptions{Pooling: PoolingLast})[0])
			}
			for _, threads := range []int{1, 3} {
				m := s.load(t, &Options{Threads: threads, Context: 160})
				if got := embed(t, m, batch, &EmbedOptions{Pooling: PoolingLast}); !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
					t.Errorf("%d threads: vectors differ in company", threads)
				}
				if got := embed(t, m, batch[:1], &EmbedOptions{Pooling: PoolingLast})[0]; !slices.Equal(got, want[0]) {
					t.Errorf("%d threads: the vector of a text alone differs", threads)
				}
			}
		})
	}
}

// A decoder's states, vectors and logits agree with each other, and in bytes
// they are close to those in floats.
func TestDecoderOutputs(t *testing.T) {
	withProcs(t, 3)
	d := synth.Decoder{Layers: 2, Width: 128, Heads: 4, KVHeads: 2, FF: 160, Vocab: 200}
	s := &synthetic{md: d.Model().Metadata, tensors: d.Model().Tensors, weights: steepWeights}
	for i := range s.tensors {
		if len(s.tensors[i].Shape) == 2 {
			s.tensors[i].Type = gguf.TypeQ8_0
		}
	}
	ids := text(100, 1, 200)
	collect := func(m *Model, from int) (all []float32) {
		t.Helper()
		err := m.Logits(t.Context(), ids, from, func(position int, logits []float32) error {
			if want := from + len(all)/200; position != want || len(logits) != 200 {
				t.Fatalf("%d logits at position %d, want position %d", len(logits), position, want)
			}
			all = append(all, logits...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	floats := s.load(t, &Options{Precision: PrecisionF32})
	all := collect(floats, 0)
	if len(all) != 100*200 || !slices.Equal(collect(floats, 70), all[70*200:]) {
		t.Error("logits from a later position differ")
	}
	states, err := floats.States(t.Context(), ids)
	if err != nil || len(states) != 100*128 {
		t.Fatalf("%d states, error %v", len(states), err)
	}
	if v := embed(t, floats, [][]int32{ids}, &EmbedOptions{Raw: true})[0]; !slices.Equal(v, states[99*128:]) {
		t.Error("a decoder's vector is not the state of its last token")
	}
	bytes := s.load(t, &Options{Precision: PrecisionInt8})
	for at, got := 0, collect(bytes, 0); at < len(all); at += 200 {
		if c := cosine(got[at:at+200], all[at:at+200]); c < 0.999 || c == 1 {
			t.Fatalf("position %d: int8 has a cosine of %.6f to f32", at/200, c)
		}
	}
	stop := errors.New("enough")
	visits := 0
	err = floats.Logits(t.Context(), ids, 0, func(int, []float32) error { visits++; return stop })
	if !errors.Is(err, stop) || visits != 1 {
		t.Errorf("%d visits, error %v", visits, err)
	}
	if err := floats.Logits(t.Context(), []int32{1, 200}, 0, nil); err == nil || !strings.Contains(err.Error(), "token 1 has id 200") {
		t.Errorf("error %v", err)
	}
	bert := newSynthetic(goldenBERT).load(t, nil)
	if err := bert.Logits(t.Context(), ids, 0, nil); !isUnsupported(err) {
		t.Errorf("logits of BERT give %v", err)
	}
}

// An observer sees what each product of a gated network takes.
func TestFamiliesObserved(t *testing.T) {
	for _, f := range readFamilies(t) {
		t.Run(f.Name, func(t *testing.T) {
			m := f.synthetic(t).load(t, nil)
			shapes := map[string][]int64{}
			for _, info := range f.synthetic(t).tensors {
				shapes[info.Name] = info.Shape
			}
			seen := map[string]bool{}
			ids := text(9, 1, f.Vocab)
			plain := embed(t, m, [][]int32{ids}, nil)[0]
			observe := func(weights []string, x gemm.View) {
				for _, tensor := range weights {
					seen[tensor] = true
					if shape := shapes[tensor]; len(shape) != 2 || int64(x.Cols) != shape[0] {
						t.Errorf("%s: %d columns", tensor, x.Cols)
					}
				}
			}
			v := embed(t, m, [][]int32{ids}, &EmbedOptions{Watch: watchAll(observe)})[0]
			if !slices.Equal(v, plain) {
				t.Error("an observer changes the vector")
			}
			for name, shape := range shapes {
				isTable := name == "token_embd.weight" || name == "token_types.weight" || name == "output.weight"
				if len(shape) == 2 && !isTable && !seen[name] {
					t.Errorf("%s was not observed", name)
				}
			}
		})
	}
}

// Files of decoders that contradict themselves, or that are not supported, are
// refused with the key or tensor.
func TestFamiliesHostile(t *testing.T) {
	u32 := func(n uint32) gguf.Value { return gguf.ValueOf(n) }
	for _, c := range []struct {
		family, key string
		value       gguf.Value
		want        string
		unsupported bool
	}{
		{"llama", "llama.attention.head_count_kv", u32(3), "is 3, which does not divide the 4 heads", false},
		{"llama", "llama.attention.head_count_kv", gguf.ArrayOf([]uint32{2, 2}), "is of type array, expected an integer", false},
		{"llama", "llama.attention.key_length", u32(16), "is 12, and keys have 16 elements", true},
		{"llama", "llama.attention.head_count", u32(8), `tensor "blk.0.attn_q.weight": has shape [32 48], expected [32 96]`, false},
		{"llama", "llama.attention.value_length", u32(16), "is 16, and keys have 12 elements", true},
		{"llama", "llama.attention.head_count", u32(1 << 23), "too many for heads of 12 elements", false},
		{"llama", "llama.rope.dimension_count", u32(13), "is 13 for heads of 12 elements", false},
		{"llama", "llama.rope.dimension_count", u32(7), "is 7 for heads of 12 elements; it must be even", false},
		{"llama", "llama.rope.freq_base", gguf.ValueOf(float32(0)), "is 0, expected 1 to", false},
		{"llama", "llama.rope.freq_base", gguf.ValueOf(float32(math.NaN())), "is NaN, expected 1 to", false},
		{"llama", "llama.rope.scaling.type", gguf.ValueOf("longrope"), `is "longrope"; none, linear and yarn are supported`, true},
		{"llama", "llama.rope.scaling.type", u32(1), "is of type u32, expected a string", false},
		{"llama", "llama.rope.scaling.factor", gguf.ValueOf(float32(-1)), "is -1, expected 0 to", false},
		{"llama", "llama.expert_count", u32(8), "mixtures of experts are not supported", true},
		{"llama", "llama.attention.layer_norm_rms_epsilon", gguf.ValueOf("no"), "is of type string, expected a float", false},
		{"llama yarn", "llama.rope.scaling.original_context_length", u32(0), "is 0, expected 1 to", false},
		{"gemma3", "gemma3.attention.sliding_window_pattern", gguf.ArrayOf([]bool{true}), "has 1 elements for 7 layers", false},
		{"gemma3", "gemma3.attention.sliding_window", gguf.ValueOf(int32(-1)), "is -1, expected 0 to", false},
		{"gemma-embedding", "gemma-embedding.dense_3_feat_in", u32(47), "is 47, which is not the length of what comes before", false},
		{"qwen3", "gguftool.rope.scaling.dynamic_factor", gguf.ValueOf(float32(0.5)), "is 0.5, expected a float from 1 to 1024", false},
		{"nomic-bert", "nomic-bert.attention.head_count_kv", u32(2), "grouped attention is not supported in nomic-bert", true},
	} {
		families := readFamilies(t)
		f := families[slices.IndexFunc(families, func(f family) bool { return f.Name == c.family })]
		s := f.synthetic(t)
		s.md.Set(c.key, c.value)
		m, err := Load(s.open(t, nil), nil)
		if m != nil || err == nil || isUnsupported(err) != c.unsupported || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want one with %q", c.family, c.key, err, c.want)
		}
	}
	for _, c := range []struct {
		family  string
		context int
		want    string
	}{
		{"llama", 201, "the model takes texts of 200 tokens, and its positions cannot be stretched to 201; choose a smaller context"},
		{"nomic-bert stretched", 161, "the model takes texts of 40 tokens, and its positions cannot be stretched to 161; choose at most 160"},
		{"llama", -1, "a context of -1 tokens is negative"},
	} {
		families := readFamilies(t)
		f := families[slices.IndexFunc(families, func(f family) bool { return f.Name == c.family })]
		if _, err := Load(f.synthetic(t).open(t, nil), &Options{Context: c.context}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, context %d: error %v, want one with %q", c.family, c.context, err, c.want)
		}
	}
	s := readFamilies(t)[3].synthetic(t)
	s.weights = func(t gguf.TensorInfo) []float32 {
		n := int64(1)
		for _, d := range t.Shape {
			n *= d
		}
		return make([]float32, n)
	}
	if _, err := Load(s.open(t, nil), nil); err == nil || !strings.Contains(err.Error(), `tensor "rope_freqs.weight": element 0 is 0`) {
		t.Errorf("rope factors of zero give %v", err)
	}
}

package quantize

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// plan plans m for the file type and options of llama-quantize.
func plan(t *testing.T, m *testModel, to gguf.FileType, args ...string) *Plan {
	t.Helper()
	o := m.options(args)
	o.FileType = to
	p, err := NewPlan(m.file(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Plan) tensorNamed(t *testing.T, name string) Tensor {
	t.Helper()
	i := slices.IndexFunc(p.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("there is no tensor %q", name)
	}
	return p.Tensors[i]
}

func TestReasons(t *testing.T) {
	q := func(name string) *gguf.Type { return new(must(gguf.ParseType(name))) }
	bert := func() *testModel {
		return newModel("bert", "bert", 8, 6, 6, 0).add(cols(384), "token_embd.weight", "token_types.weight", "odd.weight").
			add(vector(384), "token_embd_norm.weight").add(cols(100), "narrow.weight").
			addType(gguf.TypeF16, cols(100), "kept.weight").
			layers(8, cols(384), split("ffn_up.weight")...).layers(8, cols(1536), "ffn_down.weight")
	}
	for _, c := range []struct {
		tensor           string
		options          Options
		to               gguf.Type
		reason, fallback string
	}{
		{"token_embd.weight", Options{}, gguf.TypeQ8_0, "token embeddings, tied to the output", "384 columns are not a multiple of 256: Q6_K → Q8_0"},
		{"blk.1.attn_q.weight", Options{}, gguf.TypeQ5_0, "base type", "384 columns are not a multiple of 256: Q4_K → Q5_0"},
		{"blk.0.attn_v.weight", Options{}, gguf.TypeQ8_0, "attn_v: outer eighths and every third layer", "384 columns are not a multiple of 256: Q6_K → Q8_0"},
		{"blk.1.ffn_down.weight", Options{}, gguf.TypeQ4_K, "base type", ""},
		{"blk.3.ffn_down.weight", Options{}, gguf.TypeQ6_K, "ffn_down: outer eighths and every third layer", ""},
		{"narrow.weight", Options{}, gguf.TypeF16, "base type", "100 columns are not a multiple of 256: Q4_K → F16"},
		{"kept.weight", Options{}, gguf.TypeF16, "base type", "100 columns are not a multiple of 256: Q4_K → F16"},
		{"token_types.weight", Options{}, gguf.TypeF32, "token types", ""},
		{"token_embd_norm.weight", Options{}, gguf.TypeF32, "one-dimensional", ""},
		{"odd.weight", Options{Pure: true}, gguf.TypeQ5_0, "--pure", "384 columns are not a multiple of 256: Q4_K → Q5_0"},
		{"token_embd.weight", Options{Pure: true}, gguf.TypeQ5_0, "--pure", "384 columns are not a multiple of 256: Q4_K → Q5_0"},
		{"token_embd.weight", Options{TokenEmbeddingType: q("q5_1")}, gguf.TypeQ5_1, "--token-embedding-type", ""},
		{"token_embd.weight", Options{OutputTensorType: q("q2_k")}, gguf.TypeQ4_0, "token embeddings, tied to the output: --output-tensor-type", "384 columns are not a multiple of 256: Q2_K → Q4_0"},
		{"odd.weight", Options{Overrides: []Override{{"^odd", gguf.TypeQ6_K}}}, gguf.TypeQ8_0, "--tensor-type ^odd", "384 columns are not a multiple of 256: Q6_K → Q8_0"},
		{"odd.weight", Options{Copy: true}, gguf.TypeF32, "copied", ""},
	} {
		c.options.FileType = gguf.FileQ4_K_M
		p, err := NewPlan(bert().file(), &c.options)
		if err != nil {
			t.Fatal(err)
		}
		got := p.tensorNamed(t, c.tensor)
		if got.To != c.to || got.Reason != c.reason || got.Fallback != c.fallback {
			t.Errorf("%s: %s, %q, %q; want %s, %q, %q", c.tensor, got.To, got.Reason, got.Fallback, c.to, c.reason, c.fallback)
		}
	}

	p := plan(t, newModel("llama", "llama", 80, 64, 8, 0).layers(1, cols(256), "attn_v.weight"), gguf.FileQ4_K_S)
	if got := p.Tensors[0]; got.To != gguf.TypeQ5_K || got.Reason != "attn_v: first four" {
		t.Errorf("%s because %q", got.To, got.Reason)
	}
	p = plan(t, newModel("llama", "llama", 80, 64, 8, 0).layers(1, cols(256), "attn_v.weight"), gguf.FileQ3_K_S)
	if got := p.Tensors[0]; got.To != gguf.TypeQ5_K || got.Reason != "attn_v: 70B" {
		t.Errorf("%s because %q", got.To, got.Reason)
	}
}

func TestNoFallback(t *testing.T) {
	m := newModel("bert", "bert", 2, 6, 6, 0).layers(2, cols(384), "attn_q.weight").layers(2, cols(512), "ffn_down.weight")
	for to, want := range map[gguf.FileType]string{
		gguf.FileQ4_K_M: "2 of 4 tensors have rows that do not fit their type; choose another one, or allow fallbacks:\n" +
			"  blk.0.attn_q.weight: 384 columns are not a multiple of 256: Q4_K → Q5_0\n" +
			"  blk.1.attn_q.weight: 384 columns are not a multiple of 256: Q4_K → Q5_0",
		gguf.FileQ8_0: "",
	} {
		_, err := NewPlan(m.file(), &Options{FileType: to, NoFallback: true})
		if want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		checkUnsupported(t, err, want)
	}
}

func checkUnsupported(t *testing.T, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want an UnsupportedError with %q", err, want)
	}
}

func checkMalformed(t *testing.T, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want a FormatError with %q", err, want)
	}
}

func checkPlain(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q in it", err, want)
	}
}

func TestSummary(t *testing.T) {
	m := newModel("bert", "bert", 1, 6, 6, 0).add(cols(512), "token_embd.weight").add(cols(384), "blk.0.attn_q.weight").
		add(vector(16), "token_embd_norm.weight")
	p := plan(t, m, gguf.FileQ4_K_M, "--imatrix")
	s := p.Summary()
	// 1024 weights of Q6_K, 768 of Q5_0, 16 of F32.
	want := []TypeSummary{{gguf.TypeQ6_K, 1, 1024, 840}, {gguf.TypeQ5_0, 1, 768, 528}, {gguf.TypeF32, 1, 16, 64}}
	if s.Parameters != 1808 || s.BytesBefore != 4*1808 || s.BytesAfter != 840+528+64 || s.Fallbacks != 1 || s.Unweighted != 1 ||
		s.BitsBefore() != 32 || s.BitsAfter() != 8*1432/1808. || !slices.Equal(s.Types, want) {
		t.Errorf("%+v", s)
	}
}

// An architecture that nobody has heard of gets the common rules.
func TestUnknownArchitecture(t *testing.T) {
	m := newModel("new", "brand-new", 8, 8, 8, 0).add(cols(256), "output.weight").layers(8, cols(256), "attn_v.weight")
	p := plan(t, m, gguf.FileQ4_K_M)
	if got := p.tensorNamed(t, "blk.0.attn_v.weight").To; got != gguf.TypeQ6_K {
		t.Errorf("attn_v is %s", got)
	}

	bare := &testModel{name: "bare"}
	bare.set("general.architecture", gguf.ValueOf("brand-new")).layers(8, cols(256), "attn_v.weight")
	_, err := NewPlan(bare.file(), &Options{FileType: gguf.FileQ4_K_M})
	checkUnsupported(t, err, "bare.gguf: brand-new.block_count is missing, and the mixture Q4_K_M depends on it; set it with --override-kv brand-new.block_count=int:N, or use --pure")
	plan(t, bare, gguf.FileQ4_K_M, "--pure")
	plan(t, bare, gguf.FileF16)
	plan(t, bare, gguf.FileQ4_K_M, "--override-kv", "brand-new.block_count=int:8")

	bare.keys = nil
	_, err = NewPlan(bare.file(), &Options{FileType: gguf.FileQ4_K_M})
	checkUnsupported(t, err, "general.architecture is missing, and the mixture Q4_K_M depends on it; name it with --override-kv general.architecture=str:NAME, or use --pure")
	plan(t, bare, gguf.FileQ4_K_M, "--pure")
}

func TestHyperparameters(t *testing.T) {
	attnV := func(m *testModel) gguf.Type {
		return plan(t, m.layers(1, cols(256), "attn_v.weight"), gguf.FileQ2_K_S).Tensors[0].To
	}
	perLayer := newModel("llama", "llama", 2, 8, 8, 0).
		set("llama.attention.head_count", gguf.ArrayOf([]int32{8, 4})).
		set("llama.attention.head_count_kv", gguf.ArrayOf([]uint32{2, 4}))
	if got := attnV(perLayer); got != gguf.TypeQ4_K {
		t.Errorf("four heads for each key-value head of the first layer: %s", got)
	}
	if got := attnV(newModel("llama", "llama", 2, 8, 0, 0)); got != gguf.TypeQ2_K {
		t.Errorf("no key-value heads: %s", got)
	}
	for _, blocks := range []int64{0, -1, math.MaxInt64} {
		m := newModel("llama", "llama", 2, 8, 8, 0).set("llama.block_count", gguf.ValueOf(blocks))
		_, err := NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M})
		checkMalformed(t, err, fmt.Sprintf("llama.gguf: llama.block_count: %d layers", blocks))
	}
}

func TestRefusedOptions(t *testing.T) {
	m := newModel("bert", "bert", 2, 6, 6, 0).add(cols(384), "token_embd.weight", "output.weight").layers(2, cols(96), "attn_q.weight")
	_, err := NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M, TokenEmbeddingType: new(gguf.TypeQ6_K)})
	checkUnsupported(t, err, `bert.gguf: tensor "token_embd.weight": --token-embedding-type Q6_K: 384 columns are not a multiple of 256; choose another type for it`)
	_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M, OutputTensorType: new(gguf.TypeQ6_K)})
	checkUnsupported(t, err, `tensor "output.weight": --output-tensor-type Q6_K: 384 columns are not a multiple of 256`)
	_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ1_0})
	checkUnsupported(t, err, `tensor "blk.0.attn_q.weight": 96 columns are not a multiple of 128, and there is no fallback for Q1_0; name another type with --tensor-type`)

	for _, x := range []gguf.Type{gguf.TypeQ8_1, gguf.TypeQ8_K, gguf.TypeI32, gguf.TypeF64, gguf.Type(137)} {
		_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M, OutputTensorType: &x})
		checkPlain(t, err, "--output-tensor-type: weights are not stored as "+x.String())
		_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M, TokenEmbeddingType: &x})
		checkPlain(t, err, "--token-embedding-type: weights are not stored as "+x.String())
		_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ4_K_M, Overrides: []Override{{"q", x}}})
		checkPlain(t, err, "--tensor-type q="+x.String()+": weights are not stored as")
	}
	for _, x := range []gguf.FileType{4, 33, gguf.FileNVFP4, gguf.FileGuessed, 5000} {
		_, err = NewPlan(m.file(), &Options{FileType: x})
		checkPlain(t, err, "nothing can be quantized to "+x.String())
	}
	_, err = NewPlan(m.file(), &Options{FileType: gguf.FileQ8_0, Overrides: []Override{{"(a", gguf.TypeF16}}})
	checkPlain(t, err, `tensor type pattern "(a"`)
}

// A pattern whose backtracking explodes ends with an error, not never.
func TestSlowPattern(t *testing.T) {
	m := newModel("llama", "llama", 2, 6, 6, 0).add(cols(256), strings.Repeat("a", 60)+".weight")
	_, err := NewPlan(m.file(), &Options{FileType: gguf.FileQ8_0, Overrides: []Override{{`(a+)+$`, gguf.TypeF16}}})
	checkPlain(t, err, `tensor type pattern "(a+)+$" takes too long on "aaaa`)
}

func TestImportance(t *testing.T) {
	m := newModel("llama", "llama", 2, 6, 6, 2).add(cols(256), "token_embd.weight", "output.weight", "blk.0.attn_q.weight").
		add(stack(256, 2), "blk.0.ffn_up_exps.weight").add(vector(256), "output_norm.weight")
	make2 := func(change func(map[string][]float32)) *Options {
		all := map[string][]float32{"token_embd.weight": make([]float32, 3), "output.weight": make([]float32, 256),
			"blk.0.ffn_up_exps.weight": make([]float32, 512), "not.there": nil}
		change(all)
		return &Options{FileType: gguf.FileQ4_K_M, Importance: all, ImportanceInfo: ImportanceInfo{File: "i.dat"}}
	}
	p, err := NewPlan(m.file(), make2(func(map[string][]float32) {}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"token_embd.weight": true, "output.weight": false, "blk.0.attn_q.weight": true,
		"blk.0.ffn_up_exps.weight": false, "output_norm.weight": false} {
		if got := p.tensorNamed(t, name).Unweighted != ""; got != want {
			t.Errorf("%s: unweighted is %v", name, got)
		}
	}

	_, err = NewPlan(m.file(), make2(func(all map[string][]float32) { all["output.weight"] = make([]float32, 255) }))
	checkMalformed(t, err, "i.dat: importance of output.weight: it has 255 values, the tensor 256 columns in 1 experts; measure importance with this model")
	_, err = NewPlan(m.file(), make2(func(all map[string][]float32) { all["blk.0.ffn_up_exps.weight"] = make([]float32, 256) }))
	checkMalformed(t, err, "it has 256 values, the tensor 256 columns in 2 experts")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err = NewPlan(m.file(), make2(func(all map[string][]float32) { all["not.there"] = []float32{1, float32(v)} }))
		checkMalformed(t, err, fmt.Sprintf("i.dat: importance of not.there: value 1 is %v", v))
	}
}

// A file that is about nothing in the model is of another one; what it says of
// weights that the model lacks is listed.
func TestStrangers(t *testing.T) {
	m := newModel("llama", "llama", 2, 6, 6, 0).add(cols(256), "token_embd.weight").layers(2, cols(256), "attn_q.weight")
	o := &Options{FileType: gguf.FileQ4_0, ImportanceInfo: ImportanceInfo{File: "i.dat"}, Importance: map[string][]float32{
		"blk.9.attn_q.weight": make([]float32, 256), "a": nil, "b": nil, "c": nil}}
	_, err := NewPlan(m.file(), o)
	checkMalformed(t, err, "i.dat: it is of another model: none of its 4 weights is in llama.gguf, which has no a, b, blk.9.attn_q.weight and 1 more; measure importance with this model")

	o.Importance["blk.1.attn_q.weight"] = make([]float32, 256)
	p, err := NewPlan(m.file(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Strangers(), []string{"a", "b", "blk.9.attn_q.weight", "c"}; !slices.Equal(got, want) {
		t.Errorf("strangers are %q, want %q", got, want)
	}
	for name, want := range map[string]string{
		"token_embd.weight":   "token embeddings: their rows are read, and no product that was measured takes them",
		"blk.0.attn_q.weight": "the importance file has nothing about it",
		"blk.1.attn_q.weight": "",
	} {
		if got := p.tensorNamed(t, name).Unweighted; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestGainsFromImportance(t *testing.T) {
	m := newModel("llama", "llama", 2, 6, 6, 0).add(cols(256), "token_embd.weight").layers(2, cols(256), "attn_q.weight")
	for _, c := range []struct {
		to   gguf.FileType
		args []string
		want bool
	}{
		{gguf.FileQ4_K_M, nil, true}, {gguf.FileIQ3S, nil, true}, {gguf.FileQ8_0, nil, false}, {gguf.FileF16, nil, false},
		{gguf.FileQ4_K_M, []string{"--imatrix"}, false},
	} {
		if got := plan(t, m, c.to, c.args...).GainsFromImportance(); got != c.want {
			t.Errorf("%s %q: %v", c.to, c.args, got)
		}
	}
}

// Check finds what stands in the way before anything is written.
func TestCheck(t *testing.T) {
	plain := newModel("llama", "llama", 2, 6, 6, 0).add(cols(256), "token_embd.weight", "output.weight").layers(2, cols(256), "attn_q.weight")
	if err := plan(t, plain, gguf.FileQ4_K_M).Check(); err != nil {
		t.Error(err)
	}
	checkPlain(t, plan(t, plain, gguf.FileQ2_K_S).Check(), `tensor "blk.0.attn_q.weight" becomes Q2_K, which is useless without importance for this tensor; give an importance file with --imatrix`)
	checkPlain(t, plan(t, plain, gguf.FileIQ2XXS, "--imatrix").Check(), `tensor "blk.0.attn_q.weight" becomes IQ2_XXS, which is useless without importance`)

	quantized := newModel("llama", "llama", 2, 6, 6, 0).addType(gguf.TypeQ8_0, cols(256), "blk.0.attn_q.weight")
	checkPlain(t, plan(t, quantized, gguf.FileQ4_K_M).Check(), `tensor "blk.0.attn_q.weight" is Q8_0 already`)
	checkPlain(t, plan(t, quantized, gguf.FileF16).Check(), "use --allow-requantize")
	if err := plan(t, quantized, gguf.FileQ8_0).Check(); err != nil {
		t.Error(err)
	}
	if err := plan(t, quantized, gguf.FileQ4_K_M, "--allow-requantize").Check(); err != nil {
		t.Error(err)
	}

	foreign := newModel("llama", "llama", 2, 6, 6, 0).addType(gguf.TypeI16, cols(256), "blk.0.attn_q.weight")
	checkUnsupported(t, plan(t, foreign, gguf.FileQ4_K_M).Check(), `llama.gguf: tensor "blk.0.attn_q.weight": I16 cannot be decoded; start from F32, F16 or BF16`)

	for _, to := range FileTypes() {
		if base, _ := baseOf(to); !canEncode(base) {
			t.Errorf("%s is offered, and %s cannot be written", to, base)
		}
	}
}

func TestGuessedFileType(t *testing.T) {
	for _, c := range []struct {
		types []gguf.Type
		want  gguf.FileType
	}{
		{nil, gguf.FileF32},
		{[]gguf.Type{gguf.TypeQ4_K, gguf.TypeF32, gguf.TypeF32, gguf.TypeQ4_K}, gguf.FileF32},
		{[]gguf.Type{gguf.TypeQ4_K, gguf.TypeF32, gguf.TypeQ4_K}, gguf.FileQ4_K_M},
		{[]gguf.Type{gguf.TypeQ3_K}, gguf.FileQ3_K_M},
		{[]gguf.Type{gguf.TypeIQ2XS}, gguf.FileIQ2XS},
		{[]gguf.Type{gguf.TypeNVFP4}, gguf.FileNVFP4},
		{[]gguf.Type{gguf.TypeMXFP4}, gguf.FileF32},
		{[]gguf.Type{gguf.TypeI8}, gguf.FileF32},
	} {
		var tensors []*gguf.Tensor
		for _, x := range c.types {
			tensors = append(tensors, &gguf.Tensor{Type: x})
		}
		if got := guessFileType(tensors); got != c.want|gguf.FileGuessed {
			t.Errorf("%v: %v", c.types, got)
		}
	}
}

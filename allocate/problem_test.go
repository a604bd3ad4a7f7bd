package allocate

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/quantize"
)

// tensorsOf lists a model's tensors as an evaluator that can change all of them.
func tensorsOf(f *gguf.File) (all []Tensor) {
	for _, t := range f.Tensors {
		all = append(all, Tensor{Name: t.Name, Shape: t.Dimensions(), Type: t.Type, Types: Types(false)})
	}
	return all
}

func (p *Problem) weight(name string) *Weight {
	i := slices.IndexFunc(p.Weights, func(w Weight) bool { return w.Tensor == name })
	if i < 0 {
		return nil
	}
	return &p.Weights[i]
}

func typesOf(w *Weight) string {
	var types []gguf.Type
	for _, c := range w.Types {
		types = append(types, c.Type)
	}
	return names(types)
}

// Each tensor may get the types that fit its rows and pay, or stay as it is; what
// the user says of a tensor holds.
func TestProblem(t *testing.T) {
	f := synth.BERT{Width: 256}.Model().Open(t)
	tensors := tensorsOf(f)
	const unmeasurable = "blk.0.attn_k.weight"
	for i := range tensors {
		if tensors[i].Name == unmeasurable {
			tensors[i].Types, tensors[i].Fixed = nil, "it is not used"
		}
	}
	weighted := map[string][]float32{"blk.0.attn_q.weight": slices.Repeat([]float32{1}, 256)}
	q5 := gguf.TypeQ5_K
	p, err := NewProblem(quantize.FileSource(f), &quantize.Options{
		Importance: weighted, TokenEmbeddingType: &q5, Overrides: []quantize.Override{{Pattern: "ffn_up", Type: gguf.TypeQ6_K}},
	}, Types(false), false, tensors)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"blk.0.attn_q.weight":    "Q1_0 IQ1_S IQ2_XXS IQ2_S IQ3_XXS IQ3_S IQ4_XS Q4_K Q5_K Q6_K Q8_0 F16 F32",
		"blk.0.attn_v.weight":    "Q1_0 Q2_K Q3_K IQ4_XS Q5_K Q6_K Q8_0 F16 F32",
		"position_embd.weight":   "Q1_0 Q2_K Q3_K IQ4_XS Q5_K Q6_K Q8_0 F16 F32",
		"token_embd.weight":      "",
		"blk.0.ffn_up.weight":    "",
		unmeasurable:             "",
		"token_types.weight":     "",
		"blk.0.attn_q.bias":      "",
		"token_embd_norm.weight": "",
	} {
		got := ""
		if w := p.weight(name); w != nil {
			got = typesOf(w)
		}
		if got != want {
			t.Errorf("%s may be %q, want %q", name, got, want)
		}
	}
	if p.Fixed["token_embd.weight"] != gguf.TypeQ5_K || p.Fixed["blk.0.ffn_up.weight"] != gguf.TypeQ6_K || p.Fixed[unmeasurable] != 0 {
		t.Errorf("fixed: %v", p.Fixed)
	}

	types := map[string]gguf.Type{}
	bytes := p.Base
	for i, w := range p.Weights {
		c := w.Types[i%len(w.Types)]
		types[w.Tensor] = c.Type
		bytes += c.Bytes
	}
	plan, err := p.Plan(types, strings.Repeat("k", keyRoom))
	if err != nil {
		t.Fatal(err)
	}
	if size, err := fileSize(plan); size != bytes || err != nil {
		t.Errorf("the file has %d bytes, and %d were expected, error %v", size, bytes, err)
	}
	for _, x := range plan.Tensors {
		want, ok := types[x.Name]
		switch {
		case x.Name == unmeasurable:
			want = gguf.TypeQ8_0
		case !ok:
			continue
		}
		if x.To != want {
			t.Errorf("%s becomes %s, want %s", x.Name, x.To, want)
		}
	}
	if got := plan.Metadata.Text(Key); len(got) != keyRoom {
		t.Errorf("key %q", got)
	}
	if _, err := p.Plan(types, strings.Repeat("k", keyRoom+1)); err == nil {
		t.Error("a key that is too long is taken")
	}

	// The recipe gives the same types.
	overrides, err := quantize.ParseOverrides(Recipe(plan))
	if err != nil {
		t.Fatal(err)
	}
	again, err := quantize.NewPlan(f, &quantize.Options{FileType: plan.FileType, Importance: weighted, Overrides: overrides})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range again.Tensors {
		if x.To != plan.Tensors[i].To {
			t.Errorf("%s becomes %s by the recipe, %s by the choice", x.Name, x.To, plan.Tensors[i].To)
		}
	}
}

// Sizes that are asked for in other ways.
func TestSizes(t *testing.T) {
	f := synth.BERT{Width: 256}.Model().Open(t)
	p, err := NewProblem(quantize.FileSource(f), &quantize.Options{}, Types(true), false, tensorsOf(f))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Mixtures {
		label, _ := gguf.ParseFileType(m.Name)
		plan, err := quantize.NewPlan(f, &quantize.Options{FileType: label})
		if err != nil {
			t.Fatal(err)
		}
		want, _ := fileSize(plan)
		like, err := p.SizeLike(label)
		if err != nil || m.Bytes != want || like != want {
			t.Errorf("%s: %d bytes, like %d, want %d, error %v", m.Name, m.Bytes, like, want, err)
		}
		// A choice of that size is labelled so.
		chosen, err := p.Plan(m.Types, "")
		if err != nil || chosen.FileType != label {
			t.Errorf("%s: a choice like it is labelled %s, error %v", m.Name, chosen.FileType, err)
		}
	}
	for _, bits := range []float64{4, 6.5, 12} {
		r, err := Search(t.Context(), constant{f}, p, &Options{Target: Target{Bytes: p.SizeOf(bits)}, Sample: DefaultSample(9, false), State: NewState(nil)})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := p.Plan(r.Types(), strings.Repeat("k", keyRoom))
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Summary().BitsAfter(); got > bits || got < 0.95*bits {
			t.Errorf("%.3f bits per weight, want %.3f", got, bits)
		}
	}
}

// constant is an evaluator by which a bit more always loses less.
type constant struct{ f *gguf.File }

func (c constant) Tensors() []Tensor { return tensorsOf(c.f) }
func (constant) Texts() int          { return 9 }
func (constant) Unit() string        { return "bits" }

func (c constant) Single(ctx context.Context, tensor string, types []gguf.Type, r Range) (all []Loss, err error) {
	for _, t := range types {
		x, _ := c.Combined(ctx, map[string]gguf.Type{tensor: t}, r)
		all = append(all, x)
	}
	return all, nil
}

func (constant) Combined(_ context.Context, choice map[string]gguf.Type, r Range) (x Loss, err error) {
	var sum float64
	for _, t := range choice {
		a := amplitude(t)
		sum += a * a
	}
	for range r.End - r.First {
		x = append(x, sum)
	}
	return x, nil
}

func TestNothingToChoose(t *testing.T) {
	f := synth.BERT{Width: 256}.Model().Open(t)
	for _, c := range []struct {
		name  string
		o     quantize.Options
		types []gguf.Type
		in    []Tensor
		want  string
	}{
		{"types need importance", quantize.Options{}, []gguf.Type{gguf.TypeIQ2XXS}, tensorsOf(f), "useless without importance"},
		{"no type that is smaller", quantize.Options{}, []gguf.Type{gguf.TypeF32}, tensorsOf(f), "can become one of F32"},
		{"all types are given", quantize.Options{Overrides: []quantize.Override{{Pattern: ".", Type: gguf.TypeQ8_0}, quantize.ExactOverride("position_embd.weight", gguf.TypeQ8_0)}}, Types(false), tensorsOf(f), "has no tensor that a type can be chosen for"},
		{"nothing can be measured", quantize.Options{}, Types(false), nil, "has no tensor that a type can be chosen for"},
	} {
		if _, err := NewProblem(quantize.FileSource(f), &c.o, c.types, true, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

package quantize

import (
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
)

func planTypes(t *testing.T, f *gguf.File, o *Options) (map[string]gguf.Type, *Plan) {
	t.Helper()
	p, err := NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	types := make(map[string]gguf.Type)
	for _, x := range p.Tensors {
		types[x.Name] = x.To
	}
	return types, p
}

// Chosen types stand in place of the mixture, and every other option before them.
func TestChosenTypes(t *testing.T) {
	f := synth.BERT{Width: 256}.Model().Open(t)
	const q, k, embedding, positions, norm = "blk.0.attn_q.weight", "blk.0.attn_k.weight", "token_embd.weight", "position_embd.weight", "token_embd_norm.weight"
	chosen := map[string]gguf.Type{q: gguf.TypeQ3_K, k: gguf.TypeF16, embedding: gguf.TypeQ2_K, positions: gguf.TypeQ8_0, norm: gguf.TypeQ8_0}
	mixture, p := planTypes(t, f, &Options{FileType: gguf.FileQ4_K_M})
	for _, x := range p.Tensors {
		if want := len(x.Shape) == 2 && x.Name != "token_types.weight"; x.Choosable != want {
			t.Errorf("%s: choosable is %v", x.Name, x.Choosable)
		}
	}
	got, p := planTypes(t, f, &Options{FileType: gguf.FileQ4_K_M, Types: chosen})
	for name, to := range got {
		want, ok := chosen[name]
		if !ok || name == norm {
			want = mixture[name]
		}
		if to != want {
			t.Errorf("%s becomes %s, want %s", name, to, want)
		}
	}
	if i := slices.IndexFunc(p.Tensors, func(x Tensor) bool { return x.Name == q }); p.Tensors[i].Reason != "chosen" || !p.Tensors[i].Choosable {
		t.Errorf("%+v", p.Tensors[i])
	}
	q6 := gguf.TypeQ6_K
	got, p = planTypes(t, f, &Options{FileType: gguf.FileQ4_K_M, Types: chosen, Overrides: []Override{{"attn_q", gguf.TypeQ5_K}}, TokenEmbeddingType: &q6})
	if got[q] != gguf.TypeQ5_K || got[embedding] != gguf.TypeQ6_K || got[k] != gguf.TypeF16 {
		t.Errorf("%s %s %s", got[q], got[embedding], got[k])
	}
	for _, x := range p.Tensors {
		if (x.Name == q || x.Name == embedding) && x.Choosable {
			t.Errorf("%s is choosable", x.Name)
		}
	}
	for _, o := range []Options{{FileType: gguf.FileF16, Types: chosen}, {Copy: true, Types: chosen}} {
		if got, _ := planTypes(t, f, &o); got[positions] != gguf.TypeF32 {
			t.Errorf("position embeddings become %s", got[positions])
		}
	}
}

// The override of one name matches this name alone, and is read back.
func TestExactOverride(t *testing.T) {
	for name, want := range map[string]string{
		"blk.1.attn_q.weight":   `^blk\.1\.attn_q\.weight$=q4_k`,
		"v.Patch-1 x(é).weight": `^v\..atch\-1.x\(.\)\.weight$=q4_k`,
	} {
		o := ExactOverride(name, gguf.TypeQ4_K)
		if o.String() != want {
			t.Errorf("%s: %s", name, o)
		}
		back, err := ParseOverrides(o.String())
		if err != nil || len(back) != 1 || back[0] != o {
			t.Fatalf("%v, error %v", back, err)
		}
		patterns, err := compilePatterns(back)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{name, name + ".x", "x" + name, "blk.11.attn_q.weight", "blkx1.attn_q.weight"} {
			if p, err := match(patterns, &gguf.Tensor{Name: other}); (p != nil) != (other == name) || err != nil {
				t.Errorf("%s matches %s: %v, error %v", o, other, p != nil, err)
			}
		}
	}
}

// Position embeddings change when an override names them alone.
func TestPositionOverride(t *testing.T) {
	f := synth.BERT{Width: 256}.Model().Open(t)
	const positions = "position_embd.weight"
	for _, c := range []struct {
		override Override
		want     gguf.Type
	}{
		{ExactOverride(positions, gguf.TypeQ8_0), gguf.TypeQ8_0},
		{Override{"position_embd", gguf.TypeQ8_0}, gguf.TypeF32},
		{Override{"weight", gguf.TypeQ8_0}, gguf.TypeF32},
	} {
		if got, _ := planTypes(t, f, &Options{FileType: gguf.FileQ4_K_M, Overrides: []Override{c.override}}); got[positions] != c.want {
			t.Errorf("%s: they become %s", c.override, got[positions])
		}
	}
}

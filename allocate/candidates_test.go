package allocate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// distortion returns what a type loses of normally distributed rows, as a part of
// their squares.
func distortion(t *testing.T, c *block.Codec, importance bool) float64 {
	t.Helper()
	const columns, rows = 1536, 64
	r := rand.New(rand.NewPCG(1, 2))
	weights := make([]float32, columns)
	for i := range weights {
		weights[i] = float32(math.Exp(r.NormFloat64()))
	}
	x := make([]float32, columns*rows)
	for i := range x {
		x[i] = float32(r.NormFloat64()) * 0.05
	}
	if !importance {
		weights = nil
	}
	size, _ := c.Type.Size(columns * rows)
	data := make([]byte, size)
	if err := c.EncodeRows(data, x, columns, weights); err != nil {
		t.Fatal(err)
	}
	y := make([]float32, len(x))
	c.Decode(y, data)
	var lost, all float64
	for i := range x {
		d, v, w := float64(x[i])-float64(y[i]), float64(x[i]), 1.0
		if importance {
			w = float64(weights[i%columns])
		}
		lost += w * d * d
		all += w * v * v
	}
	return lost / all
}

// The figures of the table are those that the codecs have.
func TestFormats(t *testing.T) {
	for i, f := range formats {
		if i > 0 && bitsOf(f.t) < bitsOf(formats[i-1].t) {
			t.Errorf("%s is out of order", f.t)
		}
		c, ok := block.Lookup(f.t)
		if !ok || !c.CanEncode() {
			t.Fatalf("%s cannot be encoded", f.t)
		}
		check := func(what string, got, want float64) {
			if math.Abs(got/want-1) > 0.05 {
				t.Errorf("%s loses %.4g %s, and the table says %.4g", f.t, got, what, want)
			}
		}
		if !c.NeedsImportance() {
			check("without importance", distortion(t, c, false), f.plain)
		}
		check("with importance", distortion(t, c, true), f.weighted)
	}
}

func names(types []gguf.Type) string {
	var all []string
	for _, t := range types {
		all = append(all, t.String())
	}
	return strings.Join(all, " ")
}

func TestFront(t *testing.T) {
	fits := func(types []gguf.Type, columns int64) (all []gguf.Type) {
		for _, x := range types {
			if n, _, _ := x.Block(); columns%int64(n) == 0 {
				all = append(all, x)
			}
		}
		return all
	}
	unweighted := []gguf.Type{gguf.TypeIQ1S, gguf.TypeIQ1M, gguf.TypeIQ2XXS, gguf.TypeIQ2XS, gguf.TypeIQ2S, gguf.TypeIQ3XXS}
	for _, c := range []struct {
		name       string
		portable   bool
		columns    int64
		importance bool
		want       string
	}{
		{"rows of super-blocks", false, 1536, true, "Q1_0 IQ1_S IQ2_XXS IQ2_S IQ3_XXS IQ3_S IQ4_XS Q4_K Q5_K Q6_K Q8_0 F16"},
		{"without importance", false, 1536, false, "Q1_0 Q2_K Q3_K IQ4_XS Q5_K Q6_K Q8_0 F16"},
		{"rows of 384", false, 384, true, "Q1_0 MXFP4 IQ4_NL Q4_1 Q5_0 Q5_1 Q8_0 F16"},
		{"portable", true, 1536, true, "Q2_K Q3_K Q4_K Q5_K Q6_K Q8_0 F16"},
		{"portable rows of 384", true, 384, true, "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 F16"},
	} {
		types := fits(Types(c.portable), c.columns)
		if !c.importance {
			types = slices.DeleteFunc(types, func(x gguf.Type) bool { return slices.Contains(unweighted, x) })
		}
		if got := names(Front(types, c.importance)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := Front([]gguf.Type{gguf.TypeQ8_0, gguf.TypeBF16, gguf.TypeF16}, true); names(got) != "Q8_0 BF16 F16" {
		t.Errorf("a type that is not in the table: %s", names(got))
	}
}

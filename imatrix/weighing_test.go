package imatrix

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/kernels/gemm"
)

func view(cols int, x ...float32) gemm.View {
	return gemm.View{Data: x, Rows: len(x) / cols, Cols: cols, Stride: cols}
}

// Weighed by vectors, a text adds the squares of its n rows by n², as one row.
func TestByVectors(t *testing.T) {
	c := NewCollector()
	c.Weighing = ByVectors
	for i, x := range []gemm.View{view(2, 1, 2), view(2, 3, 4, 5, 6), view(2, 1, 0, 0, 1, 1, 1, 1, 2)} {
		p := c.Part(i)
		p.Add([]string{"a"}, x)
		// Of two experts, each row of the first text goes to the first one.
		p.AddMatrix([]string{"b"}, min(i, 1), 2, x)
		if err := c.End(p); err != nil {
			t.Fatal(err)
		}
	}
	f := c.File(nil, 512)
	a := []float32{1 + (9+25)/4. + (1+1+1)/16., 4 + (16+36)/4. + (1+1+4)/16.}
	b := []float32{1, 4, a[0] - 1, a[1] - 4}
	if e := f.Entries["a"]; !slices.Equal(e.SumSquares, a) || !slices.Equal(e.Counts, []int64{3}) {
		t.Errorf("%v by %v, want %v by 3", e.SumSquares, e.Counts, a)
	}
	if e := f.Entries["b"]; !slices.Equal(e.SumSquares, b) || !slices.Equal(e.Counts, []int64{1, 2}) {
		t.Errorf("experts: %v by %v, want %v by 1 and 2", e.SumSquares, e.Counts, b)
	}
	if f.Chunks != 3 || f.ChunkSize != 1 || f.Weighing != ByVectors {
		t.Errorf("%d chunks of %d, by %v", f.Chunks, f.ChunkSize, f.Weighing)
	}
	back, err := Read(write(t, "a.gguf", encode(t, f)))
	if err != nil {
		t.Fatal(err)
	}
	if back.Weighing != ByVectors || !slices.Equal(back.Entries["a"].SumSquares, a) {
		t.Errorf("read again: %+v by %v", back.Entries["a"], back.Weighing)
	}
	var dat bytes.Buffer
	if err := f.WriteLegacy(&dat); err != nil {
		t.Fatal(err)
	}
	old, err := Read(write(t, "a.dat", dat.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range f.Importance() {
		for i, v := range old.Importance()[name] {
			if math.Abs(float64(v-want[i])) > 1e-6*float64(want[i]) {
				t.Errorf("%s: %v in the older format, want %v", name, v, want[i])
			}
		}
	}
}

// What is weighed in different ways is not added.
func TestMergeWeighings(t *testing.T) {
	file := func(w Weighing, path string) *File {
		c := NewCollector()
		c.Weighing = w
		p := c.Part(0)
		p.Add([]string{"a"}, view(2, 3, 4, 5, 6))
		if err := c.End(p); err != nil {
			t.Fatal(err)
		}
		f := c.File(nil, 512)
		f.Path = path
		return f
	}
	one, other := file(ByVectors, "one.gguf"), file(ByTokens, "other.gguf")
	_, err := Merge(0, one, other)
	if err == nil || !strings.Contains(err.Error(), "one.gguf is weighed by vectors and other.gguf by tokens") {
		t.Errorf("error %v", err)
	}
	merged, err := Merge(512, one, one) // a chunk stays a text
	if err != nil {
		t.Fatal(err)
	}
	if merged.Weighing != ByVectors || merged.Chunks != 2 || merged.ChunkSize != 1 || merged.Entries["a"].Counts[0] != 2 {
		t.Errorf("%d chunks of %d by %v, %+v", merged.Chunks, merged.ChunkSize, merged.Weighing, merged.Entries["a"])
	}
	if both, err := Merge(0, other, other); err != nil || both.Weighing != ByTokens || both.Entries["a"].Counts[0] != 4 {
		t.Errorf("by tokens: %+v, %v", both, err)
	}
}

func TestParseWeighing(t *testing.T) {
	for w := ByTokens; w <= ByVectors; w++ {
		if got, err := ParseWeighing(w.String()); got != w || err != nil {
			t.Errorf("%v is parsed as %v, %v", w, got, err)
		}
	}
	if _, err := ParseWeighing("rows"); err == nil || Weighing(9).String() != "weighing 9" {
		t.Error("an unknown weighing")
	}
}

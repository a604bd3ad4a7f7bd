package bench

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/gemm"
)

func TestSquaredErrors(t *testing.T) {
	// Rows of lengths 5, 0 and 1000 are 1, 7 and 10 away.
	reference := []float32{3, 4, 0, 0, 600, 800}
	got := squaredErrors(reference, gemm.Dense([]float32{3, 5, 7, 0, 606, 808}, 3, 2))
	if want := 1.0/25 + 0.01*0.01; math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCompareLayers(t *testing.T) {
	dir := t.TempDir()
	reference, wide := filepath.Join(dir, "f32.gguf"), filepath.Join(dir, "wide.gguf")
	if err := (synth.BERT{}).WriteGGUF(reference); err != nil {
		t.Fatal(err)
	}
	if err := (synth.BERT{Width: 128}).WriteGGUF(wide); err != nil {
		t.Fatal(err)
	}
	files, err := (&Workshop{Folder: dir}).Quantized(t.Context(), reference, []gguf.FileType{gguf.FileQ8_0, gguf.FileQ4_0}, "")
	if err != nil {
		t.Fatal(err)
	}
	var models []*Model
	for _, path := range append([]string{reference, wide}, files...) {
		m, err := Open(path, &infer.Options{Precision: infer.PrecisionF32})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		models = append(models, m)
	}
	texts := [][]int32{{2, 5, 7, 9, 3}, {2, 8, 3}}
	compare := func(other *Model, texts [][]int32) *LayerFidelity {
		f, err := CompareLayers(t.Context(), models[0].Model, other.Model, texts)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	same := compare(models[0], texts)
	if same == nil || same.Texts != 2 || same.Tokens != 8 || len(same.Errors) < 2 || slices.Max(same.Errors) != 0 {
		t.Fatalf("a model and itself: %+v", same)
	}
	q8, q4 := compare(models[2], texts), compare(models[3], texts)
	for l := range q8.Errors {
		// Both have the embeddings in Q8_0.
		if !(q8.Errors[l] > 0 && q4.Errors[l] < 1) || (q4.Errors[l] > 2*q8.Errors[l]) != (l > 0) {
			t.Errorf("behind layer %d: %v with Q8_0, %v with Q4_0", l, q8.Errors[l], q4.Errors[l])
		}
	}
	if f := compare(models[1], texts); f != nil {
		t.Errorf("a model of another width: %+v", f)
	}
	if f := compare(models[2], nil); f != nil {
		t.Errorf("without texts: %+v", f)
	}
}

func TestSpanSample(t *testing.T) {
	ids := []int32{1}
	for i := range int32(5000) {
		ids = append(ids, 100+i)
	}
	got := spanSample(ids, ids[:1], 11)
	if len(got) != layerPieces {
		t.Fatalf("%d pieces", len(got))
	}
	for i, piece := range got {
		if len(piece) != 11 || piece[0] != 1 || piece[1] != 100+int32(i*5000/layerPieces) || piece[10] != piece[1]+9 {
			t.Errorf("piece %d: %v", i, piece)
		}
	}
	if got := spanSample(ids[:15], nil, 11); len(got) != 2 || len(got[0]) != 11 || len(got[1]) != 8 {
		t.Errorf("of a short text: %v", got)
	}
	if got := spanSample(ids[:1], ids[:1], 11); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestLatencyCurve(t *testing.T) {
	times := make([]time.Duration, 1000)
	for i := range times {
		times[len(times)-1-i] = time.Duration(i+1) * time.Millisecond
	}
	curve := latencyCurve(times)
	if len(curve) != 101 || curve[0] != 0.001 || curve[1] != 0.01 || curve[50] != 0.5 || curve[100] != 1 {
		t.Errorf("of a thousand: %v", curve)
	}
	if curve := latencyCurve(times[:3]); !slices.Equal(curve, []float64{0.998, 0.999, 1}) {
		t.Errorf("of three: %v", curve)
	}
}

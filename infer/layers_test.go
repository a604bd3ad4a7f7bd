package infer

import (
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// Where norms follow their layers, the states are what the products of the next
// layer see, and the last are the final states.
func TestEachLayer(t *testing.T) {
	withProcs(t, 3)
	ids := text(17, 5, 512)
	for threads := 1; threads <= 3; threads++ {
		m := newSynthetic(goldenBERT).load(t, &Options{Threads: threads})
		var want [][]float32
		embed(t, m, [][]int32{ids}, &EmbedOptions{Watch: watchAll(func(weights []string, x gemm.View) {
			if strings.HasSuffix(weights[0], ".attn_q.weight") {
				want = append(want, rowsOf(x))
			}
		})})
		final, err := m.States(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, final)
		var got [][]float32
		err = m.EachLayer(t.Context(), ids, func(layer int, x gemm.View) {
			if layer != len(got) || x.Rows != len(ids) || x.Cols != m.Width() {
				t.Errorf("layer %d after %d, %d x %d", layer, len(got), x.Rows, x.Cols)
			}
			got = append(got, rowsOf(x))
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
			t.Errorf("%d threads: the states of %d layers are not the %d that are expected", threads, len(got), len(want))
		}
		if _, err := m.States(t.Context(), ids); err != nil || len(got) != len(want) {
			t.Errorf("layers are shown after EachLayer has ended: %d, %v", len(got), err)
		}
		if err := m.EachLayer(t.Context(), nil, func(int, gemm.View) {}); err == nil {
			t.Error("a text without tokens is no error")
		}
	}
}

func rowsOf(x gemm.View) (all []float32) {
	for i := range x.Rows {
		all = append(all, x.Row(i)...)
	}
	return all
}

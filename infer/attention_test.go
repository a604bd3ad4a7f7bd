package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// Attention of a text is that of exact arithmetic, whether its keys are one chunk
// or several, whatever a token sees, however many heads share keys, and no matter
// where in the batch the text stands.
func TestAttention(t *testing.T) {
	const size = 24
	scale := float32(1 / math.Sqrt(size))
	emulated := os.Getenv("GGUFTOOL_TEST_EMULATOR") != ""
	for name, h := range map[string]heads{
		"both ways":     {queries: 2, keys: 2, size: size, scale: scale},
		"shared keys":   {queries: 6, keys: 2, size: size, scale: 0.3},
		"causal":        {queries: 3, keys: 1, size: size, scale: scale, kind: causal},
		"causal window": {queries: 2, keys: 1, size: size, scale: scale, kind: causal, window: 100},
		"window of one": {queries: 1, keys: 1, size: size, scale: scale, kind: causal, window: 1},
		"symmetric":     {queries: 2, keys: 2, size: size, scale: scale, window: 200},
		"odd window":    {queries: 1, keys: 1, size: size, scale: scale, window: 5},
	} {
		chunk := h.chunk()
		for _, n := range []int{1, 2, queryBlock - 1, queryBlock, queryBlock + 1, chunk, chunk + 1, 2*chunk + 77, 8192} {
			if n > 2000 && testing.Short() {
				continue
			}
			for _, kind := range []string{"even", "steep", "rising"} {
				if n == 8192 && (kind != "rising" || h.queries > 3 || emulated && h.window == 0) {
					continue // it takes long, and minutes on an emulated processor
				}
				t.Run(fmt.Sprintf("%s/%s/%d", name, kind, n), func(t *testing.T) { testAttention(t, h, kind, n) })
			}
		}
	}
}

func testAttention(t *testing.T, h heads, kind string, n int) {
	rng := rand.New(rand.NewPCG(1, 3))
	const before = 3
	width := (h.queries + 2*h.keys) * h.size
	qkv := gemm.Dense(make([]float32, (before+n)*width), before+n, width)
	for i := range qkv.Data {
		qkv.Data[i] = float32(rng.NormFloat64())
	}
	last := slices.Clone(qkv.Row(qkv.Rows - 1))
	for r := range qkv.Rows {
		row := qkv.Row(r)
		for j := h.queries * h.size; j < (h.queries+h.keys)*h.size; j++ {
			switch kind {
			case "steep":
				row[j] *= 6
			case "rising": // each key beats those before, so that sums shrink from chunk to chunk
				row[j] = float32(r) * 10 / float32(n) * last[j%h.size]
			}
		}
	}
	att := gemm.Dense(make([]float32, (before+n)*h.queries*h.size), before+n, h.queries*h.size)
	var a attention
	at := span{before, before + n}
	for kv := range h.keys {
		for part := range 2 {
			a.attendHeads(att, qkv, at, h, kv, part, 2)
		}
	}
	for r := before; r < before+n; r += 1 + n/40 {
		for head := range h.queries {
			checkAttention(t, qkv, att, at, r, head, h)
		}
	}
}

func checkAttention(t *testing.T, qkv, att gemm.View, s span, r, head int, h heads) {
	t.Helper()
	sees := func(i, j int) bool { // token i token j
		switch {
		case h.kind == causal && h.window > 0:
			return j <= i && i-j < h.window
		case h.kind == causal:
			return j <= i
		case h.window > 0:
			return i-j <= h.window/2 && j-i <= h.window/2
		}
		return true
	}
	part := func(row, i int) []float32 { return qkv.Row(row)[i*h.size : (i+1)*h.size] }
	kv := head / (h.queries / h.keys)
	scores, top := make([]float64, s.to-s.from), math.Inf(-1)
	for k := range scores {
		scores[k] = math.Inf(-1)
		if !sees(r-s.from, k) {
			continue
		}
		scores[k] = 0
		for j, v := range part(s.from+k, h.queries+kv) {
			scores[k] += float64(part(r, head)[j]) * float64(v)
		}
		scores[k] *= float64(h.scale)
		top = max(top, scores[k])
	}
	var sum float64
	for k, v := range scores {
		scores[k] = math.Exp(v - top)
		sum += scores[k]
	}
	for j := range h.size {
		var want, most float64
		for k, p := range scores {
			v := float64(part(s.from+k, h.queries+h.keys+kv)[j])
			want += p / sum * v
			if p > 0 {
				most = max(most, math.Abs(v))
			}
		}
		// Scores are rounded, and an exponential multiplies their error.
		if got := float64(att.Row(r)[head*h.size+j]); !(math.Abs(got-want) <= 1e-5*(1+math.Abs(top))*most) {
			t.Fatalf("row %d, head %d, column %d: %v, want %v", r, head, j, got, want)
		}
	}
}

// What a forward pass allocates does not grow with the tokens of its texts, in
// floats and in bytes.
func TestEmbedAllocations(t *testing.T) {
	withProcs(t, 1)
	for _, precision := range []Precision{PrecisionF32, PrecisionInt8} {
		b := formatBERT
		b.Context = 600
		s := newSynthetic(b)
		for i := range s.tensors {
			if len(s.tensors[i].Shape) == 2 {
				s.tensors[i].Type = gguf.TypeQ8_0
			}
		}
		m := s.load(t, &Options{Threads: 1, Precision: precision})
		allocations := func(tokens int) float64 {
			batch := [][]int32{text(tokens, 1, b.Vocab)}
			embed(t, m, batch, nil) // buffers grow to their size
			return testing.AllocsPerRun(5, func() { embed(t, m, batch, nil) })
		}
		most := 2.0
		if raceDetector {
			most = 600 / 3 // it has sync.Pool lose a quarter of what it is given
		}
		if few, many := allocations(8), allocations(600); many > few+most {
			t.Errorf("%v: %.0f allocations for 600 tokens, %.0f for 8", precision, many, few)
		}
	}
}

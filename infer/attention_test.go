package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// Attention of a text is that of exact arithmetic, whether its keys are one chunk
// or several, and no matter where in the batch the text stands.
func TestAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	const heads, size = 2, 24
	const width = heads * size
	for _, n := range []int{1, 2, queryBlock - 1, queryBlock, queryBlock + 1, keyChunk, keyChunk + 1, 2*keyChunk + 77} {
		for _, kind := range []string{"even", "steep", "rising"} {
			t.Run(fmt.Sprintf("%s/%d", kind, n), func(t *testing.T) {
				const before = 3
				qkv := gemm.Dense(make([]float32, (before+n)*3*width), before+n, 3*width)
				for i := range qkv.Data {
					qkv.Data[i] = float32(rng.NormFloat64())
				}
				for r := range qkv.Rows {
					for j, v := range qkv.Row(r)[width : 2*width] {
						switch kind {
						case "steep":
							v *= 6
						case "rising": // each key beats those before, so that sums shrink from chunk to chunk
							v = float32(r) * 0.01 * qkv.Row(qkv.Rows - 1)[j]
						}
						qkv.Row(r)[width+j] = v
					}
				}
				att := gemm.Dense(make([]float32, (before+n)*width), before+n, width)
				var a attention
				for head := range heads {
					a.attendHead(att, qkv, span{before, before + n}, head, heads)
				}
				for r := before; r < before+n; r += 1 + n/40 {
					for head := range heads {
						checkAttention(t, qkv, att, span{before, before + n}, r, head*size, size)
					}
				}
			})
		}
	}
}

func checkAttention(t *testing.T, qkv, att gemm.View, s span, r, left, size int) {
	t.Helper()
	width := att.Cols
	scores, top := make([]float64, s.to-s.from), math.Inf(-1)
	for k := range scores {
		for j := left; j < left+size; j++ {
			scores[k] += float64(qkv.Row(r)[j]) * float64(qkv.Row(s.from + k)[width+j])
		}
		scores[k] /= math.Sqrt(float64(size))
		top = max(top, scores[k])
	}
	var sum float64
	for k, v := range scores {
		scores[k] = math.Exp(v - top)
		sum += scores[k]
	}
	for j := left; j < left+size; j++ {
		var want, most float64
		for k, p := range scores {
			v := float64(qkv.Row(s.from + k)[2*width+j])
			want += p / sum * v
			most = max(most, math.Abs(v))
		}
		// Scores are rounded, and an exponential multiplies their error.
		if got := float64(att.Row(r)[j]); !(math.Abs(got-want) <= 1e-5*(1+math.Abs(top))*most) {
			t.Fatalf("row %d, column %d: %v, want %v", r, j, got, want)
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

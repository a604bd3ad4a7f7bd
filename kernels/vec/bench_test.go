package vec

import (
	"fmt"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

func BenchmarkVec(b *testing.B) {
	x, y, z := make([]float32, 4096), make([]float32, 4096), make([]float32, 4096)
	half := make([]byte, 2*4096)
	first := make([]float32, 4096)
	sums := make([]float64, 384)
	for i := range first {
		first[i] = float32(i%97)/16 - 3
		y[i], z[i] = first[i]*0.5, 1
	}
	defer func(p cpu.Path) { active = p }(active)
	for _, op := range []struct {
		name    string
		lengths []int
		f       func(x []float32)
	}{
		{"Max", []int{40, 512}, func(x []float32) { Max(x) }},
		{"ExpSum", []int{16, 40, 128, 512}, func(x []float32) { ExpSum(x, 0.125, 4) }},
		{"Softmax", []int{40, 128, 512}, func(x []float32) { Softmax(x, 0.125) }},
		{"Exp", []int{512}, func(x []float32) { Exp(x) }},
		{"Erf", []int{512}, func(x []float32) { Erf(x) }},
		{"GELU", []int{16, 32, 1536}, func(x []float32) { GELU(x) }},
		{"GELURows12x32", []int{12 * 32}, func(x []float32) { GELURows(x, 12, 32, 32) }},
		{"GELUTanh", []int{32, 1536}, func(x []float32) { GELUTanh(x) }},
		{"SiLU", []int{32, 1536}, func(x []float32) { SiLU(x) }},
		{"MulSiLU", []int{1536}, func(x []float32) { MulSiLU(x, y[:len(x)]) }},
		{"LayerNorm", []int{384, 768, 1024}, func(x []float32) { LayerNorm(x, z[:len(x)], y[:len(x)], 1e-12) }},
		{"RMSNorm", []int{384, 1024}, func(x []float32) { RMSNorm(x, z[:len(x)], 1e-6) }},
		{"Normalize", []int{384}, func(x []float32) { Normalize(x) }},
		{"RopeHalves", []int{64, 128}, func(x []float32) { RopeHalves(x, y[:len(x)/2], z[:len(x)/2]) }},
		{"RopePairs", []int{64, 128}, func(x []float32) { RopePairs(x, y[:len(x)/2], z[:len(x)/2]) }},
		{"Add", []int{32, 384}, func(x []float32) { Add(x, y[:len(x)]) }},
		{"AddScaled", []int{64}, func(x []float32) { AddScaled(x, y[:len(x)], 0.5) }},
		{"Dot", []int{32, 64, 384}, func(x []float32) { Dot(x, y[:len(x)]) }},
		{"Mean10x384", []int{10 * 384}, func(x []float32) { Mean(y[:384], x) }},
		{"AddSquares10x384", []int{10 * 384}, func(x []float32) { AddSquares(sums, x, 10, 384) }},
		{"NotFinite", []int{384, 4096}, func(x []float32) { NotFinite(x) }},
		{"FromF16", []int{4096}, func(x []float32) { FromF16(x, half[:2*len(x)]) }},
		{"ToF16", []int{4096}, func(x []float32) { ToF16(half[:2*len(x)], x) }},
		{"FromBF16", []int{4096}, func(x []float32) { FromBF16(x, half[:2*len(x)]) }},
		{"ToBF16", []int{4096}, func(x []float32) { ToBF16(half[:2*len(x)], x) }},
	} {
		for _, n := range op.lengths {
			for _, path := range cpu.Paths() {
				b.Run(fmt.Sprintf("%s/%d/%s", op.name, n, path), func(b *testing.B) {
					active = path
					// Rows one after the other, as in use, and fresh ones before
					// numbers overflow or become subnormal.
					for i, at, again := 0, len(x), 0; i < b.N; i++ {
						if at+n > len(x) {
							at = 0
							if again++; again%32 == 1 {
								copy(x, first)
							}
						}
						op.f(x[at : at+n])
						at += n
					}
				})
			}
		}
	}
}

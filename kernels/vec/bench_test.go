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
	for i := range first {
		first[i] = float32(i%97)/16 - 3
		y[i], z[i] = first[i]*0.5, 1
	}
	defer func(p cpu.Path) { active = p }(active)
	for _, op := range []struct {
		name    string
		lengths []int
		f       func(n int)
	}{
		{"Max", []int{40, 512}, func(n int) { Max(x[:n]) }},
		{"ExpSum", []int{16, 40, 128, 512}, func(n int) { ExpSum(x[:n], 0.125, 4) }},
		{"Softmax", []int{40, 128, 512}, func(n int) { Softmax(x[:n], 0.125) }},
		{"Exp", []int{512}, func(n int) { Exp(x[:n]) }},
		{"Erf", []int{512}, func(n int) { Erf(x[:n]) }},
		{"GELU", []int{16, 32, 1536}, func(n int) { GELU(x[:n]) }},
		{"GELURows12of", []int{32}, func(n int) { GELURows(x, 12, n, 300) }},
		{"GELUTanh", []int{32, 1536}, func(n int) { GELUTanh(x[:n]) }},
		{"SiLU", []int{32, 1536}, func(n int) { SiLU(x[:n]) }},
		{"MulSiLU", []int{1536}, func(n int) { MulSiLU(x[:n], y[:n]) }},
		{"LayerNorm", []int{384, 768, 1024}, func(n int) { LayerNorm(x[:n], z[:n], y[:n], 1e-12) }},
		{"RMSNorm", []int{384, 1024}, func(n int) { RMSNorm(x[:n], z[:n], 1e-6) }},
		{"Normalize", []int{384}, func(n int) { Normalize(x[:n]) }},
		{"RopeHalves", []int{64, 128}, func(n int) { RopeHalves(x[:n], y[:n/2], z[:n/2]) }},
		{"RopePairs", []int{64, 128}, func(n int) { RopePairs(x[:n], y[:n/2], z[:n/2]) }},
		{"Add", []int{32, 384}, func(n int) { Add(x[:n], y[:n]) }},
		{"AddScaled", []int{64}, func(n int) { AddScaled(x[:n], y[:n], 0.5) }},
		{"Dot", []int{32, 64, 384}, func(n int) { Dot(x[:n], y[:n]) }},
		{"Mean10of", []int{384}, func(n int) { Mean(y[:n], x[:10*n]) }},
		{"NotFinite", []int{384, 4096}, func(n int) { NotFinite(x[:n]) }},
		{"FromF16", []int{4096}, func(n int) { FromF16(x[:n], half[:2*n]) }},
		{"ToF16", []int{4096}, func(n int) { ToF16(half[:2*n], x[:n]) }},
		{"FromBF16", []int{4096}, func(n int) { FromBF16(x[:n], half[:2*n]) }},
		{"ToBF16", []int{4096}, func(n int) { ToBF16(half[:2*n], x[:n]) }},
	} {
		for _, n := range op.lengths {
			for _, path := range cpu.Paths() {
				b.Run(fmt.Sprintf("%s/%d/%s", op.name, n, path), func(b *testing.B) {
					active = path
					for i := range b.N {
						if i%32 == 0 { // before numbers overflow or become subnormal
							copy(x[:min(12*n, len(x))], first)
						}
						op.f(n)
					}
				})
			}
		}
	}
}

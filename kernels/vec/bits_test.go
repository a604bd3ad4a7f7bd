//go:build (amd64 || arm64) && !purego

package vec

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// The assembly of each instruction set does the same operations on an element, in
// the same order, with the same constants: a digit that is wrong in one of them
// may be within the bound, but not within these sums of all bits.
func TestElementsHaveTheSameBitsInAllAssembly(t *testing.T) {
	gated := func(f func(dst, gate []float32)) func(x []float32) {
		return func(x []float32) {
			gate := slices.Clone(x)
			for i := range x {
				x[i] = 1.7
			}
			f(x, gate)
		}
	}
	scaled := func(s float32) func(x []float32) {
		return func(x []float32) {
			for i, v := range x {
				x[i] = -max(v, -v)
			}
			ExpSum(x, s, 0)
		}
	}
	defer func(p cpu.Path) { active = p }(active)
	for _, path := range cpu.Paths() {
		if path == cpu.Scalar {
			continue
		}
		active = path
		for _, c := range []struct {
			name string
			f    func(x []float32)
			want uint64
		}{
			{"Exp", Exp, 0x96578a8573b17b54},
			{"ExpSum", scaled(1), 0x8bd7e646363c49d5},
			{"ExpSum, scale 0.125", scaled(0.125), 0xfb2c153204f1cc37},
			{"Erf", Erf, 0x7109919f861d230d},
			{"GELU", GELU, 0x702ffab55670cf54},
			{"GELUTanh", GELUTanh, 0x23e43d068731e831},
			{"SiLU", SiLU, 0x45cb8f6f4f89d2fb},
			{"MulGELU", gated(MulGELU), 0x83ba451e202853c1},
			{"MulGELUTanh", gated(MulGELUTanh), 0x1657100e39ce0d37},
			{"MulSiLU", gated(MulSiLU), 0x46c665fe2a74810e},
		} {
			x := everywhere()
			c.f(x)
			sum := fnv.New64a()
			var b [4]byte
			for _, v := range x {
				binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
				sum.Write(b[:])
			}
			if got := sum.Sum64(); got != c.want {
				t.Errorf("%s, %s: the sum of all bits is %#016x, want %#016x", path, c.name, got, c.want)
			}
		}
	}
}

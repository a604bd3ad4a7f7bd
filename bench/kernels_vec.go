package bench

import (
	"fmt"

	"github.com/gguftool/gguftool/kernels/vec"
)

// vecLength is the elements of a vector: two of them stay in the first cache.
const vecLength = 1536

// vecKernels lists the functions of package vec. Those that change their vector
// get one each time, which is copied first: repeated squaring would end in
// infinities, whose arithmetic may take longer. The copy is part of the time, and
// of the bytes.
func vecKernels() (all []kernel) {
	const (
		read  = 4 * vecLength // bytes of a vector
		both  = 2 * read      // that is read and written
		fresh = both          // that is copied before
	)
	x, y, z := randomFloats(vecLength), randomFloats(2 * vecLength)[vecLength:], make([]float32, vecLength)
	halves := make([]byte, 2*vecLength)
	add := func(name string, bytes float64, run func()) {
		all = append(all, kernel{pkg: "vec", name: name, shape: fmt.Sprint(vecLength), work: bytes, unit: bytesPerSecond, ceiling: cacheCeiling,
			prepare: func() (func(), error) { return run, nil }})
	}
	onFresh := func(name string, bytes float64, f func(x []float32)) {
		add(name, fresh+bytes, func() { copy(z, x); f(z) })
	}
	add("dot", 2*read, func() { vec.Dot(x, y) })
	add("max", read, func() { vec.Max(x) })
	add("not finite", read, func() { vec.NotFinite(x) })
	onFresh("add", both+read, func(z []float32) { vec.Add(z, y) })
	onFresh("add scaled", both+read, func(z []float32) { vec.AddScaled(z, y, 0.5) })
	onFresh("mul", both+read, func(z []float32) { vec.Mul(z, y) })
	onFresh("scale", both, func(z []float32) { vec.Scale(z, 0.5) })
	onFresh("normalize", both, vec.Normalize)
	onFresh("exp", both, vec.Exp)
	onFresh("exp sum", both, func(z []float32) { vec.ExpSum(z, 1, 1) })
	onFresh("softmax", both, func(z []float32) { vec.Softmax(z, 1) })
	onFresh("erf", both, vec.Erf)
	onFresh("gelu", both, vec.GELU)
	onFresh("gelu tanh", both, vec.GELUTanh)
	onFresh("silu", both, vec.SiLU)
	onFresh("mul gelu", both+read, func(z []float32) { vec.MulGELU(z, y) })
	onFresh("mul gelu tanh", both+read, func(z []float32) { vec.MulGELUTanh(z, y) })
	onFresh("mul silu", both+read, func(z []float32) { vec.MulSiLU(z, y) })
	onFresh("layer norm", both+2*read, func(z []float32) { vec.LayerNorm(z, x, y, 1e-5) })
	onFresh("rms norm", both+read, func(z []float32) { vec.RMSNorm(z, x, 1e-5) })
	half := vecLength / 2
	onFresh("rope halves", both+read, func(z []float32) { vec.RopeHalves(z, y[:half], y[half:]) })
	onFresh("rope pairs", both+read, func(z []float32) { vec.RopePairs(z, y[:half], y[half:]) })
	mean := make([]float32, 96)
	add("mean", read+96*4, func() { vec.Mean(mean, x) })
	sums := make([]float64, 96)
	add("add squares", read+96*16, func() { clear(sums); vec.AddSquares(sums, x, vecLength/96, 96) })
	add("to f16", read+read/2, func() { vec.ToF16(halves, x) })
	add("from f16", read+read/2, func() { vec.FromF16(z, halves) })
	add("to bf16", read+read/2, func() { vec.ToBF16(halves, x) })
	add("from bf16", read+read/2, func() { vec.FromBF16(z, halves) })
	return all
}

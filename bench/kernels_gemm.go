package bench

import (
	"fmt"
	"math/rand/v2"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// The products are those of an encoder like all-MiniLM: its widest matrix by a
// text, by a word and by two dozen tokens.
const (
	gemmInputs  = 384
	gemmOutputs = 1536
)

var gemmRows = []int{1, 24, 128}

// A quantizedKind is a kind of quantized weights that has tiles of its own.
type quantizedKind struct {
	name       string // of kernels
	formats    string // those of this kind
	group      int
	hasOffsets bool
	low, high  int8 // of quants
}

var quantizedKinds = []quantizedKind{
	{"int8 group 32", "Q5_0", 32, false, -16, 15},
	{"int8 group 32 wide", "Q8_0", 32, false, -127, 127},
	{"int8 group 32 offsets", "Q5_1 Q5_K", 32, true, 0, 31},
	{"int8 group 16", "Q6_K", 16, false, -32, 31},
	{"int4 group 32", "Q4_0", 32, false, -8, 7},
	{"int4 group 32 offsets", "Q4_1 Q4_K", 32, true, 0, 15},
	{"int4 group 16", "Q3_K", 16, false, -4, 3},
	{"int4 group 16 offsets", "Q2_K", 16, true, 0, 3},
}

func gemmKernels() (all []kernel) {
	for _, rows := range gemmRows {
		shape := fmt.Sprintf("%d x %d x %d", rows, gemmInputs, gemmOutputs)
		operations := 2 * float64(rows) * gemmInputs * gemmOutputs
		all = append(all, kernel{pkg: "gemm", name: "f32", shape: shape, work: operations, unit: operationsPerSecond, ceiling: floatCeiling,
			prepare: func() (func(), error) {
				m := new(gemm.Matrix)
				m.PackRows(gemm.Dense(randomFloats(gemmInputs*gemmOutputs), gemmOutputs, gemmInputs))
				x := gemm.Dense(randomFloats(rows*gemmInputs), rows, gemmInputs)
				dst := gemm.Dense(make([]float32, rows*gemmOutputs), rows, gemmOutputs)
				return func() { gemm.Mul(nil, dst, x, m, gemm.Epilogue{}) }, nil
			}})
		for _, kind := range quantizedKinds {
			all = append(all, kernel{pkg: "gemm", name: kind.name, format: kind.formats, shape: shape, work: operations, unit: operationsPerSecond, ceiling: byteCeiling,
				prepare: func() (func(), error) {
					m, a, err := kind.pack(rows)
					dst := gemm.Dense(make([]float32, rows*gemmOutputs), rows, gemmOutputs)
					return func() { gemm.MulQuantized(nil, dst, a, m, gemm.Epilogue{}) }, err
				}})
		}
	}
	const rows = 24
	for _, kind := range []quantizedKind{quantizedKinds[0], quantizedKinds[3]} {
		all = append(all, kernel{pkg: "gemm", name: fmt.Sprintf("quantize activations, group %d", kind.group), shape: fmt.Sprintf("%d x %d", rows, gemmInputs),
			work: 5 * rows * gemmInputs, unit: bytesPerSecond, ceiling: cacheCeiling, // four bytes read and one written for each number
			prepare: func() (func(), error) {
				_, a, err := kind.pack(rows)
				x := gemm.Dense(randomFloats(rows*gemmInputs), rows, gemmInputs)
				return func() {
					for r := range rows {
						a.QuantizeRow(r, x.Row(r))
					}
				}, err
			}})
	}
	all = append(all, kernel{pkg: "gemm", name: "pack rows", shape: fmt.Sprintf("64 x %d", gemmInputs), work: 8 * 64 * gemmInputs, unit: bytesPerSecond, ceiling: cacheCeiling,
		prepare: func() (func(), error) {
			m, w := new(gemm.Matrix), gemm.Dense(randomFloats(64*gemmInputs), 64, gemmInputs)
			return func() { m.PackRows(w) }, nil
		}})
	return all
}

// pack returns weights of the kind and activations to multiply them with.
func (k *quantizedKind) pack(rows int) (*gemm.Quantized, *gemm.Activations, error) {
	rng := rand.New(rand.NewPCG(1, uint64(k.group)))
	shape := gemm.QuantizedShape{Outputs: gemmOutputs, Inputs: gemmInputs, Group: k.group, HasOffsets: k.hasOffsets}
	if int(k.high)-int(k.low) < 16 {
		shape.Levels = new([16]int8)
		for i := range shape.Levels {
			shape.Levels[i] = min(k.low+int8(i), k.high)
		}
	}
	m, err := gemm.PackQuantized(nil, shape, func(dst *gemm.QuantRow, _ int) error {
		for i := range dst.Quants {
			dst.Quants[i] = byte(int(k.low) + rng.IntN(int(k.high)-int(k.low)+1))
		}
		for _, scales := range [][]float32{dst.Scales, dst.Offsets} {
			for i := range scales {
				scales[i] = rng.Float32() * 0.01
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	a := new(gemm.Activations)
	a.Resize(rows, m)
	for r := range rows {
		a.QuantizeRow(r, randomFloats(gemmInputs))
	}
	return m, a, nil
}

// randomFloats returns n numbers between -1 and 1, the same every time.
func randomFloats(n int) []float32 {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*rng.Float32() - 1
	}
	return x
}

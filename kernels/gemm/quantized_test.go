package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// randomQuantized returns packed weights and what they stand for, (outputs, inputs).
func randomQuantized(t *testing.T, rng *rand.Rand, shape QuantizedShape) (*Quantized, [][]float64) {
	t.Helper()
	weights := make([][]float64, shape.Outputs)
	rows := make([]QuantRow, shape.Outputs)
	for j := range rows {
		r := QuantRow{Quants: make([]byte, shape.Inputs), Scales: make([]float32, shape.Inputs/shape.Group)}
		if shape.HasOffsets {
			r.Offsets = make([]float32, len(r.Scales))
		}
		weights[j] = make([]float64, shape.Inputs)
		for k := range r.Quants {
			r.Quants[k] = byte(rng.Uint32())
			if rng.IntN(20) == 0 {
				r.Quants[k] = []byte{127, 128, 129, 0}[rng.IntN(4)]
			}
			g := k / shape.Group
			if k%shape.Group == 0 {
				r.Scales[g] = float32(rng.NormFloat64()) * 0.01
				if shape.HasOffsets {
					r.Offsets[g] = float32(rng.NormFloat64()) * 0.3
				}
			}
			weights[j][k] = float64(r.Scales[g]) * float64(int8(r.Quants[k]))
			if shape.HasOffsets {
				weights[j][k] += float64(r.Offsets[g])
			}
		}
		rows[j] = r
	}
	m, err := PackQuantized(cpu.NewPool(3), shape, func(dst *QuantRow, i int) error {
		copy(dst.Quants, rows[i].Quants)
		copy(dst.Scales, rows[i].Scales)
		copy(dst.Offsets, rows[i].Offsets)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, weights
}

// quantizedShapes calls f for all kinds of weights.
func quantizedShapes(f func(shape QuantizedShape)) {
	floor := float32(-0.17)
	for _, group := range []int{16, 32} {
		for _, offsets := range []bool{false, true} {
			for _, fl := range []*float32{nil, &floor} {
				f(QuantizedShape{Group: group, HasOffsets: offsets, Floor: fl})
			}
		}
	}
}

func quantizeRows(x View, m *Quantized) *Activations {
	var a Activations
	a.Resize(x.Rows, m)
	for r := range x.Rows {
		a.QuantizeRow(r, x.Row(r))
	}
	return &a
}

// value returns what element k of row r of a stands for.
func (a *Activations) value(r, k int) float64 {
	b := k / blockInputs
	zero := a.floor
	if !a.fixed {
		zero = a.commons[r*a.commonInputs(a.inputs)+b]
	}
	return float64(a.scales[r*(a.inputs/blockInputs)+b])*float64(a.quants[r*a.inputs+k]) + float64(zero)
}

// Products are those of the numbers that the quants stand for.
func TestMulQuantized(t *testing.T) { onEachPath(t, testMulQuantized) }

func testMulQuantized(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(5, 2))
	quantizedShapes(func(shape QuantizedShape) {
		for _, rows := range []int{0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25} {
			for _, shape.Inputs = range []int{32, 64, 96, 128, 160, 416} {
				for _, shape.Outputs = range []int{0, 1, 3, 15, 16, 17, 31, 32, 33, 47, 48, 49, 65} {
					bias, _ := randomView(t, rng, 1, shape.Outputs)
					shape.Bias = bias.Row(0)
					m, w := randomQuantized(t, rng, shape)
					x, checkX := randomView(t, rng, rows, shape.Inputs)
					if shape.Floor != nil {
						for r := range rows {
							for k, v := range x.Row(r) {
								x.Row(r)[k] = max(v, *shape.Floor)
							}
						}
					}
					dst, checkDst := randomView(t, rng, rows, shape.Outputs)
					before := slices.Clone(dst.Data)
					a := quantizeRows(x, m)
					add := rng.IntN(2) == 0
					MulQuantized(nil, dst, a, m, Epilogue{Add: add})
					checkX()
					checkDst()
					for r := range rows {
						for j := range shape.Outputs {
							exact, size := float64(bias.Row(0)[j]), math.Abs(float64(bias.Row(0)[j]))
							if add {
								exact += float64(before[r*dst.Stride+j])
								size += math.Abs(float64(before[r*dst.Stride+j]))
							}
							for k := range shape.Inputs {
								b := k / blockInputs
								exact += a.value(r, k) * w[j][k]
								zero := a.value(r, k) - float64(a.scales[r*(a.inputs/blockInputs)+b])*float64(a.quants[r*a.inputs+k])
								size += (math.Abs(a.value(r, k)) + 2*math.Abs(zero)) * (math.Abs(w[j][k]) + 1)
							}
							got := float64(dst.Row(r)[j])
							if err := math.Abs(got - exact); !(err <= 0x1p-22*size) {
								t.Fatalf("%+v, %d rows: element %d, %d is %v, want %v", shape, rows, r, j, got, exact)
							}
						}
					}
				}
			}
		}
	})
}

// Activations are within half a scale, and have the same bits on each path.
func TestQuantizeRow(t *testing.T) { onEachPath(t, testQuantizeRow) }

func testQuantizeRow(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(6, 2))
	quantizedShapes(func(shape QuantizedShape) {
		shape.Outputs = 1
		for shape.Inputs = 32; shape.Inputs <= 32*14; shape.Inputs += 32 {
			for _, kind := range []string{"normal", "constant", "zero", "one large", "tiny", "huge"} {
				m, _ := randomQuantized(t, rng, shape)
				x, check := randomView(t, rng, 1, shape.Inputs)
				for k := range x.Row(0) {
					v := &x.Row(0)[k]
					switch kind {
					case "constant":
						*v = 3.25
					case "zero":
						*v = 0
					case "one large":
						if k == shape.Inputs/2 {
							*v = -1e6
						}
					case "tiny":
						*v *= 1e-42
					case "huge":
						*v *= 3e34
					}
					if shape.Floor != nil {
						*v = max(*v, *shape.Floor)
					}
				}
				a := quantizeRows(x, m)
				check()
				for k, v := range x.Row(0) {
					half := float64(a.scales[k/blockInputs]) / 2
					if err := math.Abs(a.value(0, k) - float64(v)); !(err <= half*(1+1e-4)+1e-7*math.Abs(float64(v))) {
						t.Fatalf("%s, %+v: element %d is %v, want %v within %v", kind, shape, k, a.value(0, k), v, half)
					}
				}
				want := quantizeRows(x, m)
				blocks := shape.Inputs / blockInputs
				quantizeBlocks(want, x.Row(0), want.quants, want.scales, want.commons[:blocks], want.commons[blocks:])
				if !slices.Equal(a.quants, want.quants) || !slices.Equal(a.scales, want.scales) {
					t.Fatalf("%s, %+v: quants or scales differ from those of plain Go", kind, shape)
				}
				from := 0
				if shape.Floor != nil {
					from = blocks
				}
				if !slices.Equal(a.commons[from:], want.commons[from:]) {
					t.Fatalf("%s, %+v: zeros and sums are %v, want %v", kind, shape, a.commons[from:], want.commons[from:])
				}
			}
		}
	})
}

// What is no number is seen in the product.
func TestQuantizedNaN(t *testing.T) { onEachPath(t, testQuantizedNaN) }

func testQuantizedNaN(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(7, 2))
	quantizedShapes(func(shape QuantizedShape) {
		shape.Inputs, shape.Outputs = 256, 33
		m, _ := randomQuantized(t, rng, shape)
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			for k := range shape.Inputs {
				x, _ := randomView(t, rng, 1, shape.Inputs)
				x.Row(0)[k] = bad
				dst := Dense(make([]float32, shape.Outputs), 1, shape.Outputs)
				MulQuantized(nil, dst, quantizeRows(x, m), m, Epilogue{})
				for j, v := range dst.Row(0) {
					if v-v == 0 {
						t.Fatalf("%+v: output %d is %v with input %d being %v", shape, j, v, k, bad)
					}
				}
			}
		}
	})
}

// A row's product does not depend on the rows beside it, nor on the workers.
func TestMulQuantizedInAnyCompany(t *testing.T) { onEachPath(t, testMulQuantizedInAnyCompany) }

func testMulQuantizedInAnyCompany(t *testing.T, _ cpu.Path) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	rng := rand.New(rand.NewPCG(8, 2))
	quantizedShapes(func(shape QuantizedShape) {
		shape.Inputs, shape.Outputs = 160, 101
		const rows = 27
		m, _ := randomQuantized(t, rng, shape)
		x, _ := randomView(t, rng, rows, shape.Inputs)
		want := Dense(make([]float32, rows*shape.Outputs), rows, shape.Outputs)
		MulQuantized(nil, want, quantizeRows(x, m), m, Epilogue{Act: GELU})
		for threads := 1; threads <= 5; threads++ {
			for top := range rows {
				for bottom := top + 1; bottom <= rows; bottom += 3 {
					dst := Dense(make([]float32, (bottom-top)*shape.Outputs), bottom-top, shape.Outputs)
					part := x.Part(top, bottom, 0, shape.Inputs)
					MulQuantized(cpu.NewPool(threads), dst, quantizeRows(part, m), m, Epilogue{Act: GELU})
					if !slices.Equal(dst.Data, want.Data[top*shape.Outputs:bottom*shape.Outputs]) {
						t.Fatalf("%+v, %d workers: rows %d to %d differ", shape, threads, top, bottom)
					}
				}
			}
		}
	})
}

func TestPackQuantizedError(t *testing.T) {
	shape := QuantizedShape{Outputs: 200, Inputs: 64, Group: 32}
	m, err := PackQuantized(cpu.NewPool(2), shape, func(_ *QuantRow, i int) error {
		if i%50 == 49 {
			return fmt.Errorf("row %d", i)
		}
		return nil
	})
	if m != nil || err == nil || err.Error() != "row 49" {
		t.Errorf("matrix %v, error %v, want the error of row 49", m, err)
	}
}

func BenchmarkMulQuantized(b *testing.B) {
	rng := rand.New(rand.NewPCG(9, 2))
	for _, group := range []int{32, 16} {
		for _, shape := range [][3]int{{128, 384, 1536}, {128, 1536, 384}, {128, 768, 3072}, {16, 384, 1536}} {
			rows, inputs, outputs := shape[0], shape[1], shape[2]
			b.Run(fmt.Sprintf("g%d/%dx%dx%d", group, rows, inputs, outputs), func(b *testing.B) {
				m, err := PackQuantized(nil, QuantizedShape{Outputs: outputs, Inputs: inputs, Group: group}, func(dst *QuantRow, _ int) error {
					for i := range dst.Quants {
						dst.Quants[i] = byte(rng.Uint32())
					}
					for i := range dst.Scales {
						dst.Scales[i] = 0.01
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				x := Dense(make([]float32, rows*inputs), rows, inputs)
				for i := range x.Data {
					x.Data[i] = float32(rng.NormFloat64())
				}
				a := quantizeRows(x, m)
				dst := Dense(make([]float32, rows*outputs), rows, outputs)
				for b.Loop() {
					MulQuantized(nil, dst, a, m, Epilogue{})
				}
				b.ReportMetric(2*float64(rows*inputs*outputs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}

func BenchmarkQuantizeRow(b *testing.B) {
	m, _ := PackQuantized(nil, QuantizedShape{Outputs: 1, Inputs: 384, Group: 32}, func(*QuantRow, int) error { return nil })
	x := make([]float32, 384)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	var a Activations
	a.Resize(1, m)
	for b.Loop() {
		a.QuantizeRow(0, x)
	}
}

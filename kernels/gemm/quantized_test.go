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

// onEachInt8 runs a test with each kind of int8 tiles that this machine has, on
// each path that may use it.
func onEachInt8(t *testing.T, test func(t *testing.T)) {
	onEachPath(t, func(t *testing.T, path cpu.Path) {
		for _, v := range int8Variants(path) {
			active.int8 = v.tiles
			t.Run(v.name, test)
			v = v.expandedBefore()
			active.int8 = v.tiles
			t.Run(v.name, test)
		}
	})
}

// An int8Variant is tiles that a path of this machine may use.
type int8Variant struct {
	name  string
	tiles func(group int, narrow bool) *int8Tiles
}

// expandedBefore returns v with panels of four bits, which it may have or not,
// and which become bytes before they are multiplied.
func (v int8Variant) expandedBefore() int8Variant {
	return int8Variant{v.name + ", expanded before", func(group int, narrow bool) *int8Tiles {
		t := *v.tiles(group, narrow)
		t.expanding, t.fourBits = nil, true
		return &t
	}}
}

// at returns the quant of output j for input k, and its scale.
func (m *Quantized) at(j, k int) (quant int8, scale float32) {
	panel, col, groups := j/panelCols, j%panelCols, m.inputs/m.group
	scale = m.scales[(panel*groups+k/m.group)*2*panelCols+col]
	if m.levels == nil {
		return int8(m.quants[panel*m.inputs*panelCols+quantAt(0, col, k, m.inputs)]), scale
	}
	b := m.quants[panel*m.inputs*panelCols/2+k/8*4*panelCols+4*col+k%4]
	return m.levels[b>>(k/4%2*4)&15], scale
}

// randomQuantized returns packed weights, narrow or not, and what they stand
// for, (outputs, inputs).
func randomQuantized(t *testing.T, rng *rand.Rand, shape QuantizedShape) (*Quantized, [][]float64) {
	t.Helper()
	weights := make([][]float64, shape.Outputs)
	rows := make([]QuantRow, shape.Outputs)
	narrow := rng.IntN(2) == 0
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
			if narrow {
				r.Quants[k] = byte(int8(r.Quants[k]) / 2)
			}
			if shape.Levels != nil {
				r.Quants[k] = byte(shape.Levels[rng.IntN(16)])
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

// quantizedShapes calls f for all kinds of weights, in bytes.
func quantizedShapes(f func(shape QuantizedShape)) {
	for _, group := range []int{16, 32} {
		for _, offsets := range []bool{false, true} {
			f(QuantizedShape{Group: group, HasOffsets: offsets})
		}
	}
}

// leveledShapes calls f for all kinds of weights, with levels and without.
func leveledShapes(f func(shape QuantizedShape)) {
	quantizedShapes(func(shape QuantizedShape) {
		for _, shape.Levels = range []*[16]int8{nil, narrowLevels, wideLevels} {
			f(shape)
		}
	})
}

// Levels of which some are there twice, as in formats of two bits, and those of
// IQ4_NL, which are beyond ±64.
var (
	narrowLevels = &[16]int8{-64, -64, -7, -6, -5, -3, 0, 1, 1, 1, 2, 8, 9, 31, 63, 64}
	wideLevels   = &[16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
)

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
	for slot, at := range a.outliers[r].index {
		if int(at) == k {
			return float64(a.outliers[r].value[slot])
		}
	}
	return float64(a.scales[r*(a.inputs/blockInputs)+k/blockInputs]) * (float64(a.quants[r*a.inputs+k]) - zeroQuant)
}

// Products are those of the numbers that the quants stand for.
func TestMulQuantized(t *testing.T) { onEachInt8(t, testMulQuantized) }

func testMulQuantized(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	leveledShapes(func(shape QuantizedShape) {
		for _, rows := range []int{0, 1, 2, 3, 5, 6, 7, 12, 13} {
			for _, shape.Inputs = range []int{32, 64, 160} {
				for _, shape.Outputs = range []int{0, 1, 3, 8, 15, 16, 17, 31, 32, 33, 49} {
					bias, _ := randomView(t, rng, 1, shape.Outputs)
					shape.Bias = bias.Row(0)
					m, w := randomQuantized(t, rng, shape)
					x, checkX := randomView(t, rng, rows, shape.Inputs)
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
								exact += a.value(r, k) * w[j][k]
								size += 2 * math.Abs(a.value(r, k)) * (math.Abs(w[j][k]) + 1)
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

// All assembly gives the same bits: integers are exact, floats are added in one
// order and each product is fused with its addition.
func TestMulQuantizedIsFused(t *testing.T) { onEachInt8(t, testMulQuantizedIsFused) }

func testMulQuantizedIsFused(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 2))
	leveledShapes(func(shape QuantizedShape) {
		for _, rows := range []int{1, 2, 3, 4, 5, 6, 7} {
			for _, shape.Inputs = range []int{32, 96} {
				for _, shape.Outputs = range []int{1, 8, 15, 16, 17, 32, 41} {
					bias, _ := randomView(t, rng, 1, shape.Outputs)
					shape.Bias = bias.Row(0)
					m, _ := randomQuantized(t, rng, shape)
					if active.int8(m.group, m.narrow).tiles == nil {
						return // plain Go adds rounded products
					}
					extremes := rng.IntN(2) == 0
					x, _ := randomView(t, rng, rows, shape.Inputs)
					a := quantizeRows(x, m)
					if extremes {
						for i := range a.quants {
							a.quants[i] = []byte{0, 1, 127, 128, 254, 255, 255, 255}[rng.IntN(8)]
						}
					}
					dst, check := randomView(t, rng, rows, shape.Outputs)
					before := slices.Clone(dst.Data)
					add := rng.IntN(2) == 0
					MulQuantized(nil, dst, a, m, Epilogue{Add: add})
					check()
					for r := range rows {
						for j := range shape.Outputs {
							want := fusedElement(a, m, r, j, before[r*dst.Stride+j], add)
							if got := dst.Row(r)[j]; got != want {
								t.Fatalf("%+v, %d rows, narrow %v: element %d, %d is %v, want %v", shape, rows, m.narrow, r, j, got, want)
							}
						}
					}
				}
			}
		}
	})
}

// fusedElement returns element r, j of a·m as assembly computes it.
func fusedElement(a *Activations, m *Quantized, r, j int, before float32, add bool) float32 {
	blocks, groups := m.inputs/blockInputs, m.inputs/m.group
	sum := m.bias[j]
	if add {
		sum += before
	}
	for slot, k := range a.outliers[r].index {
		quant, scale := m.at(j, int(k))
		sum = fma(a.outliers[r].value[slot], float32(quant)*scale, sum)
	}
	if m.hasOffsets {
		var offsets float32
		for g := range groups {
			offsets = fma(a.sums[r*groups+g], m.offsets.panel(j / panelCols)[g*panelCols+j%panelCols], offsets)
		}
		sum += offsets
	}
	var rest float32
	for g := range groups {
		dot, scale := int32(0), float32(0)
		for k := g * m.group; k < (g+1)*m.group; k++ {
			var quant int8
			quant, scale = m.at(j, k)
			dot += (int32(a.quants[r*m.inputs+k]) - zeroQuant) * int32(quant)
		}
		rest = fma(float32(dot), a.scales[r*blocks+g*m.group/blockInputs]*scale, rest)
	}
	return sum + rest
}

// Plain Go is never said to pay, and groups of both sizes agree.
func TestQuantizedPays(t *testing.T) {
	onEachPath(t, func(t *testing.T, _ cpu.Path) {
		for _, narrow := range []bool{false, true} {
			for _, group := range []int{16, 32} {
				if tiles := active.int8(group, narrow); tiles.pays != QuantizedPays(narrow) || tiles.pays && tiles.tiles == nil {
					t.Errorf("groups of %d, narrow %v: pays is %v", group, narrow, tiles.pays)
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
			for _, kind := range []string{"normal", "constant", "zero", "two large", "four large", "tiny", "huge"} {
				m, _ := randomQuantized(t, rng, shape)
				x, check := randomView(t, rng, 1, shape.Inputs)
				large := 0
				for k := range x.Row(0) {
					v := &x.Row(0)[k]
					switch kind {
					case "constant":
						*v = 3.25
					case "zero":
						*v = 0
					case "two large", "four large":
						if n := map[string]int{"two large": 2, "four large": 4}[kind]; large < n && rng.IntN(shape.Inputs/n/2) == 0 {
							*v *= 1e5
							large++
						}
					case "tiny":
						*v *= 1e-42
					case "huge":
						*v *= 3e34
					}
				}
				before := slices.Clone(x.Row(0))
				a := quantizeRows(x, m)
				check()
				if !slices.Equal(x.Row(0), before) {
					t.Fatalf("%s, %+v: the row was changed", kind, shape)
				}
				sums := make([]float64, a.groups())
				for k, v := range x.Row(0) {
					half := float64(a.scales[k/blockInputs]) / 2
					if err := math.Abs(a.value(0, k) - float64(v)); !(err <= half*(1+1e-4)+1e-7*math.Abs(float64(v))) {
						t.Fatalf("%s, %+v: element %d is %v, want %v within %v", kind, shape, k, a.value(0, k), v, half)
					}
					if len(sums) > 0 {
						sums[k/shape.Group] += a.value(0, k)
					}
				}
				for g, want := range sums {
					size := float64(a.scales[g*shape.Group/blockInputs]) * 128 * 32
					for _, v := range a.outliers[0].value {
						size += math.Abs(float64(v))
					}
					if err := math.Abs(float64(a.sums[g]) - want); !(err <= 1e-6*size) {
						t.Fatalf("%s, %+v: sum %d is %v, want %v", kind, shape, g, a.sums[g], want)
					}
				}
				// The largest two are kept: no other is larger.
				for k, v := range x.Row(0) {
					out := &a.outliers[0]
					least := min(magnitude(out.value[0]), magnitude(out.value[1]))
					if int32(k) != out.index[0] && int32(k) != out.index[1] && magnitude(v) > least {
						t.Fatalf("%s, %+v: element %d, %v, is larger than outliers %v", kind, shape, k, v, out.value)
					}
				}
				fast := active
				active.peaks, active.extract, active.quantize = plain.peaks, plain.extract, plain.quantize
				want := quantizeRows(x, m)
				active = fast
				if !slices.Equal(a.quants, want.quants) || !slices.Equal(a.scales, want.scales) ||
					!slices.Equal(a.outliers, want.outliers) || !slices.Equal(a.sums, want.sums) {
					t.Fatalf("%s, %+v: not the same as in plain Go", kind, shape)
				}
			}
		}
	})
}

// What is no number is seen in the product.
func TestQuantizedNaN(t *testing.T) { onEachInt8(t, testQuantizedNaN) }

func testQuantizedNaN(t *testing.T) {
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
func TestMulQuantizedInAnyCompany(t *testing.T) { onEachInt8(t, testMulQuantizedInAnyCompany) }

func testMulQuantizedInAnyCompany(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	rng := rand.New(rand.NewPCG(8, 2))
	leveledShapes(func(shape QuantizedShape) {
		shape.Inputs, shape.Outputs = 160, 101
		const rows = 27
		m, _ := randomQuantized(t, rng, shape)
		x, _ := randomView(t, rng, rows, shape.Inputs)
		want := Dense(make([]float32, rows*shape.Outputs), rows, shape.Outputs)
		MulQuantized(nil, want, quantizeRows(x, m), m, Epilogue{Act: GELU})
		for threads := 1; threads <= 5; threads++ {
			for top := range rows {
				for bottom := top + 1; bottom <= rows; bottom += 7 {
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

func TestSumSigned(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 2))
	for _, n := range []int{0, 8, 16, 32, 256} {
		for _, kind := range []string{"lowest", "highest", "any"} {
			q, want := make([]byte, n), int32(0)
			for i := range q {
				q[i] = map[string]byte{"lowest": 0x80, "highest": 0x7f, "any": byte(rng.Uint32())}[kind]
				want += int32(int8(q[i]))
			}
			if got := sumSigned(q); got != want {
				t.Errorf("%d bytes, %s: %d, want %d", n, kind, got, want)
			}
		}
	}
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
	defer func(k kernel) { active = k }(active)
	for _, path := range cpu.Paths() {
		active = kernelOf(path)
		for _, v := range int8Variants(path) {
			active.int8 = v.tiles
			for _, group := range []int{32, 16} {
				for _, narrow := range []bool{true, false} {
					for _, s := range []struct{ rows, inputs, outputs int }{{128, 384, 1536}, {128, 1536, 384}, {128, 768, 3072}, {16, 384, 1536}} {
						name := fmt.Sprintf("%s/%s/g%d/narrow=%v/%dx%dx%d", path, v.name, group, narrow, s.rows, s.inputs, s.outputs)
						b.Run(name, func(b *testing.B) { benchmarkMulQuantized(b, s.rows, s.inputs, s.outputs, group, narrow) })
					}
				}
			}
		}
	}
}

func benchmarkMulQuantized(b *testing.B, rows, inputs, outputs, group int, narrow bool) {
	rng := rand.New(rand.NewPCG(9, 2))
	m, err := PackQuantized(nil, QuantizedShape{Outputs: outputs, Inputs: inputs, Group: group}, func(dst *QuantRow, _ int) error {
		for i := range dst.Quants {
			q := int8(rng.Uint32())
			if narrow {
				q /= 2
			}
			dst.Quants[i] = byte(q)
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
}

func BenchmarkQuantizeRow(b *testing.B) {
	defer func(k kernel) { active = k }(active)
	for _, path := range cpu.Paths() {
		active = kernelOf(path)
		b.Run(path.String(), func(b *testing.B) {
			m, err := PackQuantized(nil, QuantizedShape{Outputs: 1, Inputs: 384, Group: 32}, func(*QuantRow, int) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			x := make([]float32, 384)
			for i := range x {
				x[i] = float32(math.Sin(float64(i)))
			}
			var a Activations
			a.Resize(1, m)
			for b.Loop() {
				a.QuantizeRow(0, x)
			}
		})
	}
}

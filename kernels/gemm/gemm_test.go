package gemm

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

const guard = float32(-12345.5)

// randomView returns a view of random values whose rows are fenced by guard
// values, and a function that fails the test when a fence was touched.
func randomView(t *testing.T, rng *rand.Rand, rows, cols int) (v View, check func()) {
	const fence = 7
	stride := cols + fence
	mem := make([]float32, fence+rows*stride+fence)
	for i := range mem {
		mem[i] = guard
	}
	if rows > 0 {
		v.Data = mem[fence : fence+(rows-1)*stride+cols]
	}
	v.Rows, v.Cols, v.Stride = rows, cols, stride
	for i := range rows {
		for j := range v.Row(i) {
			v.Row(i)[j] = float32(rng.NormFloat64())
		}
	}
	return v, func() {
		t.Helper()
		for i, x := range mem {
			at := i - fence
			if inside := at >= 0 && at/stride < rows && at%stride < cols; !inside && x != guard {
				t.Fatalf("%d x %d: the element %d after the first was written", rows, cols, at)
			}
		}
	}
}

func packRows(t *testing.T, p *cpu.Pool, w View) *Matrix {
	t.Helper()
	m, err := Pack(p, w.Rows, w.Cols, func(_ []float32, from, to int) (View, error) { return w.Part(from, to, 0, w.Cols), nil })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// onEachPath runs a test on every path that this machine has.
func onEachPath(t *testing.T, test func(t *testing.T, path cpu.Path)) {
	defer func(k kernel) { active = k }(active)
	for _, path := range cpu.Paths() {
		active = kernelOf(path)
		t.Run(path.String(), func(t *testing.T) { test(t, path) })
	}
}

// sizes go around the multiples of the panel and of the columns taken at once.
var sizes = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 31, 32, 33, 47, 48, 49, 65}

// fma returns a·b + c in float32, rounded once: the float64 sum of the product,
// which is exact, is made odd where it is not, so that it lies on no border that
// rounding to float32 could be misled by.
func fma(a, b, c float32) float32 {
	product, addend := float64(a)*float64(b), float64(c)
	sum := product + addend
	part := sum - product // what sum has of the addend; the rest of it is lost
	if lost := (product - (sum - part)) + (addend - part); lost != 0 && math.Float64bits(sum)&1 == 0 {
		if (lost > 0) == (sum > 0) {
			sum = math.Float64frombits(math.Float64bits(sum) + 1)
		} else {
			sum = math.Float64frombits(math.Float64bits(sum) - 1)
		}
	}
	return float32(sum)
}

// Against arithmetic without rounding, beside the borders of float32 too, where
// rounding to float64 first goes wrong.
func TestFMA(t *testing.T) {
	cases := [][3]float32{{2, 3, 4}, {0, 1, 0}, {1 + 0x1p-23, 1 + 0x1p-23, -1 - 0x1p-22}}
	for _, a := range []float32{1 + 0x1p-23, -1 - 0x1p-23} {
		for _, b := range []float32{1 - 0x1p-23, 1, 1 + 0x1p-23} {
			for _, c := range []float32{1, 1 + 0x1p-23, 1 - 0x1p-24, -1, -1 - 0x1p-23} {
				cases = append(cases, [3]float32{a, b * 0x1p-24, c})
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 2))
	for range 1000 {
		cases = append(cases, [3]float32{rng.Float32() - 0.5, rng.Float32() - 0.5, rng.Float32() - 0.5})
	}
	twice := 0
	for _, v := range cases {
		exact := new(big.Float).SetPrec(300).Mul(big.NewFloat(float64(v[0])), big.NewFloat(float64(v[1])))
		want, _ := exact.Add(exact, big.NewFloat(float64(v[2]))).Float32()
		if got := fma(v[0], v[1], v[2]); got != want {
			t.Errorf("%g·%g + %g is %g, want %g", v[0], v[1], v[2], got, want)
		}
		if float32(float64(v[0])*float64(v[1])+float64(v[2])) != want {
			twice++
		}
	}
	if twice == 0 {
		t.Error("no case tells one rounding from two")
	}
}

// Each element of a product is the sum in index order, to the bit: of rounded
// products in plain Go, of fused multiply-adds in the assembly of any machine.
func TestMulIsReference(t *testing.T) { onEachPath(t, testMulIsReference) }

func testMulIsReference(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, rows := range []int{0, 1, 2, 3, 5, 6, 7, 12, 13, 25} {
		for _, inputs := range sizes {
			for _, outputs := range sizes {
				x, checkX := randomView(t, rng, rows, inputs)
				w, checkW := randomView(t, rng, outputs, inputs)
				dst, checkDst := randomView(t, rng, rows, outputs)
				Mul(nil, dst, x, packRows(t, nil, w), Epilogue{})
				checkX()
				checkW()
				checkDst()
				for i := range rows {
					for j := range outputs {
						var sum, fused float32
						var exact, size float64
						for k := range inputs {
							sum += float32(x.Row(i)[k] * w.Row(j)[k])
							fused = fma(x.Row(i)[k], w.Row(j)[k], fused)
							exact += float64(x.Row(i)[k]) * float64(w.Row(j)[k])
							size += math.Abs(float64(x.Row(i)[k]) * float64(w.Row(j)[k]))
						}
						got := dst.Row(i)[j]
						want := sum
						if len(active.tiles) > 0 {
							want = fused
						}
						if got != want {
							t.Fatalf("(%d, %d) x (%d, %d): element %d, %d is %v, want %v", rows, inputs, inputs, outputs, i, j, got, want)
						}
						if err := math.Abs(float64(got) - exact); err > float64(inputs)*0x1p-24*size {
							t.Fatalf("(%d, %d) x (%d, %d): element %d, %d is %v, want %v", rows, inputs, inputs, outputs, i, j, got, exact)
						}
					}
				}
			}
		}
	}
}

func TestEpilogue(t *testing.T) { onEachPath(t, testEpilogue) }

func testEpilogue(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, outputs := range sizes {
		const rows, inputs = 14, 21
		x, _ := randomView(t, rng, rows, inputs)
		w, _ := randomView(t, rng, outputs, inputs)
		bias, checkBias := randomView(t, rng, 1, outputs)
		m := packRows(t, nil, w)
		plain := Dense(make([]float32, rows*outputs), rows, outputs)
		Mul(nil, plain, x, m, Epilogue{})
		for _, ep := range []Epilogue{
			{}, {Bias: bias.Row(0)}, {Act: GELU}, {Add: true}, {Bias: bias.Row(0), Act: GELU},
			{Bias: bias.Row(0), Add: true}, {Act: GELU, Add: true}, {Bias: bias.Row(0), Act: GELU, Add: true},
			{Bias: bias.Row(0), Act: GELUTanh}, {Bias: bias.Row(0), Act: SiLU, Add: true},
		} {
			dst, check := randomView(t, rng, rows, outputs)
			want := make([]float32, 0, rows*outputs)
			for i := range rows {
				for j, v := range plain.Row(i) {
					if ep.Bias != nil {
						v += bias.Row(0)[j]
					}
					if ep.Add {
						v += dst.Row(i)[j]
					}
					one := []float32{v}
					switch ep.Act {
					case GELU:
						vec.GELU(one)
					case GELUTanh:
						vec.GELUTanh(one)
					case SiLU:
						vec.SiLU(one)
					}
					want = append(want, one[0])
				}
			}
			Mul(nil, dst, x, m, ep)
			check()
			checkBias()
			for i := range rows {
				for j, v := range dst.Row(i) {
					if v != want[i*outputs+j] {
						t.Fatalf("%d outputs, %+v: element %d, %d is %v, want %v", outputs, ep, i, j, v, want[i*outputs+j])
					}
				}
			}
		}
	}
}

// A row's product does not depend on the rows beside it, nor on the workers.
func TestMulIsTheSameInAnyCompany(t *testing.T) { onEachPath(t, testMulIsTheSameInAnyCompany) }

func testMulIsTheSameInAnyCompany(t *testing.T, _ cpu.Path) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	rng := rand.New(rand.NewPCG(3, 2))
	const rows, inputs, outputs = 23, 77, 101
	x, _ := randomView(t, rng, rows, inputs)
	w, _ := randomView(t, rng, outputs, inputs)
	m := packRows(t, nil, w)
	want := Dense(make([]float32, rows*outputs), rows, outputs)
	Mul(nil, want, x, m, Epilogue{})
	for threads := 1; threads <= 5; threads++ {
		p := cpu.NewPool(threads)
		m := packRows(t, p, w)
		for top := range rows {
			for bottom := top + 1; bottom <= rows; bottom += 3 {
				dst := Dense(make([]float32, (bottom-top)*outputs), bottom-top, outputs)
				Mul(p, dst, x.Part(top, bottom, 0, inputs), m, Epilogue{})
				for i := range dst.Rows {
					for j, v := range dst.Row(i) {
						if v != want.Row(top + i)[j] {
							t.Fatalf("%d workers, rows %d to %d: row %d differs at %d", threads, top, bottom, top+i, j)
						}
					}
				}
			}
		}
	}
}

// A matrix that is packed again holds nothing of what it held before.
func TestPackRowsAndColumns(t *testing.T) { onEachPath(t, testPackRowsAndColumns) }

func testPackRowsAndColumns(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(4, 2))
	var byRows, byColumns Matrix
	for range 300 {
		outputs, inputs := sizes[rng.IntN(len(sizes))], sizes[rng.IntN(len(sizes))]
		w, check := randomView(t, rng, outputs, inputs)
		transposed := Dense(make([]float32, inputs*outputs), inputs, outputs)
		for i := range outputs {
			for k, v := range w.Row(i) {
				transposed.Row(k)[i] = v
			}
		}
		want := packRows(t, nil, w)
		byRows.PackRows(w)
		byColumns.PackColumns(transposed)
		check()
		for _, got := range []*Matrix{&byRows, &byColumns} {
			if got.outputs != outputs || got.inputs != inputs {
				t.Fatalf("(%d, %d) packed as (%d, %d)", outputs, inputs, got.outputs, got.inputs)
			}
			if len(got.panels) != len(want.panels) {
				t.Fatalf("(%d, %d): %d elements in panels, want %d", outputs, inputs, len(got.panels), len(want.panels))
			}
			for i, v := range got.panels {
				if v != want.panels[i] {
					t.Fatalf("(%d, %d): panel element %d is %v, want %v", outputs, inputs, i, v, want.panels[i])
				}
			}
		}
	}
}

// The first outputs and inputs of packed weights give what these weights give
// when they are packed alone.
func TestFirst(t *testing.T) { onEachPath(t, testFirst) }

func testFirst(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(8, 1))
	w, _ := randomView(t, rng, 70, 45)
	whole := packRows(t, nil, w)
	for _, outputs := range []int{0, 1, 15, 16, 17, 33, 64, 70} {
		for _, inputs := range []int{0, 1, 16, 44, 45} {
			x, _ := randomView(t, rng, 13, inputs)
			got, check := randomView(t, rng, 13, outputs)
			want, _ := randomView(t, rng, 13, outputs)
			first := whole.First(outputs, inputs)
			Mul(nil, got, x, &first, Epilogue{})
			Mul(nil, want, x, packRows(t, nil, w.Part(0, outputs, 0, inputs)), Epilogue{})
			check()
			for r := range got.Rows {
				if !slices.Equal(got.Row(r), want.Row(r)) {
					t.Fatalf("%d outputs, %d inputs: row %d differs", outputs, inputs, r)
				}
			}
		}
	}
}

func TestPackError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for threads := 1; threads <= 4; threads++ {
		m, err := Pack(cpu.NewPool(threads), 200, 3, func(buf []float32, from, to int) (View, error) {
			if from >= 48 {
				return View{}, fmt.Errorf("row %d", from)
			}
			return Dense(buf, to-from, 3), nil
		})
		if m != nil || err == nil || err.Error() != "row 48" {
			t.Errorf("%d workers: matrix %v, error %v, want the error of row 48", threads, m, err)
		}
	}
}

func TestPart(t *testing.T) {
	v := Dense([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4)
	p := v.Part(1, 3, 1, 3)
	if got := fmt.Sprint(p.Row(0), p.Row(1)); got != "[5 6] [9 10]" {
		t.Errorf("part is %s, want [5 6] [9 10]", got)
	}
	if p := v.Part(3, 3, 4, 4); p.Rows != 0 || p.Cols != 0 {
		t.Errorf("empty part is %d x %d", p.Rows, p.Cols)
	}
}

// Wrong shapes are found before any memory is touched.
func TestShapesAreChecked(t *testing.T) {
	view := func(rows, cols int) View { return Dense(make([]float32, rows*cols), rows, cols) }
	m := packRows(t, nil, view(5, 3))
	for want, f := range map[string]func(){
		"product of 2 x 4":            func() { Mul(nil, view(2, 5), view(2, 4), m, Epilogue{}) },
		"stored in 2 x 6":             func() { Mul(nil, view(2, 6), view(2, 3), m, Epilogue{}) },
		"stored in 1 x 5":             func() { Mul(nil, view(1, 5), view(2, 3), m, Epilogue{}) },
		"4 biases for 5 outputs":      func() { Mul(nil, view(2, 5), view(2, 3), m, Epilogue{Bias: make([]float32, 4)}) },
		"does not fit 5 elements":     func() { Mul(nil, view(2, 5), View{make([]float32, 5), 2, 3, 3}, m, Epilogue{}) },
		"with a stride of 2":          func() { Mul(nil, view(2, 5), View{make([]float32, 9), 2, 3, 2}, m, Epilogue{}) },
		"part [0:3, 0:2] of a view":   func() { view(2, 2).Part(0, 3, 0, 2) },
		"part [0:2, 2:1] of a view":   func() { view(2, 2).Part(0, 2, 2, 1) },
		"does not fit 3 elements":     func() { Dense(make([]float32, 3), 2, 2) },
		"a view of -1 x 2":            func() { Dense(nil, -1, 2) },
		"does not fit 0 elements":     func() { new(Matrix).PackRows(View{Rows: 1, Cols: 1, Stride: 1}) },
		"view of 2 x 1 with a stride": func() { new(Matrix).PackColumns(View{Data: make([]float32, 1), Rows: 2, Cols: 1, Stride: 1}) },
	} {
		if got := panicOf(f); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("panic %v, want one with %q", got, want)
		}
	}
}

func panicOf(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(fmt.Sprint(r))
		}
	}()
	f()
	return nil
}

// A tile adds nothing where there is nothing to multiply with.
func TestNoInputs(t *testing.T) {
	onEachPath(t, func(t *testing.T, _ cpu.Path) {
		var m Matrix
		m.PackRows(View{Rows: 3})
		dst := Dense([]float32{7, 7, 7}, 1, 3)
		Mul(nil, dst, View{Rows: 1}, &m, Epilogue{Bias: []float32{1, 2, 3}})
		if got := fmt.Sprint(dst.Row(0)); got != "[1 2 3]" {
			t.Errorf("product is %s, want the bias", got)
		}
	})
}

func BenchmarkMul(b *testing.B) {
	defer func(k kernel) { active = k }(active)
	for _, path := range cpu.Paths() {
		active = kernelOf(path)
		for _, s := range []struct{ rows, inputs, outputs int }{{128, 384, 1536}, {128, 1536, 384}, {16, 384, 384}, {128, 32, 128}} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", path, s.rows, s.inputs, s.outputs), func(b *testing.B) {
				var m Matrix
				m.PackRows(Dense(make([]float32, s.outputs*s.inputs), s.outputs, s.inputs))
				x := Dense(make([]float32, s.rows*s.inputs), s.rows, s.inputs)
				dst := Dense(make([]float32, s.rows*s.outputs), s.rows, s.outputs)
				for b.Loop() {
					Mul(nil, dst, x, &m, Epilogue{})
				}
				flops := 2 * float64(s.rows*s.inputs*s.outputs) * float64(b.N)
				b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

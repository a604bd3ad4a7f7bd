package gemm

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

// rowCounts go around the heights of tiles and stripes, and around the pieces
// that rows are divided into.
var rowCounts = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 23, 24, 25, 47, 49}

// checkRows computes a product whose Rows normalise what they are given, and
// compares it with the product that is normalised afterwards. Each row must be
// given once, with all its columns.
func checkRows(t *testing.T, rows, outputs int, mul func(p *cpu.Pool, dst View, ep Epilogue)) {
	t.Helper()
	weight := slices.Repeat([]float32{1.5}, outputs)
	initial := Dense(make([]float32, rows*outputs), rows, outputs)
	for i := range initial.Data {
		initial.Data[i] = float32(i%7) - 3
	}
	plain := Dense(slices.Clone(initial.Data), rows, outputs)
	mul(nil, plain, Epilogue{Add: true, Act: GELU})
	for threads := 1; threads <= 4; threads++ {
		dst := Dense(slices.Clone(initial.Data), rows, outputs)
		var mu sync.Mutex
		given := make([]int, rows)
		mul(cpu.NewPool(threads), dst, Epilogue{Add: true, Act: GELU, Rows: func(first, end int) {
			mu.Lock()
			defer mu.Unlock()
			if first >= end {
				t.Errorf("%d x %d, %d workers: rows %d to %d are given", rows, outputs, threads, first, end)
			}
			for i := first; i < end; i++ {
				given[i]++
				if !slices.Equal(dst.Row(i), plain.Row(i)) {
					t.Errorf("%d x %d, %d workers: row %d is given before it is complete", rows, outputs, threads, i)
				}
				vec.RMSNorm(dst.Row(i), weight, 1e-5)
			}
		}})
		for i, n := range given {
			want := slices.Clone(plain.Row(i))
			vec.RMSNorm(want, weight, 1e-5)
			if n != 1 || !slices.Equal(dst.Row(i), want) {
				t.Fatalf("%d x %d, %d workers: row %d is given %d times, or not what a norm afterwards gives", rows, outputs, threads, i, n)
			}
		}
	}
}

func TestRows(t *testing.T) { onEachPath(t, testRows) }

func testRows(t *testing.T, _ cpu.Path) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	rng := rand.New(rand.NewPCG(10, 2))
	for _, outputs := range []int{0, 1, 16, 33, 100} {
		w, _ := randomView(t, rng, outputs, 21)
		m := packRows(t, nil, w)
		for _, rows := range rowCounts {
			x, _ := randomView(t, rng, rows, 21)
			checkRows(t, rows, outputs, func(p *cpu.Pool, dst View, ep Epilogue) { Mul(p, dst, x, m, ep) })
		}
	}
}

func TestQuantizedRows(t *testing.T) { onEachInt8(t, testQuantizedRows) }

func testQuantizedRows(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	rng := rand.New(rand.NewPCG(11, 2))
	quantizedShapes(func(shape QuantizedShape) {
		shape.Inputs = 160
		for _, shape.Outputs = range []int{1, 33, 100} {
			m, _ := randomQuantized(t, rng, shape)
			for _, rows := range rowCounts {
				x, _ := randomView(t, rng, rows, shape.Inputs)
				a := quantizeRows(x, m)
				checkRows(t, rows, shape.Outputs, func(p *cpu.Pool, dst View, ep Epilogue) { MulQuantized(p, dst, a, m, ep) })
			}
		}
	})
}

// Activations that rows of a product are quantized to as they are given are those
// of the whole product.
func TestRowsQuantized(t *testing.T) { onEachInt8(t, testRowsQuantized) }

func testRowsQuantized(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	rng := rand.New(rand.NewPCG(12, 2))
	quantizedShapes(func(shape QuantizedShape) {
		shape.Inputs, shape.Outputs = 96, 128
		m, _ := randomQuantized(t, rng, shape)
		shape.Inputs, shape.Outputs = 128, 20
		next, _ := randomQuantized(t, rng, shape)
		for _, rows := range rowCounts[1:] {
			x, _ := randomView(t, rng, rows, 96)
			a := quantizeRows(x, m)
			plain := Dense(make([]float32, rows*128), rows, 128)
			MulQuantized(nil, plain, a, m, Epilogue{})
			want := quantizeRows(plain, next)
			for threads := 1; threads <= 3; threads++ {
				dst := Dense(make([]float32, rows*128), rows, 128)
				var got Activations
				got.Resize(rows, next)
				MulQuantized(cpu.NewPool(threads), dst, a, m, Epilogue{Rows: func(first, end int) {
					for i := first; i < end; i++ {
						got.QuantizeRow(i, dst.Row(i))
					}
				}})
				if !slices.Equal(got.quants, want.quants) || !slices.Equal(got.scales, want.scales) ||
					!slices.Equal(got.outliers, want.outliers) || !slices.Equal(got.sums, want.sums) {
					t.Fatalf("%+v, %d rows, %d workers: not the activations of the whole product", shape, rows, threads)
				}
			}
		}
	})
}

//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

// Tiles of 1 to 6 rows and up to 16 columns with NEON: 24 accumulators of four
// columns, 6 vectors of x and 2 of the panel fill the 32 registers. They make no
// use of next.

//go:noescape
func tileNEON1x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func tileNEON2x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func tileNEON3x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func tileNEON4x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func tileNEON5x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func tileNEON6x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

func kernelOf(p cpu.Path) kernel {
	k := plain
	if p == cpu.NEON {
		k.rows, k.panels, k.tiles = 6, 1, [][]tile{
			{tileNEON1x16}, {tileNEON2x16}, {tileNEON3x16}, {tileNEON4x16}, {tileNEON5x16}, {tileNEON6x16},
		}
		k.peaks, k.quantize = peaksRowNEON, quantizeRowNEON
		k.int8, k.outliers = int8Of(), [2]outliersFunc{outliersNEONx16, nil}
	}
	return k
}

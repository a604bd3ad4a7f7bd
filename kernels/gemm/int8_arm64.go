//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// Tiles of 1 to 3 rows and up to 16 columns with the dot products of NEON: 12
// accumulators of four columns, as many integer sums, 3 vectors of activations,
// 4 of weights and a constant fill the 32 registers. They make no use of
// quantsNext and scalesNext.

//go:noescape
func int8DotProd1x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func int8DotProd2x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func int8DotProd3x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func int8DotProd1x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func int8DotProd2x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

//go:noescape
func int8DotProd3x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

// An oneInt8Tile is an int8Tile for one tile.
type oneInt8Tile = func(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int,
	quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

// stacked returns tiles of the given rows, one below the other.
func stacked(rows int, f oneInt8Tile) int8Tile {
	return func(tiles, blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int,
		quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int) {
		for i := range tiles {
			n := i * rows
			f(blocks, (*uint8)(unsafe.Add(unsafe.Pointer(a), n*aStride)), aStride,
				(*float32)(unsafe.Add(unsafe.Pointer(aScale), n*aScaleStride)), aScaleStride,
				quants, quantsNext, scales, scalesNext, cols, bias, (*float32)(unsafe.Add(unsafe.Pointer(dst), n*dstStride)), dstStride, add)
		}
	}
}

// A dot product does four times the work of an f32 instruction, and scales take
// three instructions for four or eight of them.
var int8DotProd = int8Groups{
	{rows: 3, panels: 1, pays: true, tiles: [][]int8Tile{
		{stacked(1, int8DotProd1x16g16)}, {stacked(2, int8DotProd2x16g16)}, {stacked(3, int8DotProd3x16g16)},
	}},
	{rows: 3, panels: 1, pays: true, tiles: [][]int8Tile{
		{stacked(1, int8DotProd1x16g32)}, {stacked(2, int8DotProd2x16g32)}, {stacked(3, int8DotProd3x16g32)},
	}},
}

// int8Of returns the tiles of NEON. Without dot products, widening
// multiplications of bytes take as many instructions as f32 does, so there are
// none for that.
func int8Of() func(group int, narrow bool) *int8Tiles {
	if cpu.HasDotProd() {
		return int8DotProd.of
	}
	return plainInt8.of
}

// outliersNEONx16 adds the products of outliers to up to 16 columns. It makes no
// use of quantsNext and scalesNext.
//
//go:noescape
func outliersNEONx16(rows int, outliers *int32, quants *uint8, quantsNext int, scales *float32, scalesNext int, shift int, cols int, bias, dst *float32, dstStride, add int)

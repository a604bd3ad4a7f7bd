//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

func kernelOf(p cpu.Path) kernel {
	k := plain
	switch p {
	case cpu.AVX512:
		k.rows, k.panels, k.tiles = 12, 2, [][]tile{
			{tileAVX512x1x16, tileAVX512x1x32},
			{tileAVX512x2x16, tileAVX512x2x32},
			{tileAVX512x3x16, tileAVX512x3x32},
			{tileAVX512x4x16, tileAVX512x4x32},
			{tileAVX512x5x16, tileAVX512x5x32},
			{tileAVX512x6x16, tileAVX512x6x32},
			{tileAVX512x7x16, tileAVX512x7x32},
			{tileAVX512x8x16, tileAVX512x8x32},
			{tileAVX512x9x16, tileAVX512x9x32},
			{tileAVX512x10x16, tileAVX512x10x32},
			{tileAVX512x11x16, tileAVX512x11x32},
			{tileAVX512x12x16, tileAVX512x12x32},
		}
		k.quantize = quantizeInFours
		k.transpose = func(dst, src []float32, stride, inputs int) int {
			squares := inputs / 16
			if squares > 0 {
				transposeAVX512(squares, &src[0], 4*stride, &dst[0])
			}
			return 16 * squares
		}
		k.int8Rows, k.int8Panels, k.int8Tiles = 6, 2, map[int][][]int8Tile{
			32: {
				{int8VNNI1x16g32, int8VNNI1x32g32},
				{int8VNNI2x16g32, int8VNNI2x32g32},
				{int8VNNI3x16g32, int8VNNI3x32g32},
				{int8VNNI4x16g32, int8VNNI4x32g32},
				{int8VNNI5x16g32, int8VNNI5x32g32},
				{int8VNNI6x16g32, int8VNNI6x32g32},
			},
			16: {
				{int8VNNI1x16g16, int8VNNI1x32g16},
				{int8VNNI2x16g16, int8VNNI2x32g16},
				{int8VNNI3x16g16, int8VNNI3x32g16},
				{int8VNNI4x16g16, int8VNNI4x32g16},
				{int8VNNI5x16g16, int8VNNI5x32g16},
				{int8VNNI6x16g16, int8VNNI6x32g16},
			},
		}
	case cpu.AVX2:
		k.rows, k.panels, k.tiles = 6, 1, [][]tile{
			{tileAVX2x1x16}, {tileAVX2x2x16}, {tileAVX2x3x16}, {tileAVX2x4x16}, {tileAVX2x5x16}, {tileAVX2x6x16},
		}
		k.transpose = func(dst, src []float32, stride, inputs int) int {
			squares := inputs / 8
			if squares > 0 {
				transposeAVX2(squares, &src[0], 4*stride, &dst[0])
				transposeAVX2(squares, &src[8*stride], 4*stride, &dst[8])
			}
			return 8 * squares
		}
	}
	return k
}

// quantizeInFours is quantizeBlocks for rows of four blocks or more; the last
// four may overlap those before.
func quantizeInFours(a *Activations, x []float32, q []byte, scales, zeros, sums []float32) {
	blocks := len(scales)
	if blocks < 4 {
		quantizeBlocks(a, x, q, scales, zeros, sums)
		return
	}
	run := func(from, fours int) {
		var sum *float32
		if a.hasOffsets {
			sum = &sums[from*(blockInputs/a.group)]
		}
		quantizeAVX512(fours, &x[from*blockInputs], &q[from*blockInputs], &scales[from], &zeros[from], sum, a.group, flag(a.fixed), a.floor)
	}
	run(0, blocks/4)
	if blocks%4 > 0 {
		run(blocks-4, 1)
	}
}

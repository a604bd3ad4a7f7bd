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
		k.extract = extractRowAVX512
		k.peaks, k.quantize, k.transpose = peaksRowAVX512, quantizeRowAVX512, transposeRowsAVX512
		k.expand = expandPanelsAVX512
		k.expandingOutliers = [2]expandingOutliersFunc{expandingOutliersAVX2x16, expandingOutliersAVX512x32}
		k.int8, k.outliers = int8Of(p), [2]outliersFunc{outliersAVX512x16, outliersAVX512x32}
	case cpu.AVX2:
		k.rows, k.panels, k.tiles = 6, 1, [][]tile{
			{tileAVX2x1x16}, {tileAVX2x2x16}, {tileAVX2x3x16}, {tileAVX2x4x16}, {tileAVX2x5x16}, {tileAVX2x6x16},
		}
		k.peaks, k.quantize, k.transpose = peaksRowAVX2, quantizeRowAVX2, transposeRowsAVX2
		k.expand = expandPanelsAVX2
		k.expandingOutliers = [2]expandingOutliersFunc{expandingOutliersAVX2x16, nil}
		k.int8, k.outliers = int8Of(p), [2]outliersFunc{outliersAVX2x16, nil}
	}
	return k
}

func expandPanelsAVX512(dst, panels []byte, levels *[levelCount]int8) {
	expandBlocks(expandAVX512, dst, panels, levels)
}

func expandPanelsAVX2(dst, panels []byte, levels *[levelCount]int8) {
	expandBlocks(expandAVX2, dst, panels, levels)
}

func transposeRowsAVX512(dst, src []float32, stride, inputs int) int {
	squares := inputs / 16
	if squares > 0 {
		transposeAVX512(squares, &src[0], 4*stride, &dst[0])
	}
	return 16 * squares
}

func transposeRowsAVX2(dst, src []float32, stride, inputs int) int {
	squares := inputs / 8
	if squares > 0 {
		transposeAVX2(squares, &src[0], 4*stride, &dst[0])
		transposeAVX2(squares, &src[8*stride], 4*stride, &dst[8])
	}
	return 8 * squares
}

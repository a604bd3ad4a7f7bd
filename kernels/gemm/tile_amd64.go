//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

func kernelOf(p cpu.Path) kernel {
	switch p {
	case cpu.AVX512:
		return kernel{panels: 2, tiles: [][]tile{
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
		}}
	case cpu.AVX2:
		return kernel{panels: 1, tiles: [][]tile{
			{tileAVX2x1x16}, {tileAVX2x2x16}, {tileAVX2x3x16}, {tileAVX2x4x16}, {tileAVX2x5x16}, {tileAVX2x6x16},
		}}
	}
	return kernel{panels: 1}
}

//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

var int8VNNI = int8Groups{
	{rows: 6, panels: 2, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8VNNI1x16g16, int8VNNI1x32g16},
		{int8VNNI2x16g16, int8VNNI2x32g16},
		{int8VNNI3x16g16, int8VNNI3x32g16},
		{int8VNNI4x16g16, int8VNNI4x32g16},
		{int8VNNI5x16g16, int8VNNI5x32g16},
		{int8VNNI6x16g16, int8VNNI6x32g16},
	}, expanding: []expandingTile{
		int8VNNIExpanding1x32g16, int8VNNIExpanding2x32g16, int8VNNIExpanding3x32g16,
		int8VNNIExpanding4x32g16, int8VNNIExpanding5x32g16, int8VNNIExpanding6x32g16,
	}},
	{rows: 6, panels: 2, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8VNNI1x16g32, int8VNNI1x32g32},
		{int8VNNI2x16g32, int8VNNI2x32g32},
		{int8VNNI3x16g32, int8VNNI3x32g32},
		{int8VNNI4x16g32, int8VNNI4x32g32},
		{int8VNNI5x16g32, int8VNNI5x32g32},
		{int8VNNI6x16g32, int8VNNI6x32g32},
	}, expanding: []expandingTile{
		int8VNNIExpanding1x32g32, int8VNNIExpanding2x32g32, int8VNNIExpanding3x32g32,
		int8VNNIExpanding4x32g32, int8VNNIExpanding5x32g32, int8VNNIExpanding6x32g32,
	}},
}

var int8AVXVNNI = int8Groups{
	{rows: 3, panels: 1, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8AVXVNNI1x16g16},
		{int8AVXVNNI2x16g16},
		{int8AVXVNNI3x16g16},
	}, expanding: []expandingTile{int8AVXVNNIExpanding1x16g16, int8AVXVNNIExpanding2x16g16, int8AVXVNNIExpanding3x16g16}},
	{rows: 3, panels: 1, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8AVXVNNI1x16g32},
		{int8AVXVNNI2x16g32},
		{int8AVXVNNI3x16g32},
	}, expanding: []expandingTile{int8AVXVNNIExpanding1x16g32, int8AVXVNNIExpanding2x16g32, int8AVXVNNIExpanding3x16g32}},
}

var int8AVX2Narrow = int8Groups{
	{rows: 3, panels: 1, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8AVX2Narrow1x16g16},
		{int8AVX2Narrow2x16g16},
		{int8AVX2Narrow3x16g16},
	}, expanding: []expandingTile{int8AVX2NarrowExpanding1x16g16, int8AVX2NarrowExpanding2x16g16, int8AVX2NarrowExpanding3x16g16}},
	{rows: 3, panels: 1, pays: true, fourBits: true, tiles: [][]int8Tile{
		{int8AVX2Narrow1x16g32},
		{int8AVX2Narrow2x16g32},
		{int8AVX2Narrow3x16g32},
	}, expanding: []expandingTile{int8AVX2NarrowExpanding1x16g32, int8AVX2NarrowExpanding2x16g32, int8AVX2NarrowExpanding3x16g32}},
}

// Two multiplications for four products are no faster than f32.
var int8AVX2Wide = int8Groups{
	{rows: 3, panels: 1, pays: false, tiles: [][]int8Tile{
		{int8AVX2Wide1x16g16},
		{int8AVX2Wide2x16g16},
		{int8AVX2Wide3x16g16},
	}},
	{rows: 3, panels: 1, pays: false, tiles: [][]int8Tile{
		{int8AVX2Wide1x16g32},
		{int8AVX2Wide2x16g32},
		{int8AVX2Wide3x16g32},
	}},
}

// int8Of returns the tiles of a path other than the scalar one.
func int8Of(p cpu.Path) func(group int, narrow bool) *int8Tiles {
	switch {
	case p == cpu.AVX512 && cpu.HasVNNI():
		return int8VNNI.of
	case cpu.HasAVXVNNI():
		return int8AVXVNNI.of
	}
	return int8AVX2
}

// int8AVX2 returns the tiles of AVX2 without dot products.
func int8AVX2(group int, narrow bool) *int8Tiles {
	if narrow {
		return int8AVX2Narrow.of(group, narrow)
	}
	return int8AVX2Wide.of(group, narrow)
}

// The kernels take four blocks at a time. The last four of a row may overlap
// those before, and rows of fewer are done in plain Go.

func peaksInFours(f func(fours int, x, peak *float32), peaks, x []float32) {
	blocks := len(peaks)
	if blocks < 4 {
		peakBlocks(peaks, x)
		return
	}
	f(blocks/4, &x[0], &peaks[0])
	if last := blocks - 4; blocks%4 > 0 {
		f(1, &x[last*blockInputs], &peaks[last])
	}
}

func quantizeInFours(f func(fours int, x, peak *float32, a *uint8, scale, sum *float32, group int),
	q []byte, peaks, scales, sums []float32, group int, x []float32) {
	blocks := len(scales)
	if blocks < 4 {
		quantizeBlocks(q, peaks, scales, sums, group, x)
		return
	}
	run := func(from, fours int) {
		var sum *float32
		if group > 0 {
			sum = &sums[from*(blockInputs/group)]
		}
		f(fours, &x[from*blockInputs], &peaks[from], &q[from*blockInputs], &scales[from], sum, group)
	}
	run(0, blocks/4)
	if blocks%4 > 0 {
		run(blocks-4, 1)
	}
}

func peaksRowAVX512(peaks, x []float32) { peaksInFours(peaksAVX512, peaks, x) }
func peaksRowAVX2(peaks, x []float32)   { peaksInFours(peaksAVX2, peaks, x) }

func quantizeRowAVX512(q []byte, peaks, scales, sums []float32, group int, x []float32) {
	quantizeInFours(quantizeAVX512, q, peaks, scales, sums, group, x)
}

func quantizeRowAVX2(q []byte, peaks, scales, sums []float32, group int, x []float32) {
	quantizeInFours(quantizeAVX2, q, peaks, scales, sums, group, x)
}

func extractRowAVX512(x, peaks []float32, out *outliers) {
	_ = x[len(peaks)*blockInputs-1]
	extractAVX512(&x[0], &peaks[0], len(peaks), &out.index[0], &out.value[0])
}

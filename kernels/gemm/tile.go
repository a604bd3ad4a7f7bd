package gemm

import (
	"math/bits"

	"github.com/gguftool/gguftool/kernels/cpu"
)

//go:generate go -C ../_gen run ./gemm -kernels f32 -out ../gemm/tile_amd64.s -stubs ../gemm/tile_stubs_amd64.go -pkg gemm
//go:generate go -C ../_gen run ./gemm -kernels int8 -out ../gemm/int8_amd64.s -stubs ../gemm/int8_stubs_amd64.go -pkg gemm
//go:generate go -C ../_gen run ./gemm -kernels int8avx2 -out ../gemm/int8_avx2_amd64.s -stubs ../gemm/int8_avx2_stubs_amd64.go -pkg gemm
//go:generate go -C ../_gen run ./gemm -kernels quantize -out ../gemm/quantize_amd64.s -stubs ../gemm/quantize_stubs_amd64.go -pkg gemm
//go:generate go -C ../_gen run ./gemm -kernels expand -out ../gemm/expand_amd64.s -stubs ../gemm/expand_stubs_amd64.go -pkg gemm
//go:generate go -C ../_gen run ./gemm -kernels transpose -out ../gemm/transpose_amd64.s -stubs ../gemm/transpose_stubs_amd64.go -pkg gemm

// A tile computes some rows and columns of a product in registers. In words of
// mulTile, for r and j < cols:
//
//	sum = 0
//	for i < k: sum += x[r][i] * panel[i][j]     fused, so that each step rounds once
//	dst[r][j] = sum + bias[j] + dst[r][j]       where bias is not nil and add is not 0
//
// Strides are in bytes. The second panel, of columns from 16 on, begins next
// bytes behind the first.
type tile = func(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

// An int8Tile is tiles of addQuantized, one below the other. There is at least
// one of them, and one block of inputs. The second panel begins quantsNext and
// scalesNext bytes behind the first.
type int8Tile = func(tiles, blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int,
	quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)

// A kernel is the functions of one path.
type kernel struct {
	rows, panels int      // of the largest tile
	tiles        [][]tile // [rows-1][panels-1]; nil for plain Go

	// transpose is nil or fills a panel from its first inputs, as many as it
	// returns: dst[k*16+r] = src[r*stride+k] for 16 rows r.
	transpose func(dst, src []float32, stride, inputs int) int

	int8     func(group int, narrow bool) *int8Tiles // for weights of that kind
	peaks    func(peaks, x []float32)
	extract  func(x, peaks []float32, out *outliers)
	quantize func(q []byte, peaks, scales, sums []float32, group int, x []float32)
	expand   func(dst, panels []byte, levels *[levelCount]int8)
	outliers [2]outliersFunc // of one and two panels; nil for plain Go

	expandingOutliers [2]expandingOutliersFunc // in the same way, for tiles that expand
}

// An outliersFunc is mulOutliers for some rows and up to 16 or 32 columns; shift
// is the logarithm of the inputs of a group.
type outliersFunc = func(rows int, outliers *int32, quants *uint8, quantsNext int, scales *float32, scalesNext int,
	shift int, cols int, bias, dst *float32, dstStride, add int)

// An expandingOutliersFunc is an outliersFunc for panels of four bits.
type expandingOutliersFunc = func(rows int, outliers *int32, quants *uint8, quantsNext int, levels *int8, scales *float32, scalesNext int,
	shift int, cols int, bias, dst *float32, dstStride, add int)

// An expandingTile is an int8Tile for panels of four bits, one tile, which stores
// them in bytes besides.
type expandingTile = func(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int,
	quants *uint8, quantsNext int, scales *float32, scalesNext int, expanded *uint8, expandedNext int, levels *int8,
	cols int, bias, dst *float32, dstStride, add int)

// int8Tiles are the tiles for one kind of quantized weights.
type int8Tiles struct {
	rows, panels int             // of the largest tile
	tiles        [][]int8Tile    // [rows-1][panels-1]; nil for plain Go
	expanding    []expandingTile // [rows-1], of as many panels as the largest tile; or nil
	fourBits     bool            // panels of four bits make products no slower
	pays         bool            // they are faster than the f32 tiles of the path
}

// int8Groups are tiles for groups of 16 and of 32 inputs.
type int8Groups [2]int8Tiles

func (t *int8Groups) of(group int, _ bool) *int8Tiles { return &t[group/16-1] }

var plainInt8 = int8Groups{{panels: 1}, {panels: 1}}

// plain is the kernel in plain Go.
var plain = kernel{rows: maxTileRows, panels: 1, int8: plainInt8.of, peaks: peakBlocks, extract: extractTop, quantize: quantizeBlocks,
	expand: expand}

// active is the kernel of the chosen path. Who uses products reports the error
// of cpu.Chosen; without that, it is the plain one.
var active = func() kernel {
	path, _ := cpu.Chosen()
	return kernelOf(path)
}()

// maxTileRows and maxTileCols bound the tiles of all paths.
const (
	maxTileRows = 12
	maxTileCols = 2 * panelCols
)

// mulTile stores rows top ≤ r < bottom of x times columns left ≤ j < right of m,
// of which panel is the first, in dst: the function mulTile, on the path of kern.
// Columns are at most as many as a tile has.
func (kern *kernel) mulTile(dst, x View, top, bottom, left, right int, m *Matrix, panel int, bias []float32, add bool) {
	if kern.tiles == nil || x.Cols == 0 {
		mulTile(dst.Part(top, bottom, left, right), x.Part(top, bottom, 0, x.Cols), m, panel, bias, add)
		return
	}
	size := m.height * panelCols
	panels := (right - left + panelCols - 1) / panelCols
	for rows := 0; top < bottom; top += rows {
		rows = min(kern.rows, bottom-top)
		kern.tiles[rows-1][panels-1](x.Cols, &x.Data[top*x.Stride], 4*x.Stride, &m.panels[panel*size], 4*size,
			right-left, first(bias), &dst.Data[top*dst.Stride+left], 4*dst.Stride, flag(add))
	}
}

// mulOutliers is the function mulOutliers, on the path of kern.
func (kern *kernel) mulOutliers(out View, a *Activations, top int, m *Quantized, p *stepPanels, bias []float32, add bool) {
	panels := (out.Cols + panelCols - 1) / panelCols
	f, size := kern.outliers[panels-1], m.inputs*panelCols
	if f == nil {
		mulOutliers(out, a, top, m, p, bias, add)
		return
	}
	groups, shift := m.inputs/m.group, bits.TrailingZeros(uint(m.group))
	list, scales := &a.outliers[top].index[0], &m.scales[p.first*groups*2*panelCols]
	if p.packed != nil {
		kern.expandingOutliers[panels-1](out.Rows, list, &p.packed[0], size/2, &m.levels[0], scales, 4*groups*2*panelCols, shift,
			out.Cols, &bias[0], &out.Data[0], 4*out.Stride, flag(add))
		return
	}
	f(out.Rows, list, &p.quants[0], size, scales, 4*groups*2*panelCols, shift,
		out.Cols, &bias[0], &out.Data[0], 4*out.Stride, flag(add))
}

// addQuantized is the function addQuantized, by t.
func (t *int8Tiles) addQuantized(out View, a *Activations, top int, m *Quantized, p *stepPanels) {
	if t.tiles == nil {
		addQuantized(out, a, top, m, p)
		return
	}
	blocks, groups := m.inputs/blockInputs, m.inputs/m.group
	panels := (out.Cols + panelCols - 1) / panelCols
	scales := &m.scales[p.first*groups*2*panelCols]
	done := 0 // rows
	if p.packed != nil {
		done = min(len(t.expanding), out.Rows)
		t.expanding[done-1](blocks, &a.quants[top*m.inputs], m.inputs, &a.scales[top*blocks], 4*blocks,
			&p.packed[0], m.inputs*panelCols/2, scales, 4*groups*2*panelCols, &p.quants[0], m.inputs*panelCols, &m.levels[0],
			out.Cols, nil, &out.Data[0], 4*out.Stride, 1)
		p.packed = nil
	}
	run := func(from, tiles, rows int) {
		if tiles == 0 || rows == 0 {
			return
		}
		t.tiles[rows-1][panels-1](tiles, blocks, &a.quants[(top+from)*m.inputs], m.inputs, &a.scales[(top+from)*blocks], 4*blocks,
			&p.quants[0], m.inputs*panelCols, scales, 4*groups*2*panelCols,
			out.Cols, nil, &out.Data[from*out.Stride], 4*out.Stride, 1)
	}
	full := (out.Rows - done) / t.rows
	run(done, full, t.rows)
	run(done+full*t.rows, 1, (out.Rows-done)%t.rows)
}

func first(s []float32) *float32 {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

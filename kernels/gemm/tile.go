package gemm

import (
	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

//go:generate go -C ../_gen run ./gemm -out ../gemm/tile_amd64.s -stubs ../gemm/tile_stubs_amd64.go -pkg gemm

// A tile computes some rows and columns of a product in registers. In words of
// mulPanel, for r and j < cols:
//
//	sum = 0
//	for i < k: sum += x[r][i] * panel[i][j]     fused, so that each step rounds once
//	dst[r][j] = sum + bias[j] + dst[r][j]       where bias is not nil and add is not 0
//
// Strides are in bytes. The second panel, of columns from 16 on, begins next
// bytes behind the first.
type tile = func(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)

// A kernel is the tiles of one path: tiles[rows-1][panels-1]. None means plain Go.
type kernel struct {
	panels int // of the largest tile
	tiles  [][]tile
}

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

// mulTiles computes the columns of dst from panel i on that a tile has.
func (m *Matrix) mulTiles(kern *kernel, dst, x View, i int, ep *Epilogue) {
	left := i * panelCols
	panels := min(kern.panels, m.panelCount()-i)
	cols := min(panels*panelCols, m.outputs-left)
	panel := m.panel(i)
	var bias *float32
	if ep.Bias != nil {
		bias = &ep.Bias[left]
	}
	add := 0
	if ep.Add && ep.Act == Identity {
		add = 1
	}
	// Tiles of about equal height, as low ones waste the weights that they load.
	count := (x.Rows + len(kern.tiles) - 1) / len(kern.tiles)
	for c := range count {
		top, bottom := c*x.Rows/count, (c+1)*x.Rows/count
		out := dst.Part(top, bottom, left, left+cols)
		target := out
		if ep.Add && ep.Act != Identity {
			// The activation stands between the sum and what is added to it.
			var sums [maxTileRows * maxTileCols]float32
			target = Dense(sums[:out.Rows*cols], out.Rows, cols)
		}
		kern.tiles[out.Rows-1][panels-1](m.inputs, &x.Row(top)[0], 4*x.Stride,
			&panel[0], 4*len(panel), cols, bias, &target.Data[0], 4*target.Stride, add)
		if ep.Act == Identity {
			continue
		}
		for r := range out.Rows {
			sums := target.Row(r)
			vec.GELU(sums)
			if ep.Add {
				vec.Add(out.Row(r), sums)
			}
		}
	}
}

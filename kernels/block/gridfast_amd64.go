//go:build amd64 && !purego

package block

//go:generate go -C ../_gen run ./block -kernels grid -out ../block/gridfast_amd64.s -stubs ../block/gridfast_stubs_amd64.go -pkg block

// Kernels for formats of two and three bits a level, by how many candidates they
// have lanes for.
type (
	gridRound func(codes *uint32, x, inverses *float32, groups int)
	gridFit   func(sums *float32, codes *uint32, w, wx *float32, groups int)
	gridNear  func(codes *uint32, scales, w, x *float32, at *int32, lists *uint16, lines *float32, count int, margin float32) uint64
)

var (
	gridAVX512 = gridKernels{
		round: func(f *gridFormat, g *gridWork, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.roundWith(f, roundGrid2x8AVX512, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.roundWith(f, roundGrid2x16AVX512, gridLanes)
			case f.book.bits == 2:
				g.roundWith(f, roundGrid2x24AVX512, gridLanes)
			case count <= 8:
				g.roundWith(f, roundGrid3x8AVX512, gridLanes)
			case count <= 24:
				g.roundWith(f, roundGrid3x24AVX512, gridLanes)
			default:
				g.roundWith(f, roundGrid3x32AVX512, gridLanes)
			}
		},
		fit: func(f *gridFormat, g *gridWork, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.fitWith(f, fitGrid2x8AVX512, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.fitWith(f, fitGrid2x16AVX512, gridLanes)
			case f.book.bits == 2:
				g.fitWith(f, fitGrid2x24AVX512, gridLanes)
			case count <= 8:
				g.fitWith(f, fitGrid3x8AVX512, gridLanes)
			case count <= 24:
				g.fitWith(f, fitGrid3x24AVX512, gridLanes)
			default:
				g.fitWith(f, fitGrid3x32AVX512, gridLanes)
			}
		},
		near: func(f *gridFormat, g *gridWork, group, count int, margin float32) (off, unclear uint32) {
			if f.book.bits == 2 {
				return g.nearWith(f, nearGrid2AVX512, group, count, margin)
			}
			return g.nearWith(f, nearGrid3AVX512, group, count, margin)
		},
	}
	gridAVX2 = gridKernels{
		round: func(f *gridFormat, g *gridWork, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.roundWith(f, roundGrid2x8AVX2, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.roundWith(f, roundGrid2x16AVX2, gridLanes)
			case f.book.bits == 2:
				g.roundWith(f, roundGrid2x24AVX2, gridLanes)
			case count <= 8:
				g.roundWith(f, roundGrid3x8AVX2, gridLanes)
			case count <= 24:
				g.roundWith(f, roundGrid3x24AVX2, gridLanes)
			default:
				g.roundWith(f, roundGrid3x16AVX2, 16)
			}
		},
		fit: func(f *gridFormat, g *gridWork, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.fitWith(f, fitGrid2x8AVX2, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.fitWith(f, fitGrid2x16AVX2, gridLanes)
			case f.book.bits == 2:
				g.fitWith(f, fitGrid2x24AVX2, gridLanes)
			case count <= 8:
				g.fitWith(f, fitGrid3x8AVX2, gridLanes)
			case count <= 24:
				g.fitWith(f, fitGrid3x24AVX2, gridLanes)
			default:
				g.fitWith(f, fitGrid3x16AVX2, 16)
			}
		},
		near: nearGrid,
	}
)

// roundWith runs a kernel for all candidates, so many lanes at a time.
func (g *gridWork) roundWith(f *gridFormat, round gridRound, lanes int) {
	for at := 0; at < gridLanes; at += lanes {
		round(&g.codes[0][at], &g.x[0], &g.inverse[at], f.group/f.book.coordinates)
	}
}

func (g *gridWork) fitWith(f *gridFormat, fit gridFit, lanes int) {
	for at := 0; at < gridLanes; at += lanes {
		fit(&g.sums[0][at], &g.codes[0][at], &g.weight[0], &g.wx[0], f.group/f.book.coordinates)
	}
}

func (g *gridWork) nearWith(f *gridFormat, near gridNear, group, count int, margin float32) (off, unclear uint32) {
	n := f.book.neighbours()
	first := group * f.book.coordinates
	found := near(&g.codes[group][0], &g.scale[0], &g.root[first], &g.x[first], &n.at[0], &n.lists[0], &g.lines[0][0], count, margin)
	return uint32(found), uint32(found >> 32)
}

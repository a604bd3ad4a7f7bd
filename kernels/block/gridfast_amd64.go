//go:build amd64 && !purego

package block

import "math/bits"

//go:generate go -C ../_gen run ./block -kernels grid -out ../block/gridfast_amd64.s -stubs ../block/gridfast_stubs_amd64.go -pkg block

// Kernels for formats of two and three bits a level, by how many candidates they
// have lanes for.
type (
	gridRound func(codes *uint32, x, inverses *float32, groups int)
	gridFit   func(sums *float32, codes *uint32, w, wx *float32, groups int)

	nearTables func(tables, w, x *float32, groups int)
	nearRuns   func(queues *uint64, counts *int, off *uint32, codes *uint32, at *int32, lists *uint16, candidates, last uint64, pairs int)
	nearQueue  func(results, queue *uint64, n int, scales, margins, tables *float32, lists *uint16, shift int)
	nearSettle func(results, queue, rest *uint64, n int, codes *uint32, unclear *uint16, found int) (unclearToo, left int)
)

var (
	gridAVX512 = gridKernels{
		weigh: func(w, x, importance []float32, variance float32) {
			weighAVX512(&w[0], &x[0], &importance[0], len(w)/16, variance)
		},
		roots: func(r, w []float32) { rootsAVX512(&r[0], &w[0], len(w)/16) },
		round: func(f *gridFormat, g *gridWork, sub, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.roundWith(f, sub, roundGrid2x8AVX512, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.roundWith(f, sub, roundGrid2x16AVX512, gridLanes)
			case f.book.bits == 2:
				g.roundWith(f, sub, roundGrid2x24AVX512, gridLanes)
			case count <= 8:
				g.roundWith(f, sub, roundGrid3x8AVX512, gridLanes)
			case count <= 24:
				g.roundWith(f, sub, roundGrid3x24AVX512, gridLanes)
			default:
				g.roundWith(f, sub, roundGrid3x32AVX512, gridLanes)
			}
		},
		fit: func(f *gridFormat, g *gridWork, sub, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.fitWith(f, sub, fitGrid2x8AVX512, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.fitWith(f, sub, fitGrid2x16AVX512, gridLanes)
			case f.book.bits == 2:
				g.fitWith(f, sub, fitGrid2x24AVX512, gridLanes)
			case count <= 8:
				g.fitWith(f, sub, fitGrid3x8AVX512, gridLanes)
			case count <= 24:
				g.fitWith(f, sub, fitGrid3x24AVX512, gridLanes)
			default:
				g.fitWith(f, sub, fitGrid3x32AVX512, gridLanes)
			}
		},
		near: func(f *gridFormat, g *gridWork, groups, count int) (unclear []uint16) {
			if f.book.bits == 2 {
				return g.nearWith(f, near2AVX512, groups, count)
			}
			return g.nearWith(f, near3AVX512, groups, count)
		},
	}
	gridAVX2 = gridKernels{
		weigh: func(w, x, importance []float32, variance float32) {
			weighAVX2(&w[0], &x[0], &importance[0], len(w)/16, variance)
		},
		roots: func(r, w []float32) { rootsAVX2(&r[0], &w[0], len(w)/16) },
		round: func(f *gridFormat, g *gridWork, sub, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.roundWith(f, sub, roundGrid2x8AVX2, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.roundWith(f, sub, roundGrid2x16AVX2, gridLanes)
			case f.book.bits == 2:
				g.roundWith(f, sub, roundGrid2x24AVX2, gridLanes)
			case count <= 8:
				g.roundWith(f, sub, roundGrid3x8AVX2, gridLanes)
			case count <= 24:
				g.roundWith(f, sub, roundGrid3x24AVX2, gridLanes)
			default:
				g.roundWith(f, sub, roundGrid3x16AVX2, 16)
			}
		},
		fit: func(f *gridFormat, g *gridWork, sub, count int) {
			switch {
			case f.book.bits == 2 && count <= 8:
				g.fitWith(f, sub, fitGrid2x8AVX2, gridLanes)
			case f.book.bits == 2 && count <= 16:
				g.fitWith(f, sub, fitGrid2x16AVX2, gridLanes)
			case f.book.bits == 2:
				g.fitWith(f, sub, fitGrid2x24AVX2, gridLanes)
			case count <= 8:
				g.fitWith(f, sub, fitGrid3x8AVX2, gridLanes)
			case count <= 24:
				g.fitWith(f, sub, fitGrid3x24AVX2, gridLanes)
			default:
				g.fitWith(f, sub, fitGrid3x16AVX2, 16)
			}
		},
		near: func(f *gridFormat, g *gridWork, groups, count int) (unclear []uint16) {
			if f.book.bits == 2 {
				return g.nearWith(f, near2AVX2, groups, count)
			}
			return g.nearWith(f, near3AVX2, groups, count)
		},
	}
)

// roundWith runs a kernel for all candidates, so many lanes at a time.
func (g *gridWork) roundWith(f *gridFormat, sub int, round gridRound, lanes int) {
	groups := f.group / f.book.coordinates
	for at := 0; at < gridLanes; at += lanes {
		round(&g.codes[sub*groups][at], &g.subs[sub].x[0], &g.inverse[sub][at], groups)
	}
}

func (g *gridWork) fitWith(f *gridFormat, sub int, fit gridFit, lanes int) {
	groups := f.group / f.book.coordinates
	s := &g.subs[sub]
	for at := 0; at < gridLanes; at += lanes {
		fit(&g.sums[0][at], &g.codes[sub*groups][at], &s.weight[0], &s.wx[0], groups)
	}
}

// nearKernels are the steps of the search for near points: the terms of lines, the
// runs of candidates with the same code in three queues, and the search of each queue.
type nearKernels struct {
	tables nearTables
	runs   nearRuns
	queues [3]nearQueue
	settle nearSettle
}

var (
	near2AVX512 = &nearKernels{nearTables2AVX512, nearRuns2AVX512, [3]nearQueue{nearOne2AVX512, nearTwo2AVX512, nearMany2AVX512}, settleNearAVX512}
	near3AVX512 = &nearKernels{nearTables3AVX2, nearRuns3AVX512, [3]nearQueue{nearOne3AVX2, nearTwo3AVX2, nearMany3AVX2}, settleNearAVX512}
	near2AVX2   = &nearKernels{nearTables2AVX2, nearRuns2AVX2, [3]nearQueue{nearOne2AVX2, nearTwo2AVX2, nearMany2AVX2}, settleNearAVX2}
	near3AVX2   = &nearKernels{nearTables3AVX2, nearRuns3AVX2, [3]nearQueue{nearOne3AVX2, nearTwo3AVX2, nearMany3AVX2}, settleNearAVX2}
)

// nearWith is near with the kernels of a path. count is at most 31.
func (g *gridWork) nearWith(f *gridFormat, k *nearKernels, groups, count int) (unclear []uint16) {
	const twice = 1<<gridLanes | 1
	n := f.book.neighbours()
	var counts [3]int
	k.runs(&g.queues[0][0], &counts[0], &g.off[0], &g.codes[0][0], &n.at[0], &n.lists[0],
		twice*(1<<count-1), twice<<(count-1), groups/2)
	if counts == [3]int{} {
		return nil
	}
	each := f.group / f.book.coordinates // of a sub-block
	for i := 0; i < groups; i += each {
		s := &g.subs[i/each]
		k.tables(&g.tables[i*8*16], &s.root[0], &s.x[0], each)
	}
	shift := bits.Len(gridLanes*uint(each)) - 1
	found := 0
	for i, search := range k.queues {
		from, to := &g.queues[i], &g.queues[3]
		for left := counts[i]; left > 0; from, to = to, from {
			search(&g.results[0], &from[0], left, &g.scale[0][0], &g.margins[0], &g.tables[0], &n.lists[0], shift)
			found, left = k.settle(&g.results[0], &from[0], &to[0], left, &g.codes[0][0], &g.unclear[0], found)
		}
	}
	return g.unclear[:found]
}

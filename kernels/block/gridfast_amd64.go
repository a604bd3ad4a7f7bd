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

// A gridShape is the kernels for so many candidates, some of whose lanes they take
// at a time.
type gridShape struct {
	round gridRound
	fit   gridFit
	lanes int
}

// gridShapes are for at most 8, for more and for most candidates.
type gridShapes [3]gridShape

var (
	gridAVX512 = newGridKernels(&symmetricAVX512, rootsAVX512, near2AVX512, near3AVX512,
		gridShapes{{roundGrid2x8AVX512, fitGrid2x8AVX512, gridLanes}, {roundGrid2x16AVX512, fitGrid2x16AVX512, gridLanes}, {roundGrid2x24AVX512, fitGrid2x24AVX512, gridLanes}},
		gridShapes{{roundGrid3x8AVX512, fitGrid3x8AVX512, gridLanes}, {roundGrid3x24AVX512, fitGrid3x24AVX512, gridLanes}, {roundGrid3x32AVX512, fitGrid3x32AVX512, gridLanes}})
	gridAVX2 = newGridKernels(&symmetricAVX2, rootsAVX2, near2AVX2, near3AVX2,
		gridShapes{{roundGrid2x8AVX2, fitGrid2x8AVX2, gridLanes}, {roundGrid2x16AVX2, fitGrid2x16AVX2, gridLanes}, {roundGrid2x24AVX2, fitGrid2x24AVX2, gridLanes}},
		gridShapes{{roundGrid3x8AVX2, fitGrid3x8AVX2, gridLanes}, {roundGrid3x24AVX2, fitGrid3x24AVX2, gridLanes}, {roundGrid3x16AVX2, fitGrid3x16AVX2, 16}})
)

// newGridKernels returns the kernels of a path, of which there are those for levels
// of two bits and for levels of three.
func newGridKernels(k *symmetricKernels, roots func(r, w *float32, groups int), near2, near3 *nearKernels, two, three gridShapes) gridKernels {
	shape := func(f *gridFormat, count int) *gridShape {
		shapes, more := &two, 16
		if f.book.bits == 3 {
			shapes, more = &three, 24
		}
		switch {
		case count <= 8:
			return &shapes[0]
		case count <= more:
			return &shapes[1]
		}
		return &shapes[2]
	}
	return gridKernels{
		weigh: func(w, x, importance []float32, variance float32) {
			k.weigh(&w[0], &x[0], &importance[0], len(w)/16, variance)
		},
		roots: func(r, w []float32) { roots(&r[0], &w[0], len(w)/16) },
		round: func(f *gridFormat, g *gridWork, sub, count int) { g.roundWith(f, sub, shape(f, count)) },
		fit:   func(f *gridFormat, g *gridWork, sub, count int) { g.fitWith(f, sub, shape(f, count)) },
		near: func(f *gridFormat, g *gridWork, groups, count int) (unclear []uint16) {
			if f.book.bits == 2 {
				return g.nearWith(f, near2, groups, count)
			}
			return g.nearWith(f, near3, groups, count)
		},
	}
}

// roundWith runs a kernel for all candidates.
func (g *gridWork) roundWith(f *gridFormat, sub int, k *gridShape) {
	groups := f.group / f.book.coordinates
	for at := 0; at < gridLanes; at += k.lanes {
		k.round(&g.codes[sub*groups][at], &g.subs[sub].x[0], &g.inverse[sub][at], groups)
	}
}

func (g *gridWork) fitWith(f *gridFormat, sub int, k *gridShape) {
	groups := f.group / f.book.coordinates
	s := &g.subs[sub]
	for at := 0; at < gridLanes; at += k.lanes {
		k.fit(&g.sums[0][at], &g.codes[sub*groups][at], &s.weight[0], &s.wx[0], groups)
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

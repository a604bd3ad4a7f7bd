//go:build amd64 && !purego

package block

import (
	"sync"
	"unsafe"
)

//go:generate go -C ../_gen run ./block -kernels scalemin -out ../block/scalemin_amd64.s -stubs ../block/scalemin_stubs_amd64.go -pkg block

// scaleMinLanes is the memory of searches for scales and minimums: two groups of
// lanes, a sub-block in each. Rows are as long as a vector. The assembly knows
// where all of it lies.
type scaleMinLanes [2]scaleMinGroup

type scaleMinGroup struct {
	x, w [33 * 16]float32 // (element, lane); w is the importance first
	_    [33 * 16]float32 // quants, while it searches

	variance     [16]float32 // for a search with importance
	sumW         [16]float32
	_            [4][16]float32
	odd          [16]uint32 // all ones where the plain encoder must do it
	_            [3][16]float32
	scale, min   [16]float32 // the result, as in scaleMin
	low, inverse [16]float32
	_            [3][16]float32
}

// levelLanes is the memory of the quantization of scales, or of minimums: up to
// 16 of each super-block, of which there is one in each lane.
type levelLanes struct {
	x, w  [16 * 16]float32 // (scale, lane)
	q     [16 * 16]uint32
	scale [16]float32
}

// scaleMinSteps is the table of a search that the assembly reads.
type scaleMinSteps struct {
	top, largest float32
	offsets      [37]float32
}

func newScaleMinSteps(s *scaleMinSearch) *scaleMinSteps {
	t := &scaleMinSteps{top: s.top, largest: s.offsets[len(s.offsets)-1]}
	copy(t.offsets[:], s.offsets)
	return t
}

// scaleMinKernels are the kernels of a path.
type scaleMinKernels struct {
	lanes     int
	symmetric *symmetricKernels // for what all searches need

	searchMean, searchMagnitude, searchImportance searchKernel
	proportional, positive                        func(s *float32, n int, top float32)
	nibbles, fifthsNibbles, pairs                 func(qs *byte, x, scales, mins *float32)

	spans                      func(s *float32, count int, top float32)
	plainQ4_1, plainQ5_1       func(dst *byte, x, inverses, lows, scales, mins *float32, n int)
	searchedQ4_1, searchedQ5_1 func(dst *byte, x, inverses, lows, scales, mins *float32, n int)
}

var (
	scaleMinAVX512 = scaleMinKernels{
		16, &symmetricAVX512, searchMeanAVX512, searchMagnitudeAVX512, searchImportanceAVX512,
		proportionalAVX512, positiveAVX512, nibblesAVX512, fifthsNibblesAVX512, pairsAVX512,
		spansAVX512, blocksQ4_1AVX512, blocksQ5_1AVX512, searchedQ4_1AVX512, searchedQ5_1AVX512,
	}
	scaleMinAVX2 = scaleMinKernels{
		8, &symmetricAVX2, searchMeanAVX2, searchMagnitudeAVX2, searchImportanceAVX2,
		proportionalAVX2, positiveAVX2, nibblesAVX2, fifthsNibblesAVX2, pairsAVX2,
		spansAVX2, blocksQ4_1AVX2, blocksQ5_1AVX2, searchedQ4_1AVX2, searchedQ5_1AVX2,
	}
)

// scaleMinWork is what up to 16 super-blocks need on their way.
type scaleMinWork struct {
	*scaleMinVectors
	squares []float32 // the sums of squares of all super-blocks
}

type scaleMinVectors struct {
	lanes  scaleMinLanes
	levels [2]levelLanes // of scales and of minimums
	padded [16 * 32]float32

	// What the search found: rows of a super-block.
	scales, mins, totals, lows, inverses [16][16]float32
	odd                                  [16]bool

	// A super-block as it will be read.
	stored    [2][16]float32 // its scales and minimums
	scaleMins scaleMins
}

var scaleMinWorks = sync.Pool{New: func() any { return &scaleMinWork{scaleMinVectors: aligned[scaleMinVectors]()} }}

// aligned returns a T, which has no pointers, whose address is a multiple of 64,
// so that no vector lies across two lines of the cache.
func aligned[T any]() *T {
	const line = 64
	var t T
	raw := make([]byte, unsafe.Sizeof(t)+line-1)
	at := -uintptr(unsafe.Pointer(&raw[0])) % line
	return (*T)(unsafe.Pointer(&raw[at]))
}

// A searchKernel searches count numbers in each lane of two groups, with so many
// steps within top + 1/2, whose quants need no limit, and so many beyond.
type searchKernel func(s, steps *float32, within, beyond, count int)

// A laneSearch is a scaleMinSearch in lanes.
type laneSearch struct {
	search         searchKernel
	steps          *scaleMinSteps
	within, beyond int // candidates, at least one of each
	sub            int // elements of a sub-block
}

func newLaneSearch(search searchKernel, s *scaleMinSearch, sub int) *laneSearch {
	within := 0
	for s.offsets[within] < s.top+0.49 { // a little less, as products are rounded
		within++
	}
	return &laneSearch{search, newScaleMinSteps(s), within, len(s.offsets) - within, sub}
}

// load puts some ≤ lanes sub-blocks of sub elements from the first on into the lanes of a group.
func (k *scaleMinKernels) load(s *scaleMinWork, g *scaleMinGroup, b *batch, first, some, sub int) {
	x := b.x[first*sub : (first+some)*sub]
	if some < k.lanes {
		clear(s.padded[copy(s.padded[:], x):])
		x = s.padded[:]
	}
	k.symmetric.transpose(&g.x[0], &x[0], sub*4, sub/k.lanes)
}

// run searches n ≤ 2·lanes sub-blocks of a batch from the first on. variance is
// that of a sub-block, for a search with importance.
func (f *laneSearch) run(k *scaleMinKernels, s *scaleMinWork, b *batch, first, n int, variance func(sub int) float32) {
	for i := range s.lanes {
		g := &s.lanes[i]
		from, some := first+i*k.lanes, min(k.lanes, n-i*k.lanes)
		if some <= 0 { // what is there could become slow numbers
			clear(g.x[:])
			clear(g.w[:])
			continue
		}
		k.load(s, g, b, from, some, f.sub)
		at, size := from*f.sub, k.lanes*f.sub
		if b.importance == nil {
			continue
		}
		w := b.importance[at%b.columns:]
		if len(w) < size {
			for n := copy(s.padded[:size], w); n < size; {
				n += copy(s.padded[n:size], b.importance)
			}
			w = s.padded[:]
		}
		k.symmetric.transpose(&g.w[0], &w[0], f.sub*4, f.sub/k.lanes)
		for lane := range some {
			g.variance[lane] = variance(from + lane)
		}
	}
	f.search(&s.lanes[0].x[0], &f.steps.top, f.within, f.beyond, f.sub)
}

package block

import (
	"sync"

	"github.com/gguftool/gguftool/gguf"
)

// The search of gridsearch.go with less work and the same result.
//
// Candidates take part side by side, in rows of 32 lanes. Levels rise with the
// candidates, so that neighbouring ones round to the same code, and share its
// list of near points. The error of a point,
//
//	Σ w·(s·q - x)² = s·(s·Σ w·q² - 2·Σ w·x·q) + Σ w·x²
//
// is least where the line s·Σ w·q² - 2·Σ w·x·q is lowest: the sums of a point are
// for all candidates, and a point that is lowest for the first and the last of
// some candidates is lowest in between. Rounding makes other numbers of this than
// of the reference's sums. Therefore the lowest line must win by more than both can
// err; else the reference's sums decide.

// gridLanes is how many candidates have room. There are at most 31.
const gridLanes = 32

// gridGroups is how many groups are searched together: those of four sub-blocks or
// more, so that the loops of the kernels are long.
const gridGroups = 32

// gridKernels are what a path computes with vectors. Groups are numbered through
// all sub-blocks.
type gridKernels struct {
	// weigh and roots are the functions of these names, for 16 or 32 numbers.
	weigh func(w, x, importance []float32, variance float32)
	roots func(r, w []float32)

	// round stores the codes of a sub-block for the first count candidates.
	round func(f *gridFormat, g *gridWork, sub, count int)

	// near replaces codes of the first count candidates that are no points by those
	// of near points, and stores in g.off which were none. It returns the places in
	// codes, 32·group + candidate, where the nearest point is not certain, which
	// keep their code.
	near func(f *gridFormat, g *gridWork, groups, count int) (unclear []uint16)

	// fit stores the sums of a sub-block for the first count candidates.
	fit func(f *gridFormat, g *gridWork, sub, count int)
}

var plainGridKernels = gridKernels{weigh, roots, roundGrid, nearGrid, fitGrid}

// gridWork is the memory of the search of some sub-blocks.
type gridWork struct {
	subs           [16]gridState
	inverse, scale [16][gridLanes]float32
	sums           [2][gridLanes]float32         // Σ w·x·q and Σ w·q² of a sub-block
	codes          [gridGroups][gridLanes]uint32 // (group, candidate)
	nearWork
	block gridBlock
}

// A gridState is a sub-block while it is searched.
type gridState struct {
	gridSub
	wx     [32]float32 // w·x
	energy [8]float32  // Σ w·x² of each group, with the weights among near points

	done   bool // result is the scale, and the points are found
	result float32

	again   bool      // points are searched once more
	found   [8]uint16 // codes
	offGrid [8]bool   // those that were no points when rounded
}

var gridWorks = sync.Pool{New: func() any { return new(gridWork) }}

// candidates is how many there are.
func (f *gridFormat) candidates() int { return 2*f.steps + 1 }

// fast returns an encoder of batches with the kernels of a path.
func (f *gridFormat) fast(k *gridKernels) func(*batch) int {
	return func(b *batch) int {
		g := gridWorks.Get().(*gridWork)
		defer gridWorks.Put(g)
		blocks := len(b.x) / superBlock
		size := len(b.dst) / blocks
		for i := range blocks {
			var importance []float32
			if b.importance != nil {
				importance = b.importance[i*superBlock%b.columns:][:superBlock]
			}
			f.encodeFast(k, g, b.x[i*superBlock:][:superBlock], importance)
			f.pack(b.dst[i*size:][:size], &g.block)
		}
		return blocks
	}
}

// addGridEncoders adds the encoders of all formats with these kernels.
func addGridEncoders(to map[gguf.Type]func(*batch) int, k *gridKernels) {
	to[gguf.TypeIQ2XXS] = formatIQ2_XXS.fast(k)
	to[gguf.TypeIQ2XS] = formatIQ2_XS.fast(k)
	to[gguf.TypeIQ2S] = formatIQ2_S.fast(k)
	to[gguf.TypeIQ3XXS] = formatIQ3_XXS.fast(k)
	to[gguf.TypeIQ3S] = formatIQ3_S.fast(k)
}

// encodeFast is encode for g.block.
func (f *gridFormat) encodeFast(k *gridKernels, g *gridWork, x, importance []float32) {
	b := &g.block
	*b = gridBlock{}
	variance := f.variances * sumSquares(x) / superBlock
	n, groups := f.group, f.group/f.book.coordinates
	subs := gridGroups / groups
	for from := 0; from < superBlock/n; from += subs {
		for i := range subs {
			s, j := &g.subs[i].gridSub, from+i
			s.points, s.signs, s.zeros = b.points[j*groups:(j+1)*groups], b.signs[j*n/8:(j+1)*n/8], false
			sub := x[j*n : (j+1)*n]
			if importance != nil {
				k.weigh(s.weight[:n], sub, importance[j*n:(j+1)*n], variance)
			} else {
				f.unweighted(s.weight[:n], sub, variance)
			}
			k.roots(s.root[:n], s.weight[:n])
			f.split(s, sub)
		}
		f.searchFast(k, g, subs)
		for i := range subs {
			s, j := &g.subs[i], from+i
			b.scales[j] = f.finish(&s.gridSub, s.result)
			b.skip(j, s.zeros)
		}
	}
	f.quantizeScales(b)
}

// searchFast is search for the first so many of g.subs.
func (f *gridFormat) searchFast(k *gridKernels, g *gridWork, subs int) {
	count := f.candidates()
	for i := range subs {
		f.prepare(g, i)
		if g.subs[i].done {
			f.clear(g, i)
			continue
		}
		k.round(f, g, i, count)
	}
	k.nearest(f, g, subs, count)
	again := false
	for i := range subs {
		s := &g.subs[i]
		if !s.done {
			k.fit(f, g, i, count)
			f.choose(g, i)
		}
		if s.done || !s.again {
			f.clear(g, i)
			continue
		}
		again = true
		k.round(f, g, i, 1)
		if f.again != againOffGrid {
			continue
		}
		groups := f.group / f.book.coordinates
		for j, off := range s.offGrid[:groups] {
			if !off {
				g.codes[i*groups+j][0] = uint32(s.found[j])
			}
		}
	}
	if again {
		k.nearest(f, g, subs, 1)
	}
	near, groups := f.book.neighbours(), f.group/f.book.coordinates
	for i := range subs {
		s := &g.subs[i]
		if s.done {
			continue
		}
		if s.again {
			for j := range groups {
				s.found[j] = uint16(g.codes[i*groups+j][0])
			}
			k.fit(f, g, i, 1)
			if qx, q2 := g.sums[0][0], g.sums[1][0]; q2 > 0 {
				s.result = qx / q2
			}
		}
		for j := range s.points {
			s.points[j] = uint16(near.point(s.found[j]))
		}
	}
}

// prepare stores the candidates of a sub-block, unless it needs the plain search.
func (f *gridFormat) prepare(g *gridWork, sub int) {
	s := &g.subs[sub]
	n := f.group
	s.done, s.again = false, false
	if !f.bounded(&s.gridSub, &s.energy) {
		s.result, s.done = f.search(&s.gridSub), true
		return
	}
	top, reach := f.top(), s.max
	s.result = s.max / top
	if f.fitted {
		var l [32]uint8
		s.result = positiveSearch(l[:n], s.x[:n], s.weight[:n], 4)
		reach = float32(s.result * 3)
		// The scale is far too large where an element that changed its sign misled
		// the search, which is not rare. All levels are 0 then.
		if !(reach > s.max*0.0625 && reach < s.max*0x1p30) {
			s.result, s.done = f.search(&s.gridSub), true
			return
		}
	}
	for i, v := range s.x[:n] {
		s.wx[i] = s.weight[i] * v
	}
	inverse, scale := &g.inverse[sub], &g.scale[sub]
	for i := range f.candidates() { // other lanes hold what they did
		v := (top + float32(float32(i-f.steps)*f.step)) / reach
		inverse[i], scale[i] = v, 1/v
	}
}

// clear makes points of all codes of a sub-block.
func (f *gridFormat) clear(g *gridWork, sub int) {
	groups := f.group / f.book.coordinates
	clear(g.codes[sub*groups : (sub+1)*groups])
}

// choose takes the best candidate of a sub-block and decides whether its points are
// searched once more, with the fitted scale as the only candidate.
func (f *gridFormat) choose(g *gridWork, sub int) {
	s := &g.subs[sub]
	groups := f.group / f.book.coordinates
	scale := s.result
	var best float32
	won := -1
	for i := range f.candidates() {
		qx, q2 := g.sums[0][i], g.sums[1][i]
		if q2 > 0 && float32(qx*qx) > float32(best*q2) {
			scale = qx / q2
			best = float32(scale * qx)
			won = i
		}
	}
	offGrid := false
	s.found = [8]uint16{}
	s.offGrid = [8]bool{}
	if won >= 0 {
		for j := range groups {
			s.found[j] = uint16(g.codes[sub*groups+j][won])
			s.offGrid[j] = g.off[sub*groups+j]>>won&1 != 0
			offGrid = offGrid || s.offGrid[j]
		}
	}
	s.result = scale
	if scale > 0 && (f.again == againAll || offGrid || f.again == againAny && won < 0) {
		if !(scale > s.max*0x1p-12 && scale < s.max*0x1p12) {
			s.result, s.done = f.search(&s.gridSub), true
			return
		}
		s.again = true
		g.scale[sub][0], g.inverse[sub][0] = scale, 1/scale
	}
}

// nearest replaces the codes of the first count candidates that are no points by
// those of the nearest ones. A sub-block is done where no point has a finite error.
func (k *gridKernels) nearest(f *gridFormat, g *gridWork, subs, count int) {
	size := f.book.coordinates
	groups := f.group / size
	for i := range subs {
		s := &g.subs[i]
		for j, energy := range s.energy[:groups] {
			g.margins[i*groups+j] = gridMargin(energy, g.scale[i][count-1])
		}
	}
	near := f.book.neighbours()
	for _, place := range k.near(f, g, subs*groups, count) {
		group, i := int(place/gridLanes), place%gridLanes
		sub, first := group/groups, group%groups*size
		s, code := &g.subs[sub], &g.codes[group][i]
		nearest, ok := nearestPoint(f.book, near.near(near.point(uint16(*code))), s.x[first:first+size], s.root[first:first+size], g.scale[sub][i])
		if !ok {
			s.result, s.done = infinite, true
		}
		*code = uint32(nearest)
	}
}

// bounded reports whether the numbers of s are such that lines neither overflow
// nor lose more bits than a margin has, and stores Σ w·x² of each group, with the
// weights among near points.
func (f *gridFormat) bounded(s *gridSub, energy *[8]float32) bool {
	if !(s.max > 0x1p-30 && s.max < 0x1p20 && s.max >= f.tiny && s.spread <= 64*s.max) {
		return false
	}
	size := f.book.coordinates
	most := uint32(0)
	for j := range f.group / size {
		var sum float32
		x, root := s.x[j*size:(j+1)*size], s.root[j*size:(j+1)*size]
		for i, w := range bitsOf(root) {
			most = max(most, w) // also of what is below zero or no number
			sum += x[i] * x[i] * root[i&7]
		}
		energy[j] = sum
	}
	return most < 0x5d800000 // 2^60
}

// gridMargin returns by how much the lowest line must win. With u = 2^-24, terms
// w·(s·q + |x|)² that sum to S, and at most eight of them, the reference's error of
// a point is wrong by 14·u·S and s times its line by 12·u·S. With the error T and
// C = Σ w·x², S ≤ 4·T + 6·C, by the inequality of triangles. So a point of error
// T + D is certainly worse than one of T ≤ C if D > 728·u·C; if T is above C, which
// is where its line is above zero, D > 1024·(T - C) is enough besides. The
// constant is for products that are too small to be normal numbers.
func gridMargin(energy, scale float32) float32 { return (0x1p-14*energy + 0x1p-100) / scale }

// roundGrid is round in plain Go.
func roundGrid(f *gridFormat, g *gridWork, sub, count int) {
	size := f.book.coordinates
	groups := f.group / size
	s := &g.subs[sub]
	for j := range groups {
		for i := range count {
			g.codes[sub*groups+j][i] = uint32(f.book.round(s.x[j*size:(j+1)*size], g.inverse[sub][i]))
		}
	}
}

// fitGrid is fit in plain Go.
func fitGrid(f *gridFormat, g *gridWork, sub, count int) {
	groups := f.group / f.book.coordinates
	var codes [8]uint16
	for i := range count {
		for j := range groups {
			codes[j] = uint16(g.codes[sub*groups+j][i])
		}
		g.sums[0][i], g.sums[1][i] = f.fit(&g.subs[sub].gridSub, &codes)
	}
}

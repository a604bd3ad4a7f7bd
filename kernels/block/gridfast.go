package block

import (
	"math/bits"
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

// gridKernels are what a path computes with vectors.
type gridKernels struct {
	// round stores the codes of all groups for the first count candidates.
	round func(f *gridFormat, g *gridWork, count int)

	// near replaces codes of the first count candidates that are no points by those
	// of near points, and stores in g.off which were none. It returns the places in
	// codes, 32·group + candidate, where the nearest point is not certain, which
	// keep their code.
	near func(f *gridFormat, g *gridWork, count int) (unclear []uint16)

	// fit stores the sums of the first count candidates.
	fit func(f *gridFormat, g *gridWork, count int)
}

var plainGridKernels = gridKernels{roundGrid, nearGrid, fitGrid}

// gridWork is the memory of the search of a sub-block.
type gridWork struct {
	gridSub
	wx             [32]float32 // w·x
	inverse, scale [gridLanes]float32
	sums           [2][gridLanes]float32 // Σ w·x·q and Σ w·q²
	codes          [8][gridLanes]uint32  // (group, candidate)
	nearWork
	block gridBlock
}

// nearWork is the memory of the search for near points.
type nearWork struct {
	margins [8]float32          // of each group, by which the lowest line must win
	off     [8]uint32           // bit i: the code of candidate i was no point
	lines   [2][maxNear]float32 // of near points: s·lines[0][i] - lines[1][i]
	unclear [nearItems]uint16

	// Of the kernels: the terms of Σ w·q² and 2·Σ w·x·q by levels, and runs of
	// candidates with one code, by the length of its list.
	tables [8 * 8 * 16]float32
	queues [3][nearItems]uint64
}

// nearItems is the room for runs of candidates. There are not more of them, with
// what is left of those whose ends are not enough, than candidates.
const nearItems = 8*gridLanes + 8

// maxNear bounds the length of a list, in whole vectors.
const maxNear = 320

var gridWorks = sync.Pool{New: func() any { return new(gridWork) }}

// candidates is how many there are.
func (f *gridFormat) candidates() int { return 2*f.steps + 1 }

// fast returns an encoder of batches with the kernels of a path.
func (f *gridFormat) fast(k *gridKernels, pack func(dst []byte, b *gridBlock)) func(*batch) int {
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
			pack(b.dst[i*size:][:size], &g.block)
		}
		return blocks
	}
}

// addGridEncoders adds the encoders of all formats with these kernels.
func addGridEncoders(to map[gguf.Type]func(*batch) int, k *gridKernels) {
	to[gguf.TypeIQ2XXS] = formatIQ2_XXS.fast(k, packIQ2_XXS)
	to[gguf.TypeIQ2XS] = formatIQ2_XS.fast(k, packIQ2_XS)
	to[gguf.TypeIQ2S] = formatIQ2_S.fast(k, packIQ2_S)
	to[gguf.TypeIQ3XXS] = formatIQ3_XXS.fast(k, packIQ3_XXS)
	to[gguf.TypeIQ3S] = formatIQ3_S.fast(k, packIQ3_S)
}

// encodeFast is encode for g.block.
func (f *gridFormat) encodeFast(k *gridKernels, g *gridWork, x, importance []float32) {
	b := &g.block
	*b = gridBlock{}
	variance := f.variances * sumSquares(x) / superBlock
	n, groups := f.group, f.group/f.book.coordinates
	s := &g.gridSub
	for j := range superBlock / n {
		s.points, s.signs, s.zeros = b.points[j*groups:(j+1)*groups], b.signs[j*n/8:(j+1)*n/8], false
		sub := x[j*n : (j+1)*n]
		if importance != nil {
			weigh(s.weight[:n], sub, importance[j*n:(j+1)*n], variance)
		} else {
			f.unweighted(s.weight[:n], sub, variance)
		}
		f.begin(s, sub)
		b.scales[j] = f.finish(s, f.searchFast(k, g))
		b.skip(j, s.zeros)
	}
	f.quantizeScales(b)
}

// searchFast is search.
func (f *gridFormat) searchFast(k *gridKernels, g *gridWork) (scale float32) {
	s := &g.gridSub
	n, size := f.group, f.book.coordinates
	var energy [8]float32
	if !f.bounded(s, &energy) {
		return f.search(s)
	}
	top, reach := f.top(), s.max
	scale = s.max / top
	if f.fitted {
		var l [32]uint8
		scale = positiveSearch(l[:n], s.x[:n], s.weight[:n], 4)
		reach = float32(scale * 3)
		if !(reach > s.max*0.0625 && reach < s.max*16) {
			return f.search(s)
		}
	}
	for i, v := range s.x[:n] {
		g.wx[i] = s.weight[i] * v
	}
	count := f.candidates()
	for i := range count { // other lanes hold what they did
		g.inverse[i] = (top + float32(float32(i-f.steps)*f.step)) / reach
		g.scale[i] = 1 / g.inverse[i]
	}
	near := f.book.neighbours()
	k.round(f, g, count)
	if !k.nearest(f, g, count, &energy) {
		return infinite
	}
	k.fit(f, g, count)
	var best float32
	won := -1
	for i := range count {
		qx, q2 := g.sums[0][i], g.sums[1][i]
		if q2 > 0 && float32(qx*qx) > float32(best*q2) {
			scale = qx / q2
			best = float32(scale * qx)
			won = i
		}
	}
	var (
		codes   [8]uint16
		offGrid uint8
	)
	if won >= 0 {
		for j := range n / size {
			codes[j] = uint16(g.codes[j][won])
			offGrid |= uint8(g.off[j]>>won&1) << j
		}
	}
	if scale > 0 && (f.again == againAll || offGrid != 0 || f.again == againAny && won < 0) {
		// The fitted scale is the only candidate.
		if !(scale > s.max*0x1p-12 && scale < s.max*0x1p12) {
			return f.search(s)
		}
		g.scale[0], g.inverse[0] = scale, 1/scale
		k.round(f, g, 1)
		if f.again == againOffGrid {
			for j := range n / size {
				if offGrid>>j&1 == 0 {
					g.codes[j][0] = uint32(codes[j])
				}
			}
		}
		if !k.nearest(f, g, 1, &energy) {
			return infinite
		}
		for j := range n / size {
			codes[j] = uint16(g.codes[j][0])
		}
		k.fit(f, g, 1)
		if qx, q2 := g.sums[0][0], g.sums[1][0]; q2 > 0 {
			scale = qx / q2
		}
	}
	for j := range s.points {
		s.points[j] = uint16(near.point(codes[j]))
	}
	return scale
}

// nearest replaces the codes of the first count candidates that are no points by
// those of the nearest ones. It is false where no point has a finite error.
func (k *gridKernels) nearest(f *gridFormat, g *gridWork, count int, energy *[8]float32) bool {
	for j := range f.group / f.book.coordinates {
		g.margins[j] = gridMargin(energy[j], g.scale[count-1])
	}
	near, size := f.book.neighbours(), f.book.coordinates
	for _, place := range k.near(f, g, count) {
		j, i := place/gridLanes, place%gridLanes
		code := &g.codes[j][i]
		first := int(j) * size
		nearest, ok := nearestPoint(f.book, near.near(near.point(uint16(*code))), g.x[first:first+size], g.root[first:first+size], g.scale[i])
		if !ok {
			return false
		}
		*code = uint32(nearest)
	}
	return true
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
func roundGrid(f *gridFormat, g *gridWork, count int) {
	size := f.book.coordinates
	for j := range f.group / size {
		for i := range count {
			g.codes[j][i] = uint32(f.book.round(g.x[j*size:(j+1)*size], g.inverse[i]))
		}
	}
}

// fitGrid is fit in plain Go.
func fitGrid(f *gridFormat, g *gridWork, count int) {
	var codes [8]uint16
	for i := range count {
		for j := range f.group / f.book.coordinates {
			codes[j] = uint16(g.codes[j][i])
		}
		g.sums[0][i], g.sums[1][i] = f.fit(&g.gridSub, &codes)
	}
}

// nearGrid is near in plain Go.
func nearGrid(f *gridFormat, g *gridWork, count int) (unclear []uint16) {
	unclear = g.unclear[:0]
	for j := range f.group / f.book.coordinates {
		var some uint32
		g.off[j], some = nearGroup(f, g, j, count, g.margins[j])
		for ; some != 0; some &= some - 1 {
			unclear = append(unclear, uint16(j*gridLanes+bits.TrailingZeros32(some)))
		}
	}
	return unclear
}

// nearGroup is nearGrid for a group. unclear are its candidates for which the
// nearest point is not certain.
func nearGroup(f *gridFormat, g *gridWork, group, count int, margin float32) (off, unclear uint32) {
	book, near := f.book, f.book.neighbours()
	size := book.coordinates
	x, w := g.x[group*size:(group+1)*size], g.root[group*size:(group+1)*size]
	codes := &g.codes[group]
	var squares, products [8][8]float32 // of each coordinate and level
	ready := false
	for first, end := 0, 0; first < count; first = end {
		code := uint16(codes[first])
		for end = first + 1; end < count && codes[end] == codes[first]; end++ {
		}
		at := near.point(code)
		if at >= 0 {
			continue
		}
		if !ready {
			for i, v := range x {
				for l := range book.levels {
					q := float32(2*l + 1)
					squares[i][l] = w[i] * q * q
					products[i][l] = 2 * w[i] * v * q
				}
			}
			ready = true
		}
		list := near.near(at)
		for p, c := range list {
			var a, b float32
			for i := range size {
				l := int(c) >> (i * book.bits) & 7 & (1<<book.bits - 1)
				a += squares[i&7][l&7]
				b += products[i&7][l&7]
			}
			g.lines[0][p], g.lines[1][p] = a, b
		}
		low := g.lowest(len(list), g.scale[first], margin)
		high := low
		if end > first+1 {
			high = g.lowest(len(list), g.scale[end-1], margin)
		}
		for i := first; i < end; i++ {
			off |= 1 << i
			p := low
			switch {
			case low == high && low >= 0 || i == first:
			case i == end-1:
				p = high
			default:
				p = g.lowest(len(list), g.scale[i], margin)
			}
			if p < 0 {
				unclear |= 1 << i
				continue
			}
			codes[i] = uint32(list[p])
		}
	}
	return off, unclear
}

// lowest returns which of the first n lines is lowest at s, below zero if
// another is within the margin.
func (g *gridWork) lowest(n int, s, margin float32) int {
	least, second, at := float32(0x1p126), float32(0x1p126), 0
	for p, a := range g.lines[0][:n] {
		v := s*a - g.lines[1][p]
		if v < least {
			least, second, at = v, least, p
		} else if v < second {
			second = v
		}
	}
	if second-least > max(margin, 1024*least) {
		return at
	}
	return -1
}

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
	// round stores the codes of groups of elements for candidates.
	round func(f *gridFormat, g *gridWork)

	// near replaces the codes of a group that are no points by those of near
	// points. It returns the candidates whose code was none, and those for which the
	// nearest point is not certain, which keep their code.
	near func(f *gridFormat, g *gridWork, group, count int, margin float32) (off, unclear uint32)

	// fit stores the sums of all candidates.
	fit func(f *gridFormat, g *gridWork)
}

var plainGridKernels = gridKernels{roundGrid, nearGrid, fitGrid}

// gridWork is the memory of the search of a sub-block.
type gridWork struct {
	gridSub
	wx             [32]float32 // w·x
	inverse, scale [gridLanes]float32
	sums           [2][gridLanes]float32 // Σ w·x·q and Σ w·q²
	codes          [8][gridLanes]uint32  // (group, candidate)
	lines          [2][maxNear]float32   // of near points: s·lines[0][i] - lines[1][i]
	block          gridBlock
}

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
	var weights [8]float32
	if !f.bounded(s, &weights) {
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
	for i := range gridLanes {
		g.inverse[i] = (top + float32(float32(min(i, count-1)-f.steps)*f.step)) / reach
		g.scale[i] = 1 / g.inverse[i]
	}
	near := f.book.neighbours()
	k.round(f, g)
	spread := s.spread(n)
	margin := gridMargin(g.scale[count-1], g.scale[0], top, spread)
	var off [8]uint32
	for j := range n / size {
		var unclear uint32
		off[j], unclear = k.near(f, g, j, count, margin*weights[j])
		for ; unclear != 0; unclear &= unclear - 1 {
			i := bits.TrailingZeros32(unclear)
			code, ok := nearestPoint(f.book, near.near(near.point(uint16(g.codes[j][i]))), s.x[j*size:(j+1)*size], s.root[j*size:(j+1)*size], g.scale[i])
			if !ok {
				return infinite
			}
			g.codes[j][i] = uint32(code)
		}
	}
	k.fit(f, g)
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
			offGrid |= uint8(off[j]>>won&1) << j
		}
	}
	if scale > 0 && (f.again == againAll || offGrid != 0 || f.again == againAny && won < 0) {
		inverse := 1 / scale
		certain := scale > s.max*0x1p-12 && scale < s.max*0x1p12
		if certain {
			margin = gridMargin(scale, scale, top, spread)
			g.scale[0] = scale
		}
		for j := range n / size {
			if f.again == againOffGrid && offGrid>>j&1 == 0 {
				continue
			}
			x := s.x[j*size : (j+1)*size]
			code := f.book.round(x, inverse)
			if at := near.point(code); at < 0 {
				unclear := uint32(1)
				if certain {
					g.codes[j][0] = uint32(code)
					_, unclear = k.near(f, g, j, 1, margin*weights[j])
				}
				if unclear == 0 {
					code = uint16(g.codes[j][0])
				} else {
					var ok bool
					if code, ok = nearestPoint(f.book, near.near(at), x, s.root[j*size:(j+1)*size], scale); !ok {
						return infinite
					}
				}
			}
			codes[j] = code
		}
		if qx, q2 := f.fit(s, &codes); q2 > 0 {
			scale = qx / q2
		}
	}
	for j := range s.points {
		s.points[j] = uint16(near.point(codes[j]))
	}
	return scale
}

// bounded reports whether the numbers of s are such that lines neither overflow
// nor lose more bits than a margin has, and stores the sums of the roots of
// weights, which are the weights among near points.
func (f *gridFormat) bounded(s *gridSub, weights *[8]float32) bool {
	if !(s.max > 0x1p-40 && s.max < 0x1p40 && s.max >= f.tiny) {
		return false
	}
	least := float32(0)
	for _, v := range s.x[:f.group] {
		least = min(least, v)
	}
	if least < -64*s.max {
		return false
	}
	size := f.book.coordinates
	for j := range f.group / size {
		var sum float32
		for _, w := range s.root[j*size : (j+1)*size] {
			sum += w
		}
		if sum != 0 && !(sum > 0x1p-20 && sum < 0x1p20) && !(sum*s.max*s.max > 0x1p-90 && sum*s.max*s.max < 0x1p90) {
			return false
		}
		if !(sum < 0x1p60) || sum != 0 && sum < 0x1p-60 {
			return false
		}
		weights[j] = sum
	}
	return true
}

// spread bounds the magnitudes.
func (s *gridSub) spread(n int) float32 {
	most := s.max
	for _, v := range s.x[:n] {
		most = max(most, -v)
	}
	return most
}

// gridMargin returns what, times Σ w, bounds how far lines and the reference's
// errors, divided by the scale, can be apart: with u = 2^-24 and at most eight
// terms, each w·(s·q + |x|)² at most, the errors of two points are wrong by 28·u
// and the lines by 24·u of their sum.
func gridMargin(low, high, top, spread float32) float32 {
	reach := high*top + spread
	return 0x1p-17 * reach * reach / low
}

// roundGrid is round in plain Go.
func roundGrid(f *gridFormat, g *gridWork) {
	size := f.book.coordinates
	for j := range f.group / size {
		for i := range f.candidates() {
			g.codes[j][i] = uint32(f.book.round(g.x[j*size:(j+1)*size], g.inverse[i]))
		}
	}
}

// fitGrid is fit in plain Go.
func fitGrid(f *gridFormat, g *gridWork) {
	var codes [8]uint16
	for i := range f.candidates() {
		for j := range f.group / f.book.coordinates {
			codes[j] = uint16(g.codes[j][i])
		}
		g.sums[0][i], g.sums[1][i] = f.fit(&g.gridSub, &codes)
	}
}

// nearGrid is near in plain Go.
func nearGrid(f *gridFormat, g *gridWork, group, count int, margin float32) (off, unclear uint32) {
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
	if second-least > margin {
		return at
	}
	return -1
}

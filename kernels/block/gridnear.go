package block

import "math/bits"

// nearWork is the memory of the search for near points.
type nearWork struct {
	margins [gridGroups]float32 // of each group, by which the lowest line must win
	off     [gridGroups]uint32  // bit i: the code of candidate i was no point
	lines   [2][maxNear]float32 // of near points: s·lines[0][i] - lines[1][i]
	unclear [nearItems]uint16

	// Of the kernels: the terms of Σ w·q² and 2·Σ w·x·q by levels, and runs of
	// candidates with one code, by the length of its list. What is left of a run
	// whose ends are not enough goes to the last of these.
	tables  [gridGroups * 8 * 16]float32
	queues  [4][nearItems]uint64
	results [nearItems]uint64
}

// maxNear bounds the length of a list, in whole vectors.
const maxNear = 320

// nearItems is the room for runs of candidates. There are no more of them than
// candidates.
const nearItems = gridGroups*gridLanes + 8

// nearGrid is near in plain Go.
func nearGrid(f *gridFormat, g *gridWork, groups, count int) (unclear []uint16) {
	unclear = g.unclear[:0]
	for j := range groups {
		var some uint32
		g.off[j], some = nearGroup(f, g, j, count)
		for ; some != 0; some &= some - 1 {
			unclear = append(unclear, uint16(j*gridLanes+bits.TrailingZeros32(some)))
		}
	}
	return unclear
}

// nearGroup is nearGrid for a group. unclear are its candidates for which the
// nearest point is not certain.
func nearGroup(f *gridFormat, g *gridWork, group, count int) (off, unclear uint32) {
	book, near := f.book, f.book.neighbours()
	size := book.coordinates
	groups := f.group / size
	sub, from := group/groups, group%groups*size
	s, scale, margin := &g.subs[sub], &g.scale[sub], g.margins[group]
	x, w := s.x[from:from+size], s.root[from:from+size]
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
		low := g.lowest(len(list), scale[first], margin)
		high := low
		if end > first+1 {
			high = g.lowest(len(list), scale[end-1], margin)
		}
		for i := first; i < end; i++ {
			off |= 1 << i
			p := low
			switch {
			case low == high && low >= 0 || i == first:
			case i == end-1:
				p = high
			default:
				p = g.lowest(len(list), scale[i], margin)
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

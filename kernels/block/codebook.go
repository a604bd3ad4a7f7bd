package block

import (
	"math/bits"
	"sync"
)

// The IQ formats store several magnitudes at once, as the number of a point in a
// codebook: a table of points in eight dimensions of three levels, or in four of
// eight. testdata/make_codebooks.py makes the tables, codebook_grids.go.

// A codebook holds points as codes, in ascending order: coordinate k of a code is
// a level, bits wide, from bit k·bits on. Encoders search among odd numbers: level
// l stands for 2·l + 1.
type codebook struct {
	codes       []uint16
	bits        int     // of a level
	coordinates int     // of a point: 16/bits or 12/bits
	levels      []uint8 // the bytes that levels decode to, in two's complement
	shells      int     // how many of the smallest distances count as near, see neighbours

	decoding  func() []uint64
	searching func() *neighbours
}

// The codebooks. IQ1_S and IQ1_M share one.
var (
	bookIQ1S   = newCodebook(gridIQ1S[:], 2, []uint8{0xff, 0, 1}, 3)
	bookIQ2XXS = newCodebook(gridIQ2XXS[:], 2, []uint8{8, 25, 43}, 2)
	bookIQ2XS  = newCodebook(gridIQ2XS[:], 2, []uint8{8, 25, 43}, 2)
	bookIQ2S   = newCodebook(gridIQ2S[:], 2, []uint8{8, 25, 43}, 1)
	bookIQ3XXS = newCodebook(gridIQ3XXS[:], 3, []uint8{4, 12, 20, 28, 36, 44, 52, 62}, 2)
	bookIQ3S   = newCodebook(gridIQ3S[:], 3, []uint8{1, 3, 5, 7, 9, 11, 13, 15}, 3)
)

func newCodebook(codes []uint16, width int, levels []uint8, shells int) *codebook {
	b := &codebook{codes: codes, bits: width, coordinates: 8, levels: levels, shells: shells}
	if width == 3 {
		b.coordinates = 4
	}
	b.decoding = sync.OnceValue(b.decode)
	b.searching = sync.OnceValue(b.findNeighbours)
	return b
}

// points returns what the points decode to, a byte for each coordinate, the first
// one lowest. They are made at the first call.
func (b *codebook) points() []uint64 { return b.decoding() }

func (b *codebook) decode() []uint64 {
	points := make([]uint64, len(b.codes))
	for i, code := range b.codes {
		for k := range b.coordinates {
			points[i] |= uint64(b.levels[b.level(code, k)]) << (8 * k)
		}
	}
	return points
}

// level returns coordinate k of a code.
func (b *codebook) level(code uint16, k int) int { return int(code >> (k * b.bits) & (1<<b.bits - 1)) }

// neighbours leads from any code to the points of the codebook near it.
//
// A code that is no point of the codebook has a list: the points whose distance
// to it (the sum of the squares of the differences of levels) is one of the
// smallest that occur. They are in order of their distance and, where that is the
// same, of their number: the order matters when errors are equal, as the first of
// the best is taken.
type neighbours struct {
	// at is, by code, the number of the point or, below zero, -1 - i where lists[i]
	// is the length of a list that follows.
	at    []int32
	lists []uint16 // lengths, codes, and noPoint up to whole vectors
}

// neighbours returns the lists, which are made at the first call.
func (b *codebook) neighbours() *neighbours { return b.searching() }

// point returns the number of the point that is code, below zero if there is none.
func (n *neighbours) point(code uint16) int { return int(n.at[code]) }

// near returns the codes near one that is no point. at is what point returned for it.
func (n *neighbours) near(at int) []uint16 {
	list := n.lists[-1-at:]
	return list[1 : 1+list[0]]
}

func (b *codebook) findNeighbours() *neighbours {
	top := len(b.levels) - 1
	last := 0 // the largest code
	for k := range b.coordinates {
		last |= top << (k * b.bits)
	}
	n := &neighbours{at: make([]int32, last+1)}
	for i := range n.at {
		n.at[i] = -1
	}
	for i, code := range b.codes {
		n.at[code] = int32(i)
	}
	between := b.halfDistances()
	half := b.bits * b.coordinates / 2
	low := 1<<half - 1
	distances := make([]uint8, len(b.codes))
	for code := range n.at {
		if n.at[code] >= 0 || !b.valid(uint16(code)) {
			continue
		}
		// Distances are below 64·4, but those of near points below 64.
		from, fromHigh := between[code&low<<half:][:low+1], between[code>>half<<half:][:low+1]
		var found uint64 // bit d: there is a point at distance d
		for i, c := range b.codes {
			d := from[int(c)&low] + fromHigh[c>>half]
			distances[i] = d
			found |= 1 << d
		}
		n.at[code] = int32(-1 - len(n.lists))
		start := len(n.lists)
		n.lists = append(n.lists, 0)
		for range b.shells {
			d := uint8(bits.TrailingZeros64(found))
			found &= found - 1
			for i, v := range distances {
				if v == d {
					n.lists = append(n.lists, b.codes[i])
				}
			}
		}
		length := len(n.lists) - start - 1
		n.lists[start] = uint16(length)
		vector := 16
		if b.bits == 3 && length <= 8 {
			vector = 8
		}
		for ; length%vector != 0; length++ {
			n.lists = append(n.lists, noPoint)
		}
	}
	return n
}

// noPoint is what kernels find beyond the end of a list. No point has this code.
const noPoint = 0xffff

// valid reports whether all levels of a code exist.
func (b *codebook) valid(code uint16) bool {
	for k := range b.coordinates {
		if b.level(code, k) >= len(b.levels) {
			return false
		}
	}
	return true
}

// halfDistances returns the distances between halfs of codes: the one of i and j
// is at i<<half | j.
func (b *codebook) halfDistances() []uint8 {
	half := b.bits * b.coordinates / 2
	d := make([]uint8, 1<<(2*half))
	for i := range d {
		for k := range b.coordinates / 2 {
			difference := b.level(uint16(i>>half), k) - b.level(uint16(i&(1<<half-1)), k)
			d[i] += uint8(difference * difference)
		}
	}
	return d
}

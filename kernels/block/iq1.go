package block

import (
	"math"
	"math/bits"
	"sync"
)

// The search of IQ1_S and IQ1_M. An element has one of three levels, -1, 0 or 1,
// all moved by an eighth, up or down, for a group of elements at once. In sorted
// values the levels are two split points: all pairs of them are tried, with both
// moves, and the one whose fitted scale leaves the least squared error wins. Then
// each eight levels that are no point of the codebook take the one near them
// with the least error, and the scale is fitted again.

// The levels, by the two bits of a code. There is no fourth.
var (
	raised  = [4]float32{-0.875, 0.125, 1.125}
	lowered = [4]float32{-1.125, -0.125, 0.875}
)

// An iq1Search is the memory of a search, and the kernels that it uses. Without
// kernels it is their specification.
type iq1Search struct {
	kernels *iq1Kernels
	near    *neighbours

	positive bool // no weight is below zero

	w      [superBlock]float32 // weights of errors
	rank   [32]int32           // the place of each value of a sub-block among the sorted ones
	splits iq1Splits
}

// iq1Splits is what pairs of split points are tried with. The assembly knows where
// all of it lies.
type iq1Splits struct {
	// Of the sorted values before each split point, Σ w·x and Σ w; of IQ1_M for
	// each half of the sub-block by itself. The rest repeats the last, as a vector
	// may begin at any point.
	x, w [2][48]float32

	_     [9][32]float32 // sums of both halves
	masks [24]uint64     // of 16 bits each
	_     [816]float32   // scores

	best iq1Best
}

// iq1Kernels are the kernels of a path.
type iq1Kernels struct {
	// sums stores Σ x² of rows, and weigh the weights of groups of 16 values.
	sums  func(sums, x []float32, columns int)
	weigh func(w, x, importance *float32, groups int, variance float32)

	// rank32 and rank16 rank as many values and return the largest magnitude; see
	// rankStable.
	rank32, rank16 func(rank *int32, x *float32) float32

	// below32 and below16 return the sets of values that are below two places.
	below32, below16 func(rank *int32, first, second int32) (uint32, uint32)

	// The filters mark pairs of split points: all that can win, and few more. They
	// may be used where inReach says so. Bit l of mask v stands for the pair at
	// place v, with the second point l higher.
	filterS, filterM func(s *float32)
	placesS, placesM []iq1Place

	// nearest returns the place of the first of n codes, at least lanes, with the
	// least error, below zero if no error is a finite number; see nearestTernary.
	lanes   int
	nearest func(codes *uint16, n int, x, w *float32, scale float32, levels *float32) int
}

// An iq1Place is a pair of split points.
type iq1Place struct{ first, second uint8 }

var iq1Searches = sync.Pool{New: func() any { return new(iq1Search) }}

// An iq1Fit is a sub-block as it is found.
type iq1Fit struct {
	scale  float32
	moves  uint8     // bit h: the levels of half h are lowered; of IQ1_S both
	points [4]uint16 // their numbers

	// The scale is no number, or no point near a group has a finite error.
	failed bool
}

// levelsOf returns the levels of a half.
func (f *iq1Fit) levelsOf(half int) *[4]float32 {
	if f.moves>>half&1 != 0 {
		return &lowered
	}
	return &raised
}

// sort ranks the values and returns the largest magnitude.
//
// Equal values stay in their order. The reference calls qsort, which may do as it
// likes; glibc's is a merge sort, which keeps them, and the goldens are made with
// that. With another C library the reference can write other bytes.
func (s *iq1Search) sort(x []float32) (most float32) {
	switch k := s.kernels; {
	case k == nil:
		rankStable(&s.rank, x)
		return abs(extreme(x))
	case len(x) == 32:
		return k.rank32(&s.rank[0], &x[0])
	default:
		return k.rank16(&s.rank[0], &x[0])
	}
}

// rankStable counts, for each value, those that are less and equal ones before it.
func rankStable(rank *[32]int32, x []float32) {
	var keys [32]int64 // in the order of the values, then of the indices
	for i, v := range x {
		b := int32(math.Float32bits(v))
		if b < 0 {
			b = math.MinInt32 - b // also -0, which equals 0
		}
		keys[i] = int64(b)<<5 + int64(i)
	}
	*rank = [32]int32{}
	for j := 1; j < len(x); j++ {
		high := keys[j]
		var before int32
		for i, low := range keys[:j] {
			less := int32((high - low) >> 63) // -1 where j comes before i
			rank[i] -= less
			before += 1 + less
		}
		rank[j] += before
	}
}

// below returns the sets of values that come before two split points.
func (s *iq1Search) below(n, first, second int) (low, high uint32) {
	switch k := s.kernels; {
	case k == nil:
		for i, r := range s.rank[:n] {
			low |= uint32(r-int32(first)) >> 31 << i
			high |= uint32(r-int32(second)) >> 31 << i
		}
		return low, high
	case n == 32:
		return k.below32(&s.rank[0], int32(first), int32(second))
	default:
		return k.below16(&s.rank[0], int32(first), int32(second))
	}
}

// place returns the codes of the levels of n elements. Where scales are below
// zero, the levels change theirs.
func (s *iq1Search) place(n int, best *iq1Best) (codes [4]uint16) {
	low, notHigh := s.below(n, best.first, best.second)
	mid, high := notHigh&^low, ^notHigh
	if best.scale < 0 {
		high = low
	}
	for k := range n / 8 {
		codes[k] = apart[mid>>(8*k)&255] | apart[high>>(8*k)&255]<<1
	}
	return codes
}

// apart has the bits of its index at even places.
var apart = func() (t [256]uint16) {
	for i := range t {
		for k := range 8 {
			t[i] |= uint16(i>>k&1) << (2 * k)
		}
	}
	return t
}()

// settle takes the levels that are best without the codebook to points of it, and
// fits the scale again if some were none.
func (s *iq1Search) settle(f *iq1Fit, x, w []float32) {
	best := &s.splits.best
	if best.first < 0 {
		return
	}
	f.scale, f.moves = best.scale, best.moves
	if best.scale < 0 {
		f.scale, f.moves = -best.scale, best.moves^3
	}
	codes := s.place(len(x), best)
	offGrid := false
	groups := len(x) / 8
	for k := range groups {
		at := s.near.point(codes[k])
		if at >= 0 {
			f.points[k] = uint16(at)
			continue
		}
		offGrid = true
		code, ok := s.nearest(s.near.near(at), x[8*k:8*k+8], w[8*k:8*k+8], f.scale, f.levelsOf(k*2/groups))
		if !ok {
			f.failed = true
			return
		}
		codes[k] = code
		f.points[k] = uint16(s.near.point(code))
	}
	if offGrid {
		var qx, q2 float32
		for k := range groups {
			levels, code := f.levelsOf(k*2/groups), codes[k]
			for i, v := range x[8*k : 8*k+8] {
				q := levels[code>>(2*i)&3]
				wq := float32(w[8*k+i] * q)
				qx += float32(wq * v)
				q2 += float32(wq * q)
			}
		}
		if qx > 0 && q2 > 0 {
			f.scale = qx / q2
		}
	}
	f.failed = !(f.scale >= 0)
}

func (s *iq1Search) nearest(codes []uint16, x, w []float32, scale float32, levels *[4]float32) (code uint16, ok bool) {
	if s.kernels == nil || len(codes) < s.kernels.lanes {
		return nearestTernary(codes, x, w, scale, levels)
	}
	i := s.kernels.nearest(&codes[0], len(codes), &x[0], &w[0], scale, &levels[0])
	if i < 0 {
		return 0, false
	}
	return codes[i], true
}

// nearestTernary returns the first of the codes for which Σ w·(scale·q - x)² of
// eight elements is least. It is not ok when that is never a finite number: then
// the reference reads values outside of the eight, or stops.
func nearestTernary(codes []uint16, x, w []float32, scale float32, levels *[4]float32) (code uint16, ok bool) {
	var e [8][4]float32 // errors of each element at each level
	for i, v := range x {
		for l, q := range levels[:3] {
			d := float32(scale*q) - v
			e[i][l] = float32(float32(w[i]*d) * d)
		}
	}
	least := float32(math.MaxFloat32)
	for _, c := range codes {
		sum := e[0][c&3] + e[1][c>>2&3] + e[2][c>>4&3] + e[3][c>>6&3] + e[4][c>>8&3] + e[5][c>>10&3] + e[6][c>>12&3] + e[7][c>>14]
		if sum < least {
			least, code, ok = sum, c, true
		}
	}
	return code, ok
}

// An iq1Best is the pair of split points that is best so far.
type iq1Best struct {
	score, scale  float32
	first, second int // below zero: none
	moves         uint8
}

// The kernels' filters compute scores, which are qx²/q2, in another order of
// operations. That is near enough where sums are neither too large nor too small
// for it, and no weight is negative:
//
// With W = Σ w and A = Σ w·|x|, the split between negative and other values has
// a score of at least 0.6·A²/W. A pair that has half of that has q2 ≥ W/64 and so
// |qx| ≥ A/15. Then both are exact to 2^-14, in either order of operations, and
// the approximate inverse of q2 to 2^-11. The comparison that makes a pair the
// best so far, rounded, holds or fails rightly when scores differ by 2^-21. A pair
// that is 2^-8 below the best score can therefore not win, nor change what does:
// for that 1122 pairs in a row would have to be 2^-21 apart.
//
// The margin is a constant of the generator.
const (
	iq1Least = 0x1p-36
	iq1Most  = 0x1p36
)

// inReach reports whether the filters may be used where no weight is below zero:
// A is between |Σ w·x| and W times the largest |x|.
func inReach(sumW, sumX, most float32) bool {
	return sumW > iq1Least && sumW < iq1Most && abs(sumX) > iq1Least && sumW*most < iq1Most
}

// find looks for the best pair of the split points 0 to last.
func (s *iq1Splits) find(filter func(s *float32), places []iq1Place, last int, try func(s *iq1Splits, first int, seconds uint64)) {
	s.best = iq1Best{score: -math.MaxFloat32, first: -1}
	points := uint64(1)<<(last+1) - 1
	if filter == nil {
		for first := range last + 1 {
			try(s, first, points>>first<<first)
		}
		return
	}
	filter(&s.x[0][0])
	for i := 0; 4*i < len(places); i++ {
		for word := s.masks[i]; word != 0; {
			at := bits.TrailingZeros64(word) &^ 15
			mask := word >> at & 0xffff
			word &^= 0xffff << at
			p := places[4*i+at/16]
			try(s, int(p.first), mask<<p.second&points)
		}
	}
}

// iq1Places returns the vectors of pairs of points 0 to last.
func iq1Places(lanes, last int) (places []iq1Place) {
	for first := range last + 1 {
		for second := first; second <= last; second += lanes {
			places = append(places, iq1Place{uint8(first), uint8(second)})
		}
	}
	return places
}

// halfInfinity is the scale of a block with a fit that failed. Validate refuses it.
const halfInfinity = 0x7c00

// weigh stores the weights of a block.
func (s *iq1Search) weigh(x, importance []float32, variance float32) {
	if s.kernels != nil {
		s.kernels.weigh(&s.w[0], &x[0], &importance[0], superBlock/16, variance)
	} else {
		weigh(s.w[:], x, importance, variance)
	}
}

// lowest returns the lowest number in a set, and the set without it.
func lowest(set uint64) (int, uint64) { return bits.TrailingZeros64(set), set & (set - 1) }

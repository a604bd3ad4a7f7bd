package block

import (
	"math"
	"math/bits"
)

// The search of the formats with codebooks. A sub-block's magnitudes are nearly
// scale·(2·l + 1) with levels l, and each group of four or eight of them must be
// a point of the codebook. For each of some candidates of the scale the levels are
// rounded; a group that is then no point takes, of the points near it, the one
// of least error. The candidate for which the error is least when the scale is
// fitted to its levels wins.

// A gridFormat encodes one of these formats.
type gridFormat struct {
	book  *codebook
	group int // elements of a sub-block, 16 or 32

	steps int     // the candidates are -steps to steps
	step  float32 // in levels of the largest magnitude

	// Signs of eight elements take seven bits, as an even number of them are
	// negative. Where they are not, the element that matters least changes its sign.
	evenSigns bool

	tiny      float32 // sub-blocks whose largest magnitude is below count as zeros
	variances float32 // how many variances of the block are added to squares
	again     again
	fitted    bool // the candidates start from the scale of a search without a codebook

	// unweighted stores the weights without importance; nil: there must be some.
	unweighted func(w, x []float32, variance float32)

	adjust float32 // of the stored scale, 0 for 1

	pack func(dst []byte, b *gridBlock)
}

// again says which groups look for their point once more with the fitted scale.
type again uint8

const (
	againOffGrid again = iota // those that were no points when rounded, in the candidate that won
	againAny                  // all, if there is one of those or no candidate won
	againAll
)

// A gridBlock is a super-block before it is packed.
type gridBlock struct {
	scale  [superBlock / 16]uint8   // of each sub-block, 0 to 15
	signs  [superBlock / 8]uint8    // bit i: element i of eight is negative
	points [superBlock / 4]uint16   // their numbers, of the groups in order
	scales [superBlock / 16]float32 // before they are quantized
	d      float32                  // what 2·scale + 1 are multiplied by

	zeros   bool   // all scales are 0
	skipped uint16 // bit j: sub-block j counts as zeros
}

// packScales stores two scales in each byte, the first one in the low nibble.
func (b *gridBlock) packScales(dst []byte) {
	for j := range dst {
		dst[j] = b.scale[2*j] | b.scale[2*j+1]<<4
	}
}

// A gridSub is a sub-block in the search.
type gridSub struct {
	x      [32]float32 // magnitudes; an element that changes its sign is below zero
	weight [32]float32
	root   [32]float32 // √weight, the weights among near points
	points []uint16    // to find
	signs  []uint8
	max    float32 // of x
	spread float32 // the largest |x|
	zeros  bool    // scale and points are 0, and so are the signs that are stored
}

func (f *gridFormat) top() float32 { return float32(2*len(f.book.levels) - 1) }

// write encodes a super-block.
func (f *gridFormat) write(dst []byte, x, importance []float32) {
	var b gridBlock
	f.encode(&b, x, importance)
	f.pack(dst, &b)
}

// encode searches the scales and points of a super-block. It sets a scale to
// infinity where no point has a finite error.
func (f *gridFormat) encode(b *gridBlock, x, importance []float32) {
	variance := f.variances * sumSquares(x) / superBlock
	groups := f.group / f.book.coordinates
	n := f.group
	for j := range superBlock / n {
		s := gridSub{points: b.points[j*groups : (j+1)*groups], signs: b.signs[j*n/8 : (j+1)*n/8]}
		sub := x[j*n : (j+1)*n]
		if importance != nil {
			weigh(s.weight[:n], sub, importance[j*n:(j+1)*n], variance)
		} else {
			f.unweighted(s.weight[:n], sub, variance)
		}
		f.begin(&s, sub)
		b.scales[j] = f.finish(&s, f.search(&s))
		b.skip(j, s.zeros)
	}
	f.quantizeScales(b)
}

// begin splits the values into magnitudes and signs.
func (f *gridFormat) begin(s *gridSub, sub []float32) {
	roots(s.root[:len(sub)], s.weight[:len(sub)])
	f.split(s, sub)
}

func roots(r, w []float32) {
	for i, v := range w {
		r[i] = sqrt(v)
	}
}

// split is begin where the roots are there.
func (f *gridFormat) split(s *gridSub, sub []float32) {
	// Positive numbers are in the order of their bits.
	var most uint32
	for at := 0; at < len(sub); at += 8 {
		var signs uint8
		to := bitsOf(s.x[at : at+8])
		for i, b := range bitsOf(sub[at : at+8]) {
			const sign = 1 << 31
			negative := uint8(0)
			if b > sign { // not -0
				negative = 1
			}
			signs |= negative << i
			b &^= sign
			most = max(most, b)
			to[i] = b
		}
		s.signs[at/8] = signs
	}
	s.max = math.Float32frombits(most)
	s.spread = s.max
	if !f.evenSigns {
		return
	}
	flipped := false
	for at := 0; at < len(sub); at += 8 {
		signs := &s.signs[at/8]
		if bits.OnesCount8(*signs)&1 != 0 {
			least := 0
			var error float32
			for i, v := range sub[at : at+8] {
				e := float32(float32(s.weight[at+i]*v) * v)
				if i == 0 || e < error {
					least, error = i, e
				}
			}
			flipped = flipped || s.x[at+least] == s.max
			s.x[at+least] = -s.x[at+least]
			*signs ^= 1 << least
		}
		*signs &= 127
	}
	if flipped {
		s.max = s.x[0]
		for _, v := range s.x[1:len(sub)] {
			s.max = max(s.max, v)
		}
	}
}

// search finds the points of a sub-block and returns its scale.
func (f *gridFormat) search(s *gridSub) (scale float32) {
	n, size := f.group, f.book.coordinates
	if s.max < f.tiny || s.max == 0 {
		s.zeros = true
		return 0
	}
	top, reach := f.top(), s.max
	scale = s.max / top
	if f.fitted {
		// Levels from 0 to 4, of which the codebook has the lower three.
		var l [32]uint8
		scale = positiveSearch(l[:n], s.x[:n], s.weight[:n], 4)
		reach = float32(scale * 3)
		if reach <= 0 {
			s.zeros = true
			return 0
		}
	}
	near := f.book.neighbours()
	var (
		best     float32
		found    bool
		codes    [8]uint16
		offGrid  uint8 // bit k: group k
		tried    [8]uint16
		triedOff uint8
	)
	for step := -f.steps; step <= f.steps; step++ {
		inverse := (top + float32(float32(step)*f.step)) / reach
		candidate := 1 / inverse
		triedOff = 0
		for k := range n / size {
			x := s.x[k*size : (k+1)*size]
			code := f.book.round(x, inverse)
			if at := near.point(code); at < 0 {
				triedOff |= 1 << k
				var ok bool
				if code, ok = nearestPoint(f.book, near.near(at), x, s.root[k*size:(k+1)*size], candidate); !ok {
					return infinite
				}
			}
			tried[k] = code
		}
		qx, q2 := f.fit(s, &tried)
		if q2 > 0 && float32(qx*qx) > float32(best*q2) {
			scale = qx / q2
			best = float32(scale * qx)
			codes, offGrid, found = tried, triedOff, true
		}
	}
	if scale > 0 && (f.again == againAll || offGrid != 0 || f.again == againAny && !found) {
		inverse := 1 / scale
		for k := range n / size {
			if f.again == againOffGrid && offGrid>>k&1 == 0 {
				continue
			}
			x := s.x[k*size : (k+1)*size]
			code := f.book.round(x, inverse)
			if at := near.point(code); at < 0 {
				var ok bool
				if code, ok = nearestPoint(f.book, near.near(at), x, s.root[k*size:(k+1)*size], scale); !ok {
					return infinite
				}
			}
			codes[k] = code
		}
		if qx, q2 := f.fit(s, &codes); q2 > 0 {
			scale = qx / q2
		}
	}
	for k := range s.points {
		s.points[k] = uint16(near.point(codes[k]))
	}
	return scale
}

// infinite is the scale of a sub-block whose errors are not finite. It makes
// Validate refuse the block.
var infinite = float32(math.Inf(1))

func (b *gridBlock) skip(j int, zeros bool) {
	if zeros {
		b.skipped |= 1 << j
	}
}

// finish makes the scale positive.
func (f *gridFormat) finish(s *gridSub, scale float32) float32 {
	switch {
	case s.zeros:
		clear(s.signs)
	case scale < 0:
		// Reached with importance that is nearly all zeros.
		for i := range s.signs {
			s.signs[i] = ^s.signs[i]
			if f.evenSigns {
				s.signs[i] &= 127
			}
		}
		return -scale
	case scale != scale:
		return infinite
	}
	return scale
}

// round returns the code of the levels nearest to x·inverse.
func (b *codebook) round(x []float32, inverse float32) (code uint16) {
	top := int32(len(b.levels) - 1)
	for i, v := range x {
		code |= uint16(clamp(nearest(float32(0.5*(float32(inverse*v)-1))), 0, top)) << (i * b.bits)
	}
	return code
}

// nearestPoint returns the first of the codes with the least error at a scale. It
// is not ok when no error is a finite number.
func nearestPoint(b *codebook, codes []uint16, x, w []float32, scale float32) (code uint16, ok bool) {
	least := float32(math.MaxFloat32)
	for _, c := range codes {
		var sum float32
		for i, v := range x {
			d := float32(scale*float32(2*b.level(c, i)+1)) - v
			sum += float32(float32(w[i]*d) * d)
		}
		if sum < least {
			least, code, ok = sum, c, true
		}
	}
	return code, ok
}

// fit returns Σ w·x·q and Σ w·q² with the odd numbers q of codes, whose quotient is
// the scale of least error.
func (f *gridFormat) fit(s *gridSub, codes *[8]uint16) (qx, q2 float32) {
	size := f.book.coordinates
	for i, v := range s.x[:f.group] {
		q := float32(2*f.book.level(codes[i/size], i%size) + 1)
		w := s.weight[i]
		qx += float32(float32(w*v) * q)
		q2 += float32(float32(w*q) * q)
	}
	return qx, q2
}

// quantizeScales stores scales as odd numbers up to 31 times d.
func (f *gridFormat) quantizeScales(b *gridBlock) {
	n := superBlock / f.group
	var most float32
	for _, s := range b.scales[:n] {
		most = max(most, s)
	}
	if most == 0 {
		b.d, b.zeros = 0, true
		return
	}
	b.d = most / 31
	inverse := 1 / b.d
	for j, s := range b.scales[:n] {
		b.scale[j] = uint8(clamp(nearest(float32(0.5*(float32(inverse*s)-1))), 0, 15))
	}
	if f.adjust != 0 {
		b.d = float32(b.d * f.adjust)
	}
}

// evenSign returns seven signs with an eighth that makes the number of negative
// ones even.
func evenSign(s uint32) uint64 {
	s &= 127
	parity := s ^ s>>4
	parity ^= parity >> 2
	parity ^= parity >> 1
	return uint64(s | parity&1<<7)
}

// negate changes the sign of byte i of v, 1 to 127, where bit i of signs is set.
func negate(v, signs uint64) uint64 {
	bit := signs * ones & 0x80_40_20_10_08_04_02_01 // bit i alone in byte i
	bit = (bit + 0x7f*ones) >> 7 & ones
	return v ^ bit*0xff + bit
}

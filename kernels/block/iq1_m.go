package block

import "encoding/binary"

// IQ1_M: 256 elements in 56 bytes, sixteen sub-blocks of 16 in two halves,
// x = d·(2·scale + 1)·(q + delta) with q = -1, 0 or 1 and delta = ±1/8, one for each half.
//
//	0    qs       32 bytes: bits 0 to 7 of the point of each half
//	32   qh       16 bytes, one for each sub-block:
//
//	bit  7                     6 to 4                  3                     2 to 0
//	     delta 1 below zero    point 1, bits 8 to 10   delta 0 below zero    point 0, bits 8 to 10
//
//	48   scales   four uint16, the float16 d in the highest four bits of all of them:
//
//	bit  15 to 12              11 to 9        8 to 6         5 to 3         2 to 0
//	k    bits 4·k and up of d  scale[4·k+3]   scale[4·k+2]   scale[4·k+1]   scale[4·k]

func unpackIQ1_M(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ1S.points()
	d := F16ToF32(scatteredHalf(src))
	for j := range 16 {
		s := binary.LittleEndian.Uint16(src[48+j/4*2:]) >> (3 * (j & 3)) & 7
		scales[j] = float32(d*float32(2*s+1)) * 0.125
		low, h, to := src[2*j:2*j+2], uint64(src[32+j]), q[16*j:16*j+16]
		store64(to, eighths(points[uint64(low[0])|h&7<<8], h>>3&1))
		store64(to[8:], eighths(points[uint64(low[1])|h>>4&7<<8], h>>7))
	}
}

// scatteredHalf returns d.
func scatteredHalf(src []byte) (h uint16) {
	for k := range 4 {
		h |= uint16(src[49+2*k]>>4) << (4 * k)
	}
	return h
}

// putScatteredHalf stores d beside the scales.
func putScatteredHalf(dst []byte, h uint16) {
	for k := range 4 {
		dst[49+2*k] |= uint8(h>>(4*k)) << 4
	}
}

func encodeIQ1_M(dst []byte, x, importance []float32, _ float32) {
	s := iq1Searches.Get().(*iq1Search)
	defer iq1Searches.Put(s)
	s.kernels, s.near = nil, bookIQ1S.neighbours()
	s.encodeIQ1_M(dst, x, importance, sumSquares(x))
}

// encodeIQ1_M encodes one block, whose squares are summed up already.
func (s *iq1Search) encodeIQ1_M(dst []byte, x, importance []float32, sum float32) {
	clear(dst)
	if importance != nil {
		s.weigh(x, importance, 2*sum/superBlock)
	} else {
		squares(s.w[:], x)
	}
	var (
		fits [16]iq1Fit
		most float32
	)
	for j := range fits {
		f := &fits[j]
		s.fitM(f, x[16*j:16*j+16], s.w[16*j:16*j+16])
		if f.failed {
			putScatteredHalf(dst, halfInfinity)
			return
		}
		most = max(most, f.scale)
		a, b := f.points[0], f.points[1]
		dst[2*j], dst[2*j+1] = uint8(a), uint8(b)
		dst[32+j] = uint8(a>>8|b>>8<<4) | f.moves&1<<3 | f.moves>>1<<7
	}
	if most == 0 {
		return
	}
	d := most / 15
	inv := 1 / d
	var qx, q2 float32
	var packed [4]uint16
	for j := range fits {
		f := &fits[j]
		scale := clamp(nearest(0.5*(float32(inv*f.scale)-1)), 0, 7)
		packed[j/4] |= uint16(scale) << (3 * (j % 4))
		for k := range 2 {
			var values [4]float32
			for l, q := range f.levelsOf(k) {
				values[l] = q * float32(2*scale+1)
			}
			code := bookIQ1S.codes[f.points[k]&2047]
			at := 16*j + 8*k
			sub, w := x[at:at+8], s.w[at:at+8]
			for i, v := range sub {
				q := values[code>>(2*i)&3]
				wq := float32(w[i] * q)
				qx += float32(wq * v)
				q2 += float32(wq * q)
			}
		}
	}
	if q2 > 0 {
		d = qx / q2
	}
	for k, s := range packed {
		binary.LittleEndian.PutUint16(dst[48+2*k:], s)
	}
	putScatteredHalf(dst, F32ToF16(float32(d*1.1125)))
}

// fitM searches the levels and the scale of a sub-block.
func (s *iq1Search) fitM(f *iq1Fit, x, w []float32) {
	*f = iq1Fit{}
	most := s.sort(x)
	if most < 1e-7 {
		return
	}
	// Values of the other half are 0 here, which changes no sum.
	var sortedX, sortedW [2][16]float32
	for i, r := range s.rank[:16] {
		sortedX[i/8][r&15], sortedW[i/8][r&15] = float32(w[i]*x[i]), w[i]
	}
	p := &s.splits
	var sumX, sumX2, sumW, sumW2 float32
	for j := range 16 {
		sumX += sortedX[0][j]
		sumX2 += sortedX[1][j]
		sumW += sortedW[0][j]
		sumW2 += sortedW[1][j]
		p.x[0][j+1], p.x[1][j+1], p.w[0][j+1], p.w[1][j+1] = sumX, sumX2, sumW, sumW2
	}
	if k := s.kernels; k != nil && s.positive && inReach(sumW+sumW2, sumX+sumX2, most) {
		for j := 17; j < 32; j++ {
			p.x[0][j], p.x[1][j], p.w[0][j], p.w[1][j] = sumX, sumX2, sumW, sumW2
		}
		p.find(k.filterM, k.placesM, 16, (*iq1Splits).tryM)
	} else {
		p.find(nil, nil, 16, (*iq1Splits).tryM)
	}
	s.settle(f, x, w)
}

// tryM tries a first split point with a set of second ones and all moves of the
// halves. As neighbouring levels differ by one, Σ w·x·q is the highest level times
// all, less what is below each split point.
func (p *iq1Splits) tryM(first int, seconds uint64) {
	best := &p.best
	const (
		up, down    = 1.125, 0.875 // the highest levels
		low, high   = 0.75, -1.25  // raised levels: differences of their squares
		low2, high2 = 1.25, -0.75  // lowered ones
	)
	var allX, allX2, x1, w1, w12 [2]float32
	for h := range 2 {
		x, w := p.x[h][16], p.w[h][16]
		allX[h], allX2[h] = float32(x*up), float32(x*down)
		x1[h] = p.x[h][first]
		// The first two terms of Σ w·q².
		w1[h] = float32(float32(w*up)*up) + float32(p.w[h][first]*low)
		w12[h] = float32(float32(w*down)*down) + float32(p.w[h][first]*low2)
	}
	for seconds != 0 {
		var second int
		second, seconds = lowest(seconds)
		var qx, qx2, q2, q22 [2]float32
		for h := range 2 {
			x, w := x1[h]+p.x[h][second&31], p.w[h][second&31]
			qx[h], qx2[h] = allX[h]-x, allX2[h]-x
			q2[h], q22[h] = w1[h]+float32(w*high), w12[h]+float32(w*high2)
		}
		// Of the moves, the first half's changes last.
		if a, b := qx[0]+qx[1], q2[0]+q2[1]; b > 0 && float32(a*a) > float32(best.score*b) {
			best.take(a, b, first, second, 0)
		}
		if a, b := qx[0]+qx2[1], q2[0]+q22[1]; b > 0 && float32(a*a) > float32(best.score*b) {
			best.take(a, b, first, second, 2)
		}
		if a, b := qx2[0]+qx[1], q22[0]+q2[1]; b > 0 && float32(a*a) > float32(best.score*b) {
			best.take(a, b, first, second, 1)
		}
		if a, b := qx2[0]+qx2[1], q22[0]+q22[1]; b > 0 && float32(a*a) > float32(best.score*b) {
			best.take(a, b, first, second, 3)
		}
	}
}

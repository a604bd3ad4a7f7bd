package block

import "encoding/binary"

// IQ1_S: 256 elements in 50 bytes, eight sub-blocks of 32,
// x = d·(2·scale + 1)·(q + delta) with q = -1, 0 or 1 and delta = ±1/8.
//
//	0    d    float16
//	2    qs   32 bytes: bits 0 to 7 of the point of each eight elements
//	34   qh   eight uint16, one for each sub-block:
//
//	bit   15                14 to 12   11 to 9    8 to 6     5 to 3     2 to 0
//	      delta below zero  scale      point 3    point 2    point 1    point 0, bits 8 to 10

func unpackIQ1_S(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ1S.points()
	d := getHalf(src)
	for j := range 8 {
		h := uint64(binary.LittleEndian.Uint16(src[34+2*j:]))
		scales[j] = float32(d*float32(2*(h>>12&7)+1)) * 0.125
		low, to := src[2+4*j:6+4*j], q[32*j:32*j+32]
		for k := range 4 {
			store64(to[8*k:], eighths(points[uint64(low[k])|h>>(3*k)&7<<8], h>>15))
		}
	}
}

// eighths returns 8·q + 1 for eight bytes of -1, 0 or 1, or 8·q - 1 where lower is 1.
func eighths(q, lower uint64) uint64 {
	// Bytes plus one, so that none borrows: 0, 8 or 16, plus 121 or 119.
	v := (q&(3*ones)+ones)&(3*ones)<<3 + (121-2*lower)*ones
	return v ^ 0x80*ones
}

func encodeIQ1_S(dst []byte, x, importance []float32, _ float32) {
	s := iq1Searches.Get().(*iq1Search)
	defer iq1Searches.Put(s)
	s.kernels, s.near = nil, bookIQ1S.neighbours()
	s.encodeIQ1_S(dst, x, importance, sumSquares(x))
}

// encodeIQ1_S encodes one block, whose squares are summed up already.
func (s *iq1Search) encodeIQ1_S(dst []byte, x, importance []float32, squares float32) {
	clear(dst)
	s.weigh(x, importance, 2*squares/superBlock)
	var (
		fits [8]iq1Fit
		most float32
	)
	for j := range fits {
		f := &fits[j]
		s.fitS(f, x[32*j:32*j+32], s.w[32*j:32*j+32])
		if f.failed {
			binary.LittleEndian.PutUint16(dst, halfInfinity)
			return
		}
		most = max(most, f.scale)
		var h uint16
		for k, p := range f.points {
			dst[2+4*j+k] = uint8(p)
			h |= p >> 8 << (3 * k)
		}
		binary.LittleEndian.PutUint16(dst[34+2*j:], h)
	}
	if most == 0 {
		return
	}
	d := most / 15
	putHalf(dst, float32(d*1.125))
	inv := 1 / d
	for j, f := range fits {
		dst[35+2*j] |= uint8(clamp(nearest(0.5*(float32(inv*f.scale)-1)), 0, 7))<<4 | f.moves&1<<7
	}
}

// fitS searches the levels and the scale of a sub-block.
func (s *iq1Search) fitS(f *iq1Fit, x, w []float32) {
	*f = iq1Fit{}
	most := s.sort(x)
	if most < 1e-12 {
		return
	}
	var sortedX, sortedW [32]float32
	for i, r := range &s.rank {
		sortedX[r&31], sortedW[r&31] = float32(w[i]*x[i]), w[i]
	}
	p := &s.splits
	toX, toW := p.x[0][1:33], p.w[0][1:33]
	var sumX, sumW float32
	for j, v := range &sortedX {
		sumX += v
		sumW += sortedW[j]
		toX[j], toW[j] = sumX, sumW
	}
	if k := s.kernels; k != nil && s.positive && inReach(sumW, sumX, most) {
		for j := 33; j < 48; j++ {
			p.x[0][j], p.w[0][j] = sumX, sumW
		}
		p.find(k.filterS, k.placesS, 32, (*iq1Splits).tryS)
	} else {
		p.find(nil, nil, 32, (*iq1Splits).tryS)
	}
	s.settle(f, x, w)
}

// tryS tries a first split point with a set of second ones, raised and lowered.
func (p *iq1Splits) tryS(first int, seconds uint64) {
	best := &p.best
	const eighth = 0.125
	sumX, sumW := &p.x[0], &p.w[0]
	x1, w1, allX, allW := sumX[first], sumW[first], sumX[32], sumW[32]
	lowX, lowX2 := float32(x1*raised[0]), float32(x1*lowered[0])
	lowW, lowW2 := float32(float32(w1*raised[0])*raised[0]), float32(float32(w1*lowered[0])*lowered[0])
	for seconds != 0 {
		var second int
		second, seconds = lowest(seconds)
		x2, w2 := sumX[second&63%48], sumW[second&63%48]
		midX, midW := float32((x2-x1)*eighth), float32(float32((w2-w1)*eighth)*eighth)
		highX, highW := allX-x2, allW-w2

		qx := lowX + midX + float32(highX*raised[2])
		q2 := lowW + midW + float32(float32(highW*raised[2])*raised[2])
		if q2 > 0 && float32(qx*qx) > float32(best.score*q2) {
			best.take(qx, q2, first, second, 0)
		}
		qx = lowX2 - midX + float32(highX*lowered[2])
		q2 = lowW2 + midW + float32(float32(highW*lowered[2])*lowered[2])
		if q2 > 0 && float32(qx*qx) > float32(best.score*q2) {
			best.take(qx, q2, first, second, 3)
		}
	}
}

func (b *iq1Best) take(qx, q2 float32, first, second int, moves uint8) {
	b.scale = qx / q2
	b.score = float32(b.scale * qx)
	b.first, b.second, b.moves = first, second, moves
}

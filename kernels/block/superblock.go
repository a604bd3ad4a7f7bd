package block

// What the super-blocks of the K formats share: 256 elements in sub-blocks of
// 16 or 32, whose scales are quantized themselves.

const superBlock = 256

// A scaleMins is a super-block of Q4_K or Q5_K before it is packed: eight
// sub-blocks of 32, x = d·scales[j]·q - dmin·mins[j].
type scaleMins struct {
	d, dmin      float32 // as stored, so after rounding to float16
	scales, mins [8]uint8
	q            [superBlock]uint8
}

// pack stores d, dmin and the twelve bytes of the scales and minimums, six bits
// each:
//
//	byte j < 4    7 6: bits 4 to 5 of scales[j+4]   5 to 0: scales[j]
//	byte 4 + j    7 6: bits 4 to 5 of mins[j+4]     5 to 0: mins[j]
//	byte 8 + j    7 to 4: bits 0 to 3 of mins[j+4]  3 to 0: bits 0 to 3 of scales[j+4]
func (s *scaleMins) pack(dst []byte) {
	putHalf(dst, s.d)
	putHalf(dst[2:], s.dmin)
	packed := dst[4:16]
	for j := range 4 {
		scale, least := s.scales[j+4], s.mins[j+4]
		packed[j] = s.scales[j] | scale>>4<<6
		packed[j+4] = s.mins[j] | least>>4<<6
		packed[j+8] = scale&15 | least<<4
	}
}

// unpack undoes pack.
func (s *scaleMins) unpack(src []byte) {
	s.d, s.dmin = getHalf(src), getHalf(src[2:])
	packed := src[4:16]
	for j := range 4 {
		s.scales[j], s.mins[j] = packed[j]&63, packed[j+4]&63
		s.scales[j+4] = packed[j+8]&15 | packed[j]>>6<<4
		s.mins[j+4] = packed[j+8]>>4 | packed[j+4]>>6<<4
	}
}

// unpackScaleMins reads the scales of the eight sub-blocks of a super-block and
// what is added to their elements.
func unpackScaleMins(scales, offsets []float32, src []byte) {
	var s scaleMins
	s.unpack(src)
	for j := range 8 {
		scales[j], offsets[j] = float32(s.d*float32(s.scales[j])), -float32(s.dmin*float32(s.mins[j]))
	}
}

// A scaleMinFormat encodes Q4_K and Q5_K, which differ in the bits of a quant.
type scaleMinFormat struct {
	top      int32                       // the largest quant
	pack     func(dst []byte, q []uint8) // stores the quants of a super-block
	plain    *scaleMinSearch
	weighted *scaleMinSearch // with importance

	// A search with importance that is nearly all zeros may end with a scale
	// below zero, which wraps. The reference limits it in Q5_K only.
	clampWeighted bool
}

func (f *scaleMinFormat) encode(dst []byte, x, importance []float32) {
	var (
		s            scaleMins
		found        [8]scaleMin
		scales, mins [8]float32
		totals       [8]float32 // Σ w of each sub-block
		w            [32]float32
		variance     float32
	)
	search := f.plain
	if importance != nil {
		search = f.weighted
		variance = 2 * sumSquares(x) / superBlock
	}
	for j := range found {
		sub := x[32*j : 32*j+32]
		if importance != nil {
			weigh(w[:], sub, importance[32*j:32*j+32], variance)
			for _, v := range w {
				totals[j] += v
			}
		} else {
			mean := sqrt(sumSquares(sub) / 32)
			for i, v := range sub {
				w[i] = mean + abs(v)
			}
		}
		found[j] = search.run(sub, w[:])
		scales[j], mins[j] = found[j].scale, found[j].min
	}

	if importance != nil {
		s.d = positiveSearch(s.scales[:], scales[:], totals[:], levels63)
		s.dmin = positiveSearch(s.mins[:], mins[:], totals[:], levels63)
	} else {
		s.d = proportional(s.scales[:], scales[:], levels63)
		s.dmin = proportional(s.mins[:], mins[:], levels63)
	}
	if importance == nil || f.clampWeighted {
		s.clamp()
	}
	s.store(dst)
	s.quantize(x, &found, f.top)
	f.pack(dst, s.q[:])
}

const levels63 = 63 // the most of a scale or minimum

func (s *scaleMins) clamp() {
	for j := range s.scales {
		s.scales[j], s.mins[j] = min(levels63, s.scales[j]), min(levels63, s.mins[j])
	}
}

// store packs what precedes the quants and reads it back: the reference, too,
// goes on with d and dmin as float16 and with scales of six bits.
func (s *scaleMins) store(dst []byte) {
	s.pack(dst)
	s.unpack(dst)
}

// quantize makes the last quants. Sub-blocks whose scale is 0 keep those that the
// search found.
func (s *scaleMins) quantize(x []float32, found *[8]scaleMin, top int32) {
	for j := range found {
		sub, q := x[32*j:32*j+32], s.q[32*j:32*j+32]
		d, m := float32(s.d*float32(s.scales[j])), float32(s.dmin*float32(s.mins[j]))
		if d == 0 {
			found[j].quantize(q, sub, top)
			continue
		}
		for i, v := range sub {
			q[i] = uint8(clamp(nearest((v+m)/d), 0, top))
		}
	}
}

// proportional stores x in proportion to its largest value, which becomes
// levels, and returns what a level is worth.
func proportional(q []uint8, x []float32, levels int32) float32 {
	var most, inv float32
	for _, v := range x {
		if v > most {
			most = v
		}
	}
	if most > 0 {
		inv = float32(levels) / most
	}
	for i, v := range x {
		q[i] = uint8(nearest(float32(inv * v)))
	}
	return most / float32(levels)
}

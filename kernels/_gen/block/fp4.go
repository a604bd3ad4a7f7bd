package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// fp4 writes what encodes MXFP4 and NVFP4.
func (m *machine) fp4() {
	m.largest()
	m.quantizeFP4("quantizeMXFP4", "blocks of 32 numbers, 17 bytes apart.", 1, 17, func(dst Register, _ int, v []VecVirtual) {
		half := len(v) / 2
		for i := range half {
			m.joinNibbles(v[i], v[half+i])
		}
		if m.wide() {
			VPMOVDB(v[0], at(dst, 0))
		} else {
			m.storeBytes(v[0], v[1], at(dst, 0))
		}
	})
	m.quantizeFP4("quantizeNVFP4", "blocks of four times 16 numbers, 36 bytes apart.", 4, 36, func(dst Register, j int, v []VecVirtual) {
		low := v[0]
		if m.wide() {
			high := YMM()
			VEXTRACTI64X4(Imm(1), v[0], high)
			VPSLLD(Imm(4), high, high)
			VPOR(high, low.AsY(), high)
			VPMOVDB(high, at(dst, 8*j))
			return
		}
		m.joinNibbles(low, v[1])
		high := XMM()
		VEXTRACTI128(Imm(1), low, high)
		VPACKUSDW(high, low.AsX(), high)
		VPACKUSWB(high, high, high)
		VMOVQ(high, at(dst, 8*j))
	})
}

// joinNibbles adds 16·high to low, numbers below 16.
func (m *machine) joinNibbles(low, high VecVirtual) {
	VPSLLD(Imm(4), high, high)
	m.integerOr(high, low, low)
}

// storeBytes stores sixteen numbers up to 255 from lanes of 32 bits, for AVX2.
func (m *machine) storeBytes(a, b VecVirtual, to Mem) {
	high := XMM()
	VPACKUSDW(b, a, a)
	VPERMQ(Imm(0b11_01_10_00), a, a)
	VEXTRACTI128(Imm(1), a, high)
	VPACKUSWB(high, a.AsX(), high)
	VMOVDQU(high, to)
}

// largest writes the kernel of the largest magnitudes:
//
//	for g < groups: dst[g] = max |x[n·g+i]| for i < n = 16·sixteens
func (m *machine) largest() {
	m.function("largest", "func(dst, x *float32, groups, sixteens int)", "stores the largest magnitude of each group of numbers.")
	dst, x, groups, sixteens := pointer("dst"), pointer("x"), pointer("groups"), pointer("sixteens")
	absolute := m.bits(magnitude)
	loop(groups, func() {
		most := m.zero()
		n := GP64()
		MOVQ(sixteens, n)
		loop(n, func() {
			for i := range 16 / m.lanes {
				v := m.register()
				m.and(at(x, i*m.width()), absolute, v)
				VMAXPS(v, most, most)
			}
			ADDQ(I32(64), x)
		})
		high := m.lastTwo(most)
		VMAXPS(high, most.AsX(), high)
		VMOVSS(high, at(dst, 0))
		ADDQ(I32(4), dst)
	})
	end()
}

// limitsFP4 lie in the middle of two numbers of the codebook; they belong to the
// lower one.
var limitsFP4 = []float32{0.5, 1.5, 2.5, 3.5, 5, 7, 10}

// quantizeFP4 writes a kernel that stores places in the codebook, for blocks of
// so many groups that have a scale:
//
//	place = 0; for limit in limitsFP4: if |x[i]| > limit·scale: place++
//	if place > 0 and x[i] < 0: place += 8
func (m *machine) quantizeFP4(name, doc string, groups, stride int, pack func(dst Register, j int, places []VecVirtual)) {
	m.function(name, "func(dst *byte, x, scales *float32, blocks int)", "stores the places in the codebook of "+doc)
	dst, x, scales, blocks := pointer("dst"), pointer("x"), pointer("scales"), pointer("blocks")
	elements := 32
	if groups > 1 {
		elements = 16
	}
	m.keep(magnitude, 1, 8)
	loop(blocks, func() {
		for j := range groups {
			scale := m.broadcast(at(scales, 4*j))
			var limits, places []VecVirtual
			for _, l := range limitsFP4 {
				limit := m.register()
				if m.wide() {
					VMULPS_BCST(floatConstant(l), scale, limit)
				} else {
					VMULPS(everywhere(l), scale, limit)
				}
				limits = append(limits, limit)
			}
			for i := range elements / m.lanes {
				places = append(places, m.placesFP4(m.load(at(x, 4*elements*j+i*m.width())), limits))
			}
			pack(dst, j, places)
		}
		ADDQ(I32(4*elements*groups), x)
		ADDQ(I32(4*groups), scales)
		ADDQ(I32(stride), dst)
	})
	end()
}

func (m *machine) placesFP4(v VecVirtual, limits []VecVirtual) VecVirtual {
	size, place := m.register(), m.zero()
	m.and(v, m.bits(magnitude), size)
	if m.wide() {
		negative := K()
		for i, limit := range limits {
			k := K()
			VCMPPS(Imm(greater), limit, size, k)
			VPADDD(m.bits(1), place, k, place)
			if i == 0 {
				VPMOVD2M(v, negative)
				KANDW(k, negative, negative)
			}
		}
		VPORD(m.bits(8), place, negative, place)
		return place
	}
	negative, above := YMM(), YMM()
	for i, limit := range limits {
		VCMPPS(Imm(greater), limit, size, above)
		VPSUBD(above, place, place)
		if i == 0 {
			VPAND(v, above, negative)
			VPSRLD(Imm(31), negative, negative)
			VPSLLD(Imm(3), negative, negative)
		}
	}
	VPOR(negative, place, place)
	return place
}

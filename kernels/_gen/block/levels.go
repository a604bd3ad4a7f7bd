package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// levels writes the kernel that quantizes the scales of a super-block of Q6_K
// for AVX2: the one of largest magnitude, the first of several, becomes -128. In
// pseudo-code:
//
//	peak = the first of the largest magnitude; NaN counts as 0
//	if |peak| < 1e-15: return false
//	inverse = -128/peak
//	d = float16(1/inverse)
//	for j < 16:
//		levels[j] = min(nearest(inverse·scales[j]), 127), as a signed byte
//		stored[j] = d·levels[j]
func (m *machine) levels() {
	m.function("levelsQ6_K", "func(d, levels *byte, stored, scales *float32) (some bool)", "quantizes the scales of Q6_K.")
	d, levels, stored, scales := pointer("d"), pointer("levels"), pointer("stored"), pointer("scales")
	var s, size [2]VecVirtual
	absolute := m.bits(magnitude)
	for i := range s {
		s[i], size[i] = m.load(at(scales, 32*i)), YMM()
		number := YMM()
		VCMPPS(Imm(equal), s[i], s[i], number)
		VANDPS(absolute, s[i], size[i])
		VANDPS(number, size[i], size[i])
	}
	most, high := YMM(), YMM()
	VMAXPS(size[0], size[1], most)
	VPERM2F128(Imm(1), most, most, high)
	VMAXPS(high, most, most)
	VPERMILPS(Imm(0b01_00_11_10), most, high)
	VMAXPS(high, most, most)
	VPERMILPS(Imm(0b10_11_00_01), most, high)
	VMAXPS(high, most, most)

	none := label("none")
	VUCOMISS(floatConstant(tiny), most.AsX())
	JCS(LabelRef(none))

	first, second := GP32(), GP32()
	for i, bits := range []GPVirtual{first, second} {
		VCMPPS(Imm(equal), most, size[i], size[i])
		VMOVMSKPS(size[i], bits)
	}
	SHLL(Imm(8), second)
	ORL(second, first)
	place := GP64()
	TZCNTL(first, place.As32())

	inverse, step := XMM(), XMM()
	VMOVSS(floatConstant(-128), inverse)
	VDIVSS(Mem{Base: scales, Index: place, Scale: 4}, inverse, inverse)
	VMOVSS(floatConstant(1), step)
	VDIVSS(inverse, step, step)
	VCVTPS2PH(Imm(0), step, step)
	VPEXTRW(Imm(0), step, at(d, 0))
	VCVTPH2PS(step, step)
	by, steps := YMM(), YMM()
	VBROADCASTSS(inverse, by)
	VBROADCASTSS(step, steps)
	for i, v := range s {
		VMULPS(by, v, v)
		VADDPS(m.k(magic), v, v)
		VPAND(m.bits(0x007fffff), v, v)
		VPSUBD(m.bits(0x00400000), v, v)
		VPMINSD(m.bits(127), v, v)
		VPSLLD(Imm(24), v, v) // only a byte is stored
		VPSRAD(Imm(24), v, v)
		f := YMM()
		VCVTDQ2PS(v, f)
		VMULPS(steps, f, f)
		VMOVUPS(f, at(stored, 32*i))
	}
	VPACKSSDW(s[1], s[0], s[0])
	VPERMQ(Imm(0b11_01_10_00), s[0], s[0])
	upper := XMM()
	VEXTRACTI128(Imm(1), s[0], upper)
	VPACKSSWB(upper, s[0].AsX(), upper)
	VMOVDQU(upper, at(levels, 0))
	some := GP8()
	MOVB(U8(1), some)
	Store(some, ReturnIndex(0))
	end()

	Label(none)
	no := GP8()
	XORB(no, no)
	Store(no, ReturnIndex(0))
	end()
}

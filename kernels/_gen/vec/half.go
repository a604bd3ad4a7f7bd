package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The conversions handle runs of 32 elements; what is left is for plain Go. They
// give the same bits as it, NaN included.
func (m *machine) halves() {
	unroll := 32 / m.lanes
	const unordered = 3 // of VCMPPS: NaN
	// half returns the place of vector i of 16-bit numbers.
	half := func(b *block, p, i int) Mem { return Mem{Base: b.pointers[p], Disp: i * m.width() / 2} }

	m.function("fromF16", "func(dst []float32, src []byte)", "widens float16; it handles whole runs of 32 elements.")
	quiet := m.bits(1 << 22)
	m.whole(m.length("dst"), []Register{m.pointer("dst"), m.pointer("src")}, []int{4, 2}, unroll, func(b *block) {
		for i := range b.count {
			f, w := m.register(), m.register()
			VCVTPH2PS(half(b, 1, i), f)
			VPMOVZXWD(half(b, 1, i), w)
			VPSLLD(Imm(13), w, w)
			// The instruction makes NaN quiet: the bit that says so is put back.
			if m.wide() {
				nan := K()
				VCMPPS(Imm(unordered), f, f, nan)
				VPTERNLOGD(Imm(0xd8), quiet, w, nan, f) // quiet ? w : f
			} else {
				nan := m.register()
				VCMPPS(Imm(unordered), f, f, nan)
				VANDPS(quiet, nan, nan)
				VXORPS(f, w, w)
				VANDPS(nan, w, w)
				VXORPS(w, f, f)
			}
			b.store(0, i, f)
		}
	})
	end()

	m.function("toF16", "func(dst []byte, src []float32)", "rounds to float16; it handles whole runs of 32 elements.")
	sign, nans := m.bits(1<<31), m.bits(0x7fc00000)
	m.whole(m.length("src"), []Register{m.pointer("src"), m.pointer("dst")}, []int{4, 2}, unroll, func(b *block) {
		for i := range b.count {
			f := b.load(0, i)
			// Every NaN becomes the quiet one of its sign.
			if m.wide() {
				nan := K()
				VCMPPS(Imm(unordered), f, f, nan)
				VPTERNLOGD(Imm(0xea), nans, sign, nan, f) // f & sign | nans
			} else {
				nan, other := m.register(), m.register()
				VCMPPS(Imm(unordered), f, f, nan)
				VANDPS(sign, f, other)
				VORPS(nans, other, other)
				VBLENDVPS(nan, other, f, f)
			}
			VCVTPS2PH(Imm(0), f, half(b, 1, i))
		}
	})
	end()

	m.function("fromBF16", "func(dst []float32, src []byte)", "widens bfloat16; it handles whole runs of 32 elements.")
	m.whole(m.length("dst"), []Register{m.pointer("dst"), m.pointer("src")}, []int{4, 2}, unroll, func(b *block) {
		for i := range b.count {
			w := m.register()
			VPMOVZXWD(half(b, 1, i), w)
			VPSLLD(Imm(16), w, w)
			b.store(0, i, w)
		}
	})
	end()

	m.function("toBF16", "func(dst []byte, src []float32)", "rounds to bfloat16; it handles whole runs of 32 elements.")
	bias, one, quiet16 := m.bits(0x7fff), m.bits(1), m.bits(0x40)
	m.whole(m.length("src"), []Register{m.pointer("src"), m.pointer("dst")}, []int{4, 2}, unroll, func(b *block) {
		var rounded []VecVirtual
		for i := range b.count {
			f := b.load(0, i)
			upper, r := m.register(), m.register()
			VPSRLD(Imm(16), f, upper)
			if m.wide() {
				nan := K()
				VCMPPS(Imm(unordered), f, f, nan)
				VPANDD(one, upper, r)
				VPADDD(bias, r, r)
				VPADDD(f, r, r)
				VPSRLD(Imm(16), r, r)
				VPORD(quiet16, upper, nan, r)
				VPMOVDW(r, half(b, 1, i))
				continue
			}
			nan := m.register()
			VCMPPS(Imm(unordered), f, f, nan)
			VPAND(one, upper, r)
			VPADDD(bias, r, r)
			VPADDD(f, r, r)
			VPSRLD(Imm(16), r, r)
			VPOR(quiet16, upper, upper)
			VBLENDVPS(nan, upper, r, r)
			rounded = append(rounded, r)
		}
		for i := 0; i+1 < len(rounded); i += 2 {
			v := rounded[i]
			VPACKUSDW(rounded[i+1], v, v) // within each half of the register
			VPERMQ(Imm(0b11_01_10_00), v, v)
			VMOVDQU(v, half(b, 1, i))
		}
	})
	end()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// ternary writes what encodes TQ1_0, TQ2_0, Q2_0 and Q1_0.
func (m *machine) ternary() {
	m.packTQ1_0()
	m.packTQ2_0()
	m.packQ2_0()
	m.packQ1_0()
	m.magnitudes()
}

// A ternary rounds x·inverse, not above 1.5, to -1, 0 or 1, away from zero in a tie, plus one.
type ternary struct {
	*machine
	one, half, minusHalf VecVirtual
}

func (m *machine) newTernary() ternary {
	return ternary{m, m.bits(1), m.k(0.5), m.k(-0.5)}
}

func (t ternary) round(x Mem, inverse VecVirtual) VecVirtual {
	v, q := t.register(), t.register()
	VMULPS(x, inverse, v)
	if t.wide() {
		above, below := K(), K()
		VCMPPS(Imm(greaterEqual), t.half, v, above)
		VCMPPS(Imm(lessEqual), t.minusHalf, v, below)
		VMOVDQA32(t.one, q)
		VPADDD(t.one, q, above, q)
		VPSUBD(t.one, q, below, q)
		return q
	}
	below := YMM()
	VCMPPS(Imm(greaterEqual), t.half, v, q)
	VCMPPS(Imm(lessEqual), t.minusHalf, v, below)
	VPSUBD(q, below, q)
	VPADDD(t.one, q, q)
	return q
}

// bytes stores the sixteen numbers that f makes of the elements i to i+lanes-1, i = 0
// and perhaps 8.
func (m *machine) bytes(to Mem, f func(i int) VecVirtual) {
	if m.wide() {
		VPMOVDB(f(0), to)
	} else {
		m.storeBytes(f(0), f(8), to)
	}
}

// packTQ2_0 writes the kernel of two bits for each element, as packPairs packs them:
//
//	for b < blocks, half < 2, l < 32, k < 4: bits 2·k and 2·k+1 of dst[66·b+32·half+l] =
//		round(inverses[b]·x[256·b+128·half+32·k+l]) + 1
func (m *machine) packTQ2_0() {
	m.function("packTQ2_0", "func(dst *byte, x, inverses *float32, blocks int)", "stores the quants of blocks of TQ2_0.")
	dst, x, inverses, blocks := pointer("dst"), pointer("x"), pointer("inverses"), pointer("blocks")
	t := m.newTernary()
	loop(blocks, func() {
		inverse := m.broadcast(at(inverses, 0))
		for half := range 2 {
			for first := 0; first < 32; first += 16 {
				m.bytes(at(dst, 32*half+first), func(i int) VecVirtual {
					var all VecVirtual
					for k := 3; k >= 0; k-- {
						q := t.round(at(x, 4*(128*half+32*k+first+i)), inverse)
						if k < 3 {
							VPSLLD(Imm(2), all, all)
							m.integerOr(all, q, q)
						}
						all = q
					}
					return all
				})
			}
		}
		ADDQ(I32(1024), x)
		ADDQ(I32(4), inverses)
		ADDQ(I32(66), dst)
	})
	end()
}

// packTQ1_0 writes the kernel of five digits in a byte, in the places of TQ1_0's drawing.
// A number n < 243 becomes 256·n/243, rounded up, as (n·17261 + 16383) / 16384.
func (m *machine) packTQ1_0() {
	m.function("packTQ1_0", "func(dst *byte, x, inverses *float32, blocks int)", "stores the quants of blocks of TQ1_0.")
	dst, x, inverses, blocks := pointer("dst"), pointer("x"), pointer("inverses"), pointer("blocks")
	t := m.newTernary()
	factor, up := m.bits(17261), m.bits(16383)
	fraction := func(n, factor, up Op, dst VecVirtual) {
		VPMULLD(factor, n, dst)
		VPADDD(up, dst, dst)
		VPSRLD(Imm(14), dst, dst)
	}
	loop(blocks, func() {
		inverse := m.broadcast(at(inverses, 0))
		for _, part := range []struct{ at, element, apart int }{{0, 0, 32}, {16, 16, 32}, {32, 160, 16}} {
			m.bytes(at(dst, part.at), func(i int) VecVirtual {
				var n VecVirtual
				for k := range 5 {
					q := t.round(at(x, 4*(part.element+part.apart*k+i)), inverse)
					if k > 0 {
						VPADDD(n, q, q)
						VPADDD(n, n, n)
						VPADDD(n, q, q)
					}
					n = q
				}
				fraction(n, factor, up, n)
				return n
			})
		}
		// Sixteen elements, whose digits are four apart.
		powers := []uint32{81, 81, 81, 81, 27, 27, 27, 27, 9, 9, 9, 9, 3, 3, 3, 3}
		low, high := YMM(), XMM()
		if m.wide() {
			q, upper := t.round(at(x, 960), inverse), YMM()
			VPMULLD(vectorConstant(powers...), q, q)
			VEXTRACTI64X4(Imm(1), q, upper)
			VPADDD(upper, q.AsY(), low)
		} else {
			q := t.round(at(x, 960), inverse)
			VPMULLD(vectorConstant(powers[:8]...), q, low)
			q = t.round(at(x, 992), inverse)
			VPMULLD(vectorConstant(powers[8:]...), q, q)
			VPADDD(q, low, low)
		}
		VEXTRACTI128(Imm(1), low, high)
		VPADDD(low.AsX(), high, high)
		fraction(high, factor.AsX(), up.AsX(), high)
		VPACKUSDW(high, high, high)
		VPACKUSWB(high, high, high)
		VMOVD(high, at(dst, 48))
		ADDQ(I32(1024), x)
		ADDQ(I32(4), inverses)
		ADDQ(I32(54), dst)
	})
	end()
}

// packQ2_0 writes the kernel of two bits for each element, four neighbours in a byte:
//
//	for b < blocks, l < 16, k < 4: bits 2·k and 2·k+1 of dst[18·b+l] = round(inverses[b]·x[64·b+4·l+k]) + 1
func (m *machine) packQ2_0() {
	m.function("packQ2_0", "func(dst *byte, x, inverses *float32, blocks int)", "stores the quants of blocks of Q2_0.")
	dst, x, inverses, blocks := pointer("dst"), pointer("x"), pointer("inverses"), pointer("blocks")
	t := m.newTernary()
	pairs, fours, order := m.bits(0x04_01_04_01), m.bits(0x0010_0001), m.register()
	if m.wide() {
		VMOVDQU32(vectorConstant(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), order)
	} else {
		VMOVDQU(quartersOrder(), order)
	}
	// Lanes of 32 bits with the bytes of four times as many elements.
	gather := func(first int, inverse VecVirtual) VecVirtual {
		var q [4]VecVirtual
		for i := range q {
			q[i] = t.round(at(x, 4*first+i*m.width()), inverse)
		}
		if m.wide() {
			VPACKSSDW(q[1], q[0], q[0])
			VPACKSSDW(q[3], q[2], q[2])
			VPACKSSWB(q[2], q[0], q[0])
		} else {
			m.joinBytes(q[0], q[1], q[2], q[3], order)
		}
		VPMADDUBSW(pairs, q[0], q[0])
		VPMADDWD(fours, q[0], q[0])
		if m.wide() {
			VPERMD(q[0], order, q[0])
		}
		return q[0]
	}
	loop(blocks, func() {
		inverse := m.broadcast(at(inverses, 0))
		m.bytes(at(dst, 0), func(i int) VecVirtual { return gather(4*i, inverse) })
		ADDQ(I32(256), x)
		ADDQ(I32(4), inverses)
		ADDQ(I32(18), dst)
	})
	end()
}

// packQ1_0 writes the kernel of signs: bit k of dst[18·b+l] is x[128·b+8·l+k] >= 0.
func (m *machine) packQ1_0() {
	m.function("packQ1_0", "func(dst *byte, x *float32, blocks int)", "stores the quants of blocks of Q1_0.")
	dst, x, blocks := pointer("dst"), pointer("x"), pointer("blocks")
	zero := m.zero()
	loop(blocks, func() {
		for i := range 128 / m.lanes {
			v := m.load(at(x, i*m.width()))
			if m.wide() {
				k := K()
				VCMPPS(Imm(greaterEqual), zero, v, k)
				KMOVW(k, at(dst, 2*i))
				continue
			}
			bits := GP32()
			VCMPPS(Imm(greaterEqual), zero, v, v)
			VMOVMSKPS(v, bits)
			MOVB(bits.As8(), at(dst, i))
		}
		ADDQ(I32(512), x)
		ADDQ(I32(18), dst)
	})
	end()
}

// magnitudes writes a kernel that adds in order, a row in each lane:
//
//	for k < lanes·squares: sums[r] += |x[r·stride+k]|
func (m *machine) magnitudes() {
	m.function("magnitudes", "func(sums, x *float32, stride, squares int)",
		"adds the magnitudes of rows of squares·lanes numbers, stride bytes apart.")
	sums, n := pointer("sums"), pointer("squares")
	r := newRows(m.lanes, pointer("x"), pointer("stride"))
	sum := m.zero()
	absolute := constant(magnitude)
	loop(n, func() {
		for _, v := range m.square(r) {
			if m.wide() {
				VANDPS_BCST(absolute, v, v)
			} else {
				VANDPS(repeated(magnitude), v, v)
			}
			VADDPS(v, sum, sum)
		}
		r.advance(m.width())
	})
	VMOVUPS(sum, at(sums, 0))
	end()
}

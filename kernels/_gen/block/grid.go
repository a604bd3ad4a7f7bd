package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The kernels of the formats with codebooks of points. Candidates of the scale are
// in lanes, in rows of 32 numbers of which the first so many are in use.

// gridRow is the bytes of a row of candidates.
const gridRow = 4 * 32

// gridShapes are the bits of a level and the lanes in use.
var gridShapes = [][2]int{{2, 8}, {2, 16}, {2, 24}, {3, 8}, {3, 24}, {3, 32}}

// grids writes them.
func (m *machine) grids() {
	for _, s := range gridShapes {
		levels, lanes := s[0], s[1]
		if !m.wide() && lanes == 32 {
			lanes = 16 // at a time: there are too few registers
		}
		m.roundGrid(levels, lanes)
		m.fitGrid(levels, lanes)
	}
	if m.wide() {
		m.nearGrid(2)
		m.nearGrid(3)
	}
}

// gridVectors returns registers for lanes, the last of which may be half as wide,
// and their places in a row.
func (m *machine) gridVectors(lanes int) (all []VecVirtual, places []int) {
	for at := 0; at < lanes; {
		v, n := m.register(), m.lanes
		if n > lanes-at {
			v, n = YMM(), 8
		}
		all, places = append(all, v), append(places, 4*at)
		at += n
	}
	return all, places
}

// like returns v as wide as w.
func like(v, w VecVirtual) VecVirtual {
	if w.Size() == 32 {
		return v.AsY().(VecVirtual)
	}
	return v
}

// each runs f for vectors of lanes.
func each(all []VecVirtual, f func(i int, v VecVirtual)) {
	for i, v := range all {
		f(i, v)
	}
}

// roundGrid writes the kernel of the codes of groups, coordinate c of one from bit levels·c on:
//
//	for j < groups, i < lanes: codes[32·j+i] = Σ over c: clamp(nearest((x[size·j+c]·inverses[i] - 1)/2)) << levels·c
func (m *machine) roundGrid(levels, lanes int) {
	size, top := gridShape(levels)
	m.function(fmt.Sprintf("roundGrid%dx%d", levels, lanes), "func(codes *uint32, x, inverses *float32, groups int)",
		"rounds groups of magnitudes to levels for candidates.")
	codes, x, inverses, groups := pointer("codes"), pointer("x"), pointer("inverses"), pointer("groups")
	inverse, places := m.gridVectors(lanes)
	each(inverse, func(i int, v VecVirtual) { VMOVUPS(at(inverses, places[i]), v) })
	// One at a magnitude whose last bit is worth one: the bits of a number there are
	// its integer and these.
	const magic = 0x4b400000
	one, half, low, high := m.k(1), m.k(0.5), m.bits(magic), m.bits(magic+top)
	bias := uint32(0)
	for c := range size {
		bias += magic << (levels * c)
	}
	biases := m.bits(bias)
	loop(groups, func() {
		code, _ := m.gridVectors(lanes)
		for c := size - 1; c >= 0; c-- {
			v := m.broadcast(at(x, 4*c))
			for i, inv := range inverse {
				t := like(m.register(), inv)
				VMULPS(like(v, inv), inv, t)
				VSUBPS(like(one, inv), t, t)
				VFMADD213PS(like(low, inv), like(half, inv), t)
				VPMAXSD(like(low, inv), t, t)
				VPMINSD(like(high, inv), t, t)
				if c == size-1 {
					code[i] = t
					continue
				}
				VPSLLD(Imm(uint64(levels)), code[i], code[i])
				VPADDD(t, code[i], code[i])
			}
		}
		each(code, func(i int, v VecVirtual) {
			VPSUBD(like(biases, v), v, v)
			if v.Size() == 64 {
				VMOVDQU32(v, at(codes, places[i]))
			} else {
				VMOVDQU(v, at(codes, places[i]))
			}
		})
		ADDQ(I32(4*size), x)
		ADDQ(I32(gridRow), codes)
	})
	end()
}

// gridShape returns the coordinates of a point and the largest level.
func gridShape(levels int) (size int, top uint32) {
	if levels == 2 {
		return 8, 2
	}
	return 4, 7
}

// fitGrid writes the kernel of the sums that fit scales to points: with the odd
// number q = 2·l + 1 of each level
//
//	for e < size·groups, i < lanes: sums[i] += wx[e]·q; sums[32+i] += w[e]·q·q
func (m *machine) fitGrid(levels, lanes int) {
	size, _ := gridShape(levels)
	m.function(fmt.Sprintf("fitGrid%dx%d", levels, lanes), "func(sums *float32, codes *uint32, w, wx *float32, groups int)",
		"adds the products of candidates, element by element.")
	sums, codes, w, wx, groups := pointer("sums"), pointer("codes"), pointer("w"), pointer("wx"), pointer("groups")
	odd := m.register()
	m.broadcastEight(oddNumbers(levels), odd)
	qx, places := m.gridVectors(lanes)
	q2, _ := m.gridVectors(lanes)
	for i := range qx {
		zero := m.zero()
		VMOVAPS(like(zero, qx[i]), qx[i])
		VMOVAPS(like(zero, q2[i]), q2[i])
	}
	loop(groups, func() {
		code, _ := m.gridVectors(lanes)
		each(code, func(i int, v VecVirtual) { VMOVUPS(at(codes, places[i]), v) })
		for c := range size {
			left, right := m.broadcast(at(wx, 4*c)), m.broadcast(at(w, 4*c))
			for i, v := range code {
				q, t := like(m.register(), v), like(m.register(), v)
				VPERMPS(like(odd, v), v, q)
				if c < size-1 {
					VPSRLD(Imm(uint64(levels)), v, v)
				}
				VMULPS(like(left, v), q, t)
				VADDPS(t, qx[i], qx[i])
				VMULPS(like(right, v), q, t)
				VMULPS(q, t, t)
				VADDPS(t, q2[i], q2[i])
			}
		}
		ADDQ(I32(4*size), w)
		ADDQ(I32(4*size), wx)
		ADDQ(I32(gridRow), codes)
	})
	for i := range qx {
		VMOVUPS(qx[i], at(sums, places[i]))
		VMOVUPS(q2[i], at(sums, gridRow+places[i]))
	}
	end()
}

// oddNumbers returns the numbers that the low bits of a code stand for, from as
// many bits as are left out of eight lanes.
func oddNumbers(levels int) (patterns []uint32) {
	for i := range 8 {
		patterns = append(patterns, bitsOf(float32(2*(i&(1<<levels-1))+1)))
	}
	return patterns
}

// broadcastEight loads eight numbers, twice where there is room.
func (m *machine) broadcastEight(patterns []uint32, v VecVirtual) {
	if m.wide() {
		VBROADCASTF64X4(vectorConstant(patterns...), v)
	} else {
		VMOVUPS(vectorConstant(patterns...), v)
	}
}

// nearGrid writes the kernel that looks for near points, with AVX-512. Codes of
// the first count candidates that are no point become that of the point whose
// line is lowest at the candidate's scale, unless another is within the margin.
// The result has a bit for each candidate whose code was no point, and from bit 32
// on for each that is not decided.
//
// The lines of sixteen points are side by side: Σ w·q² and 2·Σ w·x·q, from tables
// for two coordinates of two bits, or one of three.
func (m *machine) nearGrid(levels int) {
	m.function(fmt.Sprintf("nearGrid%d", levels),
		"func(codes *uint32, scales, w, x *float32, at *int32, lists *uint16, lines *float32, count int, margin float32) (found uint64)",
		"replaces codes that are no points by near points.")
	n := &nearGrid{machine: m, shift: uint64(levels), infinity: m.bits(0x7f800000), above: m.k(1024)}
	if levels == 2 {
		n.shift = 4
	}
	n.tables(levels)
	n.codes = pointer("codes")
	from, err := Param("margin").Resolve()
	if err != nil {
		panic(err)
	}
	n.margin = m.register()
	VBROADCASTSS(from.Addr, n.margin)

	rest, off, unclear := GP32(), GP64(), GP64()
	count := Load(Param("count"), GP64())
	MOVL(I32(-1), rest)
	BZHIL(count.(GP).As32(), rest, rest)
	XORQ(off, off)
	XORQ(unclear, unclear)
	n.unclear = unclear
	low, high := ZMM(), ZMM()
	VMOVDQU32(at(n.codes, 0), low)
	VMOVDQU32(at(n.codes, 64), high)

	next, long, done := label("next"), label("long"), label("done")
	Label(next)
	TESTL(rest, rest)
	JZ(LabelRef(done))
	code, run, more := GP64(), GP32(), GP32()
	MOVL(Mem{Base: n.codes, Index: lowestBit(rest), Scale: 4}, code.As32())
	same := ZMM()
	VPBROADCASTD(code.As32(), same)
	equalLow, equalHigh := K(), K()
	VPCMPEQD(low, same, equalLow)
	VPCMPEQD(high, same, equalHigh)
	KMOVW(equalLow, run)
	KMOVW(equalHigh, more)
	SHLL(Imm(16), more)
	ORL(more, run)
	ANDL(rest, run)
	XORL(run, rest)
	place, base := GP64(), pointer("at")
	MOVLQSX(Mem{Base: base, Index: code, Scale: 4}, place)
	TESTQ(place, place)
	JGE(LabelRef(next))
	ORL(run, off.As32())
	NOTQ(place)
	n.list, n.length = GP64(), GP64()
	LEAQ(Mem{Base: pointer("lists"), Index: place, Scale: 2}, n.list)
	MOVWQZX(at(n.list, 0), n.length)
	ADDQ(Imm(2), n.list)
	n.run = run

	short := label("short")
	CMPQ(n.length, Imm(16))
	JG(LabelRef(long))
	CMPQ(n.length, Imm(8))
	JLE(LabelRef(short))
	code16 := ZMM()
	VPMOVZXWD(at(n.list, 0), code16)
	a, b := n.sums(code16)
	n.maskEnd(a, n.length)
	n.decide(func(candidate GPVirtual) GPVirtual { return n.lowestOf16(a, b, candidate) }, next)

	// Eight lines for the first candidate of a run beside the same for the last.
	Label(short)
	pair, two := YMM(), ZMM()
	VBROADCASTI128(at(n.list, 0), pair)
	VPMOVZXWD(pair, two)
	a2, b2 := n.sums(two)
	n.maskEnds(a2, n.length)
	n.decidePair(a2, b2, next)

	Label(long)
	n.storeLines()
	n.decide(n.lowestOfMany, next)

	Label(done)
	SHLQ(Imm(32), unclear)
	ORQ(unclear, off)
	Store(off, ReturnIndex(0))
	end()
}

// A nearGrid is the kernel while it is written.
type nearGrid struct {
	*machine
	shift             uint64
	squares, products []VecVirtual // tables
	infinity, margin  VecVirtual
	above             VecVirtual // times a least line that is above zero
	codes             Register
	unclear           GPVirtual

	run          GPVirtual // the candidates with one code
	list, length GPVirtual
}

// tables fills the tables of a group.
func (n *nearGrid) tables(levels int) {
	w, x := pointer("w"), pointer("x")
	sixteen := func(f func(i int) float32) VecVirtual {
		v := ZMM()
		patterns := make([]uint32, 16)
		for i := range patterns {
			patterns[i] = bitsOf(f(i))
		}
		VMOVUPS(vectorConstant(patterns...), v)
		return v
	}
	odd := func(l int) float32 { return float32(2*l + 1) }
	if levels == 3 {
		squares := sixteen(func(i int) float32 { return odd(i&7) * odd(i&7) })
		twice := sixteen(func(i int) float32 { return 2 * odd(i&7) })
		for c := range 4 {
			a, b := ZMM(), ZMM()
			VMULPS_BCST(at(w, 4*c), squares, a)
			VMULPS_BCST(at(x, 4*c), twice, b)
			VMULPS_BCST(at(w, 4*c), b, b)
			n.squares, n.products = append(n.squares, a), append(n.products, b)
		}
		return
	}
	squares := [2]VecVirtual{
		sixteen(func(i int) float32 { return odd(i&3) * odd(i&3) }), sixteen(func(i int) float32 { return odd(i>>2) * odd(i>>2) }),
	}
	twice := [2]VecVirtual{
		sixteen(func(i int) float32 { return 2 * odd(i&3) }), sixteen(func(i int) float32 { return 2 * odd(i>>2) }),
	}
	for c := 0; c < 8; c += 2 {
		a, b, t := ZMM(), ZMM(), ZMM()
		VMULPS_BCST(at(w, 4*c), squares[0], a)
		VFMADD231PS_BCST(at(w, 4*c+4), squares[1], a)
		VMULPS_BCST(at(x, 4*c), twice[0], b)
		VMULPS_BCST(at(w, 4*c), b, b)
		VMULPS_BCST(at(x, 4*c+4), twice[1], t)
		VFMADD231PS_BCST(at(w, 4*c+4), t, b)
		n.squares, n.products = append(n.squares, a), append(n.products, b)
	}
}

// sums returns the numbers of the lines of sixteen points. It changes their codes.
func (n *nearGrid) sums(code VecVirtual) (a, b VecVirtual) {
	t := ZMM()
	a, b = ZMM(), ZMM()
	VPERMPS(n.squares[0], code, a)
	VPERMPS(n.products[0], code, b)
	for i := 1; i < 4; i++ {
		VPSRLD(Imm(n.shift), code, code)
		VPERMPS(n.squares[i], code, t)
		VADDPS(t, a, a)
		VPERMPS(n.products[i], code, t)
		VADDPS(t, b, b)
	}
	return a, b
}

// maskEnd makes the lines from lane length on infinite.
func (n *nearGrid) maskEnd(a VecVirtual, length GPVirtual) {
	ones, in := GP32(), K()
	MOVL(I32(-1), ones)
	BZHIL(length.As32(), ones, ones)
	KMOVW(ones, in)
	VBLENDMPS(a, n.infinity, in, a)
}

// maskEnds is maskEnd for eight lanes and for eight more.
func (n *nearGrid) maskEnds(a VecVirtual, length GPVirtual) {
	ones, more, in := GP32(), GP32(), K()
	MOVL(I32(-1), ones)
	BZHIL(length.As32(), ones, ones)
	MOVL(ones, more)
	SHLL(Imm(8), more)
	ORL(more, ones)
	KMOVW(ones, in)
	VBLENDMPS(a, n.infinity, in, a)
}

// lowestBit returns the number of the lowest bit.
func lowestBit(v GPVirtual) GPVirtual {
	bit := GP64()
	XORQ(bit, bit)
	TZCNTL(v.As32(), bit.As32())
	return bit
}

// scale returns a candidate's scale.
func (n *nearGrid) scale(candidate GPVirtual) VecVirtual {
	s := ZMM()
	VBROADCASTSS(Mem{Base: pointer("scales"), Index: candidate, Scale: 4}, s)
	return s
}

// limit returns up to where lines are too near to the least lane of v, in all lanes.
func (n *nearGrid) limit(v VecVirtual) VecVirtual {
	t, least := ZMM(), ZMM()
	VSHUFF32X4(Imm(0b01_00_11_10), v, v, t)
	VMINPS(t, v, least)
	return n.limitOfHalf(least)
}

// limitOfHalf is limit for each half of v.
func (n *nearGrid) limitOfHalf(v VecVirtual) VecVirtual {
	t, least := ZMM(), ZMM()
	VSHUFF32X4(Imm(0b10_11_00_01), v, v, t)
	VMINPS(t, v, least)
	VPERMILPS(Imm(0b01_00_11_10), least, t)
	VMINPS(t, least, least)
	VPERMILPS(Imm(0b10_11_00_01), least, t)
	VMINPS(t, least, least)
	VMULPS(n.above, least, t)
	VMAXPS(n.margin, t, t)
	VADDPS(t, least, least)
	return least
}

// lowestOf16 returns which of sixteen lines is lowest, below zero if that is not certain.
func (n *nearGrid) lowestOf16(a, b VecVirtual, candidate GPVirtual) GPVirtual {
	v := n.scale(candidate)
	VFMSUB213PS(b, a, v)
	limit, near := n.limit(v), K()
	VCMPPS(Imm(lessEqual), limit, v, near)
	lanes, none := GP32(), GP64()
	KMOVW(near, lanes)
	MOVQ(I32(-1), none)
	which := lowestBit(lanes)
	BLSRL(lanes, lanes)
	CMOVQNE(none, which)
	return which
}

// storeLines stores the lines of lists of more than sixteen points, in whole vectors.
func (n *nearGrid) storeLines() {
	list, to, left := GP64(), GP64(), GP64()
	MOVQ(n.list, list)
	MOVQ(pointer("lines"), to)
	MOVQ(n.length, left)
	again, last, done := label("lines"), label("last"), label("stored")
	Label(again)
	code := ZMM()
	VPMOVZXWD(at(list, 0), code)
	a, b := n.sums(code)
	VMOVUPS(b, at(to, nearBytes))
	CMPQ(left, Imm(16))
	JLT(LabelRef(last))
	VMOVUPS(a, at(to, 0))
	ADDQ(Imm(32), list)
	ADDQ(Imm(64), to)
	SUBQ(Imm(16), left)
	JNZ(LabelRef(again))
	JMP(LabelRef(done))
	Label(last)
	n.maskEnd(a, left)
	VMOVUPS(a, at(to, 0))
	Label(done)
}

// nearBytes is where the second numbers of lines are, behind the first ones.
const nearBytes = 4 * 320

// lowestOfMany is lowestOf16 for lines in memory.
func (n *nearGrid) lowestOfMany(candidate GPVirtual) GPVirtual {
	s, least := n.scale(candidate), ZMM()
	VMOVAPS(n.infinity, least)
	begin, end, place := pointer("lines"), GP64(), GP64()
	LEAQ(Mem{Base: n.length, Disp: 15}, end)
	ANDQ(I32(-16), end)
	LEAQ(Mem{Base: begin, Index: end, Scale: 4}, end)
	MOVQ(begin, place)
	line := func() VecVirtual {
		v := ZMM()
		VMOVUPS(at(place, 0), v)
		VFMSUB213PS(at(place, nearBytes), s, v)
		return v
	}
	each := func(body func()) {
		again := label("many")
		Label(again)
		body()
		ADDQ(Imm(64), place)
		CMPQ(place, end)
		JNE(LabelRef(again))
	}
	each(func() { VMINPS(line(), least, least) })
	limit := n.limit(least)
	which, total := GP64(), GP64()
	begin = pointer("lines")
	MOVQ(begin, place)
	XORQ(total, total)
	XORQ(which, which)
	each(func() {
		lanes, near := GP32(), K()
		VCMPPS(Imm(lessEqual), limit, line(), near)
		KMOVW(near, lanes)
		here := lowestBit(lanes)
		LEAQ(Mem{Base: place, Index: here, Scale: 4}, here)
		TESTL(lanes, lanes)
		CMOVQNE(here, which)
		POPCNTL(lanes, lanes)
		ADDL(lanes, total.As32())
	})
	SUBQ(pointer("lines"), which)
	SHRQ(Imm(2), which)
	CMPL(total.As32(), Imm(1))
	MOVQ(I32(-1), total)
	CMOVQNE(total, which)
	return which
}

// decide gives the candidates of a run their codes and goes on at next. Where the
// same line is lowest for the first and the last, it is for those between.
func (n *nearGrid) decide(lowest func(candidate GPVirtual) GPVirtual, next string) {
	each, uniform, checked := label("each"), label("uniform"), label("checked")
	which, others := lowest(lowestBit(n.run)), GP32()
	BLSRL(n.run, others)
	JZ(LabelRef(checked))
	last := GP64()
	XORQ(last, last)
	BSRL(n.run, last.As32())
	CMPQ(which, lowest(last))
	JNE(LabelRef(each))
	Label(checked)
	TESTQ(which, which)
	JGE(LabelRef(uniform))

	n.decideEach(lowest, each, next)
	n.decideAll(which, uniform, next)
}

// decidePair is decide where eight lines are there twice.
func (n *nearGrid) decidePair(a, b VecVirtual, next string) {
	each, uniform := label("each"), label("uniform")
	last := GP64()
	XORQ(last, last)
	BSRL(n.run, last.As32())
	s, t := ZMM(), YMM()
	base := pointer("scales")
	VBROADCASTSS(Mem{Base: base, Index: lowestBit(n.run), Scale: 4}, s.AsY())
	VBROADCASTSS(Mem{Base: base, Index: last, Scale: 4}, t)
	VINSERTF64X4(Imm(1), t, s, s)
	VFMSUB213PS(b, a, s)
	limit, near := n.limitOfHalf(s), K()
	VCMPPS(Imm(lessEqual), limit, s, near)
	lanes, others := GP32(), GP32()
	KMOVW(near, lanes)
	MOVL(lanes, others)
	SHRL(Imm(8), others)
	ANDL(Imm(255), lanes)
	which := lowestBit(lanes)
	XORL(lanes, others) // the same lane in both
	BLSRL(lanes, lanes) // and no other
	ORL(lanes, others)
	JZ(LabelRef(uniform))
	// The second eight are not looked at again.
	in, half := K(), GP32()
	MOVL(I32(255), half)
	KMOVW(half, in)
	VBLENDMPS(a, n.infinity, in, a)
	n.decideEach(func(candidate GPVirtual) GPVirtual { return n.lowestOf16(a, b, candidate) }, each, next)
	n.decideAll(which, uniform, next)
}

// decideEach gives each candidate of a run its code.
func (n *nearGrid) decideEach(lowest func(candidate GPVirtual) GPVirtual, each, next string) {
	Label(each)
	p := lowest(lowestBit(n.run))
	decided, on := label("decided"), label("on")
	TESTQ(p, p)
	JGE(LabelRef(decided))
	candidate := lowestBit(n.run)
	BTSL(candidate.As32(), n.unclear.As32())
	JMP(LabelRef(on))
	Label(decided)
	code := GP32()
	MOVWLZX(Mem{Base: n.list, Index: p, Scale: 2}, code)
	candidate = lowestBit(n.run)
	MOVL(code, Mem{Base: n.codes, Index: candidate, Scale: 4})
	Label(on)
	BLSRL(n.run, n.run)
	JNZ(LabelRef(each))
	JMP(LabelRef(next))
}

// decideAll gives all candidates of a run the same code.
func (n *nearGrid) decideAll(which GPVirtual, uniform, next string) {
	Label(uniform)
	code := GP32()
	MOVWLZX(Mem{Base: n.list, Index: which, Scale: 2}, code)
	v, in := ZMM(), K()
	VPBROADCASTD(code, v)
	KMOVW(n.run, in)
	VMOVDQU32(v, in, at(n.codes, 0))
	SHRL(Imm(16), n.run)
	KMOVW(n.run, in)
	VMOVDQU32(v, in, at(n.codes, 64))
	JMP(LabelRef(next))
}

package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The kernels that look for near points. Runs of candidates with the same code are
// written to three queues, by the length of their list, so that the loop over each
// queue takes no branch that depends on the numbers. What is left of a run whose
// first and last candidates have different points goes to the next queue.

// A nearGrid writes the kernels for levels of two or three bits.
type nearGrid struct {
	*machine
	levels int
}

// The lanes of the fill of a run, and the bytes of the tables of a group.
const (
	nearFill  = 16
	nearGroup = 512
	nearRoom  = 32*32 + 8 // of a queue, the last of which is never read
)

// near writes them. Tables of levels of three bits have eight numbers, and most
// lists no more points, so that AVX2 is enough for them.
func (m *machine) near(levels int) {
	n := &nearGrid{machine: m, levels: levels}
	n.writeRuns()
	if m.wide() && levels == 3 {
		return
	}
	n.writeTables()
	n.write("nearOne", "with one vector of points.", n.one)
	n.write("nearTwo", "with two vectors of points.", n.two)
	n.write("nearMany", "with any number of points.", n.many)
}

// limits are the lengths of lists in the first two queues.
func (n *nearGrid) limits() (one, two int) {
	if n.wide() && n.levels == 2 {
		return 16, 32
	}
	return 8, 16
}

// paired reports whether a table is for two coordinates.
func (n *nearGrid) paired() bool { return n.wide() && n.levels == 2 }

// coordinates is how many tables of each kind there are, and shift the bits of a
// code for one.
func (n *nearGrid) coordinates() (tables, shift int) {
	switch {
	case n.levels == 3:
		return 4, 3
	case n.wide():
		return 4, 4
	}
	return 8, 2
}

var infinity = bitsOf(float32(math.Inf(1)))

// writeTables writes the kernel of the tables of groups: for each coordinate c, or
// each two, w·q² and 2·w·x·q by the low bits of a code from there on. What is no
// point has an infinite sum of the first.
func (n *nearGrid) writeTables() {
	n.function(fmt.Sprintf("nearTables%d", n.levels), "func(tables, w, x *float32, groups int)", "stores the terms of lines.")
	to, w, x, groups := pointer("tables"), pointer("w"), pointer("x"), pointer("groups")
	level := 1<<n.levels - 1
	none := func(i int) bool { return n.levels == 2 && (i&3 == 3 || n.paired() && i>>2 == 3) }
	table := func(f func(i int) uint32) VecVirtual {
		patterns := make([]uint32, n.lanes)
		for i := range patterns {
			patterns[i] = f(i)
		}
		return n.load(vectorConstant(patterns...))
	}
	odds := func(shift int, f func(q float32) float32) VecVirtual {
		return table(func(i int) uint32 {
			if none(i) {
				return 0
			}
			return bitsOf(f(float32(2*(i>>shift&level) + 1)))
		})
	}
	square := func(q float32) float32 { return q * q }
	twice := func(q float32) float32 { return 2 * q }
	tables, _ := n.coordinates()
	step := 1
	if n.paired() {
		step = 2
	}
	squares, doubles := odds(0, square), odds(0, twice)
	var squares2, doubles2, infinite VecVirtual
	if n.paired() {
		squares2, doubles2 = odds(n.levels, square), odds(n.levels, twice)
	}
	if n.levels == 2 {
		infinite = table(func(i int) uint32 {
			if none(i) {
				return infinity
			}
			return 0
		})
	}
	loop(groups, func() {
		for c := range tables {
			a, b, left := n.register(), n.register(), n.broadcast(at(w, 4*c*step))
			VMULPS(left, squares, a)
			VMULPS(n.broadcast(at(x, 4*c*step)), doubles, b)
			VMULPS(left, b, b)
			if n.paired() {
				right, t := n.broadcast(at(w, 4*c*step+4)), n.register()
				VFMADD231PS(squares2, right, a)
				VMULPS(n.broadcast(at(x, 4*c*step+4)), doubles2, t)
				VFMADD231PS(t, right, b)
			}
			if n.levels == 2 {
				VORPS(infinite, a, a)
			}
			VMOVUPS(a, at(to, 2*c*n.width()))
			VMOVUPS(b, at(to, (2*c+1)*n.width()))
		}
		ADDQ(I32(4*step*tables), w)
		ADDQ(I32(4*step*tables), x)
		ADDQ(I32(nearGroup), to)
	})
	end()
}

// writeRuns writes the kernel that lists the runs of candidates, count of them,
// in two groups a turn. A place in a queue is, from bit 0 on, the first candidate,
// how many follow, and from bit 32 on the place of the list. candidates has a one
// for each candidate, twice, and last for the last ones.
func (n *nearGrid) writeRuns() {
	n.function(fmt.Sprintf("nearRuns%d", n.levels),
		"func(queues *uint64, counts *int, off *uint32, codes *uint32, at *int32, lists *uint16, candidates, last uint64, pairs int)",
		"lists runs of candidates whose code is no point.")
	queues, codes, turn := pointer("queues"), pointer("codes"), GP64()
	XORQ(turn, turn)
	one, two, many := GP64(), GP64(), GP64()
	for i, q := range []GPVirtual{one, two, many} {
		LEAQ(at(queues, 8*nearRoom*i), q)
	}
	group := label("group")
	Label(group)
	starts, ends, off := GP64(), GP64(), GP64()
	n.differences(codes, starts)
	groups := GP64()
	MOVQ(U64(1<<32|1), groups)
	ORQ(groups, starts)
	ANDQ(parameter("candidates"), starts)
	MOVQ(starts, ends)
	SHRQ(Imm(1), ends)
	ANDQ(parameter("candidates"), ends) // not that before the second group
	ORQ(parameter("last"), ends)
	XORQ(off, off)
	next := label("run")
	Label(next)
	first, follow, place, item := GP64(), GP64(), GP64(), GP64()
	TZCNTQ(starts, first)
	BLSRQ(starts, starts)
	TZCNTQ(ends, follow)
	BLSRQ(ends, ends)
	MOVL(Mem{Base: codes, Index: first, Scale: 4}, place.As32())
	MOVLQSX(Mem{Base: pointer("at"), Index: place, Scale: 4}, place)
	none := GP64()
	MOVQ(place, none)
	SARQ(Imm(63), none)
	{
		run, from := GP64(), GP64()
		MOVQ(I32(-1), from)
		SHLXQ(first, from, from)
		MOVQ(I32(-2), run)
		SHLXQ(follow, run, run)
		XORQ(from, run)
		ANDQ(none, run)
		ORQ(run, off)
	}
	SUBQ(first, follow)
	NOTQ(place)
	ANDQ(none, place)
	length := GP64()
	MOVWQZX(Mem{Base: pointer("lists"), Index: place, Scale: 2}, length)
	MOVQ(turn, item)
	ADDQ(first, item)
	SHLQ(Imm(16), follow)
	ORQ(follow, item)
	SHLQ(Imm(32), place)
	ORQ(place, item)
	for _, q := range []GPVirtual{one, two, many} {
		MOVQ(item, at(q, 0))
	}
	// -8 or 0 of each: not longer than, and below the length.
	limit1, limit2 := n.limits()
	step := func(compare uint64) GPVirtual {
		t := GP64()
		MOVQ(length, t)
		SUBQ(I32(int32(compare+1)), t)
		SARQ(Imm(63), t)
		ANDQ(none, t)
		ANDQ(Imm(8), t)
		return t
	}
	upTo1, upTo2 := step(uint64(limit1)), step(uint64(limit2))
	ADDQ(upTo1, one)
	ADDQ(upTo2, two)
	SUBQ(upTo1, two)
	ANDQ(Imm(8), none)
	ADDQ(none, many)
	SUBQ(upTo2, many)
	TESTQ(starts, starts)
	JNZ(LabelRef(next))
	to := pointer("off")
	MOVQ(off, at(to, 0))
	ADDQ(Imm(8), to)
	MOVQ(to, parameter("off"))
	ADDQ(Imm(64), turn)
	ADDQ(I32(2*gridRow), codes)
	DECQ(parameter("pairs"))
	JNZ(LabelRef(group))
	counts := pointer("counts")
	for i, q := range []GPVirtual{one, two, many} {
		SUBQ(pointer("queues"), q)
		SHRQ(Imm(3), q)
		SUBQ(I32(nearRoom*i), q)
		MOVQ(q, at(counts, 8*i))
	}
	end()
}

// parameter is the place of an argument.
func parameter(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// differences stores in bits which codes of 64 are not the same as the one before.
func (n *nearGrid) differences(codes Register, bits GPVirtual) {
	if n.wide() {
		var masks [4]Register
		for i := range masks {
			k := K()
			VPCMPD(Imm(4), at(codes, 64*i-4), n.load(at(codes, 64*i)), k)
			masks[i] = k
		}
		low, high, all := K(), K(), K()
		KUNPCKWD(masks[0], masks[1], low)
		KUNPCKWD(masks[2], masks[3], high)
		KUNPCKDQ(low, high, all)
		KMOVQ(all, bits)
		return
	}
	XORQ(bits, bits)
	for i := 7; i >= 0; i-- {
		v, t := n.load(at(codes, 32*i)), GP32()
		VPCMPEQD(at(codes, 32*i-4), v, v)
		VMOVMSKPS(v, t)
		SHLQ(Imm(8), bits)
		ORQ(t.As64(), bits)
	}
	NOTQ(bits)
}

// write writes the kernel of a queue of n runs. search finds the points of the
// first and the last candidate.
func (n *nearGrid) write(name, doc string, search func(*nearRun)) {
	n.function(fmt.Sprintf("%s%d", name, n.levels),
		"func(results, queue *uint64, n int, scales, margins, tables *float32, lists *uint16, shift int)",
		"finds points from lists "+doc)
	r := &nearRun{i: pointer("queue").(GPVirtual)}
	results := pointer("results")
	next := label("next")
	Label(next)
	r.first, r.follow, r.place = GP64(), GP64(), GP64()
	MOVWQZX(at(r.i, 0), r.first)
	MOVWQZX(at(r.i, 2), r.follow)
	MOVL(at(r.i, 4), r.place.As32())
	n.begin(r)
	search(r)
	for i := range r.codes {
		MOVW(r.codes[i].As16(), at(results, 2*i))
		MOVW(r.others[i].As16(), at(results, 4+2*i))
	}
	ADDQ(Imm(8), r.i)
	ADDQ(Imm(8), results)
	DECQ(parameter("n"))
	JNZ(LabelRef(next))
	end()
}

// A nearRun is a run of candidates while it is searched.
type nearRun struct {
	i, first, follow, place GPVirtual
	list, tables            GPVirtual
	scales                  [2]VecVirtual // of the first and the last candidate
	margin                  VecVirtual
	codes                   [2]GPVirtual // of the lowest lines
	others                  [2]GPVirtual // not zero where others are too near
}

// begin loads what the search needs.
func (n *nearGrid) begin(r *nearRun) {
	r.list, r.tables = pointer("lists").(GPVirtual), GP64()
	LEAQ(Mem{Base: r.list, Index: r.place, Scale: 2, Disp: 2}, r.list)
	group, candidate := r.tables, GP64()
	MOVQ(r.first, group)
	SHRQ(Imm(5), group)
	{
		row, shift := GP64(), pointer("shift")
		SHRXQ(shift, r.first, row)
		SHLQ(Imm(5), row)
		MOVQ(r.first, candidate)
		ANDQ(Imm(31), candidate)
		ADDQ(row, candidate)
	}
	base := pointer("scales")
	for i := range r.scales {
		if i == 1 {
			ADDQ(r.follow, candidate)
		}
		r.scales[i] = n.register()
		VBROADCASTSS(Mem{Base: base, Index: candidate, Scale: 4}, r.scales[i])
	}
	r.margin = n.register()
	VBROADCASTSS(Mem{Base: pointer("margins"), Index: group, Scale: 4}, r.margin)
	SHLQ(Imm(9), group) // nearGroup
	ADDQ(pointer("tables"), group)
}

// lines returns the codes of a vector of points, and their lines at both scales.
func (n *nearGrid) lines(r *nearRun, list Mem) (code VecVirtual, lines [2]VecVirtual) {
	code = n.register()
	VPMOVSXWD(list, code)
	tables, shift := n.coordinates()
	var sums [2]VecVirtual
	for c := range tables {
		index := code
		if c > 0 {
			index = n.register()
			VPSRLD(Imm(uint64(c*shift)), code, index)
		}
		for i := range sums {
			t := n.register()
			VPERMPS(at(r.tables, (2*c+i)*n.width()), index, t)
			if c == 0 {
				sums[i] = t
			} else {
				VADDPS(t, sums[i], sums[i])
			}
		}
	}
	if n.levels == 3 {
		// All eight numbers of a table are in use.
		VBLENDVPS(code, repeated(infinity), sums[0], sums[0])
	}
	for i := range lines {
		lines[i] = n.register()
		VMOVAPS(r.scales[i], lines[i])
		VFMSUB213PS(sums[1], sums[0], lines[i])
	}
	return code, lines
}

// limit returns up to where lines are too near to the least of v, in all lanes.
func (n *nearGrid) limit(r *nearRun, v VecVirtual) VecVirtual {
	t, least := n.register(), n.register()
	if n.wide() {
		VSHUFF32X4(Imm(0b01_00_11_10), v, v, t)
		VMINPS(t, v, least)
		VSHUFF32X4(Imm(0b10_11_00_01), least, least, t)
		VMINPS(t, least, least)
	} else {
		VPERM2F128(Imm(1), v, v, t)
		VMINPS(t, v, least)
	}
	VPERMILPS(Imm(0b01_00_11_10), least, t)
	VMINPS(t, least, least)
	VPERMILPS(Imm(0b10_11_00_01), least, t)
	VMINPS(t, least, least)
	if n.wide() {
		VMULPS(n.k(1024), least, t)
	} else {
		VMULPS(everywhere(1024), least, t)
	}
	VMAXPS(r.margin, t, t)
	VADDPS(t, least, least)
	return least
}

// upTo returns the lanes of v up to a limit.
func (n *nearGrid) upTo(v, limit VecVirtual) GPVirtual {
	lanes := GP32()
	if n.wide() {
		k := K()
		VCMPPS(Imm(lessEqual), limit, v, k)
		KMOVW(k, lanes)
		return lanes
	}
	t := YMM()
	VCMPPS(Imm(lessEqual), limit, v, t)
	VMOVMSKPS(t, lanes)
	return lanes
}

// one searches a list of one vector.
func (n *nearGrid) one(r *nearRun) {
	_, lines := n.lines(r, at(r.list, 0))
	for i, v := range lines {
		lanes, which, others := n.upTo(v, n.limit(r, v)), GP64(), GP32()
		TZCNTL(lanes, which.As32())
		BLSRL(lanes, others)
		r.others[i], r.codes[i] = others, GP64()
		MOVWLZX(Mem{Base: r.list, Index: which, Scale: 2}, r.codes[i].As32())
	}
}

// A nearState is, for each lane, the two lowest lines so far, and the code of the first.
type nearState struct{ least, second, code VecVirtual }

// two searches a list of two vectors.
func (n *nearGrid) two(r *nearRun) {
	code, lines := n.lines(r, at(r.list, 0))
	code2, lines2 := n.lines(r, at(r.list, 2*n.lanes))
	for i := range lines {
		s := nearState{n.register(), n.register(), n.register()}
		lower := n.compare(lines2[i], less, lines[i])
		VMINPS(lines2[i], lines[i], s.least)
		VMAXPS(lines2[i], lines[i], s.second)
		n.choose(lower, code2, code, s.code)
		n.finish(r, i, s)
	}
}

// many searches a list of whole vectors.
func (n *nearGrid) many(r *nearRun) {
	var states [2]nearState
	for i := range states {
		states[i] = nearState{n.bits(infinity), n.bits(infinity), n.bits(0)}
	}
	left := GP64()
	MOVWQZX(at(r.list, -2), left)
	ADDQ(Imm(uint64(n.lanes-1)), left)
	SHRQ(Imm(map[int]uint64{8: 3, 16: 4}[n.lanes]), left)
	loop(left, func() {
		code, lines := n.lines(r, at(r.list, 0))
		for i, v := range lines {
			s, t := states[i], n.register()
			lower := n.compare(v, less, s.least)
			VMAXPS(s.least, v, t)
			VMINPS(t, s.second, s.second)
			VMINPS(v, s.least, s.least)
			n.choose(lower, code, s.code, s.code)
		}
		ADDQ(I32(2*n.lanes), r.list)
	})
	for i, s := range states {
		n.finish(r, i, s)
	}
}

// finish finds the lowest line of all lanes.
func (n *nearGrid) finish(r *nearRun, i int, s nearState) {
	limit := n.limit(r, s.least)
	lanes, others, which, code := n.upTo(s.least, limit), GP32(), GP32(), n.register()
	BLSRL(lanes, others)
	ORL(n.upTo(s.second, limit), others)
	TZCNTL(lanes, which)
	place := XMM()
	VMOVD(which, place)
	if n.wide() {
		VPERMD(s.code, place.AsZ(), code)
	} else {
		VPERMD(s.code, place.AsY(), code)
	}
	r.codes[i], r.others[i] = GP64(), others
	VMOVD(code.AsX(), r.codes[i].As32())
	MOVWLZX(r.codes[i].As16(), r.codes[i].As32())
}

// settleNear writes the kernel that stores the codes that were found for a queue.
// It stands alone so that the loop of a search stores nothing at places that
// depend on what it finds: processors would wait for them. In pseudo-code:
//
//	for each run and its result:
//		same = both are certain and equal
//		if same: codes of first to first + follow, at most 16 = code
//		else: those of the first and the last that are certain
//		unclear = append(unclear, those that are not)
//		rest = append(rest, what is left between)
func (m *machine) settleNear() {
	n := &nearGrid{machine: m}
	n.function("settleNear",
		"func(results, queue, rest *uint64, n int, codes *uint32, unclear *uint16, found int) (unclearToo, left int)",
		"stores the points of runs.")
	r := &nearRun{i: pointer("queue").(GPVirtual)}
	results := pointer("results")
	found, rest := pointer("found").(GPVirtual), pointer("rest").(GPVirtual)
	next := label("next")
	Label(next)
	r.first, r.follow, r.place = GP64(), GP64(), GP64()
	MOVWQZX(at(r.i, 0), r.first)
	MOVWQZX(at(r.i, 2), r.follow)
	MOVL(at(r.i, 4), r.place.As32())
	for i := range r.codes {
		r.codes[i], r.others[i] = GP64(), GP32()
		MOVWQZX(at(results, 2*i), r.codes[i])
		MOVWLZX(at(results, 4+2*i), r.others[i])
	}
	n.settle(r, rest, found)
	ADDQ(Imm(8), r.i)
	ADDQ(Imm(8), results)
	DECQ(parameter("n"))
	JNZ(LabelRef(next))
	Store(found, ReturnIndex(0))
	SUBQ(parameter("rest"), rest)
	SHRQ(Imm(3), rest)
	Store(rest, ReturnIndex(1))
	end()
}

// settle is the body of settleNear.
func (n *nearGrid) settle(r *nearRun, rest, found GPVirtual) {
	differ := GP64()
	MOVL(r.codes[0].As32(), differ.As32())
	XORL(r.codes[1].As32(), differ.As32())
	ORL(r.others[0].As32(), differ.As32())
	ORL(r.others[1].As32(), differ.As32())
	unclear := pointer("unclear")
	fill, clear := GP64(), GP64()
	MOVW(r.first.As16(), Mem{Base: unclear, Index: found, Scale: 2})
	XORL(clear.As32(), clear.As32())
	TESTL(r.others[0].As32(), r.others[0].As32())
	SETEQ(clear.As8())
	INCQ(found)
	SUBQ(clear, found)
	LEAQ(Mem{Base: r.follow, Disp: 1}, fill)
	TESTL(differ.As32(), differ.As32())
	CMOVQNE(clear, fill)

	codes, last := pointer("codes"), GP64()
	LEAQ(Mem{Base: codes, Index: r.first, Scale: 4}, codes)
	n.fill(codes, r.codes[0], fill)
	LEAQ(Mem{Base: codes, Index: r.follow, Scale: 4}, last)
	trash := pointer("rest").(GPVirtual)
	ADDQ(I32(8*(nearRoom-1)), trash)
	TESTL(r.others[1].As32(), r.others[1].As32())
	CMOVQNE(trash, last)
	MOVL(r.codes[1].As32(), at(last, 0))

	// The last is not clear, nor the first.
	place, more := GP64(), GP64()
	LEAQ(Mem{Base: r.first, Index: r.follow, Scale: 1}, place)
	MOVW(place.As16(), Mem{Base: unclear, Index: found, Scale: 2})
	XORL(more.As32(), more.As32())
	TESTL(r.others[1].As32(), r.others[1].As32())
	SETNE(more.As8())
	TESTQ(r.follow, r.follow)
	CMOVQEQ(r.follow, more)
	ADDQ(more, found)

	begin, less := GP64(), GP64()
	MOVQ(U32(1), begin)
	MOVQ(U32(2), less)
	fills := GP64()
	MOVQ(U32(nearFill), fills)
	TESTL(differ.As32(), differ.As32())
	CMOVQEQ(fills, begin)
	CMOVQEQ(fills, less)
	ADDQ(r.first, begin)
	SUBQ(less, r.follow)
	MOVW(begin.As16(), at(rest, 0))
	MOVW(r.follow.As16(), at(rest, 2))
	MOVL(r.place.As32(), at(rest, 4))
	NOTQ(r.follow)
	SHRQ(Imm(63), r.follow)
	LEAQ(Mem{Base: rest, Index: r.follow, Scale: 8}, rest)
}

// fill stores a code in the first so many of 16 places, or less.
func (n *nearGrid) fill(to Register, code, count GPVirtual) {
	if n.wide() {
		v, ones, in := ZMM(), GP32(), K()
		VPBROADCASTD(code.As32(), v)
		MOVL(I32(-1), ones)
		BZHIL(count.As32(), ones, ones)
		KMOVW(ones, in)
		VMOVDQU32(v, in, at(to, 0))
		return
	}
	x, limit, v := XMM(), YMM(), YMM()
	VMOVD(code.As32(), x)
	VPBROADCASTD(x, v)
	x = XMM()
	VMOVD(count.As32(), x)
	VPBROADCASTD(x, limit)
	for i := range nearFill / 8 {
		var lanes [8]uint32
		for j := range lanes {
			lanes[j] = uint32(8*i + j)
		}
		in, old := YMM(), n.load(at(to, 32*i))
		VPCMPGTD(vectorConstant(lanes[:]...), limit, in)
		VBLENDVPS(in, v, old, old)
		VMOVUPS(old, at(to, 32*i))
	}
}

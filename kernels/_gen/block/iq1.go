package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of block.iq1Splits are.
const (
	iq1X      = 0 // two arrays of 48 numbers
	iq1W      = 2 * 48 * 4
	iq1Sums   = 2 * iq1W
	iq1Row    = 32 * 4 // of sums
	iq1Masks  = iq1Sums + 9*iq1Row
	iq1Scores = iq1Masks + 24*8
)

// The levels of a code.
var (
	iq1Raised  = [3]float32{-0.875, 0.125, 1.125}
	iq1Lowered = [3]float32{-1.125, -0.125, 0.875}
)

// greaterInteger is VPCMPD's comparison whether the register is above the memory.
const greaterInteger = 6

// iq1Margin is the part of the best score that a pair must reach to be marked: see
// inReach in kernels/block for why that is little enough.
const iq1Margin = 1 - 0x1p-8

func (m *machine) iq1() {
	m.rank(32)
	m.rank(16)
	m.below(32)
	m.below(16)
	m.filterS()
	m.filterM()
	m.nearestTernary()
}

// rank counts, for each value, those that are less and equal ones before it:
//
//	for j < n: for i < n: if x[j] < x[i] || x[j] == x[i] && j < i { rank[i]++ }
func (m *machine) rank(n int) {
	m.function(fmt.Sprintf("rank%d", n), "func(rank *int32, x *float32) float32",
		fmt.Sprintf("counts the values before each of %d and returns the largest magnitude.", n))
	rank, p := pointer("rank"), pointer("x")
	var x, count []VecVirtual
	for v := range n / m.lanes {
		x = append(x, m.load(at(p, v*m.width())))
		count = append(count, m.zero())
	}
	one := m.bits(1)
	for j := range n {
		value := m.broadcast(at(p, 4*j))
		for v := range x {
			var before Register
			switch {
			case j < v*m.lanes:
				before = m.compare(value, lessEqual, x[v])
			case j >= (v+1)*m.lanes:
				before = m.compare(value, less, x[v])
			default:
				before = m.after(m.compare(value, lessEqual, x[v]), m.compare(value, less, x[v]), j%m.lanes)
			}
			if m.wide() {
				VPADDD(one, count[v], before, count[v])
			} else {
				VPSUBD(before, count[v], count[v])
			}
		}
	}
	for v, c := range count {
		VMOVUPS(c, at(rank, v*m.width()))
	}
	magnitude := m.bits(math.MaxInt32)
	for _, v := range x {
		m.and(magnitude, v, v)
		if v != x[0] {
			VMAXPS(v, x[0], x[0])
		}
	}
	m.acrossLanes(x[0], func(a, b, dst VecVirtual) { VMAXPS(a, b, dst) })
	Store(x[0].AsX(), ReturnIndex(0))
	end()
}

// below compares ranks:
//
//	for i < n: first |= rank[i] < first, as bit i, and second in the same way
func (m *machine) below(n int) {
	m.function(fmt.Sprintf("below%d", n), "func(rank *int32, first, second int32) (uint32, uint32)",
		fmt.Sprintf("returns the sets of %d ranks that are below two.", n))
	rank := pointer("rank")
	for i, name := range []string{"first", "second"} {
		from, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		limit := m.register()
		VBROADCASTSS(from.Addr, limit)
		set := GP32()
		for v := range n / m.lanes {
			part := set
			if v > 0 {
				part = GP32()
			}
			if m.wide() {
				k := K()
				VPCMPD(U8(greaterInteger), at(rank, v*m.width()), limit, k)
				KMOVW(k, part)
			} else {
				t := m.register()
				VPCMPGTD(at(rank, v*m.width()), limit, t)
				VMOVMSKPS(t, part)
			}
			if v > 0 {
				SHLL(U8(v*m.lanes), part)
				ORL(part, set)
			}
		}
		Store(set, ReturnIndex(i))
	}
	end()
}

// after returns the lanes of some behind lane j, and those of fewer.
func (m *machine) after(some, fewer Register, j int) Register {
	if m.wide() {
		mask, k := GP32(), K()
		MOVL(U32(0xffff&^(1<<(j+1)-1)), mask)
		KMOVW(mask, k)
		KANDW(k, some, k)
		KORW(k, fewer, k)
		return k
	}
	behind := make([]uint32, 8)
	for l := j + 1; l < 8; l++ {
		behind[l] = math.MaxUint32
	}
	v := YMM()
	VANDPS(vectorConstant(behind...), some, v)
	VORPS(fewer, v, v)
	return v
}

// filterS scores pairs of the split points 0 to 32, raised and lowered, with
//
//	qx = all·high - x[first] - x[second]
//	q2 = (all·high² + w[first]·(low²-mid²)) + w[second]·(mid²-high²)
//
// where low, mid and high are the levels, and takes the better score of both.
func (m *machine) filterS() {
	m.function("filterIQ1_S", "func(s *float32)", "marks pairs that may be best, for a sub-block of 32.")
	s := pointer("s")
	const last = 32
	allX, allW := m.broadcast(at(s, iq1X+4*last)), m.broadcast(at(s, iq1W+4*last))
	type move struct {
		high, squares, lower, upper VecVirtual
		x, w                        VecVirtual // of a row of pairs
	}
	var moves []move
	for _, l := range [][3]float32{iq1Raised, iq1Lowered} {
		v := move{m.register(), m.register(), m.k(l[0]*l[0] - l[1]*l[1]), m.k(l[2]*l[2] - l[1]*l[1]), nil, nil}
		VMULPS(m.k(l[2]), allX, v.high)
		VMULPS(m.k(l[2]*l[2]), allW, v.squares)
		moves = append(moves, v)
	}
	// The differences of squares are the same two, the other way round.
	moves[1].lower, moves[1].upper = moves[0].upper, moves[0].lower

	row, scores := GP64(), GP64()
	MOVQ(s, row)
	LEAQ(at(s, iq1Scores), scores)
	most := m.zero()
	m.rows(last, func(vectors int) {
		x1, w1 := m.broadcast(at(row, iq1X)), m.broadcast(at(row, iq1W))
		for i := range moves {
			v := &moves[i]
			v.x, v.w = m.register(), m.register()
			VSUBPS(x1, v.high, v.x)
			VMOVAPS(v.squares, v.w)
			VFMADD231PS(w1, v.lower, v.w)
		}
		for i := range vectors {
			var better VecVirtual
			for _, v := range moves {
				qx, q2 := m.register(), m.register()
				VSUBPS(at(row, iq1X+i*m.width()), v.x, qx)
				VMOVAPS(v.w, q2)
				VFNMADD231PS(at(row, iq1W+i*m.width()), v.upper, q2)
				m.score(qx, q2)
				if better == nil {
					better = qx
				} else {
					VMAXPS(better, qx, better)
				}
			}
			VMOVUPS(better, at(scores, i*m.width()))
			VMAXPS(better, most, most)
		}
		ADDQ(I32(4), row)
		ADDQ(I32(vectors*m.width()), scores)
	})
	m.mark(s, most, last)
	end()
}

// score turns qx into about qx²/q2.
func (m *machine) score(qx, q2 VecVirtual) {
	if m.wide() {
		VRCP14PS(q2, q2)
	} else {
		VRCPPS(q2, q2)
	}
	VMULPS(qx, qx, qx)
	VMULPS(q2, qx, qx)
}

// rows runs body for each first split point up to last: in loops over those whose
// second ones fill as many vectors.
func (m *machine) rows(last int, body func(vectors int)) {
	for first := 0; first <= last; {
		vectors := m.vectors(last, first)
		n := 1
		for first+n <= last && m.vectors(last, first+n) == vectors {
			n++
		}
		count := GP64()
		MOVQ(U32(n), count)
		loop(count, func() { body(vectors) })
		first += n
	}
}

func (m *machine) vectors(last, first int) int { return (last - first + m.lanes) / m.lanes }

// mark stores a mask of the lanes of each vector of scores that are near the most
// of all lanes.
func (m *machine) mark(s Register, most VecVirtual, last int) {
	m.acrossLanes(most, func(a, b, dst VecVirtual) { VMAXPS(a, b, dst) })
	VMULPS(m.k(iq1Margin), most, most)
	vectors := 0
	for first := range last + 1 {
		vectors += m.vectors(last, first)
	}
	unroll := 5
	for vectors%unroll != 0 {
		unroll--
	}
	scores, masks, n := GP64(), GP64(), GP64()
	LEAQ(at(s, iq1Scores), scores)
	LEAQ(at(s, iq1Masks), masks)
	MOVQ(U32(vectors/unroll), n)
	loop(n, func() {
		for i := range unroll {
			near := m.compare(most, lessEqual, at(scores, i*m.width()))
			mask := GP32()
			if m.wide() {
				KMOVW(near, mask)
			} else {
				VMOVMSKPS(near, mask)
			}
			MOVW(mask.As16(), at(masks, 2*i))
		}
		ADDQ(I32(unroll*m.width()), scores)
		ADDQ(I32(unroll*2), masks)
	})
}

// acrossLanes combines all lanes of v, in each of them.
func (m *machine) acrossLanes(v VecVirtual, combine func(a, b, dst VecVirtual)) {
	t := m.register()
	if m.wide() {
		VSHUFF32X4(U8(0x4e), v, v, t)
		combine(t, v, v)
		VSHUFF32X4(U8(0xb1), v, v, t)
	} else {
		VPERM2F128(U8(0x01), v, v, t)
	}
	combine(t, v, v)
	for _, order := range []uint8{0x4e, 0xb1} {
		VPERMILPS(U8(order), v, t)
		combine(t, v, v)
	}
}

// filterM scores pairs of the split points 0 to 16 with the four moves of two
// halves, as filterS does for one. Rows of sums hold, by split point: Σ w·x of both
// halves; for each move, what the first point and the totals, and what the
// second point adds to Σ w·q².
func (m *machine) filterM() {
	m.function("filterIQ1_M", "func(s *float32)", "marks pairs that may be best, for a sub-block of 16.")
	s := pointer("s")
	const last = 16
	levels := [2][3]float32{iq1Raised, iq1Lowered}
	square := func(f float32) float32 { return f * f }
	field := func(base, half int) int { return base + half*48*4 }
	row := func(i int) int { return iq1Sums + i*iq1Row }

	var tops, totals [4]VecVirtual // of each move
	for k := range tops {
		tops[k], totals[k] = m.register(), m.register()
		for half := range 2 {
			high := levels[k>>half&1][2]
			x, w := m.broadcast(at(s, field(iq1X, half)+4*last)), m.broadcast(at(s, field(iq1W, half)+4*last))
			VMULPS(m.k(high), x, x)
			VMULPS(m.k(square(high)), w, w)
			if half == 0 {
				VMOVAPS(x, tops[k])
				VMOVAPS(w, totals[k])
			} else {
				VADDPS(x, tops[k], tops[k])
				VADDPS(w, totals[k], totals[k])
			}
		}
	}
	for i := range (last + m.lanes) / m.lanes {
		to := i * m.width()
		x := m.load(at(s, field(iq1X, 0)+to))
		VADDPS(at(s, field(iq1X, 1)+to), x, x)
		VMOVUPS(x, at(s, row(0)+to))
		for k := range 4 {
			first, second, t := m.register(), m.register(), m.register()
			VMOVAPS(totals[k], first)
			for half := range 2 {
				l := levels[k>>half&1]
				w := m.load(at(s, field(iq1W, half)+to))
				VMULPS(m.k(square(l[0])-square(l[1])), w, t)
				VADDPS(t, first, first)
				VMULPS(m.k(square(l[2])-square(l[1])), w, w)
				if half == 0 {
					VMOVAPS(w, second)
				} else {
					VADDPS(w, second, second)
				}
			}
			VMOVUPS(first, at(s, row(1+k)+to))
			VMOVUPS(second, at(s, row(5+k)+to))
		}
	}
	// Vectors of second points reach beyond those that are filled: the last again.
	for i := (last + m.lanes) / m.lanes; i < 32/m.lanes; i++ {
		for r := range 9 {
			v := m.broadcast(at(s, row(r)+4*last))
			VMOVUPS(v, at(s, row(r)+i*m.width()))
		}
	}

	p, scores := GP64(), GP64()
	MOVQ(s, p)
	LEAQ(at(s, iq1Scores), scores)
	most := m.zero()
	m.rows(last, func(vectors int) {
		x1 := m.broadcast(at(p, row(0)))
		var firsts [4]VecVirtual
		for k := range firsts {
			firsts[k] = m.broadcast(at(p, row(1+k)))
		}
		for i := range vectors {
			to := i * m.width()
			x, better := m.register(), VecVirtual(nil)
			VADDPS(at(p, row(0)+to), x1, x)
			for k := range 4 {
				qx, q2 := m.register(), m.register()
				VSUBPS(x, tops[k], qx)
				VSUBPS(at(p, row(5+k)+to), firsts[k], q2)
				m.score(qx, q2)
				if better == nil {
					better = qx
				} else {
					VMAXPS(better, qx, better)
				}
			}
			VMOVUPS(better, at(scores, to))
			VMAXPS(better, most, most)
		}
		ADDQ(I32(4), p)
		ADDQ(I32(vectors*m.width()), scores)
	})
	m.mark(s, most, last)
	end()
}

// nearestTernary sums up, for each code, w·(scale·level - x)² of eight elements, in
// order:
//
//	for c < n: sum = Σ error[i][codes[c]>>(2·i)&3]; if sum < least { least, best = sum, c }
//
// n is at least the lanes of a vector: what is left at the end is looked at
// together with some before it.
func (m *machine) nearestTernary() {
	m.function("nearestTernary", "func(codes *uint16, n int, x, w *float32, scale float32, levels *float32) int",
		"returns the first place of the least error, below zero if none is finite.")
	codes, n := pointer("codes"), pointer("n")
	tables := m.errorTables()
	least, best, place := m.k(math.MaxFloat32), m.bits(math.MaxUint32), m.register()
	VMOVUPS(m.lanesConstant(), place)

	try := func() {
		code, sum, e := m.register(), m.register(), m.register()
		VPMOVZXWD(at(codes, 0), code)
		for i, t := range tables {
			if i == 0 {
				VPERMILPS(code, t, sum)
				continue
			}
			VPSRLD(U8(2), code, code)
			VPERMILPS(code, t, e)
			VADDPS(e, sum, sum)
		}
		less := m.compare(sum, less, least)
		m.choose(less, sum, least, least)
		m.choose(less, place, best, best)
	}
	left := GP64()
	MOVQ(n, left)
	begin, rest, done := label("begin"), label("rest"), label("done")
	Label(begin)
	try()
	ADDQ(I32(2*m.lanes), codes)
	VPADDD(m.bits(uint32(m.lanes)), place, place)
	SUBQ(I32(m.lanes), left)
	CMPQ(left, I32(m.lanes))
	JGE(LabelRef(begin))
	Label(rest)
	TESTQ(left, left)
	JZ(LabelRef(done))
	// Back by what is missing to a vector.
	SUBQ(I32(m.lanes), left)
	LEAQ(Mem{Base: codes, Index: left, Scale: 2}, codes)
	back := m.register()
	x := XMM()
	VMOVD(left.As32(), x)
	VPBROADCASTD(x, back)
	VPADDD(back, place, place)
	try()
	Label(done)

	smallest := m.register()
	VMOVAPS(least, smallest)
	m.acrossLanes(smallest, func(a, b, dst VecVirtual) { VMINPS(a, b, dst) })
	m.choose(m.compare(least, equal, smallest), best, m.bits(math.MaxInt32), best)
	m.acrossLanes(best, func(a, b, dst VecVirtual) { VPMINSD(a, b, dst) })
	found := GP32()
	wide := GP64()
	VMOVD(m.low(best), found)
	MOVLQSX(found, wide)
	Store(wide, ReturnIndex(0))
	end()
}

func (m *machine) low(v VecVirtual) Register { return v.AsX() }

// lanesConstant is the numbers of the lanes.
func (m *machine) lanesConstant() Mem {
	numbers := make([]uint32, m.lanes)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	return vectorConstant(numbers...)
}

// errorTables returns, for each of eight elements, the errors at its three levels,
// in each four lanes; the fourth is the third again.
func (m *machine) errorTables() (tables []VecVirtual) {
	x, w, levels := pointer("x"), pointer("w"), pointer("levels")
	values, weights, scale := YMM(), YMM(), YMM()
	VMOVUPS(at(x, 0), values)
	VMOVUPS(at(w, 0), weights)
	from, err := Param("scale").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(from.Addr, scale)
	var e [3]VecVirtual
	for l := range e {
		d := YMM()
		VBROADCASTSS(at(levels, 4*l), d)
		VMULPS(scale, d, d)
		VSUBPS(values, d, d)
		e[l] = YMM()
		VMULPS(weights, d, e[l])
		VMULPS(d, e[l], e[l])
	}
	var pairs [4]VecVirtual // of elements 0 1, 2 3 and the same of four more in the upper half
	for i := range pairs {
		pairs[i] = YMM()
	}
	VUNPCKLPS(e[1], e[0], pairs[0])
	VUNPCKLPS(e[2], e[2], pairs[1])
	VUNPCKHPS(e[1], e[0], pairs[2])
	VUNPCKHPS(e[2], e[2], pairs[3])
	var quads [4]VecVirtual
	for i := range quads {
		quads[i] = YMM()
		a, b := pairs[i/2*2], pairs[i/2*2+1]
		if i%2 == 0 {
			VUNPCKLPD(b, a, quads[i])
		} else {
			VUNPCKHPD(b, a, quads[i])
		}
	}
	for i := range 8 {
		t := m.register()
		if m.wide() {
			q := quads[i%4].AsZ()
			VSHUFF32X4(U8(0x55*(i/4)), q, q, t)
		} else {
			VPERM2F128(U8(0x11*(i/4)), quads[i%4], quads[i%4], t)
		}
		tables = append(tables, t)
	}
	return tables
}

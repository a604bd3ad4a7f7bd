package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A machine writes kernels for one instruction set. Most instructions have the
// same name for registers of 8 and of 16 lanes; what differs is behind methods.
type machine struct {
	name     string // of the path, the end of each function's name
	lanes    int
	unroll   int // vectors in flight where a body needs few registers
	deep     int // where it needs many
	register func() VecVirtual

	kept map[uint32]VecVirtual // constants that stay in registers
}

func avx512() *machine {
	return &machine{name: "AVX512", lanes: 16, unroll: 4, deep: 4, register: ZMM}
}

func avx2() *machine {
	return &machine{name: "AVX2", lanes: 8, unroll: 4, deep: 2, register: YMM}
}

func (m *machine) wide() bool { return m.lanes == 16 }
func (m *machine) width() int { return 4 * m.lanes }

// function begins a function for this machine.
func (m *machine) function(name, signature, doc string) {
	m.kept = nil
	TEXT(name+m.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + m.name + " " + doc)
}

// A table is read-only memory of 32-bit numbers, each of which is there once if
// it came by way of constant. Tables are written after the functions, as what
// is defined last is what DATA adds to.
type table struct {
	name    string
	at      map[uint32]int
	content []uint32
}

var constants = table{name: "constants", at: map[uint32]int{}}

// masks is the table that AVX2's masks are slices of: ones for a vector, and
// then zeros for one.
var masks = table{name: "masks", content: append(slices.Repeat([]uint32{math.MaxUint32}, 8), make([]uint32, 8)...)}

func (t *table) place(i int) Mem {
	return NewDataAddr(NewStaticSymbol(t.name), 4*i)
}

func (t *table) write() {
	GLOBL(t.name, RODATA|NOPTR)
	for i, v := range t.content {
		DATA(4*i, U32(v))
	}
}

func constant(bits uint32) Mem {
	c := &constants
	i, ok := c.at[bits]
	if !ok {
		i = len(c.content)
		c.at[bits] = i
		c.content = append(c.content, bits)
	}
	return c.place(i)
}

// bits returns a register with a pattern in each lane; k with a number.
func (m *machine) bits(pattern uint32) VecVirtual {
	if v, ok := m.kept[pattern]; ok {
		return v
	}
	v := m.register()
	VBROADCASTSS(constant(pattern), v)
	return v
}

// keep loads constants for the rest of a function, where there are registers
// enough. What k returns for them may then not be changed.
func (m *machine) keep(numbers ...float64) {
	if !m.wide() {
		return
	}
	kept := map[uint32]VecVirtual{}
	for _, f := range numbers {
		kept[math.Float32bits(float32(f))] = m.k(f)
	}
	m.kept = kept
}

func (m *machine) k(f float64) VecVirtual { return m.bits(math.Float32bits(float32(f))) }

// parameter returns a register with a float parameter in each lane.
func (m *machine) parameter(name string) VecVirtual {
	v := m.register()
	a, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(a.Addr, v)
	return v
}

func (m *machine) pointer(name string) Register { return Load(Param(name).Base(), GP64()) }
func (m *machine) length(name string) Register  { return Load(Param(name).Len(), GP64()) }

func (m *machine) zero() VecVirtual {
	v := m.register()
	if m.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
	return v
}

func (m *machine) zeros(n int) (all []VecVirtual) {
	for range n {
		all = append(all, m.zero())
	}
	return all
}

// broadcast returns a register with the first lane of x in each lane.
func (m *machine) broadcast(x VecVirtual) VecVirtual {
	v := m.register()
	VBROADCASTSS(x, v)
	return v
}

// A block is what a loop does at once: some vectors, or one of which only the
// lanes below the elements that are left are in use.
type block struct {
	*machine
	count    int
	pointers []Register
	left     Register // elements, where masked
	mask     Register // K register or vector
	masked   bool
}

// at returns the place of vector i behind a pointer.
func (b *block) at(p Register, i int) Mem { return Mem{Base: p, Disp: i * b.width()} }

// load returns vector i of pointer p; lanes that are not in use are 0.
func (b *block) load(p, i int) VecVirtual { return b.loadFrom(b.at(b.pointers[p], i)) }

func (b *block) loadFrom(from Mem) VecVirtual {
	v := b.register()
	switch {
	case !b.masked:
		VMOVUPS(from, v)
	case b.wide():
		VMOVUPS_Z(from, b.mask, v)
	default:
		VMASKMOVPS(from, b.mask, v)
	}
	return v
}

func (b *block) store(p, i int, v VecVirtual) {
	to := b.at(b.pointers[p], i)
	switch {
	case !b.masked:
		VMOVUPS(v, to)
	case b.wide():
		VMOVUPS(v, b.mask, to)
	default:
		VMASKMOVPS(v, b.mask, to)
	}
}

// clear sets the lanes of v that are not in use to 0.
func (b *block) clear(v VecVirtual) {
	switch {
	case !b.masked:
	case b.wide():
		VMOVAPS_Z(v, b.mask, v)
	default:
		VANDPS(b.mask, v, v)
	}
}

// setMask makes the mask of the first left elements, which are less than a vector.
func (b *block) setMask() {
	if b.wide() {
		ones := GP32()
		MOVL(U32(math.MaxUint32), ones)
		BZHIL(b.left.(GP).As32(), ones, ones)
		b.mask = K()
		KMOVW(ones, b.mask)
		return
	}
	v := YMM()
	VMOVDQU(maskAt(b.left), v)
	b.mask = v
}

// maskAt returns the place in masks from which on left elements, up to 8, are ones.
func maskAt(left Register) Mem {
	at, back := GP64(), GP64()
	LEAQ(masks.place(0), at)
	MOVQ(left, back)
	SHLQ(Imm(2), back)
	SUBQ(back, at)
	return Mem{Base: at, Disp: 32}
}

var labels int

// label returns a name that is new.
func label(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

// each runs body over n elements behind pointers: unroll vectors at a time, a
// power of two, then at most once each half of that down to one, then what is left
// through a mask, as masked stores are slow. sizes are the bytes of an element behind each
// pointer. It changes n and the pointers.
func (m *machine) each(n Register, pointers []Register, sizes []int, unroll int, body func(b *block)) {
	m.whole(n, pointers, sizes, unroll, body)
	advance := func(vectors int) { advance(pointers, sizes, vectors*m.lanes) }
	done := label("done")
	for u := unroll / 2; u > 0; u /= 2 {
		fewer := label("fewer")
		CMPQ(n, I32(u*m.lanes))
		JLT(LabelRef(fewer))
		body(&block{machine: m, count: u, pointers: pointers})
		advance(u)
		SUBQ(I32(u*m.lanes), n)
		Label(fewer)
	}
	TESTQ(n, n)
	JZ(LabelRef(done))
	b := &block{machine: m, count: 1, pointers: pointers, left: n, masked: true}
	b.setMask()
	body(b)
	Label(done)
}

// whole runs body over as many elements as there are whole runs of unroll
// vectors, and leaves what remains in n.
func (m *machine) whole(n Register, pointers []Register, sizes []int, unroll int, body func(b *block)) {
	step := unroll * m.lanes
	loop, end := label("loop"), label("end")
	SUBQ(I32(step), n)
	JLT(LabelRef(end))
	Label(loop)
	body(&block{machine: m, count: unroll, pointers: pointers})
	advance(pointers, sizes, step)
	SUBQ(I32(step), n)
	JGE(LabelRef(loop))
	Label(end)
	ADDQ(I32(step), n)
}

func advance(pointers []Register, sizes []int, elements int) {
	for i, p := range pointers {
		ADDQ(I32(elements*sizes[i]), p)
	}
}

// floats is the sizes of pointers to float32.
func floats(n int) (sizes []int) {
	for range n {
		sizes = append(sizes, 4)
	}
	return sizes
}

func copyOf(r Register) Register {
	c := GP64()
	MOVQ(r, c)
	return c
}

// reduce joins the vectors and then the lanes of acc in pairs, and returns a
// register with the result in its first lane. join is VADDPS or VMAXPS.
func (m *machine) reduce(acc []VecVirtual, join func(ops ...Op)) VecVirtual {
	for n := len(acc); n > 1; n /= 2 {
		for i := range n / 2 {
			join(acc[i+n/2], acc[i], acc[i])
		}
	}
	v := acc[0]
	if m.wide() {
		high := YMM()
		VEXTRACTF64X4(Imm(1), v, high)
		join(high, v.AsY(), v.AsY())
	}
	high := XMM()
	VEXTRACTF128(Imm(1), v.AsY(), high)
	join(high, v.AsX(), v.AsX())
	VPERMILPS(Imm(0b1110), v.AsX(), high)
	join(high, v.AsX(), v.AsX())
	VPERMILPS(Imm(1), v.AsX(), high)
	join(high, v.AsX(), v.AsX())
	x := XMM()
	VMOVAPS(v.AsX(), x)
	return x
}

// result stores the first lane of x as the result and returns.
func result(x VecVirtual) {
	Store(x, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func end() {
	VZEROUPPER()
	RET()
}

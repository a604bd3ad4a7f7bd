package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A machine writes kernels for one instruction set. Most instructions have the
// same name for registers of 8 and of 16 lanes; what differs is behind methods.
type machine struct {
	name     string // of the path, the end of each function's name
	lanes    int
	register func() VecVirtual

	kept map[uint32]VecVirtual // constants that stay in registers
}

func avx512() *machine { return &machine{name: "AVX512", lanes: 16, register: ZMM} }
func avx2() *machine   { return &machine{name: "AVX2", lanes: 8, register: YMM} }

func (m *machine) wide() bool { return m.lanes == 16 }

// width is the bytes of a vector.
func (m *machine) width() int { return 4 * m.lanes }

// function begins a function for this machine.
func (m *machine) function(name, signature, doc string) {
	m.kept = nil
	TEXT(name+m.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + m.name + " " + doc)
}

// end returns from a function.
func end() {
	VZEROUPPER()
	RET()
}

// constants is read-only memory of 32-bit numbers, each of which is there once.
// It is written after the functions, as what is defined last is what DATA adds to.
var constants = table{at: map[uint32]int{}}

type table struct {
	at      map[uint32]int
	content []uint32
}

func (t *table) place(i int) Mem { return NewDataAddr(NewStaticSymbol("constants"), 4*i) }

func (t *table) write() {
	GLOBL("constants", RODATA|NOPTR)
	for i, v := range t.content {
		DATA(4*i, U32(v))
	}
}

func constant(pattern uint32) Mem {
	i, ok := constants.at[pattern]
	if !ok {
		i = len(constants.content)
		constants.at[pattern] = i
		constants.content = append(constants.content, pattern)
	}
	return constants.place(i)
}

func floatConstant(f float32) Mem { return constant(math.Float32bits(f)) }

// vectorConstant returns the place of eight numbers.
func vectorConstant(patterns ...uint32) Mem {
	content := constants.content
	for i := range len(content) - len(patterns) + 1 {
		if slices.Equal(content[i:i+len(patterns)], patterns) {
			return constants.place(i)
		}
	}
	constants.content = append(content, patterns...)
	return constants.place(len(content))
}

// keep loads constants for the rest of a function, where there are registers
// enough. What bits returns for them may not be changed.
func (m *machine) keep(patterns ...uint32) {
	if !m.wide() {
		return
	}
	kept := map[uint32]VecVirtual{}
	for _, p := range patterns {
		kept[p] = m.bits(p)
	}
	m.kept = kept
}

// bits returns a register with a pattern in each lane; k with a number.
func (m *machine) bits(pattern uint32) VecVirtual {
	if v, ok := m.kept[pattern]; ok {
		return v
	}
	return m.broadcast(constant(pattern))
}

func (m *machine) k(f float32) VecVirtual { return m.bits(bitsOf(f)) }

func bitsOf(f float32) uint32 { return math.Float32bits(f) }

// broadcast returns a register with a number in memory in each lane.
func (m *machine) broadcast(from Mem) VecVirtual {
	v := m.register()
	VBROADCASTSS(from, v)
	return v
}

func (m *machine) load(from Mem) VecVirtual {
	v := m.register()
	VMOVUPS(from, v)
	return v
}

// zero returns a register of zeros. avo takes the operands of VPXORD for read,
// so that the register would be in use from the beginning of the function.
func (m *machine) zero() VecVirtual {
	if m.wide() {
		v := ZMM()
		VBROADCASTSS(constant(0), v)
		return v
	}
	v := YMM()
	VXORPS(v, v, v)
	return v
}

func (m *machine) zeros(n int) (all []VecVirtual) {
	for range n {
		all = append(all, m.zero())
	}
	return all
}

func pointer(name string) Register { return Load(Param(name), GP64()) }

func at(p Register, bytes int) Mem { return Mem{Base: p, Disp: bytes} }

// Comparisons of VCMPPS that are false for NaN, and one that is true.
const (
	equal        = 0x00
	less         = 0x11
	lessEqual    = 0x12
	notEqual     = 0x04 // or NaN
	greaterEqual = 0x1d
	greater      = 0x1e
)

// compare returns the lanes where a relates to b so: a register K, or a vector of ones.
func (m *machine) compare(a VecVirtual, relation uint64, b Op) Register {
	if m.wide() {
		k := K()
		VCMPPS(Imm(relation), b, a, k)
		return k
	}
	v := YMM()
	VCMPPS(Imm(relation), b, a, v)
	return v
}

// compareToo returns those lanes of mask where a relates to b so.
func (m *machine) compareToo(mask Register, a VecVirtual, relation uint64, b VecVirtual) Register {
	if m.wide() {
		k := K()
		VCMPPS(Imm(relation), b, a, mask, k)
		return k
	}
	v := YMM()
	VCMPPS(Imm(relation), b, a, v)
	VANDPS(mask, v, v)
	return v
}

// differs returns those lanes of mask where the integers a and b are not the same.
func (m *machine) differs(mask Register, a VecVirtual, b Op) Register {
	if m.wide() {
		k := K()
		VPCMPD(Imm(4), b, a, mask, k)
		return k
	}
	v := YMM()
	VPCMPEQD(b, a, v)
	VPANDN(mask, v, v)
	return v
}

// skipIfNone goes to a label if no lane is in mask.
func (m *machine) skipIfNone(mask Register, label string) {
	if m.wide() {
		KORTESTW(mask, mask)
	} else {
		VPTEST(mask, mask)
	}
	JZ(LabelRef(label))
}

// note sets the bits of the lanes of mask in a general register.
func (m *machine) note(mask, to Register) {
	some := GP32()
	if m.wide() {
		KMOVW(mask.(Op), some)
	} else {
		VMOVMSKPS(mask.(Op), some)
	}
	ORL(some, to)
}

// choose stores yes in the lanes of mask, no in the others. avo takes dst for
// read if it has a mask: a register that is new would be in use from the beginning
// of the function.
func (m *machine) choose(mask Register, yes Op, no, dst VecVirtual) {
	if m.wide() {
		VBLENDMPS(yes, no, mask, dst)
	} else {
		VBLENDVPS(mask, yes, no, dst)
	}
}

// signs returns the lanes whose sign is set, as a mask.
func (m *machine) signs(v VecVirtual) Register {
	if m.wide() {
		k := K()
		VPMOVD2M(v, k)
		return k
	}
	return v
}

// and, or, xor of bits; VANDPS and the like of 512 bits are as good as the
// integer ones on this path, which has AVX-512 DQ.
func (m *machine) and(a, b Op, dst VecVirtual) { VANDPS(a, b, dst) }
func (m *machine) or(a, b Op, dst VecVirtual)  { VORPS(a, b, dst) }
func (m *machine) xor(a, b Op, dst VecVirtual) { VXORPS(a, b, dst) }

func (m *machine) integerAnd(a, b Op, dst VecVirtual) {
	if m.wide() {
		VPANDD(a, b, dst)
	} else {
		VPAND(a, b, dst)
	}
}

func (m *machine) integerOr(a, b Op, dst VecVirtual) {
	if m.wide() {
		VPORD(a, b, dst)
	} else {
		VPOR(a, b, dst)
	}
}

var labels int

// label returns a name that is new.
func label(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

// loop runs body n times, at least once, and counts n down.
func loop(n Register, body func()) {
	begin := label("loop")
	Label(begin)
	body()
	DECQ(n)
	JNZ(LabelRef(begin))
}

// checkVEX finds registers that are not there without AVX-512: the assembler
// would turn to an encoding of AVX-512 silently.
func checkVEX(f *ir.Function) error {
	if !strings.HasSuffix(f.Name, "AVX2") {
		return nil
	}
	for _, i := range f.Instructions() {
		for _, isa := range i.ISA {
			if strings.HasPrefix(isa, "AVX512") {
				return fmt.Errorf("%s has %s of %s", f.Name, i.Opcode, isa)
			}
		}
		for _, r := range i.Registers() {
			if v, ok := r.(VecPhysical); ok && v.PhysicalIndex() > 15 {
				return fmt.Errorf("%s, which has no AVX-512, uses %s", f.Name, v.Asm())
			}
		}
	}
	return nil
}

// lastTwo reduces v to the larger one of its first lane and of the first lane of the
// register that it returns.
func (m *machine) lastTwo(v VecVirtual) VecVirtual {
	if m.wide() {
		high := YMM()
		VEXTRACTF64X4(Imm(1), v, high)
		VMAXPS(high, v.AsY(), v.AsY())
	}
	high := XMM()
	VEXTRACTF128(Imm(1), v.AsY(), high)
	VMAXPS(high, v.AsX(), v.AsX())
	VPERMILPS(Imm(0b1110), v.AsX(), high)
	VMAXPS(high, v.AsX(), v.AsX())
	VPERMILPS(Imm(1), v.AsX(), high)
	return high
}

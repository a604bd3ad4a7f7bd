package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The int8 micro-kernels. In pseudo-code, for a tile of rows x (16·panels)
// columns, of which cols are in use, and weights in groups of 16 or 32 inputs:
//
//	acc[rows][columns] = 0                                    in registers
//	for b < blocks, group g of the block:
//	    sum[rows][columns] = -128 · Σ q                       int32, exact; part of the weights
//	    for four inputs k of the group:
//	        for r < rows: sum[r] += a[r][k..k+3] · q[k..k+3][columns]
//	    for r < rows: acc[r] += float(sum[r]) * (scale[r][b] * weightScale[b][g][columns])
//	if bias: acc[r] += bias[columns < cols]
//	if add:  acc[r] += dst[r][columns < cols]
//	dst[r][columns < cols] = acc[r]
//
// Activations are unsigned, 128 more than what they stand for, and weights signed:
// that is what the instructions multiply. The sum of four products is a step of
// its own for each instruction set.
//
// A call computes as many such tiles as it is asked for, one below the other: on
// the way from one to the next, pointers that move are kept in the arguments.
const int8Signature = "func(tiles int, blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)"

const (
	blockInputs = 32 // of a scale of activations
	quantsBlock = blockInputs * 16
)

// An int8Kernel is a tile of a fixed shape.
type int8Kernel struct {
	kernel        // register, zero, width, vectors, rows, acc
	group     int // inputs of a weight scale
	a, aScale rowPointers
	quants    func(four, vector int) Mem
	scales    func(group, vector int) Mem
	comps     func(group, vector int) Mem       // the first sums
	four      func(group, four int, first bool) // sum += a · q of four inputs, the first ones of a group or others
	scale     func(from Mem, by, to VecVirtual) // to = by * the number at from, broadcast
	next      func()                            // moves weights on by a block
	sum       [][]VecVirtual
}

func (t *int8Kernel) product(blocks Register) {
	t.acc, t.sum = t.grid(), t.grid()
	for r := range t.acc {
		for _, v := range t.acc[r] {
			t.zero(v)
		}
	}
	Label("loop")
	for g := range blockInputs / t.group {
		fours := t.group / 4
		for i := range fours {
			t.four(g, g*fours+i, i == 0)
		}
		weights := t.registers()
		for i := range weights {
			VMOVUPS(t.scales(g, i), weights[i])
		}
		for r := range t.rows {
			for i := range weights {
				VCVTDQ2PS(t.sum[r][i], t.sum[r][i])
				s := t.register()
				t.scale(t.aScale.at(r, 0), weights[i], s)
				VFMADD231PS(t.sum[r][i], s, t.acc[r][i])
			}
		}
	}
	t.a.advance(blockInputs)
	t.aScale.advance(4)
	t.next()
	DECQ(blocks)
	JNZ(LabelRef("loop"))
}

// panelPointers loads where the quants and scales of each panel begin.
func panelPointers(panels int) (quants, scales []Register) {
	quants = []Register{Load(Param("quants"), GP64())}
	scales = []Register{Load(Param("scales"), GP64())}
	if panels == 2 {
		q, s := Load(Param("quantsNext"), GP64()), Load(Param("scalesNext"), GP64())
		ADDQ(quants[0], q)
		ADDQ(scales[0], s)
		quants, scales = append(quants, q), append(scales, s)
	}
	return quants, scales
}

// nextTile moves the pointers that differ from tile to tile, in the arguments,
// and goes back to the beginning of the function if there is another one.
func nextTile(rows int) {
	argument := func(name string) Mem {
		b, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		return b.Addr
	}
	DECQ(argument("tiles"))
	JZ(LabelRef("end"))
	for _, pointer := range []string{"a", "aScale", "dst"} {
		step := Load(Param(pointer+"Stride"), GP64())
		IMUL3Q(Imm(uint64(rows)), step, step)
		ADDQ(step, argument(pointer))
	}
	JMP(LabelRef("tile"))
	Label("end")
}

// registers returns one for each vector of columns, grid for each row of them.
func (t *int8Kernel) registers() []VecVirtual {
	v := make([]VecVirtual, t.vectors)
	for i := range v {
		v[i] = t.register()
	}
	return v
}

func (t *int8Kernel) grid() [][]VecVirtual {
	g := make([][]VecVirtual, t.rows)
	for r := range g {
		g[r] = t.registers()
	}
	return g
}

// begin sets the first sums of a group.
func (t *int8Kernel) begin(group int) {
	for i, v := range t.sum[0] {
		VMOVUPS(t.comps(group, i), v)
		for _, sum := range t.sum[1:] {
			VMOVAPS(v, sum[i])
		}
	}
}

// dotFour is the step of an instruction that does all of it: sum += a · q.
func (t *int8Kernel) dotFour(group, four int, first bool, dot func(q, a, sum VecVirtual)) {
	if first {
		t.begin(group)
	}
	q := t.registers()
	for i := range q {
		VMOVUPS(t.quants(four, i), q[i])
	}
	t.dotRows(four, q, dot)
}

// dotRows is the step given the weights of the four inputs.
func (t *int8Kernel) dotRows(four int, q []VecVirtual, dot func(q, a, sum VecVirtual)) {
	for r := range t.rows {
		a := t.register()
		VPBROADCASTD(t.a.at(r, four*4), a)
		for i := range q {
			dot(q[i], a, t.sum[r][i])
		}
	}
}

// int8AVX512 uses VPDPBUSD of AVX512_VNNI.
func int8AVX512(rows, panels, group int) {
	name := fmt.Sprintf("int8VNNI%dx%dg%d", rows, panels*16, group)
	TEXT(name, NOSPLIT, int8Signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes tiles of %d rows and up to %d columns of weights in groups of %d with AVX-512 VNNI.", name, rows, panels*16, group))
	Label("tile")
	blocks := Load(Param("blocks"), GP64())
	t, quants := newInt8AVX512(rows, panels, group, quantsBlock)
	t.again = func() { nextTile(rows) }
	t.quants = func(four, v int) Mem { return Mem{Base: quants[v], Disp: four * 64} }
	t.four = func(group, four int, first bool) { t.dotFour(group, four, first, vpdpbusd512) }
	t.product(blocks)
	t.finishAVX512()
}

func vpdpbusd512(q, a, sum VecVirtual) { VPDPBUSD(q, a, sum) }

// newInt8AVX512 returns a tile but for its weights, which begin at quants and
// have so many bytes for a block of inputs.
func newInt8AVX512(rows, panels, group, block int) (t *int8Kernel, quants []Register) {
	t = &int8Kernel{
		kernel: kernel{
			rows: rows, vectors: panels, width: 64,
			register: ZMM,
			zero:     func(v VecVirtual) { VPXORD(v, v, v) },
		},
		group:  group,
		a:      newRowPointers(rows, Load(Param("a"), GP64()), Load(Param("aStride"), GP64())),
		aScale: newRowPointers(rows, Load(Param("aScale"), GP64()), Load(Param("aScaleStride"), GP64())),
	}
	quants, scales := panelPointers(panels)
	t.scales = func(g, v int) Mem { return Mem{Base: scales[v], Disp: g * 128} }
	t.comps = func(g, v int) Mem { return Mem{Base: scales[v], Disp: g*128 + 64} }
	t.scale = func(from Mem, by, to VecVirtual) { VMULPS_BCST(from, by, to) }
	t.next = func() {
		for v := range panels {
			ADDQ(I32(uint32(block)), quants[v])
			ADDQ(I32(blockInputs/group*128), scales[v])
		}
	}
	return t, quants
}

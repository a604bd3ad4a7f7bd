package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The int8 micro-kernels of AVX2: tiles of up to three rows, two vectors of eight
// columns, 16 registers. There are three ways to the sum of four products, all
// of them exact.
//
// With AVX-VNNI, VPDPBUSD does the work as it does in AVX-512. Its form for
// machines without AVX-512 has an encoding of its own (vex.go).
//
// Weights within ±64, called narrow, with ones being 16-bit numbers:
//
//	pair = a0·q0 + a1·q1     VPMADDUBSW: 255·64·2 = 32640, no more than int16 holds
//	sum += pair·ones         VPMADDWD, which adds two neighbours in int32, and VPADDD
//
// Other weights, called wide, of which VPMADDUBSW could overflow:
//
//	even(q), odd(q) = q << 8 >> 8, q >> 8        16-bit, once for all rows
//	even(a), odd(a) = a & 0xFF, a >> 8           16-bit, once for all columns
//	sum += even(a)·even(q), sum += odd(a)·odd(q)     VPMADDWD and VPADDD each
type int8Dot int

const (
	narrowDot int8Dot = iota
	wideDot
	vexDot
)

// name and doc of the way.
func (d int8Dot) name() string { return [...]string{"AVX2Narrow", "AVX2Wide", "AVXVNNI"}[d] }
func (d int8Dot) doc() string {
	return [...]string{"AVX2, where quants are within ±64", "AVX2", "AVX-VNNI"}[d]
}

func int8AVX2(way int8Dot, rows, group int, masks Mem) {
	name := fmt.Sprintf("int8%s%dx16g%d", way.name(), rows, group)
	TEXT(name, NOSPLIT, int8Signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes tiles of %d rows and up to 16 columns of weights in groups of %d with %s. It makes no use of quantsNext and scalesNext.",
		name, rows, group, way.doc()))
	Label("tile")
	blocks := Load(Param("blocks"), GP64())
	quants := Load(Param("quants"), GP64())
	t := newInt8AVX2(rows, group, quants)
	t.again = func() { nextTile(rows) }
	t.dot(way)
	t.product(blocks)
	t.finishAVX2(masks)
}

// newInt8AVX2 returns a tile but for its dot products. Its weights begin at
// quants.
func newInt8AVX2(rows, group int, quants Register) *int8Kernel {
	scales := Load(Param("scales"), GP64())
	return &int8Kernel{
		kernel: kernel{
			rows: rows, vectors: 2, width: 32,
			register: YMM,
			zero:     func(v VecVirtual) { VPXOR(v, v, v) },
		},
		group:  group,
		a:      newRowPointers(rows, Load(Param("a"), GP64()), Load(Param("aStride"), GP64())),
		aScale: newRowPointers(rows, Load(Param("aScale"), GP64()), Load(Param("aScaleStride"), GP64())),
		quants: func(four, v int) Mem { return Mem{Base: quants, Disp: four*64 + v*32} },
		scales: func(g, v int) Mem { return Mem{Base: scales, Disp: g*128 + v*32} },
		comps:  func(g, v int) Mem { return Mem{Base: scales, Disp: g*128 + 64 + v*32} },
		scale: func(from Mem, by, to VecVirtual) {
			VBROADCASTSS(from, to)
			VMULPS(by, to, to)
		},
		next: func() {
			ADDQ(I32(quantsBlock), quants)
			ADDQ(I32(blockInputs/group*128), scales)
		},
	}
}

// dot chooses the way to dot products.
func (t *int8Kernel) dot(way int8Dot) {
	switch way {
	case narrowDot:
		t.four = t.narrowFour()
	case wideDot:
		t.four = t.wideFour()
	case vexDot:
		t.four = func(group, four int, first bool) { t.dotFour(group, four, first, vpdpbusdVEX) }
	}
}

// narrowFour returns the step for narrow weights.
func (t *int8Kernel) narrowFour() func(group, four int, first bool) {
	ones := YMM()
	VPCMPEQW(ones, ones, ones)
	VPABSW(ones, ones)
	return func(group, four int, first bool) {
		if first {
			t.begin(group)
		}
		for r := range t.rows {
			a := YMM()
			VPBROADCASTD(t.a.at(r, four*4), a)
			for i, sum := range t.sum[r] {
				pairs := YMM()
				VPMADDUBSW(t.quants(four, i), a, pairs)
				t.addPairs(pairs, ones, sum)
			}
		}
	}
}

// wideFour returns the step for all weights. The mask of even bytes stays in
// memory for want of a register.
func (t *int8Kernel) wideFour() func(group, four int, first bool) {
	mask := AllocLocal(32)
	v := YMM()
	VPCMPEQW(v, v, v)
	VPSRLW(Imm(8), v, v)
	VMOVDQU(v, mask)
	return func(group, four int, first bool) {
		if first {
			t.begin(group)
		}
		half := func(split func(i int, q VecVirtual), a func(r int, a VecVirtual)) {
			q := t.registers()
			for i := range q {
				VMOVDQU(t.quants(four, i), q[i])
				split(i, q[i])
				VPSRAW(Imm(8), q[i], q[i])
			}
			for r := range t.rows {
				v := YMM()
				VPBROADCASTD(t.a.at(r, four*4), v)
				a(r, v)
				for i, sum := range t.sum[r] {
					t.addPairs(q[i], v, sum)
				}
			}
		}
		half(
			func(_ int, q VecVirtual) { VPSLLW(Imm(8), q, q) },
			func(_ int, a VecVirtual) { VPAND(mask, a, a) })
		half(
			func(int, VecVirtual) {},
			func(_ int, a VecVirtual) { VPSRLW(Imm(8), a, a) })
	}
}

// addPairs adds products of 16-bit numbers, two for each 32 bits, to sum.
func (t *int8Kernel) addPairs(x, y, sum VecVirtual) {
	product := YMM()
	VPMADDWD(x, y, product)
	VPADDD(product, sum, sum)
}

package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The products of what is not quantized, two activations of each row. In
// pseudo-code:
//
//	for r < rows:
//	    sum = bias[columns] + dst[r][columns]            where bias is not nil and add is not 0
//	    for two outliers of row r:
//	        w = float(q[index][columns]) * weightScale[index >> shift][columns]
//	        sum += value * w                             one fused multiply-add
//	    dst[r][columns < cols] = sum
//
// The quant of an input is one of the four bytes of a column: it is shifted to
// the highest, and back with its sign. The outliers of neighbouring rows are at
// the same inputs most of the time, so w stays in registers until the index
// changes.
const outliersSignature = "func(rows int, outliers *int32, quants *uint8, quantsNext int, scales *float32, scalesNext int, shift int, cols int, bias, dst *float32, dstStride, add int)"

var expandingOutliersSignature = strings.Replace(outliersSignature, " scales ", " levels *int8, scales ", 1)

// outlierKernel is one shape of that function.
type outlierKernel struct {
	vectors, width int
	register       func() VecVirtual
	quants, scales func(vector int, at Register) Mem
	levels         *expandKernel // nil for quants in bytes
	load           func(from Mem, i int, to VecVirtual)
	store          func(from VecVirtual, i int, to Mem)
}

func (t *outlierKernel) body() {
	rows, list, shift := Load(Param("rows"), GP64()), Load(Param("outliers"), GP64()), Load(Param("shift"), GP64())
	dst, stride, add := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64()), Load(Param("add"), GP64())
	registers := func() []VecVirtual {
		v := make([]VecVirtual, t.vectors)
		for i := range v {
			v[i] = t.register()
		}
		return v
	}
	bias := registers()
	for _, v := range bias {
		VXORPS(v, v, v)
	}
	b := Load(Param("bias"), GP64())
	TESTQ(b, b)
	JZ(LabelRef("unbiased"))
	for i, v := range bias {
		t.load(Mem{Base: b, Disp: i * t.width}, i, v)
	}
	Label("unbiased")
	weights := [2][]VecVirtual{registers(), registers()}
	current := [2]Register{GP64(), GP64()}
	for _, c := range current {
		MOVQ(I64(-1), c)
	}
	Label("loop")
	for slot, w := range weights {
		same := fmt.Sprintf("same%d", slot)
		four, group, count := GP64(), GP64(), XMM()
		MOVLQSX(Mem{Base: list, Disp: 4 * slot}, group)
		CMPQ(group, current[slot])
		JEQ(LabelRef(same))
		MOVQ(group, current[slot])
		MOVLQSX(Mem{Base: list, Disp: 16 + 4*slot}, four)
		VMOVD(Mem{Base: list, Disp: 24 + 4*slot}, count)
		bytes := func(VecVirtual) {}
		if t.levels != nil {
			bytes = t.fourBits(four)
		}
		for i, v := range w {
			VMOVUPS(t.quants(i, four), v)
			bytes(v)
			VPSLLD(count, v, v)
			VPSRAD(Imm(24), v, v)
			VCVTDQ2PS(v, v)
		}
		SHRXQ(shift, group, group)
		SHLQ(Imm(7), group)
		for i, v := range w {
			VMULPS(t.scales(i, group), v, v)
		}
		Label(same)
	}
	sums := registers()
	for i, v := range sums {
		VMOVAPS(bias[i], v)
	}
	TESTQ(add, add)
	JZ(LabelRef("products"))
	for i, v := range sums {
		d := t.register()
		t.load(Mem{Base: dst, Disp: i * t.width}, i, d)
		VADDPS(d, v, v)
	}
	Label("products")
	for slot, w := range weights {
		value := t.register()
		VBROADCASTSS(Mem{Base: list, Disp: 8 + 4*slot}, value)
		for i, v := range sums {
			VFMADD231PS(w[i], value, v)
		}
	}
	for i, v := range sums {
		t.store(v, i, Mem{Base: dst, Disp: i * t.width})
	}
	ADDQ(Imm(32), list)
	ADDQ(stride, dst)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// fourBits changes the offset of four inputs in a panel of bytes to that in one of
// four bits, and returns what makes bytes of what is there.
func (t *outlierKernel) fourBits(offset Register) func(v VecVirtual) {
	high, count := GP64(), XMM()
	MOVQ(offset, high)
	ANDQ(Imm(64), high) // the second four of eight inputs are in the high bits
	SHRQ(Imm(4), high)
	VMOVD(high.As32(), count)
	SHRQ(Imm(7), offset)
	SHLQ(Imm(6), offset)
	return func(v VecVirtual) {
		VPSRLW(count, v, v)
		t.levels.and(t.levels.low, v, v)
		VPSHUFB(v, t.levels.levels, v)
	}
}

func beginOutliers(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + doc)
}

func outliersAVX512(panels int) {
	beginOutliers(fmt.Sprintf("outliersAVX512x%d", panels*16), outliersSignature, fmt.Sprintf(" adds the products of outliers to up to %d columns with AVX-512.", panels*16))
	newOutliersAVX512(panels).body()
}

// expandingOutliersAVX512 reads panels of four bits.
func expandingOutliersAVX512(panels int) {
	name := fmt.Sprintf("expandingOutliersAVX512x%d", panels*16)
	beginOutliers(name, expandingOutliersSignature,
		fmt.Sprintf(" adds the products of outliers to up to %d columns of weights of four bits with AVX-512.", panels*16))
	levels := newExpandAVX512()
	levels.begin()
	t := newOutliersAVX512(panels)
	t.levels = levels
	t.body()
}

func newOutliersAVX512(panels int) *outlierKernel {
	t := &outlierKernel{vectors: panels, width: 64, register: ZMM}
	quants, scales := panelPointers(panels)
	t.quants = func(v int, at Register) Mem { return Mem{Base: quants[v], Index: at, Scale: 1} }
	t.scales = func(v int, at Register) Mem { return Mem{Base: scales[v], Index: at, Scale: 1} }
	masks := columnMasksAVX512(panels)
	t.load = func(from Mem, i int, to VecVirtual) { VMOVUPS_Z(from, masks[i], to) }
	t.store = func(from VecVirtual, i int, to Mem) { VMOVUPS(from, masks[i], to) }
	return t
}

func outliersAVX2(table Mem) {
	beginOutliers("outliersAVX2x16", outliersSignature, " adds the products of outliers to up to 16 columns with AVX2. It makes no use of quantsNext and scalesNext.")
	newOutliersAVX2(table).body()
}

// expandingOutliersAVX2 reads panels of four bits.
func expandingOutliersAVX2(table Mem) {
	beginOutliers("expandingOutliersAVX2x16", expandingOutliersSignature,
		" adds the products of outliers to up to 16 columns of weights of four bits with AVX2. It makes no use of quantsNext and scalesNext.")
	levels := newExpandAVX2()
	levels.begin()
	t := newOutliersAVX2(table)
	t.levels = levels
	t.body()
}

func newOutliersAVX2(table Mem) *outlierKernel {
	t := &outlierKernel{vectors: 2, width: 32, register: YMM}
	quants, scales := Load(Param("quants"), GP64()), Load(Param("scales"), GP64())
	t.quants = func(v int, at Register) Mem { return Mem{Base: quants, Index: at, Scale: 1, Disp: v * 32} }
	t.scales = func(v int, at Register) Mem { return Mem{Base: scales, Index: at, Scale: 1, Disp: v * 32} }
	masks := columnMasksAVX2(table)
	t.load = func(from Mem, i int, to VecVirtual) { VMASKMOVPS(from, masks[i], to) }
	t.store = func(from VecVirtual, i int, to Mem) { VMASKMOVPS(from, masks[i], to) }
	return t
}

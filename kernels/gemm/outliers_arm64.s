//go:build !purego

#include "textflag.h"

// The products of what is not quantized, two activations of each row, with NEON:
//
//	for r < rows:
//	    sum = bias[columns] + dst[r][columns]            where bias is not nil and add is not 0
//	    for two outliers of row r:
//	        w = float(q[index][columns]) * weightScale[index >> shift][columns]
//	        sum += value * w                             one fused multiply-add
//	    dst[r][columns < cols] = sum
//
// The outliers of neighbouring rows are at the same inputs most of the time, so
// w stays in registers until the index changes. A row of less than 16 columns is
// copied to the stack and back.
//
// Registers:
//
//	R0         rows that are left
//	R1         outliers: two indices, two values
//	R2, R3     quants and scales of the weights
//	R4         shift
//	R5         cols
//	R6         bias
//	R7, R8     row of dst and the stride
//	R9         add
//	R10, R11   the inputs of which w is there
//	R12        row on the stack, or that of dst
//	R13-R17    scratch
//	V0-V3      bias
//	V4-V7      w of the first outlier
//	V8-V11     w of the second
//	V12-V15    sum
//	V16-V19    dst; scales
//	V20        a value; a shift

// What Go's assembler lacks, on four float32 or int32:

// FADD d, n is fadd Vd, Vd, Vn; FMUL d, n is fmul Vd, Vd, Vn.
#define FADD(d, n) WORD $(0x4E20D400 | (n)<<16 | (d)<<5 | (d))
#define FMUL(d, n) WORD $(0x6E20DC00 | (n)<<16 | (d)<<5 | (d))

// FMLA d, n, m is fmla Vd, Vn, Vm.S[0].
#define FMLA(d, n, m) WORD $(0x4F801000 | (m)<<16 | (n)<<5 | (d))

// USHL d, n is ushl Vd, Vd, Vn; SSHR24 d is sshr Vd, Vd, #24; SCVTF d is scvtf
// Vd, Vd.
#define USHL(d, n) WORD $(0x6EA04400 | (n)<<16 | (d)<<5 | (d))
#define SSHR24(d) WORD $(0x4F280400 | (d)<<5 | (d))
#define SCVTF(d) WORD $(0x4E21D800 | (d)<<5 | (d))

// COLUMN d, s: Vd becomes the weights of four columns, given their bytes of four
// inputs, the shift that brings the byte to the top in V20, and scales in Vs.
#define COLUMN(d, s) USHL(d, 20); SSHR24(d); SCVTF(d); FMUL(d, s)

// W0 and W1: w of the two outliers.
#define W0 [V4.S4, V5.S4, V6.S4, V7.S4]
#define W1 [V8.S4, V9.S4, V10.S4, V11.S4]

// WEIGHT slot, current, w, W, same: w becomes that of an outlier, where it is not
// there yet.
#define WEIGHT(slot, current, w, W, same) \
	MOVW (4*slot)(R1), R13; \
	CMP  R13, current; \
	BEQ  same; \
	MOVD R13, current; \
	AND  $~3, R13, R14; \
	ADD  R14<<4, R2, R14; \
	VLD1 (R14), W; \
	LSR  R4, R13, R14; \
	ADD  R14<<7, R3, R14; \
	VLD1 (R14), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	MVN  R13, R15; \
	AND  $3, R15, R15; \
	LSL  $3, R15, R15; \
	VDUP R15, V20.S4; \
	COLUMN(w, 16); \
	COLUMN(w+1, 17); \
	COLUMN(w+2, 18); \
	COLUMN(w+3, 19); \
same:

// PRODUCT slot, w: sum += value * w.
#define PRODUCT(slot, w) \
	FMOVS (8+4*slot)(R1), F20; \
	FMLA(12, w, 20); \
	FMLA(13, w+1, 20); \
	FMLA(14, w+2, 20); \
	FMLA(15, w+3, 20)

// COPY from, to, again copies cols elements.
#define COPY(from, to, again) \
	MOVD from, R14; \
	MOVD to, R15; \
	MOVD R5, R16; \
again: \
	MOVWU.P 4(R14), R17; \
	MOVW.P  R17, 4(R15); \
	SUBS    $1, R16, R16; \
	BNE     again

// func outliersNEONx16(rows int, outliers *int32, quants *uint8, quantsNext int, scales *float32, scalesNext int, shift int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·outliersNEONx16(SB), NOSPLIT, $64-96
	MOVD  rows+0(FP), R0
	MOVD  outliers+8(FP), R1
	MOVD  quants+16(FP), R2
	MOVD  scales+32(FP), R3
	MOVD  shift+48(FP), R4
	MOVD  cols+56(FP), R5
	MOVD  bias+64(FP), R6
	MOVD  dst+72(FP), R7
	MOVD  dstStride+80(FP), R8
	MOVD  add+88(FP), R9
	MOVD  $-1, R10
	MOVD  $-1, R11
	MOVD  $row-64(SP), R12
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16
	CBZ   R6, loop
	CMP   $16, R5
	BEQ   wholeBias
	VST1  [V0.S4, V1.S4, V2.S4, V3.S4], (R12)
	COPY(R6, R12, copyBias)
	MOVD  R12, R6

wholeBias:
	VLD1 (R6), [V0.S4, V1.S4, V2.S4, V3.S4]

loop:
	WEIGHT(0, R10, 4, W0, same0)
	WEIGHT(1, R11, 8, W1, same1)
	VMOV V0.B16, V12.B16
	VMOV V1.B16, V13.B16
	VMOV V2.B16, V14.B16
	VMOV V3.B16, V15.B16
	CMP  $16, R5
	BNE  narrow
	MOVD R7, R12

narrow:
	CBZ R9, products
	CMP $16, R5
	BEQ whole
	COPY(R7, R12, copyRow)

whole:
	VLD1 (R12), [V16.S4, V17.S4, V18.S4, V19.S4]
	FADD(12, 16)
	FADD(13, 17)
	FADD(14, 18)
	FADD(15, 19)

products:
	PRODUCT(0, 4)
	PRODUCT(1, 8)
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R12)
	CMP  $16, R5
	BEQ  next
	COPY(R12, R7, copyBack)

next:
	ADD  $32, R1
	ADD  R8, R7
	SUBS $1, R0, R0
	BNE  loop
	RET

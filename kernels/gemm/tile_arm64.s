//go:build !purego

#include "textflag.h"

// The f32 micro-kernels of NEON. For a tile of rows x 16 columns, of which cols
// are in use:
//
//	acc[rows][16] = 0                          in registers
//	for k, four at a time:
//	    for r < rows: x4[r] = x[r][k:k+4]
//	    for i < 4, v < 4:
//	        b = panel[k+i][4v:4v+4]
//	        for r < rows: acc[r][v] += b * x4[r][i]    one fused multiply-add
//	if bias: acc[r] += bias[columns < cols]
//	if add:  acc[r] += dst[r][columns < cols]
//	dst[r][columns < cols] = acc[r]
//
// Registers:
//
//	R0        k that are left
//	R1-R6     rows of x
//	R7        panel
//	V0-V23    acc: row r has V4r to V4r+3
//	V24-V29   x4 of each row; after the product, four vectors of bias or dst
//	V30, V31  b: one is loaded while the other is used
//
// All functions are made of the macros below, which have a number of rows at the
// end of their name where they differ by it.

// FMLA d, n, m, i is fmla Vd.4S, Vn.4S, Vm.S[i], which Go's assembler lacks: the
// fused multiply-add of a vector with one element of another (Arm ARM, "FMLA (by
// element)"). The number of the element is in bits 11 (high) and 21 (low).
#define FMLA(d, n, m, i) WORD $(0x4F801000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

// FADD d, n is fadd Vd.4S, Vd.4S, Vn.4S, which Go's assembler lacks, too (Arm
// ARM, "FADD (vector)").
#define FADD(d, n) WORD $(0x4E20D400 | (n)<<16 | (d)<<5 | (d))

// ACC: the accumulators of a row.
#define ACC0 [V0.S4, V1.S4, V2.S4, V3.S4]
#define ACC1 [V4.S4, V5.S4, V6.S4, V7.S4]
#define ACC2 [V8.S4, V9.S4, V10.S4, V11.S4]
#define ACC3 [V12.S4, V13.S4, V14.S4, V15.S4]
#define ACC4 [V16.S4, V17.S4, V18.S4, V19.S4]
#define ACC5 [V20.S4, V21.S4, V22.S4, V23.S4]

// ZERO clears acc.
#define ZERO1 VMOVI $0, V0.B16; VMOVI $0, V1.B16; VMOVI $0, V2.B16; VMOVI $0, V3.B16
#define ZERO2 ZERO1; VMOVI $0, V4.B16; VMOVI $0, V5.B16; VMOVI $0, V6.B16; VMOVI $0, V7.B16
#define ZERO3 ZERO2; VMOVI $0, V8.B16; VMOVI $0, V9.B16; VMOVI $0, V10.B16; VMOVI $0, V11.B16
#define ZERO4 ZERO3; VMOVI $0, V12.B16; VMOVI $0, V13.B16; VMOVI $0, V14.B16; VMOVI $0, V15.B16
#define ZERO5 ZERO4; VMOVI $0, V16.B16; VMOVI $0, V17.B16; VMOVI $0, V18.B16; VMOVI $0, V19.B16
#define ZERO6 ZERO5; VMOVI $0, V20.B16; VMOVI $0, V21.B16; VMOVI $0, V22.B16; VMOVI $0, V23.B16

// ROWS finds the rows of x; R8 is the stride.
#define ROWS1 MOVD x+8(FP), R1
#define ROWS2 ROWS1; ADD R8, R1, R2
#define ROWS3 ROWS2; ADD R8, R2, R3
#define ROWS4 ROWS3; ADD R8, R3, R4
#define ROWS5 ROWS4; ADD R8, R4, R5
#define ROWS6 ROWS5; ADD R8, R5, R6

// FOURX loads four elements of each row of x, ONEX loads one.
#define FOURX1 FMOVQ.P 16(R1), F24
#define FOURX2 FOURX1; FMOVQ.P 16(R2), F25
#define FOURX3 FOURX2; FMOVQ.P 16(R3), F26
#define FOURX4 FOURX3; FMOVQ.P 16(R4), F27
#define FOURX5 FOURX4; FMOVQ.P 16(R5), F28
#define FOURX6 FOURX5; FMOVQ.P 16(R6), F29
#define ONEX1 FMOVS.P 4(R1), F24
#define ONEX2 ONEX1; FMOVS.P 4(R2), F25
#define ONEX3 ONEX2; FMOVS.P 4(R3), F26
#define ONEX4 ONEX3; FMOVS.P 4(R4), F27
#define ONEX5 ONEX4; FMOVS.P 4(R5), F28
#define ONEX6 ONEX5; FMOVS.P 4(R6), F29

// STEP b, v, i: acc[r][v] += Vb * x4[r][i] in each row.
#define STEP1(b, v, i) FMLA(v, b, 24, i)
#define STEP2(b, v, i) STEP1(b, v, i); FMLA(4+v, b, 25, i)
#define STEP3(b, v, i) STEP2(b, v, i); FMLA(8+v, b, 26, i)
#define STEP4(b, v, i) STEP3(b, v, i); FMLA(12+v, b, 27, i)
#define STEP5(b, v, i) STEP4(b, v, i); FMLA(16+v, b, 28, i)
#define STEP6(b, v, i) STEP5(b, v, i); FMLA(20+v, b, 29, i)

// FOURK does four k, ONEK does one; STEP is that of the number of rows.
#define FOURK(STEP) \
	FMOVQ (R7), F30; FMOVQ 16(R7), F31; \
	STEP(30, 0, 0); FMOVQ 32(R7), F30; \
	STEP(31, 1, 0); FMOVQ 48(R7), F31; \
	STEP(30, 2, 0); FMOVQ 64(R7), F30; \
	STEP(31, 3, 0); FMOVQ 80(R7), F31; \
	STEP(30, 0, 1); FMOVQ 96(R7), F30; \
	STEP(31, 1, 1); FMOVQ 112(R7), F31; \
	STEP(30, 2, 1); FMOVQ 128(R7), F30; \
	STEP(31, 3, 1); FMOVQ 144(R7), F31; \
	STEP(30, 0, 2); FMOVQ 160(R7), F30; \
	STEP(31, 1, 2); FMOVQ 176(R7), F31; \
	STEP(30, 2, 2); FMOVQ 192(R7), F30; \
	STEP(31, 3, 2); FMOVQ 208(R7), F31; \
	STEP(30, 0, 3); FMOVQ 224(R7), F30; \
	STEP(31, 1, 3); FMOVQ 240(R7), F31; \
	STEP(30, 2, 3); \
	STEP(31, 3, 3)

#define ONEK(STEP) \
	FMOVQ (R7), F30; FMOVQ 16(R7), F31; \
	STEP(30, 0, 0); FMOVQ 32(R7), F30; \
	STEP(31, 1, 0); FMOVQ 48(R7), F31; \
	STEP(30, 2, 0); \
	STEP(31, 3, 0)

// PRODUCT is the loop over k.
#define PRODUCT(ZERO, ROWS, FOURX, ONEX, STEP) \
	MOVD k+0(FP), R0; \
	MOVD xStride+16(FP), R8; \
	MOVD panel+24(FP), R7; \
	ROWS; \
	ZERO; \
	SUBS $4, R0, R0; \
	BLT  rest; \
loop: \
	FOURX; \
	FOURK(STEP); \
	ADD  $256, R7, R7; \
	SUBS $4, R0, R0; \
	BGE  loop; \
rest: \
	ADDS $4, R0, R0; \
	BEQ  sum; \
one: \
	ONEX; \
	ONEK(STEP); \
	ADD  $64, R7, R7; \
	SUBS $1, R0, R0; \
	BNE  one; \
sum:

// PLUS adds V24 to V27 to each row of acc.
#define PLUS1 FADD(0, 24); FADD(1, 25); FADD(2, 26); FADD(3, 27)
#define PLUS2 PLUS1; FADD(4, 24); FADD(5, 25); FADD(6, 26); FADD(7, 27)
#define PLUS3 PLUS2; FADD(8, 24); FADD(9, 25); FADD(10, 26); FADD(11, 27)
#define PLUS4 PLUS3; FADD(12, 24); FADD(13, 25); FADD(14, 26); FADD(15, 27)
#define PLUS5 PLUS4; FADD(16, 24); FADD(17, 25); FADD(18, 26); FADD(19, 27)
#define PLUS6 PLUS5; FADD(20, 24); FADD(21, 25); FADD(22, 26); FADD(23, 27)

// PLUSDST adds rows at R10 of stride R14.
#define PLUSDST1 VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(0, 24); FADD(1, 25); FADD(2, 26); FADD(3, 27)
#define PLUSDST2 PLUSDST1; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(4, 24); FADD(5, 25); FADD(6, 26); FADD(7, 27)
#define PLUSDST3 PLUSDST2; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(8, 24); FADD(9, 25); FADD(10, 26); FADD(11, 27)
#define PLUSDST4 PLUSDST3; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(12, 24); FADD(13, 25); FADD(14, 26); FADD(15, 27)
#define PLUSDST5 PLUSDST4; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(16, 24); FADD(17, 25); FADD(18, 26); FADD(19, 27)
#define PLUSDST6 PLUSDST5; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(20, 24); FADD(21, 25); FADD(22, 26); FADD(23, 27)

// STORE stores acc in rows at R13 of stride R14.
#define STORE1 VST1 ACC0, (R13)
#define STORE2 STORE1; ADD R14, R13, R13; VST1 ACC1, (R13)
#define STORE3 STORE2; ADD R14, R13, R13; VST1 ACC2, (R13)
#define STORE4 STORE3; ADD R14, R13, R13; VST1 ACC3, (R13)
#define STORE5 STORE4; ADD R14, R13, R13; VST1 ACC4, (R13)
#define STORE6 STORE5; ADD R14, R13, R13; VST1 ACC5, (R13)

// SPILL stores acc without gaps at R11.
#define SPILL1 VST1.P ACC0, 64(R11)
#define SPILL2 SPILL1; VST1.P ACC1, 64(R11)
#define SPILL3 SPILL2; VST1.P ACC2, 64(R11)
#define SPILL4 SPILL3; VST1.P ACC3, 64(R11)
#define SPILL5 SPILL4; VST1.P ACC4, 64(R11)
#define SPILL6 SPILL5; VST1.P ACC5, 64(R11)

// EPILOGUE adds the bias and what dst holds, and stores the tile. Registers:
//
//	R9        cols
//	R10       bias, then rows of dst to add
//	R11       the tile on the stack
//	R12       counts
//	R13, R14  rows of dst and their stride
//	R15       add
//	R19, R20  a place in a row of dst, an element
//
// A bias of less than 16 columns is copied to the stack, to be loaded as one of
// 16. A tile of less than 16 columns goes to the stack as a whole and from there
// row by row to dst: eight columns, four, two and one, as the bits of cols say.
#define EPILOGUE(rows, PLUS, PLUSDST, STORE, SPILL) \
	MOVD cols+40(FP), R9; \
	MOVD bias+48(FP), R10; \
	MOVD dst+56(FP), R13; \
	MOVD dstStride+64(FP), R14; \
	MOVD add+72(FP), R15; \
	CBZ  R10, biased; \
	CMP  $16, R9; \
	BEQ  wholeBias; \
	MOVD $tile-384(SP), R11; \
	MOVD R9, R12; \
copyBias: \
	MOVWU.P 4(R10), R20; \
	MOVW.P  R20, 4(R11); \
	SUBS    $1, R12, R12; \
	BNE     copyBias; \
	MOVD    $tile-384(SP), R10; \
wholeBias: \
	VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; \
	PLUS; \
biased: \
	CMP  $16, R9; \
	BNE  narrow; \
	CBZ  R15, store; \
	MOVD R13, R10; \
	PLUSDST; \
store: \
	STORE; \
	RET; \
narrow: \
	MOVD $tile-384(SP), R11; \
	SPILL; \
	MOVD $tile-384(SP), R11; \
	MOVD $rows, R12; \
row: \
	VLD1.P 64(R11), ACC0; \
	MOVD   R13, R19; \
	TBZ    $3, R9, four; \
	CBZ    R15, storeEight; \
	VLD1   (R19), [V24.S4, V25.S4]; \
	FADD(0, 24); \
	FADD(1, 25); \
storeEight: \
	VST1.P [V0.S4, V1.S4], 32(R19); \
	VMOV   V2.B16, V0.B16; \
	VMOV   V3.B16, V1.B16; \
four: \
	TBZ   $2, R9, two; \
	CBZ   R15, storeFour; \
	FMOVQ (R19), F24; \
	FADD(0, 24); \
storeFour: \
	FMOVQ.P F0, 16(R19); \
	VMOV    V1.B16, V0.B16; \
two: \
	TBZ   $1, R9, last; \
	CBZ   R15, storeTwo; \
	FMOVD (R19), F24; \
	FADD(0, 24); \
storeTwo: \
	FMOVD.P F0, 8(R19); \
	VDUP    V0.D[1], V0.D2; \
last: \
	TBZ   $0, R9, next; \
	CBZ   R15, storeLast; \
	FMOVS (R19), F24; \
	FADD(0, 24); \
storeLast: \
	FMOVS F0, (R19); \
next: \
	ADD  R14, R13, R13; \
	SUBS $1, R12, R12; \
	BNE  row; \
	RET

// func tileNEON1x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON1x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO1, ROWS1, FOURX1, ONEX1, STEP1)
	EPILOGUE(1, PLUS1, PLUSDST1, STORE1, SPILL1)

// func tileNEON2x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON2x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO2, ROWS2, FOURX2, ONEX2, STEP2)
	EPILOGUE(2, PLUS2, PLUSDST2, STORE2, SPILL2)

// func tileNEON3x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON3x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO3, ROWS3, FOURX3, ONEX3, STEP3)
	EPILOGUE(3, PLUS3, PLUSDST3, STORE3, SPILL3)

// func tileNEON4x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON4x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO4, ROWS4, FOURX4, ONEX4, STEP4)
	EPILOGUE(4, PLUS4, PLUSDST4, STORE4, SPILL4)

// func tileNEON5x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON5x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO5, ROWS5, FOURX5, ONEX5, STEP5)
	EPILOGUE(5, PLUS5, PLUSDST5, STORE5, SPILL5)

// func tileNEON6x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON6x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO6, ROWS6, FOURX6, ONEX6, STEP6)
	EPILOGUE(6, PLUS6, PLUSDST6, STORE6, SPILL6)

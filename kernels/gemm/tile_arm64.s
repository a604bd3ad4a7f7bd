//go:build !purego

#include "textflag.h"
#include "tile_arm64.h"

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
// All functions are made of the macros below and in tile_arm64.h, which have a
// number of rows at the end of their name where they differ by it.

// FMLA d, n, m, i is fmla Vd.4S, Vn.4S, Vm.S[i], which Go's assembler lacks: the
// fused multiply-add of a vector with one element of another (Arm ARM, "FMLA (by
// element)"). The number of the element is in bits 11 (high) and 21 (low).
#define FMLA(d, n, m, i) WORD $(0x4F801000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

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

// OUT loads the parameters of EPILOGUE.
#define OUT \
	MOVD cols+40(FP), R9; \
	MOVD bias+48(FP), R10; \
	MOVD dst+56(FP), R13; \
	MOVD dstStride+64(FP), R14; \
	MOVD add+72(FP), R15

// func tileNEON1x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON1x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO1, ROWS1, FOURX1, ONEX1, STEP1)
	OUT
	EPILOGUE(1, PLUS1, PLUSDST1, STORE1, SPILL1)

// func tileNEON2x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON2x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO2, ROWS2, FOURX2, ONEX2, STEP2)
	OUT
	EPILOGUE(2, PLUS2, PLUSDST2, STORE2, SPILL2)

// func tileNEON3x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON3x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO3, ROWS3, FOURX3, ONEX3, STEP3)
	OUT
	EPILOGUE(3, PLUS3, PLUSDST3, STORE3, SPILL3)

// func tileNEON4x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON4x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO4, ROWS4, FOURX4, ONEX4, STEP4)
	OUT
	EPILOGUE(4, PLUS4, PLUSDST4, STORE4, SPILL4)

// func tileNEON5x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON5x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO5, ROWS5, FOURX5, ONEX5, STEP5)
	OUT
	EPILOGUE(5, PLUS5, PLUSDST5, STORE5, SPILL5)

// func tileNEON6x16(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·tileNEON6x16(SB), NOSPLIT, $384-80
	PRODUCT(ZERO6, ROWS6, FOURX6, ONEX6, STEP6)
	OUT
	EPILOGUE(6, PLUS6, PLUSDST6, STORE6, SPILL6)

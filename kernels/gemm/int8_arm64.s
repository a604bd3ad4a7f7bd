//go:build !purego

#include "textflag.h"
#include "tile_arm64.h"

// The int8 micro-kernels of NEON with dot products. For a tile of rows x 16
// columns, of which cols are in use, and weights in groups of 16 or 32 inputs:
//
//	acc[rows][16] = 0                                   in registers
//	for b < blocks, group g of the block:
//	    sum[rows][16] = 0                               int32
//	    for 16 inputs of the group, four inputs i of them, v < 4:
//	        q = weights[i][4v:4v+4]                     four inputs of four columns
//	        for r < rows: sum[r][v] += (a[r][i] - 128) · q      SDOT
//	    acc[r] += float(sum[r]) * (scale[r][b] * weightScale[b][g])
//
// Activations are signed here, as a ^ 0x80 is a - 128 in a signed byte: dot
// products of signed with signed need no correction, so the integers with which
// sums begin elsewhere, the second half of the scales of a group, are passed over.
//
// Registers:
//
//	R0        blocks that are left
//	R1-R3     rows of a
//	R4-R6     rows of aScale
//	R7, R8    quants and scales of the weights
//	R11       bytes from the scales of a group to those of the next
//	V0-V11    acc: row r has V4r to V4r+3
//	V12-V23   sum, in the same way
//	V24-V26   16 activations of each row; or scratch after the products of a group
//	V27-V30   q; or scales
//	V31       bytes of 0x80

// SDOT d, n, m, i is sdot Vd.4S, Vn.16B, Vm.4B[i], which Go's assembler lacks:
// for each element of Vd, the dot product of its four bytes of Vn with the four
// bytes i of Vm, all signed (Arm ARM, "SDOT (by element)"). The number is in
// bits 11 (high) and 21 (low).
#define SDOT(d, n, m, i) WORD $(0x4F80E000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

// FMLA d, n, m is fmla Vd.4S, Vn.4S, Vm.4S: d += n * m, fused.
#define FMLA(d, n, m) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))

// FMUL d, n, m is fmul Vd.4S, Vn.4S, Vm.S[0].
#define FMUL(d, n, m) WORD $(0x4F809000 | (m)<<16 | (n)<<5 | (d))

// SCVTF d is scvtf Vd.4S, Vd.4S: int32 to float32.
#define SCVTF(d) WORD $(0x4E21D800 | (d)<<5 | (d))

// ROWS finds the rows of a and aScale; R9 and R10 are the strides.
#define ROWS1 MOVD a+8(FP), R1; MOVD aScale+24(FP), R4
#define ROWS2 ROWS1; ADD R9, R1, R2; ADD R10, R4, R5
#define ROWS3 ROWS2; ADD R9, R2, R3; ADD R10, R5, R6

// BEGIN clears the sums.
#define BEGIN1 VMOVI $0, V12.B16; VMOVI $0, V13.B16; VMOVI $0, V14.B16; VMOVI $0, V15.B16
#define BEGIN2 BEGIN1; VMOVI $0, V16.B16; VMOVI $0, V17.B16; VMOVI $0, V18.B16; VMOVI $0, V19.B16
#define BEGIN3 BEGIN2; VMOVI $0, V20.B16; VMOVI $0, V21.B16; VMOVI $0, V22.B16; VMOVI $0, V23.B16

// LOAD loads 16 activations of each row.
#define LOAD1 FMOVQ.P 16(R1), F24; VEOR V31.B16, V24.B16, V24.B16
#define LOAD2 LOAD1; FMOVQ.P 16(R2), F25; VEOR V31.B16, V25.B16, V25.B16
#define LOAD3 LOAD2; FMOVQ.P 16(R3), F26; VEOR V31.B16, V26.B16, V26.B16

// DOT i: the products of the four inputs i of those that were loaded.
#define DOT1(i) SDOT(12, 27, 24, i); SDOT(13, 28, 24, i); SDOT(14, 29, 24, i); SDOT(15, 30, 24, i)
#define DOT2(i) DOT1(i); SDOT(16, 27, 25, i); SDOT(17, 28, 25, i); SDOT(18, 29, 25, i); SDOT(19, 30, 25, i)
#define DOT3(i) DOT2(i); SDOT(20, 27, 26, i); SDOT(21, 28, 26, i); SDOT(22, 29, 26, i); SDOT(23, 30, 26, i)

#define WEIGHTS VLD1.P 64(R7), [V27.B16, V28.B16, V29.B16, V30.B16]

// SIXTEEN does 16 inputs; LOAD and DOT are those of the number of rows.
#define SIXTEEN(LOAD, DOT) LOAD; WEIGHTS; DOT(0); WEIGHTS; DOT(1); WEIGHTS; DOT(2); WEIGHTS; DOT(3)

// ADDROW aScale, s, acc: acc += float(sum) * (aScale * weightScale) in a row.
#define ADDROW(aScale, s, acc) \
	FMOVS (aScale), F24; \
	FMUL(25, 27, 24); SCVTF(s); FMLA(acc, s, 25); \
	FMUL(26, 28, 24); SCVTF(s+1); FMLA(acc+1, s+1, 26); \
	FMUL(25, 29, 24); SCVTF(s+2); FMLA(acc+2, s+2, 25); \
	FMUL(26, 30, 24); SCVTF(s+3); FMLA(acc+3, s+3, 26)

// SCALE ends a group.
#define SCALE1 VLD1.P (R8)(R11), [V27.S4, V28.S4, V29.S4, V30.S4]; ADDROW(R4, 12, 0)
#define SCALE2 SCALE1; ADDROW(R5, 16, 4)
#define SCALE3 SCALE2; ADDROW(R6, 20, 8)

// NEXT moves aScale on by a block.
#define NEXT1 ADD $4, R4
#define NEXT2 NEXT1; ADD $4, R5
#define NEXT3 NEXT2; ADD $4, R6

// GROUPS is the groups of a block.
#define GROUPS16(BEGIN, LOAD, DOT, SCALE) BEGIN; SIXTEEN(LOAD, DOT); SCALE; BEGIN; SIXTEEN(LOAD, DOT); SCALE
#define GROUPS32(BEGIN, LOAD, DOT, SCALE) BEGIN; SIXTEEN(LOAD, DOT); SIXTEEN(LOAD, DOT); SCALE

// PRODUCT is the loop over blocks. It ends with the parameters of EPILOGUE.
#define PRODUCT(ZERO, ROWS, GROUPS, BEGIN, LOAD, DOT, SCALE, NEXT) \
	MOVD  blocks+0(FP), R0; \
	MOVD  aStride+16(FP), R9; \
	MOVD  aScaleStride+32(FP), R10; \
	MOVD  quants+40(FP), R7; \
	MOVD  scales+56(FP), R8; \
	MOVD  $128, R11; \
	VMOVI $128, V31.B16; \
	ROWS; \
	ZERO; \
loop: \
	GROUPS(BEGIN, LOAD, DOT, SCALE); \
	NEXT; \
	SUBS $1, R0, R0; \
	BNE  loop; \
	MOVD cols+72(FP), R9; \
	MOVD bias+80(FP), R10; \
	MOVD dst+88(FP), R13; \
	MOVD dstStride+96(FP), R14; \
	MOVD add+104(FP), R15

// func int8DotProd1x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd1x16g16(SB), NOSPLIT, $384-112
	PRODUCT(ZERO1, ROWS1, GROUPS16, BEGIN1, LOAD1, DOT1, SCALE1, NEXT1)
	EPILOGUE(1, PLUS1, PLUSDST1, STORE1, SPILL1)

// func int8DotProd2x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd2x16g16(SB), NOSPLIT, $384-112
	PRODUCT(ZERO2, ROWS2, GROUPS16, BEGIN2, LOAD2, DOT2, SCALE2, NEXT2)
	EPILOGUE(2, PLUS2, PLUSDST2, STORE2, SPILL2)

// func int8DotProd3x16g16(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd3x16g16(SB), NOSPLIT, $384-112
	PRODUCT(ZERO3, ROWS3, GROUPS16, BEGIN3, LOAD3, DOT3, SCALE3, NEXT3)
	EPILOGUE(3, PLUS3, PLUSDST3, STORE3, SPILL3)

// func int8DotProd1x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd1x16g32(SB), NOSPLIT, $384-112
	PRODUCT(ZERO1, ROWS1, GROUPS32, BEGIN1, LOAD1, DOT1, SCALE1, NEXT1)
	EPILOGUE(1, PLUS1, PLUSDST1, STORE1, SPILL1)

// func int8DotProd2x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd2x16g32(SB), NOSPLIT, $384-112
	PRODUCT(ZERO2, ROWS2, GROUPS32, BEGIN2, LOAD2, DOT2, SCALE2, NEXT2)
	EPILOGUE(2, PLUS2, PLUSDST2, STORE2, SPILL2)

// func int8DotProd3x16g32(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, cols int, bias, dst *float32, dstStride, add int)
TEXT ·int8DotProd3x16g32(SB), NOSPLIT, $384-112
	PRODUCT(ZERO3, ROWS3, GROUPS32, BEGIN3, LOAD3, DOT3, SCALE3, NEXT3)
	EPILOGUE(3, PLUS3, PLUSDST3, STORE3, SPILL3)

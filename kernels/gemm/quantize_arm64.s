//go:build !purego

#include "textflag.h"

// The quantization of activations with NEON, a block of 32 at a time: what
// peakBlocks and quantizeBlocks do, to the bit. Registers:
//
//	R0             blocks that are left
//	R1, R2         x, a
//	R3, R4         peak or scale, sum
//	R5             group
//	V0-V7          x, then bytes in V0 and V4
//	V8, V9, V10    the peak, the scale; 127 / peak
//	V13, V14       sums of bytes
//	V16, V17, V18  the least peak, 127, 1/127
//	V19, V20, V21  bytes of -127 and of 0x80; 128 * group

// What Go's assembler lacks, on four float32 or int32 unless told:

// FABS d is fabs Vd, Vd. The bits of magnitudes are ordered as these are:
// UMAX d, n, m is umax Vd, Vn, Vm, UMAXV d, n is umaxv Sd, Vn.
#define FABS(d) WORD $(0x4EA0F800 | (d)<<5 | (d))
#define UMAX(d, n, m) WORD $(0x6EA06400 | (m)<<16 | (n)<<5 | (d))
#define UMAXV(d, n) WORD $(0x6EB0A800 | (n)<<5 | (d))

// FMUL d, m is fmul Vd, Vd, Vm.S[0].
#define FMUL(d, m) WORD $(0x4F809000 | (m)<<16 | (d)<<5 | (d))

// FCVTNS d is fcvtns Vd, Vd: to int32, ties to even. SCVTF d is scvtf Vd, Vd.
#define FCVTNS(d) WORD $(0x4E21A800 | (d)<<5 | (d))
#define SCVTF(d) WORD $(0x4E21D800 | (d)<<5 | (d))

// HALVES d, n is sqxtn Vd.4H, Vd.4S and sqxtn2 Vd.8H, Vn.4S; BYTES d, n is sqxtn
// Vd.8B, Vd.8H and sqxtn2 Vd.16B, Vn.8H: the elements of Vd and of Vn, narrowed,
// out of range to the nearest.
#define HALVES(d, n) WORD $(0x0E614800 | (d)<<5 | (d)); WORD $(0x4E614800 | (n)<<5 | (d))
#define BYTES(d, n) WORD $(0x0E214800 | (d)<<5 | (d)); WORD $(0x4E214800 | (n)<<5 | (d))

// SMAX d, n is smax Vd.16B, Vd.16B, Vn.16B.
#define SMAX(d, n) WORD $(0x4E206400 | (n)<<16 | (d)<<5 | (d))

// QUANT i: Vi becomes the levels of four numbers.
#define QUANT(i) FMUL(i, 10); FCVTNS(i)

// SUM f, v: the sum of a group, whose bytes add up to Vv, is stored.
#define SUM(f, v, V) \
	VSUB    V21.S4, V.S4, V.S4; \
	SCVTF(v); \
	FMULS   F9, f, f; \
	FMOVS.P f, 4(R4)

// func peaksNEON(blocks int, x, peak *float32)
TEXT ·peaksNEON(SB), NOSPLIT, $0-24
	MOVD blocks+0(FP), R0
	MOVD x+8(FP), R1
	MOVD peak+16(FP), R3

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FABS(0)
	FABS(1)
	FABS(2)
	FABS(3)
	FABS(4)
	FABS(5)
	FABS(6)
	FABS(7)
	UMAX(0, 0, 1)
	UMAX(2, 2, 3)
	UMAX(4, 4, 5)
	UMAX(6, 6, 7)
	UMAX(0, 0, 2)
	UMAX(4, 4, 6)
	UMAX(0, 0, 4)
	UMAXV(8, 0)
	FMOVS.P F8, 4(R3)
	SUBS    $1, R0, R0
	BNE     loop
	RET

// func quantizeNEON(blocks int, x *float32, a *uint8, scale, sum *float32, group int)
TEXT ·quantizeNEON(SB), NOSPLIT, $0-48
	MOVD  blocks+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  a+16(FP), R2
	MOVD  scale+24(FP), R3
	MOVD  sum+32(FP), R4
	MOVD  group+40(FP), R5
	MOVW  $0x0DA24260, R6    // 1e-30
	FMOVS R6, F16
	MOVW  $0x42FE0000, R6    // 127
	FMOVS R6, F17
	MOVW  $0x3C010204, R6    // 1/127
	FMOVS R6, F18
	VMOVI $129, V19.B16
	VMOVI $128, V20.B16
	LSL   $7, R5, R6
	FMOVS R6, F21

loop:
	VLD1.P  64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P  64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FMOVS   (R3), F8
	FMAXS   F16, F8, F8       // NaN where the peak is
	FMULS   F18, F8, F9
	FMOVS.P F9, 4(R3)
	FDIVS   F8, F17, F10
	QUANT(0)
	QUANT(1)
	QUANT(2)
	QUANT(3)
	QUANT(4)
	QUANT(5)
	QUANT(6)
	QUANT(7)
	HALVES(0, 1)
	HALVES(2, 3)
	HALVES(4, 5)
	HALVES(6, 7)
	BYTES(0, 2)
	BYTES(4, 6)
	SMAX(0, 19)
	SMAX(4, 19)
	VEOR    V20.B16, V0.B16, V0.B16
	VEOR    V20.B16, V4.B16, V4.B16
	FMOVQ.P F0, 16(R2)
	FMOVQ.P F4, 16(R2)
	CBZ     R4, next
	VUADDLV V0.B16, V13
	VUADDLV V4.B16, V14
	CMP     $16, R5
	BNE     whole
	SUM(F13, 13, V13)
	SUM(F14, 14, V14)
	B       next

whole:
	VADD V14.S4, V13.S4, V13.S4
	SUM(F13, 13, V13)

next:
	SUBS $1, R0, R0
	BNE  loop
	RET

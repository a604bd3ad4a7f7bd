//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Conversions with NEON, in runs of 16 elements; what is left is for plain Go. They
// give the same bits as it, NaN included. Registers:
//
//	R0           elements that are left
//	R1, R2       dst, src
//	V28-V31      constants

// What Go's assembler lacks: FCVTL d, n and FCVTL2 d, n are fcvtl Vd.4S, Vn.4H and
// fcvtl2 Vd.4S, Vn.8H, the four lower and the four upper float16 as float32; FCVTN d,
// n and FCVTN2 d, n are fcvtn Vd.4H, Vn.4S and fcvtn2 Vd.8H, Vn.4S, the way back.
// CMHI d, n, m is cmhi Vd.8H, Vn.8H, Vm.8H: the bits of lanes in which n is higher
// than m, without signs.
#define FCVTL(d, n) WORD $(0x0E217800 | (n)<<5 | (d))
#define FCVTL2(d, n) WORD $(0x4E217800 | (n)<<5 | (d))
#define FCVTN(d, n) WORD $(0x0E216800 | (n)<<5 | (d))
#define FCVTN2(d, n) WORD $(0x4E216800 | (n)<<5 | (d))
#define CMHI(d, n, m) WORD $(0x6E603400 | (m)<<16 | (n)<<5 | (d))

// RUNS is a loop over whole runs.
#define RUNS(RUN) \
	SUBS $16, R0, R0; \
	BLT  done; \
run: \
	RUN; \
	SUBS $16, R0, R0; \
	BGE  run; \
done: \
	RET

// WIDEN: numbers of H become float32 in the registers low and high. The instruction
// makes NaN quiet: the bit that says so, V31, is put back.
#define WIDEN(h, H, low, LOW, high, HIGH) \
	FCVTL(low, h); \
	FCVTL2(high, h); \
	VUSHLL  $13, H.H4, V16.S4; \
	VUSHLL2 $13, H.H8, V17.S4; \
	FCMEQ(18, low, low); \
	FCMEQ(19, high, high); \
	BIC(18, 31, 18); \
	BIC(19, 31, 19); \
	VBIT    V18.B16, V16.B16, LOW.B16; \
	VBIT    V19.B16, V17.B16, HIGH.B16

#define FROMF16 \
	VLD1.P 32(R2), [V0.H8, V1.H8]; \
	WIDEN(0, V0, 4, V4, 5, V5); \
	WIDEN(1, V1, 6, V6, 7, V7); \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R1)

// func fromF16NEON(dst []float32, src []byte)
TEXT ·fromF16NEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R1
	MOVD dst_len+8(FP), R0
	MOVD src_base+24(FP), R2
	MOVD $(1<<22), R3
	VDUP R3, V31.S4
	RUNS(FROMF16)

// NARROW: numbers of the registers low and high become float16 in H. Of a NaN the
// instruction keeps a part, V30, which is not wanted. V31 is infinity, shifted.
#define NARROW(low, high, h, H) \
	FCVTN(h, low); \
	FCVTN2(h, high); \
	VSHL $1, H.H8, V16.H8; \
	CMHI(16, 16, 31); \
	VAND V30.B16, V16.B16, V16.B16; \
	BIC(h, h, 16)

#define TOF16 \
	VLD1.P 64(R2), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	NARROW(0, 1, 4, V4); \
	NARROW(2, 3, 5, V5); \
	VST1.P [V4.H8, V5.H8], 32(R1)

// func toF16NEON(dst []byte, src []float32)
TEXT ·toF16NEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R1
	MOVD src_base+24(FP), R2
	MOVD src_len+32(FP), R0
	MOVD $0x01ff, R3
	VDUP R3, V30.H8
	MOVD $0xf800, R3
	VDUP R3, V31.H8
	RUNS(TOF16)

// A bfloat16 is the upper half: a zero before each makes a float32 of it.
#define FROMBF16 \
	VLD1.P 32(R2), [V0.H8, V1.H8]; \
	VZIP1  V0.H8, V31.H8, V4.H8; \
	VZIP2  V0.H8, V31.H8, V5.H8; \
	VZIP1  V1.H8, V31.H8, V6.H8; \
	VZIP2  V1.H8, V31.H8, V7.H8; \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R1)

// func fromBF16NEON(dst []float32, src []byte)
TEXT ·fromBF16NEON(SB), NOSPLIT, $0-48
	MOVD  dst_base+0(FP), R1
	MOVD  dst_len+8(FP), R0
	MOVD  src_base+24(FP), R2
	VMOVI $0, V31.B16
	RUNS(FROMBF16)

// ROUND: the upper halves of the registers low and high, in H. They are one higher
// where the lower halves are above 0x8000, V29, or equal to it and the upper one is
// odd. V30 is 1, V31 is what makes NaN quiet.
#define ROUND(low, LOW, high, HIGH, h, H) \
	VUZP1 HIGH.H8, LOW.H8, V16.H8; \
	VUZP2 HIGH.H8, LOW.H8, V17.H8; \
	VAND  V30.B16, V17.B16, V18.B16; \
	VSUB  V18.H8, V29.H8, V18.H8; \
	CMHI(18, 16, 18); \
	FCMEQ(19, low, low); \
	FCMEQ(20, high, high); \
	VUZP1 V20.H8, V19.H8, V19.H8; \
	VORR  V31.B16, V17.B16, H.B16; \
	VSUB  V18.H8, V17.H8, V17.H8; \
	VBIT  V19.B16, V17.B16, H.B16

#define TOBF16 \
	VLD1.P 64(R2), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	ROUND(0, V0, 1, V1, 4, V4); \
	ROUND(2, V2, 3, V3, 5, V5); \
	VST1.P [V4.H8, V5.H8], 32(R1)

// func toBF16NEON(dst []byte, src []float32)
TEXT ·toBF16NEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R1
	MOVD src_base+24(FP), R2
	MOVD src_len+32(FP), R0
	MOVD $0x8000, R3
	VDUP R3, V29.H8
	MOVD $1, R3
	VDUP R3, V30.H8
	MOVD $0x40, R3
	VDUP R3, V31.H8
	RUNS(TOBF16)

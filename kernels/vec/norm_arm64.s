//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The loops of LayerNorm with NEON. Registers:
//
//	R0          elements that are left
//	R1, R2, R3  x, weight, bias
//	V0-V7       sums; or x and weight or bias
//	V16-V23     x; or sums of squares
//	V29-V31     mean, scale, -shift

#define SUM16 \
	VLD1.P 64(R1), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	FOUR(FADD, 0, 0, 16)
#define SUM32 \
	SUM16; \
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]; \
	FOUR(FADD, 4, 4, 20)
#define SUM4 FMOVQ.P 16(R1), F16; FADD(6, 6, 16)
#define SUM1 FMOVS.P 4(R1), F16; FADD(7, 7, 16)

// DEVIATIONS adds x - mean to V0 to V7, and the squares to V16 to V23.
#define DEVIATIONS16 \
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]; \
	FOURBY(FSUB, 24, 24, 29); \
	FOUR(FADD, 0, 0, 24); \
	FOUR(FMLA, 16, 24, 24)
#define DEVIATIONS32 \
	DEVIATIONS16; \
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]; \
	FOURBY(FSUB, 24, 24, 29); \
	FOUR(FADD, 4, 4, 24); \
	FOUR(FMLA, 20, 24, 24)
#define DEVIATIONS4 \
	FMOVQ.P 16(R1), F24; \
	FSUB(24, 24, 29); \
	FADD(6, 6, 24); \
	FMLA(22, 24, 24)
// A result of a scalar instruction has zeros in the other lanes.
#define DEVIATIONS1 \
	FMOVS.P 4(R1), F24; \
	FSUBS   F29, F24, F24; \
	FADD(7, 7, 24); \
	FMLA(23, 24, 24)

// NORMALISED: V16 and on = (V0 - mean)·scale - shift.
#define NORMALISED(E, K) \
	K(FSUB, 0, 0, 29); \
	K(COPY, 16, 16, 31); \
	K(FMLA, 16, 0, 30)

// WEIGHTED: V0 becomes that times V4, a weight. BIASED: it becomes V20, a bias, plus
// that times V4.
#define WEIGHTED(E, K) NORMALISED(E, K); E(FMUL, 0, 16, 4)
#define BIASED(E, K) NORMALISED(E, K); E(FMLA, 20, 16, 4)

// ARGUMENTS loads mean, scale and shift.
#define ARGUMENTS(mean, scale, shift) \
	MOVD  x_base+0(FP), R1; \
	MOVD  x_len+8(FP), R0; \
	MOVD  weight_base+24(FP), R2; \
	FMOVS mean, F29; \
	FMOVS scale, F30; \
	FMOVS shift, F31; \
	FNEGS F31, F31; \
	VDUP  V29.S[0], V29.S4; \
	VDUP  V30.S[0], V30.S4; \
	VDUP  V31.S[0], V31.S4

// func sumNEON(x []float32) float32
TEXT ·sumNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R1
	MOVD x_len+8(FP), R0
	CLEAR
	SUMS(SUM32, SUM16, SUM4, SUM1)
	JOIN
	FMOVS F0, ret+24(FP)
	RET

// func deviationsNEON(x []float32, mean float32) (sum, squares float32)
TEXT ·deviationsNEON(SB), NOSPLIT, $0-40
	MOVD  x_base+0(FP), R1
	MOVD  x_len+8(FP), R0
	FMOVS mean+24(FP), F29
	VDUP  V29.S[0], V29.S4
	CLEAR
	VMOVI $0, V16.B16
	VMOVI $0, V17.B16
	VMOVI $0, V18.B16
	VMOVI $0, V19.B16
	VMOVI $0, V20.B16
	VMOVI $0, V21.B16
	VMOVI $0, V22.B16
	VMOVI $0, V23.B16
	SUMS(DEVIATIONS32, DEVIATIONS16, DEVIATIONS4, DEVIATIONS1)
	JOIN
	FOUR(FADD, 16, 16, 20)
	FADD(16, 16, 18)
	FADD(17, 17, 19)
	FADD(16, 16, 17)
	FADDP(16, 16, 16)
	FADDP(16, 16, 16)
	FMOVS F0, sum+32(FP)
	FMOVS F16, squares+36(FP)
	RET

// func normaliseNEON(x, weight []float32, mean, scale, shift float32)
TEXT ·normaliseNEON(SB), NOSPLIT, $0-60
	ARGUMENTS(mean+48(FP), scale+52(FP), shift+56(FP))
	PAIRWISE(WEIGHTED)
	RET

// func normaliseBiasedNEON(x, weight, bias []float32, mean, scale, shift float32)
TEXT ·normaliseBiasedNEON(SB), NOSPLIT, $0-84
	ARGUMENTS(mean+72(FP), scale+76(FP), shift+80(FP))
	MOVD bias_base+48(FP), R3
	SUBS $16, R0, R0
	BLT  vectors

sixteen:
	VLD1   (R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R3), [V20.S4, V21.S4, V22.S4, V23.S4]
	BIASED(FOUR, FOURBY)
	VST1.P [V20.S4, V21.S4, V22.S4, V23.S4], 64(R1)
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  singles

vector:
	FMOVQ   (R1), F0
	FMOVQ.P 16(R2), F4
	FMOVQ.P 16(R3), F20
	BIASED(ONE, ONE)
	FMOVQ.P F20, 16(R1)
	SUBS    $4, R0, R0
	BGE     vector

singles:
	ADDS $4, R0, R0
	BEQ  done

single:
	FMOVS   (R1), F0
	FMOVS.P 4(R2), F4
	FMOVS.P 4(R3), F20
	BIASED(ONE, ONE)
	FMOVS.P F20, 4(R1)
	SUBS    $1, R0, R0
	BNE     single

done:
	RET

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Rotations with NEON. Registers:
//
//	R0        pairs that are left
//	R1, R2    first and second numbers of pairs, or both in turn at R1
//	R3, R4    cos, sin

// ROTATED: each V16 and V20, and as many more as there are vectors, becomes V0 and V4
// rotated by the angle whose cosine and sine are in V8 and V12.
#define ROTATED(E, K) \
	E(FMUL, 16, 0, 8); \
	E(FMUL, 20, 0, 12); \
	E(FMLS, 16, 4, 12); \
	E(FMLA, 20, 4, 8)

// func ropeHalvesNEON(x, y, cos, sin []float32)
TEXT ·ropeHalvesNEON(SB), NOSPLIT, $0-96
	MOVD x_base+0(FP), R1
	MOVD x_len+8(FP), R0
	MOVD y_base+24(FP), R2
	MOVD cos_base+48(FP), R3
	MOVD sin_base+72(FP), R4
	SUBS $16, R0, R0
	BLT  vectors

sixteen:
	VLD1   (R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1   (R2), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R3), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1.P 64(R4), [V12.S4, V13.S4, V14.S4, V15.S4]
	ROTATED(FOUR, FOURBY)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R1)
	VST1.P [V20.S4, V21.S4, V22.S4, V23.S4], 64(R2)
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  singles

vector:
	FMOVQ   (R1), F0
	FMOVQ   (R2), F4
	FMOVQ.P 16(R3), F8
	FMOVQ.P 16(R4), F12
	ROTATED(ONE, ONE)
	FMOVQ.P F16, 16(R1)
	FMOVQ.P F20, 16(R2)
	SUBS    $4, R0, R0
	BGE     vector

singles:
	ADDS $4, R0, R0
	BEQ  done

single:
	FMOVS   (R1), F0
	FMOVS   (R2), F4
	FMOVS.P 4(R3), F8
	FMOVS.P 4(R4), F12
	ROTATED(ONE, ONE)
	FMOVS.P F16, 4(R1)
	FMOVS.P F20, 4(R2)
	SUBS    $1, R0, R0
	BNE     single

done:
	RET

// func ropePairsNEON(x, cos, sin []float32)
TEXT ·ropePairsNEON(SB), NOSPLIT, $0-72
	MOVD x_base+0(FP), R1
	MOVD cos_base+24(FP), R3
	MOVD cos_len+32(FP), R0
	MOVD sin_base+48(FP), R4
	SUBS $8, R0, R0
	BLT  rest

	// The numbers of eight pairs are separated, and joined again.
eight:
	VLD2   (R1), [V0.S4, V1.S4]
	ADD    $32, R1, R2
	VLD2   (R2), [V2.S4, V3.S4]
	VLD1.P 32(R3), [V8.S4, V9.S4]
	VLD1.P 32(R4), [V12.S4, V13.S4]
	FMUL(16, 0, 8)
	FMUL(17, 0, 12)
	FMUL(18, 2, 9)
	FMUL(19, 2, 13)
	FMLS(16, 1, 12)
	FMLA(17, 1, 8)
	FMLS(18, 3, 13)
	FMLA(19, 3, 9)
	VST2.P [V16.S4, V17.S4], 32(R1)
	VST2.P [V18.S4, V19.S4], 32(R1)
	SUBS   $8, R0, R0
	BGE    eight

rest:
	ADDS $4, R0, R0
	BLT  pairs
	VLD2    (R1), [V0.S4, V1.S4]
	FMOVQ.P 16(R3), F8
	FMOVQ.P 16(R4), F12
	FMUL(16, 0, 8)
	FMUL(17, 0, 12)
	FMLS(16, 1, 12)
	FMLA(17, 1, 8)
	VST2.P [V16.S4, V17.S4], 32(R1)
	SUB    $4, R0, R0

pairs:
	ADDS $4, R0, R0
	BEQ  done

pair:
	FMOVS   (R1), F0
	FMOVS   4(R1), F4
	FMOVS.P 4(R3), F8
	FMOVS.P 4(R4), F12
	ROTATED(ONE, ONE)
	FMOVS.P F16, 4(R1)
	FMOVS.P F20, 4(R1)
	SUBS    $1, R0, R0
	BNE     pair

done:
	RET

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Sums and products of elements with NEON. Registers:
//
//	R0      elements that are left
//	R1, R2  x, y
//	V31     s

#define ARGUMENTS \
	MOVD x_base+0(FP), R1; \
	MOVD x_len+8(FP), R0; \
	MOVD y_base+24(FP), R2

// FACTOR puts s into each lane of V31.
#define FACTOR(s) \
	FMOVS s, F31; \
	VDUP  V31.S[0], V31.S4

#define ADDED(E, K) E(FADD, 0, 0, 4)
#define MULTIPLIED(E, K) E(FMUL, 0, 0, 4)
#define ADDEDTIMES(E, K) K(FMLA, 0, 4, 31)
#define MULTIPLIEDTIMES(E, K) K(FMUL, 0, 0, 31); E(FMUL, 0, 0, 4)
#define SCALED(E, K) K(FMUL, 0, 0, 31)

// func addNEON(x, y []float32)
TEXT ·addNEON(SB), NOSPLIT, $0-48
	ARGUMENTS
	PAIRWISE(ADDED)
	RET

// func mulNEON(x, y []float32)
TEXT ·mulNEON(SB), NOSPLIT, $0-48
	ARGUMENTS
	PAIRWISE(MULTIPLIED)
	RET

// func addScaledNEON(x, y []float32, s float32)
TEXT ·addScaledNEON(SB), NOSPLIT, $0-52
	FACTOR(s+48(FP))
	ARGUMENTS
	PAIRWISE(ADDEDTIMES)
	RET

// func mulScaledNEON(x, y []float32, s float32)
TEXT ·mulScaledNEON(SB), NOSPLIT, $0-52
	FACTOR(s+48(FP))
	ARGUMENTS
	PAIRWISE(MULTIPLIEDTIMES)
	RET

// func scaleNEON(x []float32, s float32)
TEXT ·scaleNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R1
	MOVD x_len+8(FP), R0
	FACTOR(s+24(FP))
	INPLACE(SCALED)
	RET

// DOT adds products of vectors of x and y.
#define DOT16 \
	VLD1.P 64(R1), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	VLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]; \
	FOUR(FMLA, 0, 16, 20)
#define DOT32 \
	DOT16; \
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]; \
	VLD1.P 64(R2), [V28.S4, V29.S4, V30.S4, V31.S4]; \
	FOUR(FMLA, 4, 24, 28)
#define DOT4 \
	FMOVQ.P 16(R1), F16; \
	FMOVQ.P 16(R2), F20; \
	FMLA(6, 16, 20)
#define DOT1 \
	FMOVS.P 4(R1), F16; \
	FMOVS.P 4(R2), F20; \
	FMLA(7, 16, 20)

// func dotNEON(x, y []float32) float32
TEXT ·dotNEON(SB), NOSPLIT, $0-52
	ARGUMENTS
	CLEAR
	SUMS(DOT32, DOT16, DOT4, DOT1)
	JOIN
	FMOVS F0, ret+48(FP)
	RET

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The error function and activations with NEON. Each replaces x, V0 and on, and has
// its constants in V16 to V23. Registers:
//
//	R0, R1         elements of a row that are left, x
//	R2, R3         the row, rows that are left; or dst
//	R4, R5         cols, stride
//	R8             rows of coefficients
//	V4, V8, V12    and as many as there are vectors: scratch
//	V24 and on     x between bounds, and what comes of it

// An odd function that saturates is x·P(2x²/end² - 1) for |x| ≤ end, and its value
// at the end beyond. normal is Φ(x) - 1/2 with an error of 2^-24.5: at the end it
// rounds such that 1/2 + it is 1.
ROW(normal<>, 0, 0x1.0c240ap-3)
ROW(normal<>, 1, -0x1.0b9578p-4)
ROW(normal<>, 2, 0x1.8d4f38p-5)
ROW(normal<>, 3, -0x1.412b74p-5)
ROW(normal<>, 4, 0x1.07127ap-5)
ROW(normal<>, 5, -0x1.a6176cp-6)
ROW(normal<>, 6, 0x1.4256700p-6)
ROW(normal<>, 7, -0x1.c7552cp-7)
ROW(normal<>, 8, 0x1.38b62cp-7)
ROW(normal<>, 9, -0x1.c0eda6p-8)
ROW(normal<>, 10, 0x1.f97b3ap-9)
ROW(normal<>, 11, -0x1.160382p-10)
ROW(normal<>, 12, 0x1.6fb75cp-11)
ROW(normal<>, 13, -0x1.193b76p-10)
ROW(normal<>, 14, -1.0)
ROW(normal<>, 15, 0.5)
GLOBL normal<>(SB), RODATA|NOPTR, $256

// -end, end, 2/end², the last coefficient; 1
DATA gelu<>+0(SB)/4, $-0x1.59999ap+2
DATA gelu<>+4(SB)/4, $0x1.59999ap+2
DATA gelu<>+8(SB)/4, $0x1.18eecap-4
DATA gelu<>+12(SB)/4, $0x1.d95102p-12
DATA gelu<>+16(SB)/4, $1.0
GLOBL gelu<>(SB), RODATA|NOPTR, $20

// errorFunction is erf with a relative error of 2^-24.4.
ROW(errorFunction<>, 0, 0x1.734936p-2)
ROW(errorFunction<>, 1, -0x1.72b5eap-3)
ROW(errorFunction<>, 2, 0x1.13d962p-3)
ROW(errorFunction<>, 3, -0x1.c0a788p-4)
ROW(errorFunction<>, 4, 0x1.73516ap-4)
ROW(errorFunction<>, 5, -0x1.2e2a62p-4)
ROW(errorFunction<>, 6, 0x1.db3ff0p-5)
ROW(errorFunction<>, 7, -0x1.5ff844p-5)
ROW(errorFunction<>, 8, 0x1.d7d004p-6)
ROW(errorFunction<>, 9, -0x1.37a472p-6)
ROW(errorFunction<>, 10, 0x1.ce8ffep-7)
ROW(errorFunction<>, 11, -0x1.02df50p-7)
ROW(errorFunction<>, 12, 0x1.865d74p-10)
ROW(errorFunction<>, 13, -0x1.ce7b6cp-11)
ROW(errorFunction<>, 14, 0x1.0c8190p-9)
ROW(errorFunction<>, 15, -1.0)
GLOBL errorFunction<>(SB), RODATA|NOPTR, $256

// -end, end, 2/end², the last coefficient
DATA erf<>+0(SB)/4, $-0x1.f33334p+1
DATA erf<>+4(SB)/4, $0x1.f33334p+1
DATA erf<>+8(SB)/4, $0x1.0d4be8p-3
DATA erf<>+12(SB)/4, $-0x1.d77f8ep-11
GLOBL erf<>(SB), RODATA|NOPTR, $16

// What EXP2 needs for exp(-d), and then the least and the most d, of which the first
// gives infinity and the last 2^-127; 1
DATA silu<>+0(SB)/4, $0x1.8000fep+23
DATA silu<>+4(SB)/4, $-0x1.715476p+0
DATA silu<>+8(SB)/4, $-0x1.4ae0cp-26
DATA silu<>+12(SB)/4, $C5
DATA silu<>+16(SB)/4, $-0x1.637224p+6
DATA silu<>+20(SB)/4, $0x1.5fd76ep+6
DATA silu<>+24(SB)/4, $1.0
GLOBL silu<>(SB), RODATA|NOPTR, $28

// The same for exp(-2·√(2/π)·d), and 0.044715
DATA geluTanh<>+0(SB)/4, $0x1.8000fep+23
DATA geluTanh<>+4(SB)/4, $-0x1.26aec2p+1
DATA geluTanh<>+8(SB)/4, $-0x1.bce75ap-27
DATA geluTanh<>+12(SB)/4, $C5
DATA geluTanh<>+16(SB)/4, $-0x1.bd7c4p+5
DATA geluTanh<>+20(SB)/4, $0x1.b8f7cap+5
DATA geluTanh<>+24(SB)/4, $1.0
DATA geluTanh<>+28(SB)/4, $0x1.6e4e26p-5
GLOBL geluTanh<>(SB), RODATA|NOPTR, $32

// BOUND: V24 = x between V16 and V17, V8 = V24²·V18 - 1, given the row of -1.
#define BOUND(E, K, minusOne) \
	K(FMAX, 24, 0, 16); \
	K(FMIN, 24, 24, 17); \
	E(FMUL, 4, 24, 24); \
	K(CONSTANT, 8, 8, minusOne); \
	K(FMLA, 8, 4, 18)

// THIRTEEN: V4 = c0 + V8·(c1 + ... + V8·(c12 + V8·V12)).
#define THIRTEEN(E, K) \
	HORNER(E, K, 4, 12, 8, 12); \
	HORNER(E, K, 12, 4, 8, 11); \
	HORNER(E, K, 4, 12, 8, 10); \
	HORNER(E, K, 12, 4, 8, 9); \
	HORNER(E, K, 4, 12, 8, 8); \
	HORNER(E, K, 12, 4, 8, 7); \
	HORNER(E, K, 4, 12, 8, 6); \
	HORNER(E, K, 12, 4, 8, 5); \
	HORNER(E, K, 4, 12, 8, 4); \
	HORNER(E, K, 12, 4, 8, 3); \
	HORNER(E, K, 4, 12, 8, 2); \
	HORNER(E, K, 12, 4, 8, 1); \
	HORNER(E, K, 4, 12, 8, 0)

#define ERF(E, K) \
	BOUND(E, K, 15); \
	K(CONSTANT, 4, 4, 14); \
	K(FMLA, 4, 8, 19); \
	HORNER(E, K, 12, 4, 8, 13); \
	THIRTEEN(E, K); \
	E(FMUL, 0, 24, 4)

// GELU is x·(1 - (1/2 - (Φ(x) - 1/2))): both differences round to 1 or 0 at the ends.
#define GELU(E, K) \
	BOUND(E, K, 14); \
	K(CONSTANT, 12, 12, 13); \
	K(FMLA, 12, 8, 19); \
	THIRTEEN(E, K); \
	K(CONSTANT, 8, 8, 15); \
	E(FMLS, 8, 24, 4); \
	K(FRSUB, 8, 8, 20); \
	E(FMUL, 0, 0, 8)

// LOGISTIC is x / (1 + exp(-V24)). Where exp overflows, the quotient is 0.
#define LOGISTIC(E, K) \
	K(FMIN, 24, 24, 21); \
	EXP2(E, K, 24); \
	K(FADD, 24, 24, 22); \
	E(FDIV, 0, 0, 24)

#define SILU(E, K) \
	K(FMAX, 24, 0, 20); \
	LOGISTIC(E, K)

// GELUTANH makes use of (1 + tanh(z)) / 2 = 1 / (1 + exp(-2z)).
#define GELUTANH(E, K) \
	E(FMUL, 4, 0, 0); \
	K(COPY, 24, 24, 22); \
	K(FMLA, 24, 4, 23); \
	E(FMUL, 24, 24, 0); \
	K(FMAX, 24, 24, 20); \
	LOGISTIC(E, K)

// The constants of each.
#define ERFCONSTANTS \
	MOVD  $errorFunction<>(SB), R8; \
	MOVD  $erf<>(SB), R6; \
	VLD4R (R6), [V16.S4, V17.S4, V18.S4, V19.S4]
#define GELUCONSTANTS \
	MOVD    $normal<>(SB), R8; \
	MOVD    $gelu<>(SB), R6; \
	VLD4R.P 16(R6), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	VLD1R   (R6), [V20.S4]
#define SILUCONSTANTS \
	MOVD    $·exp2(SB), R8; \
	MOVD    $silu<>(SB), R6; \
	VLD4R.P 16(R6), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	VLD3R   (R6), [V20.S4, V21.S4, V22.S4]
#define GELUTANHCONSTANTS \
	MOVD    $·exp2(SB), R8; \
	MOVD    $geluTanh<>(SB), R6; \
	VLD4R.P 16(R6), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	VLD4R   (R6), [V20.S4, V21.S4, V22.S4, V23.S4]

// ROWS is a function that works in place, in rows of cols > 0 elements, stride bytes
// apart; rows > 0.
#define ROWS(CONSTANTS, BODY) \
	MOVD x+0(FP), R2; \
	MOVD rows+8(FP), R3; \
	MOVD cols+16(FP), R4; \
	MOVD stride+24(FP), R5; \
	CONSTANTS; \
row: \
	MOVD R2, R1; \
	MOVD R4, R0; \
	INPLACE(BODY); \
	ADD  R5, R2, R2; \
	SUBS $1, R3, R3; \
	BNE  row; \
	RET

// GATED is a function that multiplies dst by what BODY makes of gate.
#define GATED(CONSTANTS, BODY) \
	MOVD dst_base+0(FP), R2; \
	MOVD dst_len+8(FP), R0; \
	MOVD gate_base+24(FP), R1; \
	CONSTANTS; \
	SUBS $16, R0, R0; \
	BLT  vectors; \
sixteen: \
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	BODY(FOUR, FOURBY); \
	VLD1   (R2), [V4.S4, V5.S4, V6.S4, V7.S4]; \
	FOUR(FMUL, 4, 4, 0); \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R2); \
	SUBS   $16, R0, R0; \
	BGE    sixteen; \
vectors: \
	ADDS $12, R0, R0; \
	BLT  few; \
vector: \
	FMOVQ.P 16(R1), F0; \
	BODY(ONE, ONE); \
	FMOVQ   (R2), F4; \
	FMUL(4, 4, 0); \
	FMOVQ.P F4, 16(R2); \
	SUBS    $4, R0, R0; \
	BGE     vector; \
few: \
	ADDS $4, R0, R0; \
	BEQ  done; \
	FEW(R1, R10, R11); \
	LOADFEW(R1, R10, R11, F0, V0); \
	BODY(ONE, ONE); \
	FEW(R2, R10, R11); \
	LOADFEW(R2, R10, R11, F4, V4); \
	FMUL(4, 4, 0); \
	STOREFEW(R2, R10, R11, V4); \
done: \
	RET

// func erfNEON(x *float32, rows, cols, stride int)
TEXT ·erfNEON(SB), NOSPLIT, $0-32
	ROWS(ERFCONSTANTS, ERF)

// func geluNEON(x *float32, rows, cols, stride int)
TEXT ·geluNEON(SB), NOSPLIT, $0-32
	ROWS(GELUCONSTANTS, GELU)

// func geluTanhNEON(x *float32, rows, cols, stride int)
TEXT ·geluTanhNEON(SB), NOSPLIT, $0-32
	ROWS(GELUTANHCONSTANTS, GELUTANH)

// func siluNEON(x *float32, rows, cols, stride int)
TEXT ·siluNEON(SB), NOSPLIT, $0-32
	ROWS(SILUCONSTANTS, SILU)

// func mulGELUNEON(dst, gate []float32)
TEXT ·mulGELUNEON(SB), NOSPLIT, $0-48
	GATED(GELUCONSTANTS, GELU)

// func mulGELUTanhNEON(dst, gate []float32)
TEXT ·mulGELUTanhNEON(SB), NOSPLIT, $0-48
	GATED(GELUTANHCONSTANTS, GELUTANH)

// func mulSiLUNEON(dst, gate []float32)
TEXT ·mulSiLUNEON(SB), NOSPLIT, $0-48
	GATED(SILUCONSTANTS, SILU)

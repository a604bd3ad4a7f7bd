//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The largest element and exponentials with NEON. Registers, beside those of EXP2:
//
//	R0, R1    elements that are left, x
//	V0-V3     x
//	V20       the least that is computed with, less gives 2^-bias
//	V21       top; or the most that is computed with
//	V28-V31   sums, or the largest of each lane

// exp2 has the coefficients of f^0 to f^4.
ROW(·exp2, 0, 1.0)
ROW(·exp2, 1, 0x1.62e42ap-1)
ROW(·exp2, 2, 0x1.ebf9c2p-3)
ROW(·exp2, 3, 0x1.c6b6d8p-5)
ROW(·exp2, 4, 0x1.3ce8acp-7)
GLOBL ·exp2(SB), RODATA|NOPTR, $80

// exponential has what V16 to V21 hold in expNEON: exp(x) = 2^(x·log2 e) from
// -126·ln 2, where it is taken for 0, to 129·ln 2.
DATA exponential<>+0(SB)/4, $0x1.8000fcp+23
DATA exponential<>+4(SB)/4, $0x1.715476p+0
DATA exponential<>+8(SB)/4, $0x1.4ae0cp-26
DATA exponential<>+12(SB)/4, $C5
DATA exponential<>+16(SB)/4, $-0x1.5d58ap+6
DATA exponential<>+20(SB)/4, $0x1.65a9f8p+6
GLOBL exponential<>(SB), RODATA|NOPTR, $24

// few has the masks of the first 1, 2 and 3 lanes.
DATA few<>+0(SB)/8, $0x00000000ffffffff
DATA few<>+8(SB)/8, $0
DATA few<>+16(SB)/8, $0xffffffffffffffff
DATA few<>+24(SB)/8, $0
DATA few<>+32(SB)/8, $0xffffffffffffffff
DATA few<>+40(SB)/8, $0x00000000ffffffff
GLOBL few<>(SB), RODATA|NOPTR, $48

// FMAXV d, n is fmaxv Sd, Vn.4S, the largest lane.
#define FMAXV(d, n) WORD $(0x6E30F800 | (n)<<5 | (d))

// LARGER x, X, top, TOP: lanes of Vtop become those of Vx that are greater, which
// NaN is not.
#define LARGER(x, X, top, TOP) \
	FCMGT(24, x, top); \
	VBIT V24.B16, X.B16, TOP.B16

// func maxNEON(x []float32) float32
TEXT ·maxNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R1
	MOVD x_len+8(FP), R0
	MOVD $0xff800000, R2       // -Inf
	VDUP R2, V28.S4
	VDUP R2, V29.S4
	VDUP R2, V30.S4
	VDUP R2, V31.S4
	SUBS $16, R0, R0
	BLT  vectors

sixteen:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	LARGER(0, V0, 28, V28)
	LARGER(1, V1, 29, V29)
	LARGER(2, V2, 30, V30)
	LARGER(3, V3, 31, V31)
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  singles

vector:
	FMOVQ.P 16(R1), F0
	LARGER(0, V0, 28, V28)
	SUBS    $4, R0, R0
	BGE     vector

singles:
	ADDS $4, R0, R0
	BEQ  join

single:
	VLD1R.P 4(R1), [V0.S4]
	LARGER(0, V0, 29, V29)
	SUBS    $1, R0, R0
	BNE     single

join:
	FMAX(28, 28, 29)
	FMAX(30, 30, 31)
	FMAX(28, 28, 30)
	FMAXV(28, 28)
	FMOVS F28, ret+24(FP)
	RET

// POWER: V0 becomes 2^((c + low)·max(V0 - top, floor)).
#define POWER(E, K) \
	K(FSUB, 0, 0, 21); \
	K(FMAX, 0, 0, 20); \
	EXP2(E, K, 0)

// func expSumNEON(x []float32, c, low, floor, top float32) float32
TEXT ·expSumNEON(SB), NOSPLIT, $0-44
	MOVD  x_base+0(FP), R1
	MOVD  x_len+8(FP), R0
	MOVD  $·exp2(SB), R8
	MOVD  $0x4b40007f, R2        // 1.5·2^23 + 127
	VDUP  R2, V16.S4
	MOVD  $exponential<>+12(SB), R2
	VLD1R (R2), [V19.S4]
	FMOVS c+24(FP), F17
	VDUP  V17.S[0], V17.S4
	FMOVS low+28(FP), F18
	VDUP  V18.S[0], V18.S4
	FMOVS floor+32(FP), F20
	VDUP  V20.S[0], V20.S4
	FMOVS top+36(FP), F21
	VDUP  V21.S[0], V21.S4
	VMOVI $0, V28.B16
	VMOVI $0, V29.B16
	VMOVI $0, V30.B16
	VMOVI $0, V31.B16
	SUBS  $16, R0, R0
	BLT   vectors

sixteen:
	VLD1   (R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	POWER(FOUR, FOURBY)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R1)
	FOUR(FADD, 28, 28, 0)
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  few

vector:
	FMOVQ   (R1), F0
	POWER(ONE, ONE)
	FMOVQ.P F0, 16(R1)
	FADD(28, 28, 0)
	SUBS    $4, R0, R0
	BGE     vector

few:
	ADDS $4, R0, R0
	BEQ  join
	FEW(R1, R10, R11)
	LOADFEW(R1, R10, R11, F0, V0)
	POWER(ONE, ONE)
	STOREFEW(R1, R10, R11, V0)
	MOVD  $few<>(SB), R2
	ADD   R0<<4, R2, R2
	FMOVQ -16(R2), F4
	VAND  V4.B16, V0.B16, V0.B16
	FADD(29, 29, 0)

join:
	FADD(28, 28, 30)
	FADD(29, 29, 31)
	FADD(28, 28, 29)
	FADDP(28, 28, 28)
	FADDP(28, 28, 28)
	FMOVS F28, ret+40(FP)
	RET

// EXPONENTIAL: V0 becomes twice 2^(n-1) times the polynomial, so that n = 128 does
// not overflow.
#define EXPONENTIAL(E, K) \
	K(FMAX, 0, 0, 20); \
	K(FMIN, 0, 0, 21); \
	EXP2(E, K, 0); \
	E(FADD, 0, 0, 0)

// func expNEON(x []float32)
TEXT ·expNEON(SB), NOSPLIT, $0-24
	MOVD    x_base+0(FP), R1
	MOVD    x_len+8(FP), R0
	MOVD    $·exp2(SB), R8
	MOVD    $exponential<>(SB), R2
	VLD4R.P 16(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD2R   (R2), [V20.S4, V21.S4]
	INPLACE(EXPONENTIAL)
	RET

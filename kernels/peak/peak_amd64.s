//go:build !purego

#include "textflag.h"

// Registers 0 to 11 are the sums, 12 and 13 what is multiplied. All are zero,
// which takes as long as other numbers.

#define ALLX(op) \
	op(X0); op(X1); op(X2); op(X3); op(X4); op(X5); op(X6); \
	op(X7); op(X8); op(X9); op(X10); op(X11); op(X12); op(X13)
#define TWELVEY(op) \
	op(Y0); op(Y1); op(Y2); op(Y3); op(Y4); op(Y5); \
	op(Y6); op(Y7); op(Y8); op(Y9); op(Y10); op(Y11)
#define TWELVEZ(op) \
	op(Z0); op(Z1); op(Z2); op(Z3); op(Z4); op(Z5); \
	op(Z6); op(Z7); op(Z8); op(Z9); op(Z10); op(Z11)

#define ZERO(r) VPXOR r, r, r
#define FMAY(r) VFMADD231PS Y12, Y13, r
#define FMAZ(r) VFMADD231PS Z12, Z13, r
#define DOTZ(r) VPDPBUSD Z12, Z13, r

// START clears all vectors, their upper parts too, and takes n.
#define START \
	MOVQ n+0(FP), CX; \
	ALLX(ZERO)

// func fmaAVX512(n int)
TEXT ·fmaAVX512(SB), NOSPLIT, $0-8
	START
turn:
	TWELVEZ(FMAZ)
	DECQ CX
	JNZ  turn
	VZEROUPPER
	RET

// func fmaAVX2(n int)
TEXT ·fmaAVX2(SB), NOSPLIT, $0-8
	START
turn:
	TWELVEY(FMAY)
	DECQ CX
	JNZ  turn
	VZEROUPPER
	RET

// func dotVNNI(n int)
TEXT ·dotVNNI(SB), NOSPLIT, $0-8
	START
turn:
	TWELVEZ(DOTZ)
	DECQ CX
	JNZ  turn
	VZEROUPPER
	RET

// VPDPBUSD Y12, Y13, Yi in the encoding of AVX-VNNI, which Go's assembler lacks:
// VEX.256.66.0F38.W0 50 /r (Intel, Software Developer's Manual, "VPDPBUSD").
#define LOWDOT(i) BYTE $0xc4; BYTE $0xc2; BYTE $0x15; BYTE $0x50; BYTE $(0xc4 | (i)<<3)
#define HIGHDOT(i) BYTE $0xc4; BYTE $0x42; BYTE $0x15; BYTE $0x50; BYTE $(0xc4 | ((i)-8)<<3)

// func dotAVXVNNI(n int)
TEXT ·dotAVXVNNI(SB), NOSPLIT, $0-8
	START
turn:
	LOWDOT(0)
	LOWDOT(1)
	LOWDOT(2)
	LOWDOT(3)
	LOWDOT(4)
	LOWDOT(5)
	LOWDOT(6)
	LOWDOT(7)
	HIGHDOT(8)
	HIGHDOT(9)
	HIGHDOT(10)
	HIGHDOT(11)
	DECQ CX
	JNZ  turn
	VZEROUPPER
	RET

// MADD i, t: the sum i grows by 32 products, with t as scratch.
#define MADD(i, t) \
	VPMADDUBSW Y12, Y13, t; \
	VPMADDWD   Y12, t, t;   \
	VPADDD     t, i, i

// func dotAVX2(n int)
TEXT ·dotAVX2(SB), NOSPLIT, $0-8
	START
turn:
	MADD(Y0, Y6)
	MADD(Y1, Y7)
	MADD(Y2, Y8)
	MADD(Y3, Y9)
	MADD(Y4, Y10)
	MADD(Y5, Y11)
	DECQ CX
	JNZ  turn
	VZEROUPPER
	RET

//go:build !purego

#include "textflag.h"

// V0 to V23 are the sums, V24 and V25 what is multiplied. All are zero, which
// takes as long as other numbers.

#define BYTES(op) \
	op(V0.B16); op(V1.B16); op(V2.B16); op(V3.B16); op(V4.B16); op(V5.B16); op(V6.B16); \
	op(V7.B16); op(V8.B16); op(V9.B16); op(V10.B16); op(V11.B16); op(V12.B16); op(V13.B16); \
	op(V14.B16); op(V15.B16); op(V16.B16); op(V17.B16); op(V18.B16); op(V19.B16); op(V20.B16); \
	op(V21.B16); op(V22.B16); op(V23.B16); op(V24.B16); op(V25.B16)
#define FLOATS(op) \
	op(V0.S4); op(V1.S4); op(V2.S4); op(V3.S4); op(V4.S4); op(V5.S4); \
	op(V6.S4); op(V7.S4); op(V8.S4); op(V9.S4); op(V10.S4); op(V11.S4); \
	op(V12.S4); op(V13.S4); op(V14.S4); op(V15.S4); op(V16.S4); op(V17.S4); \
	op(V18.S4); op(V19.S4); op(V20.S4); op(V21.S4); op(V22.S4); op(V23.S4)
#define NUMBERS(op) \
	op(0); op(1); op(2); op(3); op(4); op(5); op(6); op(7); \
	op(8); op(9); op(10); op(11); op(12); op(13); op(14); op(15); \
	op(16); op(17); op(18); op(19); op(20); op(21); op(22); op(23)

#define ZERO(r) VEOR r, r, r
#define FMA(r) VFMLA V24.S4, V25.S4, r

// SDOT Vi.4S, V24.16B, V25.16B, which Go's assembler lacks (Arm ARM, "SDOT
// (vector)").
#define DOT(i) WORD $(0x4E809400 | 25<<16 | 24<<5 | (i))

// func fmaNEON(n int)
TEXT ·fmaNEON(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	BYTES(ZERO)

turn:
	FLOATS(FMA)
	SUBS $1, R0
	BNE  turn
	RET

// func dotNEON(n int)
TEXT ·dotNEON(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	BYTES(ZERO)

turn:
	NUMBERS(DOT)
	SUBS $1, R0
	BNE  turn
	RET

// The macros that all micro-kernels of NEON end with. A tile has rows x 16 sums,
// acc, in V0 to V23: row r has V4r to V4r+3.

// FADD d, n is fadd Vd.4S, Vd.4S, Vn.4S, which Go's assembler lacks (Arm
// ARM, "FADD (vector)").
#define FADD(d, n) WORD $(0x4E20D400 | (n)<<16 | (d)<<5 | (d))

// ACC: the accumulators of a row.
#define ACC0 [V0.S4, V1.S4, V2.S4, V3.S4]
#define ACC1 [V4.S4, V5.S4, V6.S4, V7.S4]
#define ACC2 [V8.S4, V9.S4, V10.S4, V11.S4]
#define ACC3 [V12.S4, V13.S4, V14.S4, V15.S4]
#define ACC4 [V16.S4, V17.S4, V18.S4, V19.S4]
#define ACC5 [V20.S4, V21.S4, V22.S4, V23.S4]

// ZERO clears acc.
#define ZERO1 VMOVI $0, V0.B16; VMOVI $0, V1.B16; VMOVI $0, V2.B16; VMOVI $0, V3.B16
#define ZERO2 ZERO1; VMOVI $0, V4.B16; VMOVI $0, V5.B16; VMOVI $0, V6.B16; VMOVI $0, V7.B16
#define ZERO3 ZERO2; VMOVI $0, V8.B16; VMOVI $0, V9.B16; VMOVI $0, V10.B16; VMOVI $0, V11.B16
#define ZERO4 ZERO3; VMOVI $0, V12.B16; VMOVI $0, V13.B16; VMOVI $0, V14.B16; VMOVI $0, V15.B16
#define ZERO5 ZERO4; VMOVI $0, V16.B16; VMOVI $0, V17.B16; VMOVI $0, V18.B16; VMOVI $0, V19.B16
#define ZERO6 ZERO5; VMOVI $0, V20.B16; VMOVI $0, V21.B16; VMOVI $0, V22.B16; VMOVI $0, V23.B16

// PLUS adds V24 to V27 to each row of acc.
#define PLUS1 FADD(0, 24); FADD(1, 25); FADD(2, 26); FADD(3, 27)
#define PLUS2 PLUS1; FADD(4, 24); FADD(5, 25); FADD(6, 26); FADD(7, 27)
#define PLUS3 PLUS2; FADD(8, 24); FADD(9, 25); FADD(10, 26); FADD(11, 27)
#define PLUS4 PLUS3; FADD(12, 24); FADD(13, 25); FADD(14, 26); FADD(15, 27)
#define PLUS5 PLUS4; FADD(16, 24); FADD(17, 25); FADD(18, 26); FADD(19, 27)
#define PLUS6 PLUS5; FADD(20, 24); FADD(21, 25); FADD(22, 26); FADD(23, 27)

// PLUSDST adds rows at R10 of stride R14.
#define PLUSDST1 VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(0, 24); FADD(1, 25); FADD(2, 26); FADD(3, 27)
#define PLUSDST2 PLUSDST1; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(4, 24); FADD(5, 25); FADD(6, 26); FADD(7, 27)
#define PLUSDST3 PLUSDST2; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(8, 24); FADD(9, 25); FADD(10, 26); FADD(11, 27)
#define PLUSDST4 PLUSDST3; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(12, 24); FADD(13, 25); FADD(14, 26); FADD(15, 27)
#define PLUSDST5 PLUSDST4; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(16, 24); FADD(17, 25); FADD(18, 26); FADD(19, 27)
#define PLUSDST6 PLUSDST5; ADD R14, R10, R10; VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; FADD(20, 24); FADD(21, 25); FADD(22, 26); FADD(23, 27)

// STORE stores acc in rows at R13 of stride R14.
#define STORE1 VST1 ACC0, (R13)
#define STORE2 STORE1; ADD R14, R13, R13; VST1 ACC1, (R13)
#define STORE3 STORE2; ADD R14, R13, R13; VST1 ACC2, (R13)
#define STORE4 STORE3; ADD R14, R13, R13; VST1 ACC3, (R13)
#define STORE5 STORE4; ADD R14, R13, R13; VST1 ACC4, (R13)
#define STORE6 STORE5; ADD R14, R13, R13; VST1 ACC5, (R13)

// SPILL stores acc without gaps at R11.
#define SPILL1 VST1.P ACC0, 64(R11)
#define SPILL2 SPILL1; VST1.P ACC1, 64(R11)
#define SPILL3 SPILL2; VST1.P ACC2, 64(R11)
#define SPILL4 SPILL3; VST1.P ACC3, 64(R11)
#define SPILL5 SPILL4; VST1.P ACC4, 64(R11)
#define SPILL6 SPILL5; VST1.P ACC5, 64(R11)

// EPILOGUE adds the bias and what dst holds, and stores the tile. Registers, of
// which the parameters are set before:
//
//	R9        cols
//	R10       bias, then rows of dst to add
//	R11       the tile on the stack
//	R12       counts
//	R13, R14  rows of dst and their stride
//	R15       add
//	R19, R20  a place in a row of dst, an element
//
// A bias of less than 16 columns is copied to the stack, to be loaded as one of
// 16. A tile of less than 16 columns goes to the stack as a whole and from there
// row by row to dst: eight columns, four, two and one, as the bits of cols say.
#define EPILOGUE(rows, PLUS, PLUSDST, STORE, SPILL) \
	CBZ  R10, biased; \
	CMP  $16, R9; \
	BEQ  wholeBias; \
	MOVD $tile-384(SP), R11; \
	MOVD R9, R12; \
copyBias: \
	MOVWU.P 4(R10), R20; \
	MOVW.P  R20, 4(R11); \
	SUBS    $1, R12, R12; \
	BNE     copyBias; \
	MOVD    $tile-384(SP), R10; \
wholeBias: \
	VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]; \
	PLUS; \
biased: \
	CMP  $16, R9; \
	BNE  narrow; \
	CBZ  R15, store; \
	MOVD R13, R10; \
	PLUSDST; \
store: \
	STORE; \
	RET; \
narrow: \
	MOVD $tile-384(SP), R11; \
	SPILL; \
	MOVD $tile-384(SP), R11; \
	MOVD $rows, R12; \
row: \
	VLD1.P 64(R11), ACC0; \
	MOVD   R13, R19; \
	TBZ    $3, R9, four; \
	CBZ    R15, storeEight; \
	VLD1   (R19), [V24.S4, V25.S4]; \
	FADD(0, 24); \
	FADD(1, 25); \
storeEight: \
	VST1.P [V0.S4, V1.S4], 32(R19); \
	VMOV   V2.B16, V0.B16; \
	VMOV   V3.B16, V1.B16; \
four: \
	TBZ   $2, R9, two; \
	CBZ   R15, storeFour; \
	FMOVQ (R19), F24; \
	FADD(0, 24); \
storeFour: \
	FMOVQ.P F0, 16(R19); \
	VMOV    V1.B16, V0.B16; \
two: \
	TBZ   $1, R9, last; \
	CBZ   R15, storeTwo; \
	FMOVD (R19), F24; \
	FADD(0, 24); \
storeTwo: \
	FMOVD.P F0, 8(R19); \
	VDUP    V0.D[1], V0.D2; \
last: \
	TBZ   $0, R9, next; \
	CBZ   R15, storeLast; \
	FMOVS (R19), F24; \
	FADD(0, 24); \
storeLast: \
	FMOVS F0, (R19); \
next: \
	ADD  R14, R13, R13; \
	SUBS $1, R12, R12; \
	BNE  row; \
	RET

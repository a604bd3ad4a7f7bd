// What the NEON functions of this package share. Registers of vectors are numbers
// here, so that macros can count them: d, n and m stand for Vd, Vn and Vm.

// What Go's assembler lacks, on four float32 (Arm ARM, "Alphabetical list of A64
// Advanced SIMD and floating-point instructions"):

// FADD, FSUB, FMUL, FDIV, FMAX, FMIN d, n, m are fadd Vd, Vn, Vm and so on; NaN in
// either goes to Vd. FMLA is d += n * m, FMLS is d -= n * m, both fused.
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB(d, n, m) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FDIV(d, n, m) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
#define FMLA(d, n, m) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))
#define FMLS(d, n, m) WORD $(0x4EA0CC00 | (m)<<16 | (n)<<5 | (d))

// FRSUB is d = m - n.
#define FRSUB(d, n, m) FSUB(d, m, n)

// FCMEQ and FCMGT d, n, m set the bits of the lanes in which n is equal to m, or
// greater; they are not where one is NaN.
#define FCMEQ(d, n, m) WORD $(0x4E20E400 | (m)<<16 | (n)<<5 | (d))
#define FCMGT(d, n, m) WORD $(0x6EA0E400 | (m)<<16 | (n)<<5 | (d))

// FADDP d, n, m is faddp: the sums of neighbours in Vn, then those in Vm.
#define FADDP(d, n, m) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))

// BIC d, n, m is bic Vd.16B, Vn.16B, Vm.16B: d = n &^ m.
#define BIC(d, n, m) WORD $(0x4E601C00 | (m)<<16 | (n)<<5 | (d))

// Instructions that Go's assembler has, with numbers. Their second operand is there
// for FOURBY to count, and not in use:
//
// COPY d, _, m is mov Vd.16B, Vm.16B; CONSTANT d, _, row is ldr Qd, [R8, #16*row].
#define COPY(d, n, m) WORD $(0x4EA01C00 | (m)<<16 | (m)<<5 | (d))
#define CONSTANT(d, n, row) WORD $(0x3DC00100 | (row)<<10 | (d))

// A function computes on four vectors at a time, V0 to V3, then on one, V0. Its
// macro has two parameters for that, E and K, which are FOUR and FOURBY, or ONE
// twice: E(OP, d, n, m) does OP on as many vectors, and K does it where the last
// operand is the same for all of them.
#define FOUR(OP, d, n, m) OP(d, n, m); OP(d+1, n+1, m+1); OP(d+2, n+2, m+2); OP(d+3, n+3, m+3)
#define FOURBY(OP, d, n, m) OP(d, n, m); OP(d+1, n+1, m); OP(d+2, n+2, m); OP(d+3, n+3, m)
#define ONE(OP, d, n, m) OP(d, n, m)

// ROW puts a number into each lane of a row of a table.
#define ROW(table, row, v) \
	DATA table+(16*(row))(SB)/4, $(v); \
	DATA table+(16*(row)+4)(SB)/4, $(v); \
	DATA table+(16*(row)+8)(SB)/4, $(v); \
	DATA table+(16*(row)+12)(SB)/4, $(v)

// FEW finds what is left where that is R0 elements at p, 1 to 3: second and third
// point to the second and the third of them, or else to the last. LOADFEW loads
// what p, second and third point to, and STOREFEW stores it. As an element that is
// in two lanes is the same in both, it does not matter which is stored last.
#define FEW(p, second, third) \
	LSR $1, R0, R16; \
	ADD R16<<2, p, second; \
	SUB $1, R0, R16; \
	ADD R16<<2, p, third

#define LOADFEW(p, second, third, F, V) \
	FMOVS (p), F; \
	VLD1  (second), V.S[1]; \
	VLD1  (third), V.S[2]

#define STOREFEW(p, second, third, V) \
	VST1 V.S[0], (p); \
	VST1 V.S[1], (second); \
	VST1 V.S[2], (third)

// INPLACE applies BODY(E, K) to R0 elements at R1.
#define INPLACE(BODY) \
	SUBS $16, R0, R0; \
	BLT  vectors; \
sixteen: \
	VLD1   (R1), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	BODY(FOUR, FOURBY); \
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R1); \
	SUBS   $16, R0, R0; \
	BGE    sixteen; \
vectors: \
	ADDS $12, R0, R0; \
	BLT  few; \
vector: \
	FMOVQ   (R1), F0; \
	BODY(ONE, ONE); \
	FMOVQ.P F0, 16(R1); \
	SUBS    $4, R0, R0; \
	BGE     vector; \
few: \
	ADDS $4, R0, R0; \
	BEQ  done; \
	FEW(R1, R10, R11); \
	LOADFEW(R1, R10, R11, F0, V0); \
	BODY(ONE, ONE); \
	STOREFEW(R1, R10, R11, V0); \
done:

// PAIRWISE applies BODY(E, K) to R0 elements at R1 in V0 and on, in place, and those
// at R2 in V4 and on. A single element is in the first lane; the others are 0.
#define PAIRWISE(BODY) \
	SUBS $16, R0, R0; \
	BLT  vectors; \
sixteen: \
	VLD1   (R1), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]; \
	BODY(FOUR, FOURBY); \
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R1); \
	SUBS   $16, R0, R0; \
	BGE    sixteen; \
vectors: \
	ADDS $12, R0, R0; \
	BLT  singles; \
vector: \
	FMOVQ   (R1), F0; \
	FMOVQ.P 16(R2), F4; \
	BODY(ONE, ONE); \
	FMOVQ.P F0, 16(R1); \
	SUBS    $4, R0, R0; \
	BGE     vector; \
singles: \
	ADDS $4, R0, R0; \
	BEQ  done; \
single: \
	FMOVS   (R1), F0; \
	FMOVS.P 4(R2), F4; \
	BODY(ONE, ONE); \
	FMOVS.P F0, 4(R1); \
	SUBS    $1, R0, R0; \
	BNE     single; \
done:

// SUMS goes over R0 elements, which its parameters do 32, 16, 4 and 1 at a time. They
// are added to eight vectors of sums: 32 to a lane of each, 16 to the first four, 4
// to V6 and 1 to V7. So no lane adds up more than n/32 + 3 of n numbers.
#define SUMS(THIRTYTWO, SIXTEEN, VECTOR, SINGLE) \
	SUBS $32, R0, R0; \
	BLT  rest; \
runs: \
	THIRTYTWO; \
	SUBS $32, R0, R0; \
	BGE  runs; \
rest: \
	ADDS $16, R0, R0; \
	BLT  vectors; \
	SIXTEEN; \
	SUB  $16, R0, R0; \
vectors: \
	ADDS $12, R0, R0; \
	BLT  singles; \
vector: \
	VECTOR; \
	SUBS $4, R0, R0; \
	BGE  vector; \
singles: \
	ADDS $4, R0, R0; \
	BEQ  joined; \
single: \
	SINGLE; \
	SUBS $1, R0, R0; \
	BNE  single; \
joined:

// CLEAR clears V0 to V7, JOIN adds them up in the first lane of V0.
#define CLEAR \
	VMOVI $0, V0.B16; VMOVI $0, V1.B16; VMOVI $0, V2.B16; VMOVI $0, V3.B16; \
	VMOVI $0, V4.B16; VMOVI $0, V5.B16; VMOVI $0, V6.B16; VMOVI $0, V7.B16

#define JOIN \
	FOUR(FADD, 0, 0, 4); \
	FADD(0, 0, 2); \
	FADD(1, 1, 3); \
	FADD(0, 0, 1); \
	FADDP(0, 0, 0); \
	FADDP(0, 0, 0)

// EXP2 replaces each vector from D on by 2^(D·(c + low)), as
//
//	n = round(D·c)
//	f = D·c - n + D·low          the product is exact, as it is fused
//	polynomial(f) · 2^n
//
// for n from -bias, where 2^n becomes 0, to 255-bias, where it becomes infinite.
// 2^n comes times 2^(bias-127). The polynomial is the minimax one of degree 5 for
// |f| ≤ 1/2, with a relative error of 2^-23.4, and 1 for f = 0. Registers:
//
//	R8           exp2
//	V16          1.5·2^23 + bias: adding it rounds to an integer, which is then in
//	             the low bits of the sum
//	V17, V18     c, low
//	V19          the coefficient of f^5
//	V4, V8, V12  and as many as there are vectors: n, f; scratch
#define EXP2(E, K, D) \
	K(COPY, 4, 4, 16); \
	K(FMLA, 4, D, 17); \
	K(FRSUB, 8, 4, 16); \
	K(FMLA, 8, D, 17); \
	K(FMLA, 8, D, 18); \
	K(CONSTANT, D, D, 4); \
	K(FMLA, D, 8, 19); \
	HORNER(E, K, 12, D, 8, 3); \
	HORNER(E, K, D, 12, 8, 2); \
	HORNER(E, K, 12, D, 8, 1); \
	HORNER(E, K, D, 12, 8, 0); \
	E(SHL23, 4, 4, 4); \
	E(FMUL, D, D, 4)

// C5 is the coefficient of f^5, the others are rows of exp2.
#define C5 0x1.5bda4p-10

// HORNER is a step of a polynomial: to = coefficient of a row of R8 + from·t.
#define HORNER(E, K, to, from, t, row) \
	K(CONSTANT, to, to, row); \
	E(FMLA, to, from, t)

// SHL23 d, n, _ is shl Vd.4S, Vn.4S, #23.
#define SHL23(d, n, m) WORD $(0x4F375400 | (n)<<5 | (d))

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Work over the columns of a matrix, and the search for what is not finite, with
// NEON.

// What Go's assembler lacks: FCVTL d, n and FCVTL2 d, n are fcvtl Vd.2D, Vn.2S and
// fcvtl2 Vd.2D, Vn.4S, the two lower and the two upper lanes as float64. FMLAD d, n,
// m is fmla Vd.2D, Vn.2D, Vm.2D. UMAX d, n, m is umax Vd, Vn, Vm, UMAXV d, n is umaxv
// Sd, Vn, and SHL1 d, n, _ is shl Vd, Vn, #1, on four integers.
#define FCVTL(d, n) WORD $(0x0E617800 | (n)<<5 | (d))
#define FCVTL2(d, n) WORD $(0x4E617800 | (n)<<5 | (d))
#define FMLAD(d, n, m) WORD $(0x4E60CC00 | (m)<<16 | (n)<<5 | (d))
#define UMAX(d, n, m) WORD $(0x6EA06400 | (m)<<16 | (n)<<5 | (d))
#define UMAXV(d, n) WORD $(0x6EB0A800 | (n)<<5 | (d))
#define SHL1(d, n, m) WORD $(0x4F215400 | (n)<<5 | (d))

// Registers of mean and addSquares:
//
//	R0          columns that are left
//	R1, R2      dst or sums, the columns of x
//	R3, R4      rows, from one row to the next in bytes
//	R5, R6      a row of those columns, rows that are left
//	V0-V7       sums
//	V16-V27     x; its squares

// DOWN goes down the rows.
#define DOWN(row, ROW) \
	MOVD R2, R5; \
	MOVD R3, R6; \
row: \
	ROW; \
	ADD  R4, R5, R5; \
	SUBS $1, R6, R6; \
	BNE  row

#define ADD16 \
	VLD1 (R5), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	FOUR(FADD, 0, 0, 16)
#define ADD4 FMOVQ (R5), F16; FADD(0, 0, 16)
#define ADD1 FMOVS (R5), F16; FADD(0, 0, 16)

// func meanNEON(dst, x []float32, rows int)
TEXT ·meanNEON(SB), NOSPLIT, $0-56
	MOVD   dst_base+0(FP), R1
	MOVD   dst_len+8(FP), R0
	MOVD   x_base+24(FP), R2
	MOVD   rows+48(FP), R3
	LSL    $2, R0, R4
	SCVTFS R3, F31
	VDUP   V31.S[0], V31.S4
	SUBS   $16, R0, R0
	BLT    vectors

sixteen:
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16
	DOWN(rowOf16, ADD16)
	FOURBY(FDIV, 0, 0, 31)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R1)
	ADD    $64, R2, R2
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  singles

vector:
	VMOVI   $0, V0.B16
	DOWN(rowOf4, ADD4)
	FDIV(0, 0, 31)
	FMOVQ.P F0, 16(R1)
	ADD     $16, R2, R2
	SUBS    $4, R0, R0
	BGE     vector

singles:
	ADDS $4, R0, R0
	BEQ  done

single:
	VMOVI   $0, V0.B16
	DOWN(rowOf1, ADD1)
	FDIV(0, 0, 31)
	FMOVS.P F0, 4(R1)
	ADD     $4, R2, R2
	SUBS    $1, R0, R0
	BNE     single

done:
	RET

// A square of a float32 is exact in float64: fused or not, a sum is the same.
#define SQUARES4(at, s) \
	FCVTL(20, at); \
	FCVTL2(21, at); \
	FMLAD(s, 20, 20); \
	FMLAD(s+1, 21, 21)
#define SQUARES16 \
	VLD1 (R5), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	SQUARES4(16, 0); \
	SQUARES4(17, 2); \
	SQUARES4(18, 4); \
	SQUARES4(19, 6)
#define ONESQUARES4 FMOVQ (R5), F16; SQUARES4(16, 0)

// func addSquaresNEON(sums []float64, x []float32, rows, stride int)
TEXT ·addSquaresNEON(SB), NOSPLIT, $0-64
	MOVD sums_base+0(FP), R1
	MOVD sums_len+8(FP), R0
	MOVD x_base+24(FP), R2
	MOVD rows+48(FP), R3
	MOVD stride+56(FP), R4
	ADD  $64, R1, R7          // the second half of the sums of 16 columns
	SUBS $16, R0, R0
	BLT  vectors

sixteen:
	VLD1   (R1), [V0.D2, V1.D2, V2.D2, V3.D2]
	VLD1   (R7), [V4.D2, V5.D2, V6.D2, V7.D2]
	DOWN(rowOf16, SQUARES16)
	VST1.P [V0.D2, V1.D2, V2.D2, V3.D2], 64(R1)
	VST1.P [V4.D2, V5.D2, V6.D2, V7.D2], 64(R1)
	ADD    $128, R7, R7
	ADD    $64, R2, R2
	SUBS   $16, R0, R0
	BGE    sixteen

vectors:
	ADDS $12, R0, R0
	BLT  done

vector:
	VLD1   (R1), [V0.D2, V1.D2]
	DOWN(rowOf4, ONESQUARES4)
	VST1.P [V0.D2, V1.D2], 32(R1)
	ADD    $16, R2, R2
	SUBS   $4, R0, R0
	BGE    vector

done:
	RET

// func finiteNEON(x []float32) int
//
// Without their sign, numbers that are not finite are the largest, as integers.
TEXT ·finiteNEON(SB), NOSPLIT, $0-32
	MOVD x_base+0(FP), R1
	MOVD x_len+8(FP), R0
	MOVD R0, R2
	MOVD $0xff000000, R3      // infinity, shifted
	SUBS $32, R0, R0
	BLT  end

blocks:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FOUR(SHL1, 0, 0, 0)
	FOUR(SHL1, 4, 4, 4)
	FOUR(UMAX, 0, 0, 4)
	UMAX(0, 0, 1)
	UMAX(2, 2, 3)
	UMAX(0, 0, 2)
	UMAXV(0, 0)
	FMOVS  F0, R4
	CMPW   R3, R4
	BHS    end
	SUBS   $32, R0, R0
	BGE    blocks

end:
	ADD  $32, R0, R0          // those from the block on that was not passed
	SUB  R0, R2, R2
	MOVD R2, ret+24(FP)
	RET

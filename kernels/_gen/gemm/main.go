// Command gemm generates the assembly of kernels/gemm. Run it with "make generate".
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("!purego")
	for rows := 1; rows <= 12; rows++ {
		avx512(rows, 1)
		avx512(rows, 2)
	}
	masks := GLOBL("masks", RODATA|NOPTR)
	for i := range 32 {
		v := uint32(0)
		if i < 16 {
			v = math.MaxUint32
		}
		DATA(i*4, U32(v))
	}
	for rows := 1; rows <= 6; rows++ {
		avx2(rows, masks)
	}
	for _, group := range []int{32, 16} {
		for rows := 1; rows <= 6; rows++ {
			int8AVX512(rows, 1, group)
			int8AVX512(rows, 2, group)
		}
	}
	Generate()
}

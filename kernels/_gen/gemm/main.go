// Command gemm generates the assembly of kernels/gemm: the micro-kernels of one
// element type, the quantization of activations, or what is done to weights when
// they are packed or unpacked. Run it with "make generate".
package main

import (
	"flag"
	"log"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
)

func main() {
	what := flag.String("kernels", "", "f32, int8, int8avx2, quantize, expand or transpose")
	flag.Parse()
	ConstraintExpr("!purego")
	switch *what {
	case "f32":
		for rows := 1; rows <= 12; rows++ {
			avx512(rows, 1)
			avx512(rows, 2)
		}
		masks := columnMasks()
		for rows := 1; rows <= 6; rows++ {
			avx2(rows, masks)
		}
	case "int8":
		for _, group := range []int{32, 16} {
			for rows := 1; rows <= 6; rows++ {
				int8AVX512(rows, 1, group)
				int8AVX512(rows, 2, group)
			}
		}
	case "int8avx2":
		masks := columnMasks()
		for _, dot := range []int8Dot{narrowDot, wideDot, vexDot} {
			for _, group := range []int{32, 16} {
				for rows := 1; rows <= 3; rows++ {
					int8AVX2(dot, rows, group, masks)
				}
			}
		}
	case "quantize":
		numbers := quantizeNumbers()
		peaksAVX512(numbers)
		extractAVX512(numbers)
		peaksAVX2(numbers)
		quantizeAVX512(numbers)
		quantizeAVX2(numbers)
		outliersAVX512(1)
		outliersAVX512(2)
		outliersAVX2(columnMasks())
	case "expand":
		newExpandAVX512().generate()
		newExpandAVX2().generate()
		for _, group := range []int{32, 16} {
			for rows := 1; rows <= 6; rows++ {
				expandingAVX512(rows, group)
			}
		}
		masks := columnMasks()
		for _, way := range []int8Dot{narrowDot, vexDot} {
			for _, group := range []int{32, 16} {
				for rows := 1; rows <= 3; rows++ {
					expandingAVX2(way, rows, group, masks)
				}
			}
		}
		expandingOutliersAVX512(2)
		expandingOutliersAVX2(masks)
	case "transpose":
		transposeAVX512()
		transposeAVX2()
	default:
		log.Fatalf("unknown kernels %q", *what)
	}
	pass.Compile = pass.Concat(pass.Compile, pass.FunctionPass(encodeVEX), pass.FunctionPass(checkVEX))
	Generate()
}

// columnMasks is a table of sixteen vector elements of ones and as many zeros.
func columnMasks() Mem {
	masks := GLOBL("masks", RODATA|NOPTR)
	for i := range 32 {
		v := uint32(0)
		if i < 16 {
			v = math.MaxUint32
		}
		DATA(i*4, U32(v))
	}
	return masks
}

//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

func int8Variants(p cpu.Path) []int8Variant {
	v := []int8Variant{{"plain", plain.int8}}
	if p == cpu.NEON && cpu.HasDotProd() {
		v = append(v, int8Variant{"dotprod", int8DotProd.of})
	}
	return v
}

//go:build !purego

package gemm

import "github.com/gguftool/gguftool/kernels/cpu"

func int8Variants(p cpu.Path) []int8Variant {
	if p == cpu.Scalar {
		return []int8Variant{{"plain", plain.int8}}
	}
	v := []int8Variant{{"avx2", int8AVX2}, {"avx2 wide", int8AVX2Wide.of}}
	if cpu.HasAVXVNNI() {
		v = append(v, int8Variant{"avx-vnni", int8AVXVNNI.of})
	}
	if p == cpu.AVX512 && cpu.HasVNNI() {
		v = append(v, int8Variant{"avx512-vnni", int8VNNI.of})
	}
	return v
}

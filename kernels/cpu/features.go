package cpu

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// features are the instruction sets that kernels ask for, in the order of their
// architectures. Fields of the other architecture are false.
var features = []struct {
	name string
	has  bool
}{
	{"avx2", cpu.X86.HasAVX2},
	{"fma", cpu.X86.HasFMA},
	{"f16c", cpu.X86.HasF16C},
	{"bmi2", cpu.X86.HasBMI2},
	{"avx_vnni", cpu.X86.HasAVXVNNI},
	{"avx512f", cpu.X86.HasAVX512F},
	{"avx512bw", cpu.X86.HasAVX512BW},
	{"avx512dq", cpu.X86.HasAVX512DQ},
	{"avx512vl", cpu.X86.HasAVX512VL},
	{"avx512_vnni", cpu.X86.HasAVX512VNNI},
	{"avx512_bf16", cpu.X86.HasAVX512BF16},
	{"neon", hasNEON},
	{"dotprod", HasDotProd()},
}

// Features returns the names of the instruction sets that this machine has, of
// those that matter to kernels: avx2, fma, f16c, bmi2, avx_vnni, avx512f,
// avx512bw, avx512dq, avx512vl, avx512_vnni and avx512_bf16 on amd64, neon and
// dotprod on arm64. On x86 they are the names that Linux gives in /proc/cpuinfo.
func Features() []string {
	var names []string
	for _, f := range features {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

// hasNEON is true on every arm64 machine: NEON (Advanced SIMD) is part of what
// Go demands there.
const hasNEON = runtime.GOARCH == "arm64"

// HasVNNI reports AVX-512 VNNI: dot products of four 8-bit pairs (VPDPBUSD) in
// vectors of 512 bits.
func HasVNNI() bool { return cpu.X86.HasAVX512F && cpu.X86.HasAVX512VNNI }

// HasAVXVNNI reports AVX-VNNI: VPDPBUSD in vectors of 256 bits without AVX-512.
func HasAVXVNNI() bool { return cpu.X86.HasAVX2 && cpu.X86.HasAVXVNNI }

// HasDotProd reports the dot products of four 8-bit pairs of arm64 (SDOT, UDOT).
// Every Apple processor that macOS runs on has them, whether the system tells or
// not.
func HasDotProd() bool {
	return cpu.ARM64.HasASIMDDP || runtime.GOOS == "darwin" && runtime.GOARCH == "arm64"
}

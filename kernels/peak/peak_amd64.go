//go:build !purego

package peak

import "github.com/gguftool/gguftool/kernels/cpu"

// Each takes n > 0 turns with 12 sums, or 6 where a sum needs another register.

//go:noescape
func fmaAVX512(n int)

//go:noescape
func fmaAVX2(n int)

//go:noescape
func dotVNNI(n int)

//go:noescape
func dotAVXVNNI(n int)

//go:noescape
func dotAVX2(n int)

func float32Loop(p cpu.Path) Loop {
	switch p {
	case cpu.AVX512:
		return Loop{"AVX-512 FMA", 12 * 16 * 2, fmaAVX512}
	case cpu.AVX2:
		return Loop{"AVX2 FMA", 12 * 8 * 2, fmaAVX2}
	}
	return plainFloat32
}

func int8Loop(p cpu.Path) Loop {
	switch {
	case p == cpu.AVX512 && cpu.HasVNNI():
		return Loop{"AVX-512 VNNI", 12 * 64 * 2, dotVNNI}
	case (p == cpu.AVX512 || p == cpu.AVX2) && cpu.HasAVXVNNI():
		return Loop{"AVX-VNNI", 12 * 32 * 2, dotAVXVNNI}
	case p == cpu.AVX512 || p == cpu.AVX2:
		return Loop{"AVX2 VPMADDUBSW", 6 * 32 * 2, dotAVX2}
	}
	return plainInt8
}

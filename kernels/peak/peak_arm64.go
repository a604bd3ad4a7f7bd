//go:build !purego

package peak

import "github.com/gguftool/gguftool/kernels/cpu"

// Each takes n > 0 turns with 24 sums.

//go:noescape
func fmaNEON(n int)

//go:noescape
func dotNEON(n int)

func float32Loop(p cpu.Path) Loop {
	if p == cpu.NEON {
		return Loop{"NEON FMLA", 24 * 4 * 2, fmaNEON}
	}
	return plainFloat32
}

func int8Loop(p cpu.Path) Loop {
	if p == cpu.NEON && cpu.HasDotProd() {
		return Loop{"NEON SDOT", 24 * 16 * 2, dotNEON}
	}
	return plainInt8
}

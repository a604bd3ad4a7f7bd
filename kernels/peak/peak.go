// Package peak holds loops that do nothing but multiply and add, in registers
// and as fast as the instructions of a path allow. Their speed is the ceiling
// that a matrix product can come near to on the machine, whatever its shape.
package peak

import (
	"runtime"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// A Loop is arithmetic without memory.
type Loop struct {
	Name       string // the instructions
	Operations int    // multiplications and additions of a turn, counted separately
	turns      func(n int)
}

// Run takes n turns.
func (l Loop) Run(n int) {
	// Assembly cannot be interrupted by the scheduler.
	const most = 10_000
	for ; n > most; n -= most {
		l.turns(most)
	}
	if n > 0 {
		l.turns(n)
	}
}

// Float32 returns the loop of a path in 32-bit floats.
func Float32(p cpu.Path) Loop { return float32Loop(p) }

// Int8 returns the loop of a path for sums of products of bytes, with the
// instructions of package gemm.
func Int8(p cpu.Path) Loop { return int8Loop(p) }

// chains is how many sums of the loops in plain Go do not wait for each other.
const chains = 8

var plainFloat32 = Loop{"float32", 2 * chains, func(n int) { runtime.KeepAlive(plainTurns[float32](n, 0.5, 1)) }}

var plainInt8 = Loop{"int32", 2 * chains, func(n int) { runtime.KeepAlive(plainTurns[int32](n, 3, 1)) }}

// plainTurns takes n turns of chains multiplications and additions.
func plainTurns[T float32 | int32](n int, a, b T) T {
	var s0, s1, s2, s3, s4, s5, s6, s7 T
	for range n {
		s0 = s0*a + b
		s1 = s1*a + b
		s2 = s2*a + b
		s3 = s3*a + b
		s4 = s4*a + b
		s5 = s5*a + b
		s6 = s6*a + b
		s7 = s7*a + b
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}

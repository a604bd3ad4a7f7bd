package peak

import (
	"testing"
	"time"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// Every loop of this machine runs to its end, and takes time for each turn.
func TestLoops(t *testing.T) {
	for _, p := range cpu.Paths() {
		for _, l := range []Loop{Float32(p), Int8(p)} {
			if l.Operations <= 0 || l.Name == "" {
				t.Errorf("%v: %q has %d operations", p, l.Name, l.Operations)
			}
			for _, n := range []int{-1, 0, 1, 2, 10_000, 10_001, 30_000} {
				l.Run(n)
			}
			start := time.Now()
			l.Run(1_000_000)
			// A turn has at least four multiplications: no machine does a million in 50 µs.
			if took := time.Since(start); took < 50*time.Microsecond {
				t.Errorf("%v: %s took %v for a million turns", p, l.Name, took)
			}
		}
	}
}

// Run divides what is too long for one call.
func TestRunTakesAllTurns(t *testing.T) {
	for _, n := range []int{0, 1, 9_999, 10_000, 10_001, 25_000} {
		turns := 0
		l := Loop{turns: func(n int) {
			if n < 1 || n > 10_000 {
				t.Errorf("a call of %d turns", n)
			}
			turns += n
		}}
		if l.Run(n); turns != n {
			t.Errorf("%d turns, want %d", turns, n)
		}
	}
}

func BenchmarkLoops(b *testing.B) {
	for _, p := range cpu.Paths() {
		for _, l := range []Loop{Float32(p), Int8(p)} {
			b.Run(p.String()+"/"+l.Name, func(b *testing.B) {
				l.Run(b.N)
				b.ReportMetric(float64(b.N)*float64(l.Operations)/float64(b.Elapsed().Nanoseconds()), "Gop/s")
			})
		}
	}
}

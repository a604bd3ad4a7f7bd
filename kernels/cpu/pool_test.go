package cpu

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// withProcs gives the test n processors, so that pools of up to n workers exist
// on any machine.
func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestWorkers(t *testing.T) {
	withProcs(t, 4)
	for _, c := range []struct{ threads, procs, cores, want int }{
		{0, 4, 4, 4}, {-1, 4, 4, 4},
		{0, 8, 4, 4}, {-1, 8, 4, 4}, // two threads a core
		{0, 3, 4, 3}, {0, 1, 64, 1}, // a quota, or GOMAXPROCS by hand
		{1, 8, 4, 1}, {5, 8, 4, 5}, {8, 8, 4, 8}, {9, 8, 4, 8}, {1 << 30, 8, 4, 8}, {5, 4, 8, 4},
	} {
		if got := poolSize(c.threads, c.procs, c.cores); got != c.want {
			t.Errorf("%d threads on %d processors and %d cores: %d workers, want %d", c.threads, c.procs, c.cores, got, c.want)
		}
	}
	own := min(4, PhysicalCores())
	for _, c := range []struct{ threads, want int }{{-1, own}, {0, own}, {1, 1}, {3, 3}, {4, 4}, {5, 4}, {1 << 30, 4}} {
		if got := NewPool(c.threads).Workers(); got != c.want {
			t.Errorf("NewPool(%d) has %d workers, want %d", c.threads, got, c.want)
		}
	}
	if got := (*Pool)(nil).Workers(); got != 1 {
		t.Errorf("a nil pool has %d workers, want 1", got)
	}
}

func TestEachCallsOnce(t *testing.T) {
	withProcs(t, 8)
	for _, threads := range []int{1, 2, 7, 8} {
		for n := range 40 {
			calls := make([]int, n)
			NewPool(threads).Each(n, func(_, i int) { calls[i]++ })
			for i, c := range calls {
				if c != 1 {
					t.Fatalf("%d workers, n = %d: f was called %d times for %d", threads, n, c, i)
				}
			}
		}
	}
}

// The workers of a loop run at once: each call waits until all have begun.
func TestEachRunsAtOnce(t *testing.T) {
	withProcs(t, 4)
	var wg sync.WaitGroup
	wg.Add(4)
	done := make(chan struct{})
	go func() {
		NewPool(4).Each(4, func(int, int) { wg.Done(); wg.Wait() })
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("four calls on four workers do not overlap")
	}
}

func TestEachWorkersDoNotOverlap(t *testing.T) {
	withProcs(t, 8)
	p := NewPool(8)
	busy := make([]atomic.Bool, p.Workers())
	p.Each(2000, func(worker, _ int) {
		if busy[worker].Swap(true) {
			t.Errorf("worker %d was given work twice at a time", worker)
		}
		runtime.Gosched()
		busy[worker].Store(false)
	})
}

func TestEachBoundsGoroutines(t *testing.T) {
	withProcs(t, 4)
	before := runtime.NumGoroutine()
	NewPool(4).Each(1000, func(int, int) {
		if n := runtime.NumGoroutine(); n > before+3 {
			t.Errorf("%d goroutines, %d before a loop on 4 workers", n, before)
		}
	})
}

func TestTryReturnsLowestFailure(t *testing.T) {
	withProcs(t, 8)
	for _, threads := range []int{1, 2, 8} {
		for range 200 {
			var calls atomic.Int64
			err := NewPool(threads).Try(1000, func(_, i int) error {
				calls.Add(1)
				if i == 20 {
					time.Sleep(10 * time.Microsecond) // let later calls fail first
				}
				if i >= 20 {
					return fmt.Errorf("item %d", i)
				}
				return nil
			})
			if err == nil || err.Error() != "item 20" {
				t.Fatalf("%d workers: error %v, want item 20", threads, err)
			}
			if n := calls.Load(); n < 21 || n > 21+int64(threads) {
				t.Fatalf("%d workers: %d calls, item 20 being the first that fails", threads, n)
			}
		}
	}
}

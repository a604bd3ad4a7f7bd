package cpu

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// An awake pool makes each call once and gives the error of the lowest failure,
// as others do, loop after loop.
func TestAwake(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for workers := 1; workers <= 4; workers++ {
		p, end := (&Pool{workers: workers}).Awake()
		if p.Workers() != workers {
			t.Fatalf("%d workers, want %d", p.Workers(), workers)
		}
		for n := range 300 {
			calls := make([]atomic.Int32, n)
			inUse := make([]atomic.Bool, workers)
			err := p.Try(n, func(worker, i int) error {
				if inUse[worker].Swap(true) {
					t.Errorf("worker %d is called while it works", worker)
				}
				defer inUse[worker].Store(false)
				calls[i].Add(1)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range calls {
				if got := calls[i].Load(); got != 1 {
					t.Fatalf("%d workers, loop of %d: call %d made %d times", workers, n, i, got)
				}
			}
		}
		failures := []error{errors.New("one"), errors.New("two")}
		err := p.Try(100, func(_, i int) error {
			if i == 30 || i == 60 {
				return failures[i/30-1]
			}
			return nil
		})
		if err != failures[0] {
			t.Errorf("%d workers: error %v, want that of the first failure", workers, err)
		}
		end()
	}
}

// Workers that wait long go to sleep, those for the caller between loops as well as
// the caller for them, and still make each call once.
func TestAwakeWaitsLong(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, late := range []int{0, 1, 2} {
		p, end := (&Pool{workers: 3}).Awake()
		for range 3 {
			var calls [3]atomic.Int32
			p.Each(3, func(_, i int) {
				if i == late {
					time.Sleep(10 * time.Millisecond)
				}
				calls[i].Add(1)
			})
			for i := range calls {
				if got := calls[i].Load(); got != 1 {
					t.Fatalf("call %d made %d times", i, got)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		end()
	}
}

func BenchmarkLoop(b *testing.B) {
	pool := NewPool(2)
	awake, end := pool.Awake()
	defer end()
	for name, p := range map[string]*Pool{"asleep": pool, "awake": awake} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.Each(2, func(int, int) {})
			}
		})
	}
}

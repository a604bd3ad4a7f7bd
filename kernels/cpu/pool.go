// Package cpu shares work among processors.
package cpu

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool runs loops on a fixed number of workers. It holds no goroutines
// between loops, so it needs no closing, and several goroutines may use it at
// once. A nil Pool has one worker, the caller.
type Pool struct {
	workers int
	crew    *crew // nil: goroutines are begun for each loop
}

// NewPool returns a pool of the given number of workers. More of them than
// GOMAXPROCS, which follows the processors and, in a container, the CPU quota,
// would only wait for each other, so that is the most that a pool has. Where
// threads is below one, it has no more than PhysicalCores either: two threads of
// a core share the multipliers that one of them keeps busy.
func NewPool(threads int) *Pool {
	return &Pool{workers: poolSize(threads, runtime.GOMAXPROCS(0), PhysicalCores())}
}

func poolSize(threads, procs, cores int) int {
	if threads < 1 {
		return min(procs, cores)
	}
	return min(threads, procs)
}

// Workers returns the number of workers of p.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return p.workers
}

// Each calls f(worker, i) once for every 0 ≤ i < n and returns when all calls
// have. Calls with equal worker, 0 ≤ worker < p.Workers(), never overlap, so
// that f can use scratch memory of that worker; others run at the same time and
// in no fixed order. With one worker, or one call, everything runs on the
// caller's goroutine.
func (p *Pool) Each(n int, f func(worker, i int)) {
	p.Try(n, func(worker, i int) error { f(worker, i); return nil })
}

// Try is Each for work that can fail. After a failure no further call begins,
// and the error is that of the lowest i that failed, whatever the timing: calls
// begin in ascending order, so that all below i are made.
func (p *Pool) Try(n int, f func(worker, i int) error) error {
	workers := min(p.Workers(), n)
	if workers <= 1 {
		for i := range n {
			if err := f(0, i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next     atomic.Int64
		mu       sync.Mutex
		failedAt = math.MaxInt
		failure  error
	)
	work := func(worker int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			if err := f(worker, i); err != nil {
				next.Store(int64(n))
				mu.Lock()
				if i < failedAt {
					failedAt, failure = i, err
				}
				mu.Unlock()
				return
			}
		}
	}
	if p.crew != nil {
		p.crew.run(p.workers, work)
		return failure
	}
	var wg sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wg.Go(func() { work(worker) })
	}
	work(0)
	wg.Wait()
	return failure
}

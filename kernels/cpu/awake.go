package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Awake returns a pool of as many workers as p whose workers wait for the next
// loop without going to sleep, which costs less than a microsecond a loop, and a
// function that ends them. It is for a series of short loops, as one text through
// a model is: until the end, its workers keep their processors busy. Loops of an
// awake pool must come from one goroutine at a time and do not nest.
func (p *Pool) Awake() (awake *Pool, end func()) {
	if p.Workers() == 1 || p.crew != nil {
		return p, func() {}
	}
	c := &crew{}
	var wg sync.WaitGroup
	for worker := 1; worker < p.workers; worker++ {
		wg.Go(func() { c.serve(worker) })
	}
	return &Pool{workers: p.workers, crew: c}, func() {
		c.work = nil
		c.loop.Add(1)
		wg.Wait()
	}
}

// A crew is workers that wait for loops. The fields that are not atomic are
// written before loop changes and read after it did.
type crew struct {
	loop atomic.Uint32    // changes when there is work
	busy atomic.Int32     // workers but the caller that are not done with it
	work func(worker int) // nil ends the crew
}

// run has all workers call work once, the caller among them.
func (c *crew) run(workers int, work func(worker int)) {
	c.work = work
	c.busy.Store(int32(workers - 1))
	c.loop.Add(1)
	work(0)
	for turn := 0; c.busy.Load() != 0; turn++ {
		wait(turn)
	}
}

func (c *crew) serve(worker int) {
	for seen := uint32(0); ; {
		loop := c.loop.Load()
		for turn := 0; loop == seen; turn++ {
			wait(turn)
			loop = c.loop.Load()
		}
		seen = loop
		if c.work == nil {
			return
		}
		c.work(worker)
		c.busy.Add(-1)
	}
}

// wait lets a little time pass: at first some dozen nanoseconds, later what
// others that want the processor take.
func wait(turn int) {
	if turn < 1000 {
		pause()
	} else {
		runtime.Gosched()
	}
}

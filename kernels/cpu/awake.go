package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Awake returns a pool of as many workers as p whose workers wait for the next
// loop without going to sleep for about a millisecond, which costs less than a
// microsecond a loop, and a function that ends them. It is for a series of short
// loops, as one text through a model is: while they follow each other, its workers
// keep their processors busy. Loops of an awake pool must come from one goroutine at
// a time and do not nest.
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

// How long a worker waits in which way, in turns of wait. All turns before it
// sleeps take about a millisecond, which hardly any loop of an awake pool takes
// longer for one worker than for another where each has a processor: after that
// it is likely that one has none, as other programs have it.
const (
	pauses = 1000
	yields = 10000
)

// nap is how long a worker sleeps at a time, which burns nothing and lets those
// run that are waited for.
const nap = 50 * time.Microsecond

// wait lets a little time pass: at first some dozen nanoseconds, later what
// others that want the processor take, at last a nap.
func wait(turn int) {
	switch {
	case turn < pauses:
		pause()
	case turn < pauses+yields:
		runtime.Gosched()
	default:
		time.Sleep(nap)
	}
}

package bench

import (
	"time"

	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/peak"
	"github.com/gguftool/gguftool/kernels/vec"
)

// Ceilings are what a machine can do at most on some threads, measured with loops
// that do nothing else: the roofs of a roofline.
type Ceilings struct {
	Threads         int     `json:"threads"`
	FloatOperations float64 `json:"float_operations"` // per second in 32-bit floats: multiplications and additions
	ByteOperations  float64 `json:"byte_operations"`  // per second in sums of products of bytes
	MemoryBytes     float64 `json:"memory_bytes"`     // per second that are read from memory
	CacheBytes      float64 `json:"cache_bytes"`      // per second that are read and written in the first cache by copies or sums, the faster of them
}

const (
	memorySize = 256 << 20 // bytes, more than most caches hold
	cacheSize  = 8 << 10   // bytes that are copied or added

	// The fastest of many short runs is one that nothing disturbed.
	ceilingRuns = 12
	ceilingTime = 3 * time.Millisecond
)

// MeasureCeilings measures each number of threads, in about a fifth of a second
// and 256 MiB of memory.
func MeasureCeilings(threads []int) []Ceilings {
	path, _ := cpu.Chosen()
	memory := make([]float32, memorySize/4)
	for i := range memory {
		memory[i] = float32(i & 15) // so that the system provides pages
	}
	var all []Ceilings
	for _, n := range threads {
		pool := cpu.NewPool(n)
		all = append(all, Ceilings{
			Threads:         n,
			FloatOperations: fastest(pool, loopOf(peak.Float32(path))),
			ByteOperations:  fastest(pool, loopOf(peak.Int8(path))),
			MemoryBytes:     fastest(pool, readMemoryOf(pool, memory)),
			CacheBytes:      max(fastest(pool, copiesOf(pool)), fastest(pool, sumsOf(pool))),
		})
	}
	return all
}

// A chore does about so much work on one worker and returns how much it was.
type chore func(worker, amount int) float64

// fastest returns the work of all workers together in a second, at best.
func fastest(pool *cpu.Pool, c chore) float64 {
	amount, best := 1, 0.0
	for run := 0; run < ceilingRuns; {
		rate, took := rateOf(pool, c, amount)
		if took < ceilingTime/2 && amount < 1<<40 {
			amount *= 2
			continue
		}
		best = max(best, rate)
		run++
	}
	return best
}

// rateOf does an amount of work on every worker and returns how much was done in
// a second.
func rateOf(pool *cpu.Pool, c chore, amount int) (rate float64, took time.Duration) {
	done := make([]float64, pool.Workers())
	start := time.Now()
	pool.Each(pool.Workers(), func(_, i int) { done[i] = c(i, amount) })
	took = time.Since(start)
	var sum float64
	for _, d := range done {
		sum += d
	}
	return sum / max(took.Seconds(), 1e-9), took
}

func loopOf(l peak.Loop) chore {
	return func(_, amount int) float64 {
		turns := 1000 * amount
		l.Run(turns)
		return float64(turns) * float64(l.Operations)
	}
}

// readMemoryOf reads pieces of memory, another one each time, so that none is
// still in a cache.
func readMemoryOf(pool *cpu.Pool, memory []float32) chore {
	const piece = 64 << 10 / 4
	parts := make([][]float32, pool.Workers())
	at := make([]int, pool.Workers())
	size := len(memory) / len(parts)
	for i := range parts {
		parts[i] = memory[i*size : (i+1)*size]
	}
	return func(worker, amount int) float64 {
		m := parts[worker]
		for range amount {
			vec.Max(m[at[worker] : at[worker]+piece])
			at[worker] += piece
			if at[worker]+piece > len(m) {
				at[worker] = 0
			}
		}
		return float64(amount * piece * 4)
	}
}

func copiesOf(pool *cpu.Pool) chore {
	buffers := make([][2][]byte, pool.Workers())
	for i := range buffers {
		buffers[i] = [2][]byte{make([]byte, cacheSize), make([]byte, cacheSize)}
	}
	return func(worker, amount int) float64 {
		b := &buffers[worker]
		for range 16 * amount {
			copy(b[0], b[1])
		}
		return float64(16 * amount * 2 * cacheSize)
	}
}

func sumsOf(pool *cpu.Pool) chore {
	buffers := make([][2][]float32, pool.Workers())
	for i := range buffers {
		buffers[i] = [2][]float32{make([]float32, cacheSize/4), make([]float32, cacheSize/4)}
	}
	return func(worker, amount int) float64 {
		b := &buffers[worker]
		for range 16 * amount {
			vec.Add(b[0], b[1])
		}
		return float64(16 * amount * 3 * cacheSize)
	}
}

// A Yardstick is how fast a machine multiplies at a moment, in operations a second.
type Yardstick struct {
	All float64 // of all threads together: less where others take processors
	One float64 // of the thread that was disturbed least, for each of them: the speed of the processor itself
}

// newYardstick returns a function that measures on so many threads. It takes one
// or two milliseconds.
func newYardstick() func(threads int) Yardstick {
	path, _ := cpu.Chosen()
	loop := loopOf(peak.Float32(path))
	// As much work every time.
	amount := 1
	for {
		if _, took := rateOf(nil, loop, amount); took > time.Millisecond {
			break
		}
		amount *= 2
	}
	return func(threads int) Yardstick {
		pool := cpu.NewPool(threads)
		rates := make([]float64, pool.Workers())
		all, _ := rateOf(pool, func(worker, amount int) float64 {
			start := time.Now()
			done := loop(worker, amount)
			rates[worker] = done / max(time.Since(start).Seconds(), 1e-9)
			return done
		}, amount)
		return Yardstick{all, maximum(rates) * float64(len(rates))}
	}
}

// shares returns how near work that took so long came to the ceilings: the time
// that its arithmetic takes at least, and that reading the weights once for each
// group of texts takes at least, by the time that it took. Weights that stay in a
// cache need not be read from memory, so the second may be more than 1.
func (c *Ceilings) shares(w infer.Work, seconds float64) (arithmetic, memory float64) {
	if seconds <= 0 || c.FloatOperations <= 0 || c.ByteOperations <= 0 || c.MemoryBytes <= 0 {
		return 0, 0
	}
	least := float64(w.FloatOperations)/c.FloatOperations + float64(w.ByteOperations)/c.ByteOperations
	return least / seconds, float64(w.WeightBytes) / c.MemoryBytes / seconds
}

// Package ordered works on a sequence of jobs with several goroutines and hands
// on what becomes of them in the order of the jobs, with bounded memory.
package ordered

import (
	"context"
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Run calls work for each job on one of threads goroutines (one for each
// processor where threads is below 1), and then sink, for one job at a time and
// in their order. A job's result is memory that work fills and sink reads; there
// are few of them, each used again for a later job, so work finds in it what an
// earlier job left.
//
// Run returns when everything is done, or soon after ctx has ended. Of several
// errors it returns that of the first job that fails, whatever the timing.
func Run[Job, Result any](ctx context.Context, threads int, jobs iter.Seq[Job],
	work func(ctx context.Context, job Job, r *Result) error,
	sink func(job Job, r *Result) error,
) error {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	type slot struct {
		job    Job
		result Result
		err    error
		ready  chan struct{} // gets a value when result or err is set
	}
	group, ctx := errgroup.WithContext(ctx)
	// A slot goes from free to todo and, to keep the order, to order as well; then
	// it is free again. There are few of them, so no channel blocks but free.
	inFlight := 2*threads + 2
	free := make(chan *slot, inFlight)
	todo := make(chan *slot, inFlight)
	order := make(chan *slot, inFlight)
	for range inFlight {
		free <- &slot{ready: make(chan struct{}, 1)}
	}
	group.Go(func() error {
		defer close(todo)
		defer close(order)
		for job := range jobs {
			select {
			case s := <-free:
				s.job = job
				todo <- s
				order <- s
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range threads {
		group.Go(func() error {
			for s := range todo {
				s.err = work(ctx, s.job, &s.result)
				s.ready <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error {
		for s := range order {
			<-s.ready
			if s.err != nil {
				return s.err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := sink(s.job, &s.result); err != nil {
				return err
			}
			free <- s
		}
		return nil
	})
	return group.Wait()
}

package ordered

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
)

func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// square takes turns with other goroutines, so that jobs end out of order.
func square(_ context.Context, i int, r *int) error {
	for range i * 7 % 5 {
		runtime.Gosched()
	}
	*r = i * i
	return nil
}

func TestOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		for _, threads := range []int{0, 1, 2, 7} {
			var got, want []int
			for i := range n {
				want = append(want, i*i)
			}
			err := Run(t.Context(), threads, numbers(n), square, func(_ int, r *int) error { got = append(got, *r); return nil })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%d jobs on %d threads: %v, %v", n, threads, got, err)
			}
		}
	}
}

func TestFirstErrorCounts(t *testing.T) {
	for range 100 {
		sunk := 0
		err := Run(t.Context(), 4, numbers(100), func(_ context.Context, i int, _ *int) error {
			if i >= 10 {
				return fmt.Errorf("job %d", i)
			}
			return nil
		}, func(int, *int) error { sunk++; return nil })
		if err == nil || err.Error() != "job 10" || sunk != 10 {
			t.Fatalf("%d results and error %v, want 10 and that of job 10", sunk, err)
		}
	}
}

func TestSinkError(t *testing.T) {
	want := errors.New("full")
	err := Run(t.Context(), 2, numbers(1<<30), square, func(i int, _ *int) error {
		if i == 5 {
			return want
		}
		return nil
	})
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, 2, numbers(1<<30), square, func(i int, _ *int) error {
		if i == 5 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

package atomicfile

import (
	"os"
	"sync"
)

// writeBackLen is how many settled bytes are put on the disk at once: enough for
// the disk to work at its full speed.
const writeBackLen = 8 << 20

// A writeBack puts the beginning of a file on the disk while the rest is being
// written, on a goroutine of its own, as the system may make it wait.
type writeBack struct {
	begin  int64      // bytes before it were handed to the goroutine
	ranges chan int64 // ends of what is to be put on the disk
	done   sync.WaitGroup
}

func newWriteBack(f *os.File) *writeBack {
	b := &writeBack{ranges: make(chan int64, 1)}
	b.done.Go(func() {
		from := int64(0)
		for to := range b.ranges {
			startWriting(f, from, to-from)
			from = to
		}
	})
	return b
}

// settled hands on the bytes before offset, or leaves that to a later call while
// the goroutine is busy.
func (b *writeBack) settled(offset int64) {
	if offset-b.begin < writeBackLen {
		return
	}
	select {
	case b.ranges <- offset:
		b.begin = offset
	default:
	}
}

// stop returns when the goroutine has ended. b may be nil.
func (b *writeBack) stop() {
	if b != nil {
		close(b.ranges)
		b.done.Wait()
	}
}

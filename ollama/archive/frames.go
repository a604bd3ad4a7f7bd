package archive

import (
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// frameBytes is what a frame of an archive holds before compression. Frames are
// compressed by themselves, several at a time, so that the bytes of an archive
// do not depend on how many processors made it; the loss in size against one
// long frame is below 0.1 % for weights.
const frameBytes = 4 << 20

// A frameWriter compresses what is written to it in zstd frames of frameBytes
// each, one after the other as any reader of zstd takes them.
type frameWriter struct {
	w       io.Writer
	encoder *zstd.Encoder
	filling []byte      // of the next frame
	frames  chan *frame // in order, those that are being compressed
	spare   chan *frame // to be used again
	done    chan error  // that of writing, when all is written
	failed  chan struct{}
}

// A frame is compressed by one goroutine and written by another.
type frame struct {
	plain, packed []byte
	ready         chan struct{} // has an element when packed is complete
}

// newFrameWriter returns a writer that uses as many goroutines as there are
// processors and holds two frames for each.
func newFrameWriter(w io.Writer) (*frameWriter, error) {
	workers := runtime.GOMAXPROCS(0)
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest), // quantized weights hardly get smaller at any level
		zstd.WithEncoderCRC(true),
		zstd.WithEncoderConcurrency(workers))
	if err != nil {
		return nil, err
	}
	f := &frameWriter{
		w: w, encoder: encoder,
		frames: make(chan *frame, workers), spare: make(chan *frame, 2*workers),
		done: make(chan error, 1), failed: make(chan struct{}),
	}
	for range cap(f.spare) {
		f.spare <- &frame{ready: make(chan struct{}, 1)}
	}
	go f.writeFrames()
	return f, nil
}

// writeFrames writes frames in order until the last one or an error.
func (f *frameWriter) writeFrames() {
	var err error
	for next := range f.frames {
		<-next.ready
		if err == nil {
			if _, err = f.w.Write(next.packed); err != nil {
				close(f.failed)
			}
		}
		f.spare <- next
	}
	f.done <- err
}

// Write returns early when an earlier frame could not be written; Close tells why.
func (f *frameWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), frameBytes-len(f.filling))
		f.filling = append(f.filling, p[:n]...)
		p, written = p[n:], written+n
		if len(f.filling) == frameBytes {
			if err := f.send(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// send has the bytes so far compressed.
func (f *frameWriter) send() error {
	select {
	case <-f.failed:
		return io.ErrClosedPipe
	default:
	}
	next := <-f.spare
	next.plain, f.filling = f.filling, next.plain[:0]
	f.frames <- next
	go func() {
		next.packed = f.encoder.EncodeAll(next.plain, next.packed[:0])
		next.ready <- struct{}{}
	}()
	return nil
}

// Close writes what is left and waits for all frames. It must be called once.
func (f *frameWriter) Close() error {
	if len(f.filling) > 0 {
		f.send() // an error is that of writing, which comes next
	}
	close(f.frames)
	err := <-f.done
	f.encoder.Close()
	return err
}

// maxWindow bounds the memory of reading archives that others made: 8 MiB are
// what zstd's own programs use up to level 19.
const maxWindow = 64 << 20

// newFrameReader decompresses frames of any writer of zstd.
func newFrameReader(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderConcurrency(min(4, runtime.GOMAXPROCS(0))))
}

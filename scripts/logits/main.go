// Command logits prints what a model computes for each token of texts, for
// comparison with other programs.
//
//	logits [--states] [--threads N] [--precision auto|f32|int8] MODEL.gguf < IDS > FLOATS
//
// Each line of the input is a JSON array with the token ids of a text, as in
// [1, 7592, 102]. The output has for each of its tokens the logits of the token
// that follows, one for each token of the vocabulary, or with --states the final
// state, after the last norm: 32-bit floats, little-endian, and nothing else. A
// text is answered before the next line is read.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
)

type options struct {
	states    bool
	threads   int
	precision string
}

func main() {
	var o options
	flag.BoolVar(&o.states, "states", false, "print final states instead of logits")
	flag.IntVar(&o.threads, "threads", 0, "workers; 0 means all processors")
	flag.StringVar(&o.precision, "precision", "auto", "auto, f32 or int8")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: logits [--states] [--threads N] [--precision auto|f32|int8] MODEL.gguf < IDS > FLOATS")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := o.run(flag.Arg(0), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "logits:", err)
		os.Exit(1)
	}
}

func (o *options) run(path string, in io.Reader, out io.Writer) error {
	precision, err := infer.ParsePrecision(o.precision)
	if err != nil {
		return err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	model, err := infer.Load(f, &infer.Options{Threads: o.threads, Precision: precision})
	if err != nil {
		return err
	}
	var (
		w    = bufio.NewWriterSize(out, 1<<20)
		ctx  = context.Background()
		data []byte
	)
	write := func(floats []float32) (err error) {
		if data, err = binary.Append(data[:0], binary.LittleEndian, floats); err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	for texts := json.NewDecoder(bufio.NewReader(in)); ; {
		var ids []int32
		if err := texts.Decode(&ids); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if o.states {
			states, err := model.States(ctx, ids)
			if err != nil {
				return err
			}
			if err := write(states); err != nil {
				return err
			}
		} else if err := model.Logits(ctx, ids, 0, func(_ int, logits []float32) error { return write(logits) }); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// Command embedbench times this module's embedding inside one process, so that
// scripts/bench_embed.py can alternate it with other programs.
//
//	embedbench [--threads N] [--precision auto|f32|int8] MODEL.gguf
//
// It prints {"load_ns": N}, the time that opening and loading the model took,
// and then answers each request on standard input with a line of JSON on
// standard output:
//
//	{"ids": [[101, 7592, 102]], "seconds": 1}
//	{"texts": ["hello"], "seconds": 0, "vectors": true}
//	{"ids": [[1, 7592, 102]], "seconds": 1, "prefill": true}
//	→ {"ns": [812345, 809876], "vectors": [[0.0123]]}
//
// A request is one batch, as token ids or as texts, whose tokenization is then
// part of the time. With prefill it is one text for a decoder, whose states are
// computed, and the logits of the token that follows. It is computed over and over until the seconds have passed,
// at least once; ns holds the time of each repetition. A first repetition that
// takes less than half of the seconds only warms up and is not counted. vectors,
// where asked for, are those of the last repetition. An answer {"error": "..."}
// ends the program.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/tokenizer"
)

type request struct {
	IDs     [][]int32 `json:"ids"`
	Texts   []string  `json:"texts"`
	Seconds float64   `json:"seconds"`
	Vectors bool      `json:"vectors"`
	Prefill bool      `json:"prefill"`
}

type answer struct {
	NS      []int64     `json:"ns"`
	Vectors [][]float32 `json:"vectors,omitempty"`
}

func main() {
	threads := flag.Int("threads", 0, "workers; 0 means all processors")
	precision := flag.String("precision", "auto", "auto, f32 or int8")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: embedbench [--threads N] [--precision auto|f32|int8] MODEL.gguf")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	if err := run(flag.Arg(0), *threads, *precision, os.Stdin, out); err != nil {
		out.Encode(map[string]string{"error": err.Error()}) // the reader knows why, or is gone
		fmt.Fprintln(os.Stderr, "embedbench:", err)
		os.Exit(1)
	}
}

func run(path string, threads int, precision string, in io.Reader, out *json.Encoder) error {
	p, err := infer.ParsePrecision(precision)
	if err != nil {
		return err
	}
	if threads > 0 {
		runtime.GOMAXPROCS(threads) // the garbage collector gets no more than the other programs have
	}
	start := time.Now()
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	model, err := infer.Load(f, &infer.Options{Threads: threads, Precision: p})
	if err != nil {
		return err
	}
	loaded := time.Since(start)
	if err := out.Encode(map[string]int64{"load_ns": loaded.Nanoseconds()}); err != nil {
		return err
	}
	var tok *tokenizer.Tokenizer // made for the first texts
	for requests := json.NewDecoder(bufio.NewReader(in)); ; {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if err := r.check(); err != nil {
			return err
		}
		if tok == nil && r.Texts != nil {
			if tok, err = tokenizer.FromGGUF(f.Metadata); err != nil {
				return err
			}
		}
		a, err := r.measure(model, tok)
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func (r *request) check() error {
	switch {
	case (len(r.IDs) == 0) == (len(r.Texts) == 0):
		return errors.New("a request needs either ids or texts")
	case r.Prefill && (len(r.IDs) != 1 || len(r.IDs[0]) == 0):
		return errors.New("a prefill needs the ids of one text")
	}
	return nil
}

// measure computes r over and over.
func (r *request) measure(model *infer.Model, tok *tokenizer.Tokenizer) (*answer, error) {
	var (
		ctx   = context.Background()
		limit = time.Duration(r.Seconds * float64(time.Second))
		a     answer
		spent time.Duration
	)
	for warm := false; ; {
		var (
			vectors [][]float32
			err     error
			start   = time.Now()
		)
		switch {
		case r.Prefill:
			text := r.IDs[0]
			err = model.Logits(ctx, text, len(text)-1, func(int, []float32) error { return nil })
		case r.IDs != nil:
			vectors, err = model.Embed(ctx, r.IDs, nil)
		default:
			vectors, _, err = model.EmbedTexts(ctx, tok, r.Texts, nil)
		}
		took := time.Since(start)
		if err != nil {
			return nil, err
		}
		if !warm && took < limit/2 {
			warm = true
			continue
		}
		warm = true
		a.NS = append(a.NS, took.Nanoseconds())
		if spent += took; spent >= limit {
			if r.Vectors {
				a.Vectors = vectors
			}
			return &a, nil
		}
	}
}

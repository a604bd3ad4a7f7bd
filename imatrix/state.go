package imatrix

import (
	"errors"
	"math"

	"github.com/gguftool/gguftool/gguf"
)

// A State says how far a measurement is that was saved before it was complete.
// It stands in keys of gguftool, and the sums stand in the file a second time,
// in float64, so that who goes on comes to the same bits as who never stopped:
//
//	NAME.in_sum2_exact  F64 (columns, matrices)
//
// Programs that do not know them read the file as one that is complete.
type State struct {
	Model string // tells models apart
	Work  string // tells texts, and how they are cut, apart
	Done  int    // texts or windows that are in the sums, from the first on
	Total int    // texts or windows that there are

	// What was gathered for the perplexity.
	Tokens      int64
	NLL, Square float64 // sums of the negative log-likelihoods and of their squares
}

// Keys and suffix of files that are not complete.
const (
	keyModel  = "gguftool.imatrix.model"
	keyWork   = "gguftool.imatrix.work"
	keyDone   = "gguftool.imatrix.done"
	keyTotal  = "gguftool.imatrix.total"
	keyTokens = "gguftool.imatrix.perplexity_tokens"
	keyNLL    = "gguftool.imatrix.perplexity_nll"
	keySquare = "gguftool.imatrix.perplexity_nll2"

	suffixExact = ".in_sum2_exact"
)

func (s *State) set(md *gguf.Metadata) {
	if s == nil {
		return
	}
	md.Set(keyModel, gguf.ValueOf(s.Model))
	md.Set(keyWork, gguf.ValueOf(s.Work))
	md.Set(keyDone, gguf.ValueOf(uint32(s.Done)))
	md.Set(keyTotal, gguf.ValueOf(uint32(s.Total)))
	md.Set(keyTokens, gguf.ValueOf(uint64(s.Tokens)))
	md.Set(keyNLL, gguf.ValueOf(s.NLL))
	md.Set(keySquare, gguf.ValueOf(s.Square))
}

// readState returns the state in g, or nil where the file is complete.
func readState(g *gguf.File) (*State, error) {
	md := g.Metadata
	if _, ok := md.Lookup(keyDone); !ok {
		return nil, nil
	}
	var s State
	var errs []error
	number := func(key string) int {
		n, ok := count(md, key)
		if !ok {
			errs = append(errs, keyError(g.Path, key, "a count"))
		}
		return n
	}
	name := func(key string) string {
		v, _ := md.Lookup(key)
		text, ok := v.Text()
		if !ok {
			errs = append(errs, keyError(g.Path, key, "a string"))
		}
		return text
	}
	float := func(key string) float64 {
		f, ok := md.Float(key)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			errs = append(errs, keyError(g.Path, key, "a finite float"))
		}
		return f
	}
	s.Model, s.Work = name(keyModel), name(keyWork)
	s.Done, s.Total = number(keyDone), number(keyTotal)
	s.Tokens = int64(number(keyTokens))
	s.NLL, s.Square = float(keyNLL), float(keySquare)
	if s.Done > s.Total {
		errs = append(errs, keyError(g.Path, keyDone, "at most gguftool.imatrix.total"))
	}
	return &s, errors.Join(errs...)
}

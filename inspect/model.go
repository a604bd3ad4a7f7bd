package inspect

import (
	"encoding/json"
	"fmt"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/texttable"
)

// A Model is what the metadata says about the model. What it does not say, or
// says with a value of the wrong type, is zero, empty or nil.
type Model struct {
	Architecture string    `json:"architecture,omitempty"`
	Name         string    `json:"name,omitempty"`
	FileType     *FileType `json:"file_type,omitempty"`
	Layers       int64     `json:"layers,omitempty"`
	Width        int64     `json:"width,omitempty"` // elements of an embedding inside the model
	FeedForward  *Span     `json:"feed_forward,omitempty"`
	Heads        *Span     `json:"heads,omitempty"`
	HeadsKV      *Span     `json:"heads_kv,omitempty"`
	Context      int64     `json:"context,omitempty"`    // tokens
	Vocabulary   int64     `json:"vocabulary,omitempty"` // tokens
	Tokenizer    string    `json:"tokenizer,omitempty"`
	Pooling      string    `json:"pooling,omitempty"`
}

// A FileType is the recipe by which the file was written.
type FileType struct {
	ID   int64  `json:"id"`
	Name string `json:"name"` // as in "Q4_K_M"
}

// A Span is a value of every layer, from the smallest to the largest.
type Span struct{ Min, Max int64 }

// MarshalJSON writes one number where all layers agree, and otherwise an object
// of both.
func (s Span) MarshalJSON() ([]byte, error) {
	if s.Min == s.Max {
		return json.Marshal(s.Min)
	}
	return json.Marshal(map[string]int64{"min": s.Min, "max": s.Max})
}

func (s Span) String() string {
	if s.Min == s.Max {
		return texttable.Grouped(s.Min)
	}
	return texttable.Grouped(s.Min) + " to " + texttable.Grouped(s.Max) + ", by layer"
}

// poolings are the names of pooling types (llama_pooling_type).
var poolings = [...]string{"none", "mean", "cls", "last", "rank"}

func modelOf(md *gguf.Metadata) Model {
	arch := md.Architecture()
	number := func(key string) int64 {
		n, ok := md.Int(arch + "." + key)
		if !ok {
			return 0
		}
		return n
	}
	span := func(key string) *Span {
		v, _ := md.Lookup(arch + "." + key)
		return spanOf(v)
	}
	m := Model{
		Architecture: arch,
		Name:         md.Text("general.name"),
		Layers:       number("block_count"),
		Width:        number("embedding_length"),
		FeedForward:  span("feed_forward_length"),
		Heads:        span("attention.head_count"),
		HeadsKV:      span("attention.head_count_kv"),
		Context:      number("context_length"),
		Vocabulary:   number("vocab_size"),
		Tokenizer:    md.Text("tokenizer.ggml.model"),
	}
	if tokens, ok := gguf.Array[string](md, "tokenizer.ggml.tokens"); ok && m.Vocabulary == 0 {
		m.Vocabulary = int64(len(tokens))
	}
	if n, ok := md.Int(gguf.KeyFileType); ok {
		m.FileType = &FileType{n, fileTypeName(n)}
	}
	if n, ok := md.Int(arch + ".pooling_type"); ok {
		m.Pooling = fmt.Sprintf("unknown (%d)", n)
		if n >= 0 && n < int64(len(poolings)) {
			m.Pooling = poolings[n]
		}
	}
	return m
}

// fileTypeName returns the name of a file type. llama.cpp adds FileGuessed to one
// that it took from the tensors because the file did not tell.
func fileTypeName(n int64) string {
	t := gguf.FileType(n)
	switch {
	case int64(t) != n:
		return fmt.Sprintf("file type %d", n)
	case t&gguf.FileGuessed != 0:
		return (t &^ gguf.FileGuessed).String() + " (guessed)"
	}
	return t.String()
}

// spanOf returns the range of an integer or of an array of 32-bit integers, the
// two ways in which models give a number for each layer; nil for anything else.
func spanOf(v gguf.Value) *Span {
	if n, ok := v.Int(); ok {
		return &Span{n, n}
	}
	switch a := v.Any().(type) {
	case []int32:
		return rangeOf(a)
	case []uint32:
		return rangeOf(a)
	}
	return nil
}

func rangeOf[T int32 | uint32](a []T) *Span {
	if len(a) == 0 {
		return nil
	}
	s := Span{int64(a[0]), int64(a[0])}
	for _, n := range a {
		s.Min = min(s.Min, int64(n))
		s.Max = max(s.Max, int64(n))
	}
	return &s
}

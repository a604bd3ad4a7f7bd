package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// A Model is a GGUF file that is ready to be measured.
type Model struct {
	File      *gguf.File
	Tokenizer *tokenizer.Tokenizer
	Prompts   *embedding.Prompts
	*infer.Model
}

// Open opens the model in the file at path, which Close closes.
func Open(path string, o *infer.Options) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	m := &Model{File: f}
	if m.Tokenizer, err = tokenizer.FromGGUF(f.Metadata); err == nil {
		m.Prompts, err = embedding.PromptsOf(f.Metadata)
	}
	if err != nil {
		f.Close()
		return nil, fault.InFile(err, path)
	}
	if m.Model, err = infer.Load(f, o); err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

// Close closes the file.
func (m *Model) Close() error { return m.File.Close() }

// PredictsTokens reports whether the model m, whose file has the metadata md, is
// used to predict tokens: it can, and the file says no pooling, which would make a
// vector of a text.
func PredictsTokens(md *gguf.Metadata, m *infer.Model) bool {
	pooling, ok := md.Int(md.Architecture() + ".pooling_type")
	return m.HasLogits() && (!ok || pooling == 0)
}

// A Role is what a text is for, which decides about its prompt.
type Role uint8

// The roles.
const (
	RoleText     Role = iota // neither of the others
	RoleQuery                // that asks
	RoleDocument             // that is to be found
)

// promptNames are the prompts of each role in sentence-transformers, the first
// that a model has counts.
var promptNames = map[Role][]string{
	RoleQuery:    {"query"},
	RoleDocument: {"document", "passage", "corpus"},
}

// promptOf returns what goes before texts of a role: the model's prompt for it, or
// else its default prompt, if it has one.
func promptOf(p *embedding.Prompts, role Role) (string, error) {
	for _, name := range promptNames[role] {
		if slices.Contains(p.Names, name) {
			return p.Named(name)
		}
	}
	if p.Default == "" {
		return "", nil
	}
	return p.Named(p.Default)
}

// An embedder computes vectors, each only once, and counts what it does.
type embedder struct {
	model   *Model
	prompts *embedding.Prompts  // nil for none
	done    func(texts int)     // is told of more texts, or nil
	seen    map[string]embedded // by text, behind its prompt

	tokens, truncated int
	busy              time.Duration
}

// An embedded text is its vector, and whether the text was cut to the context.
type embedded struct {
	vector []float32
	cut    bool
}

// tell has progress told how many of total texts are done. It may be nil.
func (e *embedder) tell(progress func(path string, done, total int), total int) {
	if progress == nil {
		return
	}
	done := 0
	e.done = func(n int) {
		done += n
		progress(e.model.File.Path, done, total)
	}
}

// embedStep is how many texts are computed at a time: enough to keep all threads
// busy, few enough to tell how far it is.
const embedStep = 256

// embed returns the vectors of texts, at length 1. Those that are longer than the
// context are cut.
func (e *embedder) embed(ctx context.Context, texts []string, role Role) ([][]float32, error) {
	prompt := ""
	if e.prompts != nil {
		var err error
		if prompt, err = promptOf(e.prompts, role); err != nil {
			return nil, fault.InFile(err, e.model.File.Path)
		}
		if prompt != "" && e.prompts.Unpooled {
			return nil, fault.Unsupported(e.model.File.Path, "", "--no-prompt gives the vectors of the texts alone",
				"the model leaves the tokens of the prompt out of pooling (include_prompt is false), which is not supported")
		}
	}
	if e.seen == nil {
		e.seen = map[string]embedded{}
	}
	vectors := make([][]float32, 0, len(texts))
	for part := range slices.Chunk(texts, embedStep) {
		var inputs []string // that no vector is known of
		var places []int    // where they stand in part
		for i, t := range part {
			if _, known := e.seen[prompt+t]; !known {
				e.seen[prompt+t] = embedded{}
				inputs, places = append(inputs, prompt+t), append(places, i)
			}
		}
		cut := make([]bool, len(inputs))
		o := &infer.EmbedOptions{Truncated: func(i, _, _ int) { cut[i] = true }}
		start := time.Now()
		v, tokens, err := e.model.EmbedTexts(ctx, e.model.Tokenizer, inputs, o)
		if empty, ok := errors.AsType[*infer.EmptyTextError](err); ok {
			return nil, &infer.EmptyTextError{Text: len(vectors) + places[empty.Text]}
		}
		if err != nil {
			return nil, err
		}
		e.busy += time.Since(start)
		for i, t := range inputs {
			e.tokens += tokens[i]
			e.seen[t] = embedded{v[i], cut[i]}
		}
		for _, t := range part {
			known := e.seen[prompt+t]
			vectors = append(vectors, known.vector)
			if known.cut {
				e.truncated++
			}
		}
		if e.done != nil {
			e.done(len(part))
		}
	}
	return vectors, nil
}

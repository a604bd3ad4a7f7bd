package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// A config is what tells one model from another but its weights: sizes, and the
// choices that architectures make differently. What all of them share is
// written out in the forward pass: LayerNorm after each residual sum, attention
// in both directions with as many key heads as query heads, a feed-forward
// network of two products. It becomes a choice here with the first architecture
// that makes it differently.
type config struct {
	arch string // general.architecture

	vocab   int // tokens that have an embedding
	context int // most tokens of a text
	width   int // of the residual stream
	layers  int
	heads   int // of width/heads elements each
	hidden  int // width of the feed-forward network
	epsilon float32

	learnedPositions bool            // position_embd: a row for each position is added to the token's
	tokenTypes       bool            // token_types: so is the row of type 0; a file may lack it
	embeddingNorm    bool            // token_embd_norm: the sum is normalised
	activation       gemm.Activation // of the feed-forward network
	pooling          Pooling         // where neither caller nor file choose one

	unused []string // prefixes of tensors that embedding does not need
}

// An architecture reads its config from a file's metadata.
type architecture struct {
	name string
	read func(p *params) config
}

var architectures = []architecture{
	{"bert", readBERT},
}

// readConfig returns the config of the model in f.
func readConfig(f *gguf.File) (config, error) {
	name := f.Metadata.Architecture()
	if name == "" {
		return config{}, fault.Malformed(f.Path, keyPart(gguf.KeyArchitecture), "is missing or no string")
	}
	i := slices.IndexFunc(architectures, func(a architecture) bool { return a.name == name })
	if i < 0 {
		var known []string
		for _, a := range architectures {
			known = append(known, a.name)
		}
		return config{}, fault.Unsupported(f.Path, "", "supported: "+strings.Join(known, ", "),
			"embedding with architecture %q is not supported", name)
	}
	p := &params{file: f.Path, arch: name, md: f.Metadata}
	c := architectures[i].read(p)
	c.arch = name
	return c, p.err
}

// params reads the hyperparameters of one architecture, <arch>.<name>. The
// first error stays in err, and what is read after it has no meaning.
type params struct {
	file string
	arch string
	md   *gguf.Metadata
	err  error
}

// maxSize bounds every hyperparameter, so that products of a few of them do not
// overflow. No model comes near it.
const maxSize = 1 << 24

func keyPart(key string) string { return fmt.Sprintf("key %q", key) }

func (p *params) malformed(name, format string, args ...any) {
	if p.err == nil {
		p.err = fault.Malformed(p.file, keyPart(p.arch+"."+name), format, args...)
	}
}

func (p *params) unsupported(name, format string, args ...any) {
	if p.err == nil {
		p.err = fault.Unsupported(p.file, keyPart(p.arch+"."+name), "", format, args...)
	}
}

// size returns a hyperparameter that every file has, a number from 1 to maxSize.
func (p *params) size(name string) int {
	v, ok := p.md.Lookup(p.arch + "." + name)
	n, integer := v.Int()
	switch {
	case !ok:
		p.malformed(name, "is missing")
	case !integer:
		p.malformed(name, "is of type %s, expected an integer", v.Type())
	case n < 1 || n > maxSize:
		p.malformed(name, "is %d, expected 1 to %d", n, maxSize)
	default:
		return int(n)
	}
	return 1
}

// sizeOr returns a hyperparameter that a file may lack.
func (p *params) sizeOr(name string, otherwise int) int {
	if _, ok := p.md.Lookup(p.arch + "." + name); !ok {
		return otherwise
	}
	return p.size(name)
}

// float returns a hyperparameter that every file has, a finite number that is
// not negative.
func (p *params) float(name string) float32 {
	v, ok := p.md.Lookup(p.arch + "." + name)
	f, isFloat := v.Float()
	switch {
	case !ok:
		p.malformed(name, "is missing")
	case !isFloat:
		p.malformed(name, "is of type %s, expected a float", v.Type())
	case !(f >= 0 && f <= 1):
		p.malformed(name, "is %v, expected 0 to 1", f)
	}
	return float32(f)
}

// boolOr returns a hyperparameter that a file may lack.
func (p *params) boolOr(name string, otherwise bool) bool {
	v, ok := p.md.Lookup(p.arch + "." + name)
	if !ok {
		return otherwise
	}
	b, isBool := v.Bool()
	if !isBool {
		p.malformed(name, "is of type %s, expected a boolean", v.Type())
	}
	return b
}

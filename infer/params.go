package infer

import (
	"fmt"
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

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

func (p *params) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *params) malformed(name, format string, args ...any) {
	p.fail(fault.Malformed(p.file, keyPart(p.arch+"."+name), format, args...))
}

func (p *params) unsupported(name, format string, args ...any) {
	p.fail(fault.Unsupported(p.file, keyPart(p.arch+"."+name), "", format, args...))
}

// size returns a hyperparameter that every file has, a number from 1 to maxSize.
func (p *params) size(name string) int {
	if !p.has(name) {
		p.malformed(name, "is missing")
		return 1
	}
	return p.integer(name, 1)
}

// count returns a hyperparameter that may be 0 and is where a file lacks it.
func (p *params) count(name string) int {
	if !p.has(name) {
		return 0
	}
	return p.integer(name, 0)
}

// integer returns a hyperparameter that the file has, a number from least to
// maxSize.
func (p *params) integer(name string, least int) int {
	v, _ := p.md.Lookup(p.arch + "." + name)
	n, integer := v.Int()
	switch {
	case !integer:
		p.malformed(name, "is of type %s, expected an integer", v.Type())
	case n < int64(least) || n > maxSize:
		p.malformed(name, "is %d, expected %d to %d", n, least, maxSize)
	default:
		return int(n)
	}
	return 1
}

// sizeOr returns a hyperparameter that a file may lack.
func (p *params) sizeOr(name string, otherwise int) int {
	if !p.has(name) {
		return otherwise
	}
	return p.size(name)
}

// epsilon returns what norms add to a variance, which every file has.
func (p *params) epsilon(name string) float32 {
	if !p.has(name) {
		p.malformed(name, "is missing")
		return 0
	}
	return float32(p.floatOr(name, 0, 0, 1))
}

// floatOr returns a hyperparameter that a file may lack, a number from least to
// most.
func (p *params) floatOr(name string, otherwise, least, most float64) float64 {
	v, ok := p.md.Lookup(p.arch + "." + name)
	if !ok {
		return otherwise
	}
	f, isFloat := v.Float()
	switch {
	case !isFloat:
		p.malformed(name, "is of type %s, expected a float", v.Type())
	case !(f >= least && f <= most):
		p.malformed(name, "is %v, expected %v to %v", f, least, most)
	default:
		return f
	}
	return otherwise
}

// textOr returns a hyperparameter that a file may lack.
func (p *params) textOr(name, otherwise string) string {
	v, ok := p.md.Lookup(p.arch + "." + name)
	if !ok {
		return otherwise
	}
	s, isText := v.Text()
	if !isText {
		p.malformed(name, "is of type %s, expected a string", v.Type())
	}
	return s
}

func (p *params) has(name string) bool {
	_, ok := p.md.Lookup(p.arch + "." + name)
	return ok
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

// sizes returns the sizes of a model.
func (p *params) sizes() config {
	c := config{
		trained: p.size("context_length"),
		width:   p.size("embedding_length"),
		layers:  p.size("block_count"),
		heads:   p.size("attention.head_count"),
		hidden:  p.size("feed_forward_length"),
	}
	c.context = c.trained
	c.kvHeads = p.sizeOr("attention.head_count_kv", c.heads)
	c.headSize = p.sizeOr("attention.key_length", max(1, c.width/c.heads))
	if n := p.sizeOr("attention.value_length", c.headSize); n != c.headSize {
		p.unsupported("attention.value_length", "is %d, and keys have %d elements; they must be as many", n, c.headSize)
	}
	if c.heads > maxSize/c.headSize {
		p.malformed("attention.head_count", "is %d, too many for heads of %d elements", c.heads, c.headSize)
	}
	c.scoreScale = float32(1 / math.Sqrt(float64(c.headSize)))
	if tokens, ok := gguf.Array[string](p.md, "tokenizer.ggml.tokens"); ok {
		c.vocab = len(tokens)
	}
	return c
}

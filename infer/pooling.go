package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A Pooling makes one vector of a text's final states, one for each token.
type Pooling uint8

// The ways of pooling. Special tokens count as tokens.
const (
	PoolingDefault Pooling = iota // what the file says
	PoolingMean                   // the mean of all tokens
	PoolingCLS                    // the first token
	PoolingLast                   // the last token
	poolingRank                   // a classifier's score, which is no embedding
)

var poolingNames = [...]string{"default", "mean", "cls", "last", "rank"}

// String returns the name of p, as in "mean".
func (p Pooling) String() string {
	if int(p) < len(poolingNames) {
		return poolingNames[p]
	}
	return fmt.Sprintf("pooling %d", uint8(p))
}

// ParsePooling returns the pooling called name: default, mean, cls or last.
func ParsePooling(name string) (Pooling, error) {
	names := poolingNames[:poolingRank]
	if i := slices.Index(names, name); i >= 0 {
		return Pooling(i), nil
	}
	return 0, fmt.Errorf("unknown pooling %q; choose one of %s", name, strings.Join(names, ", "))
}

// pooling reads <arch>.pooling_type, whose numbers are those of llama.cpp: 0
// none, 1 mean, 2 first token, 3 last token, 4 rank. A converter leaves the key
// out for a checkpoint that does not say how it is pooled; llama.cpp then gives
// a vector for each token, sentence-transformers the pooling that is passed as
// otherwise here. The same goes for "none".
func (p *params) pooling(otherwise Pooling) Pooling {
	const name = "pooling_type"
	v, ok := p.md.Lookup(p.arch + "." + name)
	if !ok {
		return otherwise
	}
	n, integer := v.Int()
	switch {
	case !integer:
		p.malformed(name, "is of type %s, expected an integer", v.Type())
	case n == 0:
		return otherwise
	case n < 0 || n > int64(poolingRank):
		p.malformed(name, "is %d, expected 0 to %d", n, poolingRank)
	}
	return Pooling(n)
}

// pool stores in dst the vector of a text whose final states are x.
func (p Pooling) pool(dst []float32, x gemm.View) {
	switch p {
	case PoolingMean:
		vec.Mean(dst, x.Data)
	case PoolingCLS:
		copy(dst, x.Row(0))
	case PoolingLast:
		copy(dst, x.Row(x.Rows-1))
	}
}

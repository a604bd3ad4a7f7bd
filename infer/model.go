package infer

import (
	"sync"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// Options change how a model is run. The zero value is the default.
type Options struct {
	Threads   int       // workers, at most GOMAXPROCS; 0 means one for each physical core
	Precision Precision // of the matrix products

	// Context is the most tokens of a text, instead of what the file says; 0
	// means that. More than it says is possible where the architecture has a way
	// to stretch positions.
	Context int
}

// A Model computes vectors. Several goroutines may use it at once.
type Model struct {
	config    config
	weights   *weights
	precision Precision
	pool      *cpu.Pool
	head      *head
	closing   []int32   // ids of tokens that end a text
	sessions  sync.Pool // of *session

	// See With.
	replaced map[string]Stored // instead of the file's data
	id       *identity
	origin   *identity // of the model that With was called of
	first    int       // layer whose output differs from that model's at first, as FirstChanged
}

// Load reads the model in f, which must stay open as long as the model is used.
// Where o is nil, the defaults hold.
//
// A file that lacks what its architecture needs, or has it in another shape,
// gives a FormatError that names the key or tensor; an architecture, choice or
// tensor type that is not supported gives an UnsupportedError.
func Load(f *gguf.File, o *Options) (*Model, error) {
	if o == nil {
		o = new(Options)
	}
	if _, err := cpu.Chosen(); err != nil {
		return nil, err
	}
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	if err := c.setContext(f, o.Context); err != nil {
		return nil, err
	}
	pool := cpu.NewPool(o.Threads)
	precision, err := choosePrecision(f, o.Precision)
	if err != nil {
		return nil, err
	}
	w, err := newLoader(f, &c, pool, precision).weights()
	if err != nil {
		return nil, err
	}
	m := &Model{config: c, weights: w, pool: pool, precision: precision, head: new(head), id: new(identity)}
	for _, key := range []string{"tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id"} {
		if id, ok := f.Metadata.Int(key); ok && id >= 0 && id < int64(c.vocab) {
			m.closing = append(m.closing, int32(id))
		}
	}
	return m, nil
}

// Dimensions returns the length of the vectors.
func (m *Model) Dimensions() int {
	if n := len(m.config.dense); n > 0 {
		return m.config.dense[n-1].outputs
	}
	return m.config.width
}

// Width returns the length of the states of a token.
func (m *Model) Width() int { return m.config.width }

// ContextLength returns the most tokens that a text may have.
func (m *Model) ContextLength() int { return m.config.context }

// Precision returns the precision of the matrix products, f32 or int8.
func (m *Model) Precision() Precision { return m.precision }

// Pooling returns the pooling that the file, or else the architecture, chooses.
func (m *Model) Pooling() Pooling { return m.config.pooling }

// WithThreads returns a model that shares the weights of m and runs on so many
// workers, as Options.Threads has them.
func (m *Model) WithThreads(threads int) *Model {
	return &Model{config: m.config, weights: m.weights, precision: m.precision, head: m.head, closing: m.closing,
		pool: cpu.NewPool(threads), replaced: m.replaced, id: m.id, origin: m.origin, first: m.first}
}

// Threads returns the number of workers.
func (m *Model) Threads() int { return m.pool.Workers() }

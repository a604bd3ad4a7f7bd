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
// written out in the forward pass: a residual stream to which attention and a
// feed-forward network add, layer by layer.
type config struct {
	arch string // general.architecture

	vocab     int // tokens that have an embedding
	trained   int // most tokens of a text, as the file says
	stretched int // most tokens with positions stretched; 0: they cannot be
	context   int // most tokens of a text
	width     int // of the residual stream
	layers    int
	heads     int // of queries
	kvHeads   int // of keys and values; heads/kvHeads heads of queries share one
	headSize  int // elements of a head
	hidden    int // width of the feed-forward network

	// Embeddings.
	embeddingScale   float32 // that rows of token_embd are multiplied by; 0: none
	learnedPositions bool    // position_embd: a row for each position is added to the token's
	tokenTypes       bool    // token_types: so is the row of type 0; a file may lack it
	embeddingNorm    bool    // token_embd_norm: the sum is normalised

	// Norms.
	normKind normKind
	epsilon  float32
	norms    normPlaces

	// Attention.
	attention  attentionKind
	scoreScale float32              // that products of queries and keys are multiplied by
	window     int                  // of layers that slide: how far a token sees, see attentionKind; 0: none do
	slides     func(layer int) bool // whether a layer's attention has a window; nil: none has
	rope       *rope                // rotates queries and keys; nil: nothing does
	localRope  *rope                // in layers that slide, if it is another

	// Feed-forward network.
	activation gemm.Activation
	gated      bool // the activation applies to ffn_gate, which ffn_up is multiplied with

	biased []string // linears that must have a bias; others have one where the file does

	// After the layers.
	logits   bool    // there is a head that predicts the next token
	logitCap float32 // c·tanh(logit/c) is the logit; 0: as it is
	dense    []denseShape
	pooling  Pooling // where neither caller nor file choose one

	unused []string // prefixes of tensors that are not needed
}

// A normKind is a way to normalise.
type normKind uint8

const (
	layerNorm normKind = iota // with weight and bias
	rmsNorm                   // with weight
)

// normPlaces are the names of a layer's norms, by where they stand. An
// architecture leaves out most.
//
//	x += afterAttention(attention(beforeAttention(x)))
//	x  = attentionSum(x)
//	x += afterFFN(ffn(beforeFFN(x)))
//	x  = ffnSum(x)
type normPlaces struct {
	beforeAttention, afterAttention, attentionSum string
	beforeFFN, afterFFN, ffnSum                   string

	query, key string // of each head, before it is rotated
	final      string // of the last layer's output
}

// preNorm is where Llama and its relatives have norms.
var preNorm = normPlaces{beforeAttention: "attn_norm", beforeFFN: "ffn_norm", final: "output_norm"}

// postNorm is where BERT and its relatives have norms.
var postNorm = normPlaces{attentionSum: "attn_output_norm", ffnSum: "layer_output_norm"}

// An attentionKind says which tokens of its text a token sees.
type attentionKind uint8

const (
	bothWays attentionKind = iota // all; with a window those at most window/2 away
	causal                        // itself and those before it; with a window the last of them, window in all
)

// An architecture reads its config from a file's metadata.
type architecture struct {
	name string
	read func(p *params) config
}

var architectures = []architecture{
	{"bert", readBERT},
	{"nomic-bert", readNomicBERT},
	{"llama", readLlama},
	{"qwen2", readQwen2},
	{"qwen3", readQwen3},
	{"gemma3", readGemma3},
	{"gemma-embedding", readGemmaEmbedding},
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
			"running the architecture %q is not supported", name)
	}
	p := &params{file: f.Path, arch: name, md: f.Metadata}
	c := architectures[i].read(p)
	c.arch = name
	if c.heads%c.kvHeads != 0 {
		p.malformed("attention.head_count_kv", "is %d, which does not divide the %d heads", c.kvHeads, c.heads)
	}
	return c, p.err
}

// setContext changes the most tokens of a text.
func (c *config) setContext(f *gguf.File, tokens int) error {
	switch {
	case tokens < 0:
		return fmt.Errorf("a context of %d tokens is negative", tokens)
	case tokens == 0:
		return nil
	case tokens > c.context && tokens > c.stretched:
		hint := "choose a smaller context"
		if c.stretched > 0 {
			hint = fmt.Sprintf("choose at most %d", c.stretched)
		}
		return fault.Unsupported(f.Path, keyPart(c.arch+".context_length"), hint,
			"the model takes texts of %d tokens, and its positions cannot be stretched to %d", c.trained, tokens)
	}
	c.context = tokens
	return nil
}

// rotary reports whether layer i slides, and the rope that holds there.
func (c *config) rotary(i int) (slides bool, r *rope) {
	if c.slides != nil && c.slides(i) {
		if c.localRope != nil {
			return true, c.localRope
		}
		return true, c.rope
	}
	return false, c.rope
}

// qkvWidth is the width of queries, keys and values side by side.
func (c *config) qkvWidth() int { return (c.heads + 2*c.kvHeads) * c.headSize }

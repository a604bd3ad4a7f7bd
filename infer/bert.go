package infer

import (
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// readBERT fills in BERT (https://arxiv.org/abs/1810.04805) and the encoders
// that are converted to its layout, as RoBERTa and XLM-R are: learned positions,
// LayerNorm after each residual sum, GELU in its exact form.
func readBERT(p *params) config {
	c := config{
		context: p.size("context_length"),
		width:   p.size("embedding_length"),
		layers:  p.size("block_count"),
		heads:   p.size("attention.head_count"),
		hidden:  p.size("feed_forward_length"),
		epsilon: p.float("attention.layer_norm_epsilon"),

		learnedPositions: true,
		tokenTypes:       true,
		embeddingNorm:    true,
		activation:       gemm.GELU,
		pooling:          p.pooling(PoolingMean),

		unused: []string{"cls."}, // the head of a classifier
	}
	if c.width%c.heads != 0 {
		p.malformed("attention.head_count", "is %d, which does not divide the embedding length %d", c.heads, c.width)
	}
	if kv := p.sizeOr("attention.head_count_kv", c.heads); kv != c.heads {
		p.unsupported("attention.head_count_kv", "is %d for %d heads; grouped attention is not supported in %s", kv, c.heads, p.arch)
	}
	if p.boolOr("attention.causal", false) {
		p.unsupported("attention.causal", "is true; causal attention is not supported in %s", p.arch)
	}
	if tokens, ok := gguf.Array[string](p.md, "tokenizer.ggml.tokens"); ok {
		c.vocab = len(tokens)
	}
	return c
}

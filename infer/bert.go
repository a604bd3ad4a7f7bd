package infer

import "github.com/gguftool/gguftool/kernels/gemm"

// readBERT fills in BERT (https://arxiv.org/abs/1810.04805) and the encoders
// that are converted to its layout, as RoBERTa and XLM-R are: learned positions,
// LayerNorm after each residual sum, GELU in its exact form.
func readBERT(p *params) config {
	c := p.encoder()
	c.learnedPositions = true
	c.activation = gemm.GELU
	c.biased = []string{"attn_qkv", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"}
	return c
}

// encoder returns what BERT and its relatives have in common.
func (p *params) encoder() config {
	c := p.sizes()
	c.tokenTypes = true
	c.embeddingNorm = true
	c.epsilon = p.epsilon("attention.layer_norm_epsilon")
	c.norms = postNorm
	c.pooling = p.pooling(PoolingMean)
	c.unused = []string{"cls."} // the head of a classifier
	if c.width%c.heads != 0 {
		p.malformed("attention.head_count", "is %d, which does not divide the embedding length %d", c.heads, c.width)
	}
	if c.kvHeads != c.heads {
		p.unsupported("attention.head_count_kv", "is %d for %d heads; grouped attention is not supported in %s", c.kvHeads, c.heads, p.arch)
	}
	if p.boolOr("attention.causal", false) {
		p.unsupported("attention.causal", "is true; causal attention is not supported in %s", p.arch)
	}
	return c
}

package infer

import "github.com/gguftool/gguftool/kernels/gemm"

// readLlama fills in Llama (https://arxiv.org/abs/2302.13971) and the decoders
// that are converted to its layout, as Mistral and SmolLM are. Their files hold
// queries and keys in an order in which neighbours rotate together.
func readLlama(p *params) config {
	c := p.decoder()
	c.rope = p.rope(neighbours, c.headSize, 10000)
	p.stretch(&c, 0)
	if p.count("expert_count") > 0 {
		p.unsupported("expert_count", "is not 0; mixtures of experts are not supported")
	}
	return c
}

// decoder returns what Llama and its relatives have in common: RMSNorm before
// attention and before the feed-forward network, which SiLU gates.
func (p *params) decoder() config {
	c := p.sizes()
	c.normKind = rmsNorm
	c.epsilon = p.epsilon("attention.layer_norm_rms_epsilon")
	c.norms = preNorm
	if p.boolOr("attention.causal", true) {
		c.attention = causal
	}
	c.activation = gemm.SiLU
	c.gated = true
	c.logits = true
	c.pooling = p.pooling(PoolingLast)
	return c
}

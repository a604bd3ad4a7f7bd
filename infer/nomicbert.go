package infer

import "github.com/gguftool/gguftool/kernels/gemm"

// readNomicBERT fills in the encoders nomic-embed-text v1 and v1.5
// (https://arxiv.org/abs/2402.01613): BERT with rotated queries and keys instead
// of positions, a gated feed-forward network and no biases. Its authors stretch
// it, on request, to four times the tokens that it was trained with.
func readNomicBERT(p *params) config {
	c := p.encoder()
	c.rope = p.rope(halves, c.headSize, 1000)
	p.stretch(&c, 2)
	c.activation = gemm.SiLU
	c.gated = true
	return c
}

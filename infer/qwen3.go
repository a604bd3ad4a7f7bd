package infer

// readQwen3 fills in Qwen3 (https://arxiv.org/abs/2505.09388): heads of queries
// and keys are normalised before they are rotated.
func readQwen3(p *params) config {
	c := p.decoder()
	c.rope = p.rope(halves, c.headSize, 10000)
	p.stretch(&c, 0)
	c.norms.query, c.norms.key = "attn_q_norm", "attn_k_norm"
	c.unused = []string{"cls."} // the head of a reranker
	return c
}

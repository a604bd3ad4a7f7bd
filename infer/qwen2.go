package infer

// readQwen2 fills in Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671):
// queries, keys and values have biases.
func readQwen2(p *params) config {
	c := p.decoder()
	c.rope = p.rope(halves, c.headSize, 10000)
	p.stretch(&c, 0)
	c.biased = []string{"attn_qkv", "attn_q", "attn_k", "attn_v"}
	return c
}

package infer

// readGemmaEmbedding fills in EmbeddingGemma (https://arxiv.org/abs/2509.20354),
// Gemma 3 that sees both ways, and whose pooled vectors go through two linear
// layers where the file has them.
func readGemmaEmbedding(p *params) config {
	c := p.decoder()
	p.gemma(&c)
	c.attention = bothWays
	c.logits = false
	c.pooling = p.pooling(PoolingMean)
	for _, name := range []string{"dense_2", "dense_3"} {
		if in, out := p.count(name+"_feat_in"), p.count(name+"_feat_out"); in > 0 && out > 0 {
			c.dense = append(c.dense, denseShape{name, in, out})
		}
	}
	c.unused = []string{"output.weight"}
	return c
}

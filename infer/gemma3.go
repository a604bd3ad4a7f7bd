package infer

import (
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// readGemma3 fills in the text model of Gemma 3 (https://arxiv.org/abs/2503.19786):
// norms on both sides of attention and of the feed-forward network, normalised
// heads, five layers that see a window for each that sees everything, scaled
// embeddings.
func readGemma3(p *params) config {
	c := p.decoder()
	p.gemma(&c)
	c.logitCap = float32(p.floatOr("final_logit_softcapping", 0, 0, maxSize))
	return c
}

// gemma fills in what both have in common.
func (p *params) gemma(c *config) {
	c.embeddingScale = float32(math.Sqrt(float64(c.width)))
	c.activation = gemm.GELUTanh
	c.norms = normPlaces{
		beforeAttention: "attn_norm", afterAttention: "post_attention_norm",
		beforeFFN: "ffn_norm", afterFFN: "post_ffw_norm",
		query: "attn_q_norm", key: "attn_k_norm", final: "output_norm",
	}
	if c.layers == 62 {
		// Gemma 3 27B, whose file does not say that its scores are scaled by another
		// length than that of its heads.
		c.scoreScale = float32(1 / math.Sqrt(float64(c.width/c.heads)))
	}
	c.rope = p.rope(halves, c.headSize, 10000)
	c.localRope = p.localRope(c.rope, 10000)
	c.window = p.count("attention.sliding_window")
	if c.window > 0 {
		c.slides = p.slidingLayers(c.layers, 6)
	}
}

// slidingLayers returns which layers have a window: all but every period-th,
// unless the file says otherwise by another period or layer by layer.
func (p *params) slidingLayers(layers, period int) func(layer int) bool {
	const name = "attention.sliding_window_pattern"
	if each, ok := gguf.Array[bool](p.md, p.arch+"."+name); ok {
		if len(each) != layers {
			p.malformed(name, "has %d elements for %d layers", len(each), layers)
			return nil
		}
		return func(layer int) bool { return each[layer] }
	}
	period = p.sizeOr(name, period)
	return func(layer int) bool { return layer%period < period-1 }
}

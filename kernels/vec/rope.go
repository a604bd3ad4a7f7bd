package vec

// RopeHalves rotates pairs of x by the angles whose cosines and sines are given,
// where the first of a pair is in the first half of x and the second at the same
// place of the second half, as in GPT-NeoX. cos and sin have half the length of
// x, which is even:
//
//	y[i]     = x[i]·cos[i] - x[i+n/2]·sin[i]
//	y[i+n/2] = x[i+n/2]·cos[i] + x[i]·sin[i]
//
// Each result is within 2⁻²³·(|first product| + |second product|) of the exact
// one, or within 2⁻¹⁴⁸ where that is smaller.
func RopeHalves(x, cos, sin []float32) {
	half := len(x) / 2
	ropeHalves(x[:half], x[half:2*half], cos[:half], sin[:half])
}

// RopePairs rotates as RopeHalves does, but pairs are neighbours, as in the
// original Llama and its GGUF files:
//
//	y[2i]   = x[2i]·cos[i] - x[2i+1]·sin[i]
//	y[2i+1] = x[2i+1]·cos[i] + x[2i]·sin[i]
func RopePairs(x, cos, sin []float32) {
	half := len(x) / 2
	ropePairs(x[:2*half], cos[:half], sin[:half])
}

func plainRopeHalves(x, y, cos, sin []float32) {
	for i := range x {
		x[i], y[i] = rotate(x[i], y[i], cos[i], sin[i])
	}
}

func plainRopePairs(x, cos, sin []float32) {
	for i := range cos {
		x[2*i], x[2*i+1] = rotate(x[2*i], x[2*i+1], cos[i], sin[i])
	}
}

func rotate(x, y, cos, sin float32) (float32, float32) {
	a, b, c, s := float64(x), float64(y), float64(cos), float64(sin)
	return float32(a*c - b*s), float32(b*c + a*s)
}

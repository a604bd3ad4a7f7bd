package infer

// Work is what a call of Embed asks of the machine, at least.
type Work struct {
	// Multiplications and additions, counted separately, of the products and of
	// attention. Those of norms and activations, which are few, are left out.
	FloatOperations int64
	ByteOperations  int64 // those that are done on bytes

	// WeightBytes is the memory of the weights as they are packed, once for each
	// group of texts that goes through the model together.
	WeightBytes int64
}

// Work returns the work of a batch of texts of the given lengths in tokens. It is
// that of all tokens: what is beyond the context of the model counts too.
func (m *Model) Work(lengths []int) Work {
	var w, sweep Work // sweep: of a token, and the bytes of a group
	for i := range m.weights.layers {
		l := &m.weights.layers[i]
		for _, lin := range []*linear{l.qkv, l.attnOut, l.up, l.down} {
			lin.work(&sweep)
		}
		h := m.config.attentionOf(l)
		for _, n := range lengths {
			pairs := int64(0) // of a query and a key that it sees
			for q := range n {
				low, high := h.seen(q, n)
				pairs += int64(high - low)
			}
			// A product for the score and one for the value, of size elements each.
			w.FloatOperations += 4 * pairs * int64(h.queries*h.size)
		}
	}
	for _, n := range lengths {
		w.FloatOperations += sweep.FloatOperations * int64(n)
		w.ByteOperations += sweep.ByteOperations * int64(n)
	}
	for _, d := range m.weights.dense {
		var once Work // for each text, not for each token
		d.work(&once)
		w.FloatOperations += once.FloatOperations * int64(len(lengths))
		w.ByteOperations += once.ByteOperations * int64(len(lengths))
		sweep.WeightBytes += once.WeightBytes
	}
	groups, _ := plan(lengths, m.pool.Workers(), false)
	w.WeightBytes = sweep.WeightBytes * int64(len(groups))
	return w
}

// work adds what l takes for one row, and its memory.
func (l *linear) work(w *Work) {
	for _, p := range l.products {
		if q := p.quantized; q != nil {
			w.ByteOperations += 2 * q.Weights()
			w.WeightBytes += q.Bytes()
			continue
		}
		w.FloatOperations += 2 * p.floats.Weights()
		w.WeightBytes += 4 * p.floats.Weights()
	}
}

package infer

import (
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// inPasses computes the final states of a text as layersFrom does, step by step:
// each step passes over all rows before the next begins.
func inPasses(t *testing.T, m *Model, ids []int32) []float32 {
	t.Helper()
	s := new(session)
	texts := [][]int32{ids}
	x := s.begin(m, texts)
	if err := m.embed(s, x, texts); err != nil {
		t.Fatal(err)
	}
	matrix := func(cols int) gemm.View { return gemm.Dense(make([]float32, x.Rows*cols), x.Rows, cols) }
	each := func(v gemm.View, f func(i int, row []float32)) {
		for i := range v.Rows {
			f(i, v.Row(i))
		}
	}
	normalized := func(v gemm.View, n *norm) gemm.View {
		copied := matrix(v.Cols)
		each(v, func(i int, row []float32) {
			copy(copied.Row(i), row)
			if n != nil {
				n.apply(copied.Row(i))
			}
		})
		return copied
	}
	mul := func(v gemm.View, l *linear, act gemm.Activation) gemm.View {
		dst := matrix(l.products[len(l.products)-1].right)
		for _, p := range l.products {
			out := dst.Part(0, dst.Rows, p.left, p.right)
			if p.floats != nil {
				gemm.Mul(nil, out, v, p.floats, gemm.Epilogue{Bias: p.bias, Act: act})
				continue
			}
			format := l.format
			if l.format == nil {
				format = p.quantized
			}
			var a gemm.Activations
			a.Resize(v.Rows, format)
			if !a.Fits(p.quantized) {
				a.Resize(v.Rows, p.quantized)
			}
			each(v, a.QuantizeRow)
			gemm.MulQuantized(nil, out, &a, p.quantized, gemm.Epilogue{Act: act})
		}
		return dst
	}
	// Where no norm stands between, what x holds is part of the sum of the product.
	add := func(v gemm.View, l *linear, after, sum *norm) {
		if after != nil {
			each(normalized(mul(v, l, gemm.Identity), after), func(i int, row []float32) { vec.Add(x.Row(i), row) })
		} else {
			p := &l.products[0]
			if len(l.products) > 1 {
				t.Fatal("a linear that is added has several products")
			}
			if p.floats != nil {
				gemm.Mul(nil, x, v, p.floats, gemm.Epilogue{Bias: p.bias, Add: true})
			} else {
				var a gemm.Activations
				a.Resize(v.Rows, p.quantized)
				each(v, a.QuantizeRow)
				gemm.MulQuantized(nil, x, &a, p.quantized, gemm.Epilogue{Add: true})
			}
		}
		if sum != nil {
			each(x, func(_ int, row []float32) { sum.apply(row) })
		}
	}
	c := &m.config
	for i := range m.weights.layers {
		l := &m.weights.layers[i]
		qkv := mul(normalized(x, l.beforeAttention), l.qkv, gemm.Identity)
		if place := s.placing(qkv, c, l); place != nil {
			place(0, qkv.Rows)
		}
		att := matrix(c.heads * c.headSize)
		s.attend(att, qkv, c.attentionOf(l))
		add(att, l.attnOut, l.afterAttention, l.attentionSum)

		act := c.activation
		if c.gated {
			act = gemm.Identity
		}
		up := mul(normalized(x, l.beforeFFN), l.up, act)
		if c.gated {
			multiply := map[gemm.Activation]func(dst, gate []float32){
				gemm.SiLU: vec.MulSiLU, gemm.GELU: vec.MulGELU, gemm.GELUTanh: vec.MulGELUTanh,
			}[c.activation]
			each(up, func(_ int, row []float32) { multiply(row[c.hidden:], row[:c.hidden]) })
			up = up.Part(0, up.Rows, c.hidden, 2*c.hidden)
		}
		add(up, l.down, l.afterFFN, l.ffnSum)
	}
	if n := m.weights.final; n != nil {
		each(x, func(_ int, row []float32) { n.apply(row) })
	}
	return slices.Clone(x.Data)
}

// rowModels calls f with a model of each family, wide enough for quantized weights
// in all places, in floats, in bytes, and with some weights of either kind.
func rowModels(t *testing.T, f func(name string, s *synthetic, precision Precision)) {
	models := map[string]func() *synthetic{
		"bert": func() *synthetic {
			return newSynthetic(synth.BERT{Vocab: 512, Context: 70, Width: 96, Layers: 2, Heads: 3, FF: 160})
		},
	}
	for _, family := range readFamilies(t) {
		models[family.Name] = func() *synthetic {
			s := family.synthetic(t)
			for i := range s.tensors {
				shape := slices.Clone(s.tensors[i].Shape)
				for d, n := range shape {
					if n == 40 {
						shape[d] = 64
					}
				}
				s.tensors[i].Shape = shape
			}
			s.md.Set(s.md.Architecture()+".feed_forward_length", gguf.ValueOf[uint32](64))
			return s
		}
	}
	for name, model := range models {
		for kind, types := range map[string][]gguf.Type{
			"floats": {gguf.TypeF32},
			"bytes":  {gguf.TypeQ8_0},
			"mixed":  {gguf.TypeQ8_0, gguf.TypeQ4_1, gguf.TypeF16},
		} {
			s, precision := model(), PrecisionInt8
			if kind == "floats" {
				precision = PrecisionF32
			}
			at := 0
			for i := range s.tensors {
				if info := &s.tensors[i]; len(info.Shape) == 2 && info.Shape[0]%32 == 0 {
					info.Type = types[at%len(types)]
					at++
				}
			}
			f(name+", "+kind, s, precision)
		}
	}
}

// What the epilogues of products make of rows is what a pass over all rows after
// each step makes, to the bit: norms before, after and of sums, rotation, gates
// and bytes, on any number of threads, with rows around the heights of tiles.
func TestRowsInOneVisit(t *testing.T) {
	withProcs(t, 3)
	rowModels(t, func(name string, s *synthetic, precision Precision) {
		models := make([]*Model, 3)
		for i := range models {
			models[i] = s.load(t, &Options{Threads: i + 1, Precision: precision})
		}
		for _, n := range []int{1, 2, 5, 6, 7, 12, 13, 24} {
			if n > models[0].ContextLength() {
				continue
			}
			ids := text(n, n, models[0].Vocabulary())
			want := inPasses(t, models[0], ids)
			for i, m := range models {
				got, err := m.States(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s, %d tokens, %d threads: not the states of separate passes", name, n, i+1)
				}
			}
		}
	})
}

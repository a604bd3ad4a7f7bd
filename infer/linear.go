package infer

import (
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A linear is a product and its bias. It may hold several tensors that share an
// input, whose outputs stand side by side.
type linear struct {
	names    []string // of the weights in the file
	products []product
	format   *gemm.Quantized // what the input is quantized for; nil where all products are in floats
}

// A product is the outputs left ≤ j < right of a linear, from weights of one kind.
type product struct {
	left, right int
	floats      *gemm.Matrix
	bias        []float32       // of floats
	quantized   *gemm.Quantized // instead of floats
}

// A source is a tensor of weights and its bias.
type source struct {
	tensor *gguf.Tensor
	codec  *block.Codec
	data   []byte
	bias   []float32
}

func (s *source) outputs() int { return int(s.tensor.Rows()) }

// rows returns the bytes of rows from ≤ i < to.
func (s *source) rows(from, to int) []byte {
	size := len(s.data) / s.outputs()
	return s.data[from*size : to*size]
}

// kind tells which sources are packed together: those of equal kind.
type kind struct {
	group      int // of quantized weights; 0 for floats
	hasOffsets bool
	leveled    bool // whether quants have at most 16 values,
	levels     [16]int8
}

func (l *loader) kindOf(s *source) (k kind) {
	if l.precision == PrecisionInt8 {
		k.group, k.hasOffsets = s.codec.QuantGroup()
		if levels := s.codec.Levels(); levels != nil {
			k.leveled, k.levels = true, *levels
		}
	}
	return k
}

// linear packs parts that share an input, in parallel.
func (l *loader) linear(inputs int, parts ...part) *linear {
	if lin := l.packed[parts[0].name+".weight"]; lin != nil && !slices.ContainsFunc(parts, l.differs) {
		for _, p := range parts {
			l.read[p.name+".weight"], l.read[p.name+".bias"] = true, true
		}
		return lin
	}
	var (
		lin     linear
		sources []source
	)
	for _, p := range parts {
		name := p.name + ".weight"
		t, codec := l.tensor(name, inputs, p.outputs)
		bias := l.bias(p)
		if l.err != nil {
			return nil
		}
		data, err := l.data(t, 0, t.Rows())
		if err != nil {
			l.err = err
			return nil
		}
		sources = append(sources, source{t, codec, data, bias})
		lin.names = append(lin.names, name)
	}
	left := 0
	for len(sources) > 0 && l.err == nil {
		// Neighbours of a kind become one product.
		k, n, outputs := l.kindOf(&sources[0]), 0, 0
		for n < len(sources) && l.kindOf(&sources[n]) == k {
			outputs += sources[n].outputs()
			n++
		}
		p := product{left: left, right: left + outputs}
		if k.group > 0 {
			p.quantized = l.packQuantized(inputs, outputs, k, sources[:n])
			if p.quantized != nil && (lin.format == nil || k.hasOffsets) {
				lin.format = p.quantized
			}
		} else {
			p.floats = l.packFloats(inputs, outputs, sources[:n])
			p.bias = biases(sources[:n])
		}
		lin.products = append(lin.products, p)
		for _, s := range sources[:n] {
			if l.packed == nil { // else others are to be packed with it
				l.file.DontNeed(s.tensor, 0, s.tensor.Rows()) // its numbers are in the panels now
			}
		}
		sources, left = sources[n:], p.right
	}
	return &lin
}

// biases returns the biases of sources side by side, zeros where one of them has
// none, and nil where all have none.
func biases(sources []source) (all []float32) {
	if !slices.ContainsFunc(sources, func(s source) bool { return s.bias != nil }) {
		return nil
	}
	for _, s := range sources {
		if s.bias == nil {
			s.bias = make([]float32, s.outputs())
		}
		all = append(all, s.bias...)
	}
	return all
}

// find returns the source that has output i of several, and its row there.
func find(sources []source, i int) (*source, int) {
	for at := range sources {
		if n := sources[at].outputs(); i >= n {
			i -= n
			continue
		}
		return &sources[at], i
	}
	panic("infer: an output of no source")
}

func (l *loader) packFloats(inputs, outputs int, sources []source) *gemm.Matrix {
	var m *gemm.Matrix
	m, l.err = gemm.Pack(l.pool, outputs, inputs, func(buf []float32, from, to int) (gemm.View, error) {
		if s, row := find(sources, from); s.tensor.Type == gguf.TypeF32 && row+to-from <= s.outputs() {
			if w, ok := block.ViewF32(s.rows(row, row+to-from)); ok {
				return gemm.Dense(w, to-from, inputs), l.finite(s.tensor, int64(row), w)
			}
		}
		w := gemm.Dense(buf, to-from, inputs)
		for i := range w.Rows {
			s, row := find(sources, from+i)
			s.codec.Decode(w.Row(i), s.rows(row, row+1))
			if err := l.finite(s.tensor, int64(row), w.Row(i)); err != nil {
				return w, err
			}
		}
		return w, nil
	})
	return m
}

func (l *loader) packQuantized(inputs, outputs int, k kind, sources []source) *gemm.Quantized {
	shape := gemm.QuantizedShape{Outputs: outputs, Inputs: inputs, Group: k.group, HasOffsets: k.hasOffsets, Bias: biases(sources)}
	if k.leveled {
		shape.Levels = &k.levels
	}
	var m *gemm.Quantized
	m, l.err = gemm.PackQuantized(l.pool, shape, func(dst *gemm.QuantRow, i int) error {
		s, row := find(sources, i)
		s.codec.Quants(dst.Quants, dst.Scales, dst.Offsets, s.rows(row, row+1))
		for _, scales := range [][]float32{dst.Scales, dst.Offsets} {
			if err := l.finiteScales(s.tensor, int64(row), scales, k.group); err != nil {
				return err
			}
		}
		return nil
	})
	return m
}

// finiteScales is finite for the scales of groups of elements.
func (l *loader) finiteScales(t *gguf.Tensor, row int64, scales []float32, group int) error {
	if g := vec.NotFinite(scales); g >= 0 {
		return fault.Malformed(l.file.Path, tensorPart(t.Name), "row %d has scales that are not finite, from column %d on; weights must be finite",
			row, g*group)
	}
	return nil
}

package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/vec"
)

// unusedSuffixes are the ends of the names of scales for what is computed, which
// numbers in full precision do without.
var unusedSuffixes = []string{
	".input_scale", ".input_scale_ub", ".activation_scale", "_activation_scale", ".output_scale",
	".k_scale", ".v_scale", ".q_scale", ".kv_scale",
}

// A scaling says how the numbers of a tensor are multiplied: element
// [i, j, ...] by the scale [i/divide[0], j/divide[1], ...].
//
//	per tensor     [1, 1]                 divide [rows, columns]
//	per row        [rows, 1]              divide [1, columns]
//	per block      [rows/128, columns/128], rounded up, divide [128, 128]
type scaling struct {
	codes  *Tensor // as it is stored
	scales []float32

	divide, stride []int64 // for each dimension of codes
}

// HasScales reports whether any tensor is named like the scale of a weight.
func (c *Checkpoint) HasScales() bool {
	return slices.ContainsFunc(c.Tensors, func(t *Tensor) bool {
		_, ok := cutScale(t.Name)
		return ok
	})
}

// ApplyScales multiplies the weights that have scales by them, so that c has
// their products, as F32, in place of weights and scales. It returns the names of
// scales that belong to no weight and that c loses without being used.
//
// blocks has the sizes of the blocks with a scale of their own, for the last
// dimensions of a weight; it is nil where scales are for whole tensors or rows.
// A scale without a weight is an error, and so are, where all says so, 8-bit
// floats of a weight without a scale.
func (c *Checkpoint) ApplyScales(blocks []int64, all bool) (unused []string, err error) {
	byName := make(map[string]*Tensor, len(c.Tensors))
	for _, t := range c.Tensors {
		byName[t.Name] = t
	}
	scaled := map[string]*Tensor{} // by the name of the weight
	kept := make([]*Tensor, 0, len(c.Tensors))
	for _, t := range c.Tensors {
		weight, isScale := cutScale(t.Name)
		switch {
		case endsIn(t.Name, unusedSuffixes):
			unused = append(unused, t.Name)
		case !isScale:
			kept = append(kept, t)
		case byName[weight] == nil:
			return nil, fault.Malformed(t.File, quote(t.Name), "it is the scale of %q, which is missing", weight)
		case scaled[weight] != nil:
			return nil, fault.Malformed(t.File, quote(t.Name), "%q has another scale", weight)
		default:
			if scaled[weight], err = byName[weight].scale(t, blocks); err != nil {
				return nil, err
			}
		}
	}
	for i, t := range kept {
		if product := scaled[t.Name]; product != nil {
			kept[i] = product
		} else if all && t.IsFloat8() {
			return nil, fault.Malformed(t.File, quote(t.Name), "its elements are %s, but it has no scale", t.DType)
		}
	}
	c.Tensors = kept
	return unused, nil
}

// IsScaled reports whether the elements of t are products (ApplyScales).
func (t *Tensor) IsScaled() bool { return t.scaling != nil }

// IsFloat8 reports whether t is stored in 8-bit floats.
func (t *Tensor) IsFloat8() bool {
	if t.scaling != nil {
		t = t.scaling.codes
	}
	return t.DType == F8E4M3 || t.DType == F8E5M2
}

func endsIn(name string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// cutScale returns the name of the weight that a scale called name belongs to.
// DeepSeek calls it weight_scale_inv, although the weight is multiplied by it.
func cutScale(name string) (weight string, ok bool) {
	if weight, ok = strings.CutSuffix(name, "_scale_inv"); ok {
		return weight, true
	}
	weight, ok = strings.CutSuffix(name, "_scale")
	return weight, ok && strings.HasSuffix(weight, ".weight")
}

// scale returns the product of t and its scales.
func (t *Tensor) scale(scales *Tensor, blocks []int64) (*Tensor, error) {
	s := &scaling{codes: t}
	if !s.spread(scales.Shape, blocks) && (blocks == nil || !s.spread(scales.Shape, nil)) {
		e := fault.Malformed(scales.File, quote(scales.Name), "its shape %v fits no weight of shape %v", scales.Shape, t.Shape)
		if blocks != nil {
			e.Problem += fmt.Sprintf(" in blocks of %v", blocks)
		}
		return nil, e
	}
	var buf []byte
	s.scales = make([]float32, scales.Elements())
	scales.DType.Floats(s.scales, scales.Data(0, scales.Rows(), &buf))
	return &Tensor{Name: t.Name, DType: F32, Shape: t.Shape, File: t.File, scaling: s}, nil
}

// spread settles which element has which of the scales in an array of a shape. It
// reports whether they fit: with blocks, one for each block of the last
// dimensions; without, one for each element, or a single one, of the dimensions
// that the array has.
func (s *scaling) spread(shape, blocks []int64) bool {
	dims := len(s.codes.Shape)
	if len(shape) > dims || blocks != nil && (len(shape) != dims || len(blocks) > dims) {
		return false
	}
	s.divide, s.stride = make([]int64, dims), make([]int64, dims)
	for i, n := range s.codes.Shape {
		s.divide[i] = max(n, 1)
		if i >= len(shape) {
			continue
		}
		if at := i - (dims - len(blocks)); at >= 0 {
			s.divide[i] = blocks[at]
			if (n-1)/blocks[at]+1 != shape[i] {
				return false
			}
		} else if shape[i] == n {
			s.divide[i] = 1
		} else if shape[i] != 1 {
			return false
		}
	}
	stride := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		s.stride[i] = stride
		stride *= shape[i]
	}
	return true
}

// data returns the bytes of rows from ≤ row < to of the products in buf, behind
// which it keeps the codes while it works.
func (s *scaling) data(from, to int64, buf *[]byte) []byte {
	width := s.codes.RowLen()
	n := (to - from) * width
	size := 4*n + n*s.codes.DType.Size()
	if int64(cap(*buf)) < size {
		*buf = make([]byte, size)
	}
	*buf = (*buf)[:4*n]
	behind := (*buf)[4*n : 4*n]
	codes := s.codes.Data(from, to, &behind)
	var row []float32
	for out := *buf; from < to; from++ {
		floats, direct := block.ViewF32(out[:4*width])
		if !direct {
			row = slices.Grow(row[:0], int(width))[:width]
			floats = row
		}
		s.codes.DType.Floats(floats, codes)
		s.multiply(floats, from)
		if !direct {
			for i, f := range floats {
				binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(f))
			}
		}
		out, codes = out[4*width:], codes[width*s.codes.DType.Size():]
	}
	return *buf
}

// multiply multiplies the numbers of a row by their scales.
func (s *scaling) multiply(floats []float32, row int64) {
	last := len(s.codes.Shape) - 1
	if last < 0 { // a single number
		multiply(floats, s.scales[0])
		return
	}
	at := int64(0)
	for i := last - 1; i >= 0; i-- {
		at += row % s.codes.Shape[i] / s.divide[i] * s.stride[i]
		row /= s.codes.Shape[i]
	}
	for ; len(floats) > 0; at += s.stride[last] {
		n := min(int64(len(floats)), s.divide[last])
		multiply(floats[:n], s.scales[at])
		floats = floats[n:]
	}
}

// multiply multiplies numbers by a scale. What is not a number has the bits that
// it has in PyTorch on x86, also on other machines.
func multiply(floats []float32, scale float32) {
	if !math.IsInf(float64(scale), 0) && scale == scale {
		vec.Scale(floats, scale) // what was no number keeps its bits
		return
	}
	for i, f := range floats {
		floats[i] = f * scale
		if floats[i] != floats[i] {
			floats[i] = notANumber(f, scale)
		}
	}
}

// notANumber returns the product of two numbers that is none.
func notANumber(f, scale float32) float32 {
	const quiet = 1 << 22
	switch {
	case scale != scale:
		return math.Float32frombits(math.Float32bits(scale) | quiet)
	case f != f:
		return math.Float32frombits(math.Float32bits(f) | quiet)
	}
	return math.Float32frombits(0xffc00000) // infinity times zero
}

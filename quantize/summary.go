package quantize

import (
	"cmp"
	"slices"

	"github.com/gguftool/gguftool/gguf"
)

// A Summary adds up a plan.
type Summary struct {
	Parameters  int64 // elements of all tensors
	BytesBefore int64 // of tensor data, without padding
	BytesAfter  int64
	Types       []TypeSummary // of the output, those with the most bytes first
	Fallbacks   int           // tensors with a Fallback
	Unweighted  int           // tensors that are Unweighted
}

// A TypeSummary adds up the tensors of one type.
type TypeSummary struct {
	Type       gguf.Type
	Tensors    int
	Parameters int64
	Bytes      int64
}

// BitsBefore returns the bits of data for each weight of the input.
func (s Summary) BitsBefore() float64 { return bits(s.BytesBefore, s.Parameters) }

// BitsAfter returns the bits of data for each weight of the output.
func (s Summary) BitsAfter() float64 { return bits(s.BytesAfter, s.Parameters) }

func bits(bytes, parameters int64) float64 {
	return 8 * float64(bytes) / float64(max(parameters, 1))
}

// Summary adds up the plan.
func (p *Plan) Summary() Summary {
	var s Summary
	byType := make(map[gguf.Type]*TypeSummary)
	for _, t := range p.Tensors {
		n := t.source.Elements()
		s.Parameters += n
		s.BytesBefore += t.BytesBefore
		s.BytesAfter += t.BytesAfter
		if t.Fallback != "" {
			s.Fallbacks++
		}
		if t.Unweighted != "" {
			s.Unweighted++
		}
		sum := byType[t.To]
		if sum == nil {
			sum = &TypeSummary{Type: t.To}
			byType[t.To] = sum
		}
		sum.Tensors++
		sum.Parameters += n
		sum.Bytes += t.BytesAfter
	}
	for _, sum := range byType {
		s.Types = append(s.Types, *sum)
	}
	slices.SortFunc(s.Types, func(a, b TypeSummary) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
	return s
}

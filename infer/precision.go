package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// A Precision says in which numbers the matrix products of a model are computed.
type Precision uint8

// The precisions.
const (
	// PrecisionAuto is the fastest on this machine that the file allows: int8 for
	// quantized weights where the machine multiplies bytes, f32 otherwise.
	PrecisionAuto Precision = iota
	// PrecisionF32 computes in 32-bit floats.
	PrecisionF32
	// PrecisionInt8 leaves quantized weights as they are, exactly, and rounds what
	// they are multiplied with to 8 bits, with a scale for each 32 numbers; the two
	// largest numbers of a row are not rounded. Weights that are not quantized are
	// multiplied in floats. For all-MiniLM-L6-v2 the mean cosine to the vectors of
	// PrecisionF32 is 0.99995.
	PrecisionInt8
)

var precisionNames = [...]string{"auto", "f32", "int8"}

// String returns the name of p, as in "f32".
func (p Precision) String() string {
	if int(p) < len(precisionNames) {
		return precisionNames[p]
	}
	return fmt.Sprintf("precision %d", uint8(p))
}

// ParsePrecision returns the precision called name: auto, f32 or int8.
func ParsePrecision(name string) (Precision, error) {
	if i := slices.Index(precisionNames[:], name); i >= 0 {
		return Precision(i), nil
	}
	return 0, fmt.Errorf("unknown precision %q; choose one of %s", name, strings.Join(precisionNames[:], ", "))
}

// choosePrecision returns the precision for the weights in f, f32 or int8.
func choosePrecision(f *gguf.File, wanted Precision) (Precision, error) {
	if wanted == PrecisionF32 {
		return PrecisionF32, nil
	}
	var faster, other int64 // weights that are quantized, by what int8 does to them
	for _, t := range f.Tensors {
		// The embeddings, of which rows are read, do not count.
		codec, ok := block.Lookup(t.Type)
		if !ok || !strings.HasPrefix(t.Name, "blk.") {
			continue
		}
		group, _ := codec.QuantGroup()
		switch {
		case group == 0:
		case gemm.QuantizedPays(t.Type != gguf.TypeQ8_0):
			faster += t.Rows() * t.RowLen()
		default:
			other += t.Rows() * t.RowLen()
		}
	}
	switch {
	case faster > other || wanted == PrecisionInt8 && faster+other > 0:
		return PrecisionInt8, nil
	case wanted == PrecisionInt8:
		return 0, fault.Unsupported(f.Path, "", "quantize it first, for example to Q8_0, or choose f32",
			"precision int8 needs quantized weights, and all of the layers' are floats")
	}
	return PrecisionF32, nil
}

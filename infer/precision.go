package infer

import (
	"fmt"
	"slices"
	"strings"
)

// A Precision says in which numbers the matrix products of a model are computed.
type Precision uint8

// The precisions.
const (
	// PrecisionAuto is the fastest whose error is within the stated bound.
	PrecisionAuto Precision = iota
	PrecisionF32            // 32-bit floats
	PrecisionInt8           // 8-bit integers with a scale for each block, summed in 32 bits
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

// Precision returns the precision that the model is computed in.
func (m *Model) Precision() Precision { return PrecisionF32 }

package infer

import "fmt"

// A Precision is the kind of numbers that the products of the forward pass are
// computed with. Float32 is what every choice gives so far.
type Precision uint8

// The precisions.
const (
	PrecisionAuto Precision = iota // what is fastest for the file
	PrecisionF32                   // 32-bit floating point
	PrecisionInt8                  // 8-bit integers with scales
)

var precisionNames = [...]string{"auto", "f32", "int8"}

// ParsePrecision returns the precision called name: auto, f32 or int8.
func ParsePrecision(name string) (Precision, error) {
	for p, n := range precisionNames {
		if n == name {
			return Precision(p), nil
		}
	}
	return 0, fmt.Errorf("unknown precision %q; choose auto, f32 or int8", name)
}

package convert

import (
	"strconv"
	"strings"
)

// sizeLabel returns the size of the model in short, as in "23M", or "8x7.1B" for
// one of experts: their number, and the parameters that a model with one of them
// would have. It is empty for a model without weights.
func (m *Model) sizeLabel() string {
	var shared, one int64   // parameters outside of experts, and of one expert
	var experts, many int64 // experts in all tensors of them, and those tensors
	for _, t := range m.Tensors {
		size := int64(1)
		for _, d := range t.Shape {
			size *= d
		}
		if n := expertCount(t.Name, t.Shape); n > 0 {
			one += size / n
			experts += n
			many++
		} else {
			shared += size
		}
	}
	switch {
	case shared+one == 0:
		return ""
	case many > 0 && experts/many > 0:
		return strconv.FormatInt(experts/many, 10) + "x" + sizeLabel(shared+one)
	}
	return sizeLabel(shared + one)
}

// expertCount returns how many experts a tensor holds, or 0 for one that belongs
// to the whole model. shape has the fastest dimension first.
func expertCount(name string, shape []int64) int64 {
	switch {
	case !strings.Contains(name, "_exps.") || len(shape) < 3:
		return 0
	case strings.Contains(name, ".bias"):
		return shape[1]
	}
	return shape[2]
}

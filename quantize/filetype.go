package quantize

import (
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// bases lists what a model can be quantized to, from most to fewest bits, and
// the type that a tensor gets when no rule says otherwise.
var bases = []struct {
	of   gguf.FileType
	base gguf.Type
}{
	{gguf.FileF32, gguf.TypeF32},
	{gguf.FileF16, gguf.TypeF16},
	{gguf.FileBF16, gguf.TypeBF16},
	{gguf.FileQ8_0, gguf.TypeQ8_0},
	{gguf.FileQ6_K, gguf.TypeQ6_K},
	{gguf.FileQ5_1, gguf.TypeQ5_1},
	{gguf.FileQ5_K_M, gguf.TypeQ5_K},
	{gguf.FileQ5_K_S, gguf.TypeQ5_K},
	{gguf.FileQ5_0, gguf.TypeQ5_0},
	{gguf.FileQ4_1, gguf.TypeQ4_1},
	{gguf.FileQ4_K_M, gguf.TypeQ4_K},
	{gguf.FileQ4_K_S, gguf.TypeQ4_K},
	{gguf.FileQ4_0, gguf.TypeQ4_0},
	{gguf.FileIQ4NL, gguf.TypeIQ4NL},
	{gguf.FileIQ4XS, gguf.TypeIQ4XS},
	{gguf.FileMXFP4MoE, gguf.TypeMXFP4},
	{gguf.FileQ3_K_L, gguf.TypeQ3_K},
	{gguf.FileQ3_K_M, gguf.TypeQ3_K},
	{gguf.FileQ3_K_S, gguf.TypeQ3_K},
	{gguf.FileIQ3M, gguf.TypeIQ3S},
	{gguf.FileIQ3S, gguf.TypeIQ3S},
	{gguf.FileIQ3XS, gguf.TypeIQ3S},
	{gguf.FileIQ3XXS, gguf.TypeIQ3XXS},
	{gguf.FileQ2_K, gguf.TypeQ2_K},
	{gguf.FileQ2_K_S, gguf.TypeQ2_K},
	{gguf.FileIQ2M, gguf.TypeIQ2S},
	{gguf.FileIQ2S, gguf.TypeIQ2XS},
	{gguf.FileIQ2XS, gguf.TypeIQ2XS},
	{gguf.FileQ2_0, gguf.TypeQ2_0},
	{gguf.FileIQ2XXS, gguf.TypeIQ2XXS},
	{gguf.FileTQ2_0, gguf.TypeTQ2_0},
	{gguf.FileIQ1M, gguf.TypeIQ1M},
	{gguf.FileTQ1_0, gguf.TypeTQ1_0},
	{gguf.FileIQ1S, gguf.TypeIQ1S},
	{gguf.FileQ1_0, gguf.TypeQ1_0},
}

// FileTypes returns what a model can be quantized to, from most to fewest bits.
func FileTypes() []gguf.FileType {
	all := make([]gguf.FileType, len(bases))
	for i, row := range bases {
		all[i] = row.of
	}
	return all
}

// copyName is what stands for Options.Copy in the place of a file type.
const copyName = "COPY"

// ParseTarget reads the name or number of a file type that a model can be
// quantized to, in any case, or COPY.
func ParseTarget(s string) (t gguf.FileType, copy bool, err error) {
	if strings.EqualFold(s, copyName) {
		return 0, true, nil
	}
	if t, err = gguf.ParseFileType(s); err == nil {
		_, err = baseOf(t)
	}
	if err != nil {
		return 0, false, fmt.Errorf("nothing can be quantized to %q; the types are %s, %s", s, targetNames(), copyName)
	}
	return t, false, nil
}

func targetNames() string {
	var names []string
	for _, t := range FileTypes() {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}

// baseOf returns the type that a tensor gets when no rule says otherwise.
func baseOf(t gguf.FileType) (gguf.Type, error) {
	for _, row := range bases {
		if row.of == t {
			return row.base, nil
		}
	}
	return 0, fmt.Errorf("nothing can be quantized to %s; the types are %s", t, targetNames())
}

// StoresWeights reports whether t is made for weights, not for products or indices.
func StoresWeights(t gguf.Type) bool {
	for _, row := range bases {
		if row.base == t {
			return true
		}
	}
	return t == gguf.TypeNVFP4
}

// guessFileType returns the label of a model without one, as llama.cpp does: the
// file type named after the type of most of its tensors, marked as guessed.
func guessFileType(tensors []*gguf.Tensor) gguf.FileType {
	counts := make(map[gguf.Type]int)
	most, of := 0, gguf.TypeF32
	for _, t := range tensors {
		counts[t.Type]++
		if counts[t.Type] > most {
			most, of = counts[t.Type], t.Type
		}
	}
	t, err := gguf.ParseFileType(of.String())
	if err != nil {
		t = gguf.FileF32
	}
	return t | gguf.FileGuessed
}

package cpu

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/cpu"
)

// A Path is a family of instructions that kernels are written for.
type Path uint8

// The paths, from the one that every machine has to the fastest.
const (
	Scalar Path = iota // plain Go
	NEON               // arm64 NEON (Advanced SIMD)
	AVX2               // AVX2, FMA, F16C and BMI2
	AVX512             // that and AVX-512 F, BW, DQ and VL
)

var pathNames = [...]string{"scalar", "neon", "avx2", "avx512"}

// String returns the name of p, as in "avx2".
func (p Path) String() string { return pathNames[p] }

// Paths returns the paths that this machine has, the fastest last.
func Paths() []Path {
	paths := []Path{Scalar}
	if hasNEON {
		paths = append(paths, NEON)
	}
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasF16C && x.HasBMI2 {
		paths = append(paths, AVX2)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			paths = append(paths, AVX512)
		}
	}
	return paths
}

// PathVariable is the environment variable that chooses a path by its name.
const PathVariable = "GGUFTOOL_CPU"

// Chosen returns the path that kernels take: the one that PathVariable names
// where it is set, else the fastest. A name that is not known, or one of a path
// that this machine lacks, is an error, and the path is Scalar.
var Chosen = sync.OnceValues(func() (Path, error) { return choose(os.Getenv(PathVariable), Paths()) })

func choose(name string, have []Path) (Path, error) {
	if name == "" {
		return have[len(have)-1], nil
	}
	i := slices.Index(pathNames[:], strings.ToLower(name))
	var names []string
	for _, p := range have {
		if int(p) == i {
			return p, nil
		}
		names = append(names, p.String())
	}
	return Scalar, fmt.Errorf("%s is %q, which this machine does not have; choose one of %s", PathVariable, name, strings.Join(names, ", "))
}

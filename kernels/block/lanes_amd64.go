//go:build amd64 && !purego

package block

import (
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/cpu"
)

func newLaneEncoders() map[gguf.Type]func(*batch) int {
	path, _ := cpu.Chosen()
	return laneEncodersOf(path)
}

// laneEncodersOf returns the encoders of a path.
func laneEncodersOf(path cpu.Path) map[gguf.Type]func(*batch) int {
	var symmetric *symmetricKernels
	switch path {
	case cpu.AVX512:
		symmetric = &symmetricAVX512
	case cpu.AVX2:
		symmetric = &symmetricAVX2
	default:
		return nil
	}
	return map[gguf.Type]func(*batch) int{
		gguf.TypeQ6_K: symmetric.encodeQ6_K,
	}
}

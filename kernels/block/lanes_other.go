//go:build !amd64 || purego

package block

import "github.com/gguftool/gguftool/gguf"

func newLaneEncoders() map[gguf.Type]func(*batch) int {
	encoders := map[gguf.Type]func(*batch) int{}
	addGridEncoders(encoders, &plainGridKernels)
	return encoders
}

func newSumsOfSquares() func(sums, x []float32, columns int) { return sumsOfRows }

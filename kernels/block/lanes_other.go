//go:build !amd64 || purego

package block

import "github.com/gguftool/gguftool/gguf"

func newLaneEncoders() map[gguf.Type]func(*batch) int { return nil }

func newSumsOfSquares() func(sums, x []float32, columns int) { return sumsOfRows }

//go:build (amd64 || arm64) && !purego

package vec

import "math"

// baseTwo returns scale·log2 e as the sum of two numbers, and the difference at
// which 2 to that power is taken for 0.
func baseTwo(scale float32) (c, low, floor float32) {
	exact := float64(scale) * math.Log2E
	c = float32(exact)
	return c, float32(exact - float64(c)), -127 / c
}

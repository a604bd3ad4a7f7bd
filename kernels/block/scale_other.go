//go:build !amd64 || purego

package block

func scaleGroups(dst []float32, q []byte, scales []float32) { plainScaleGroups(dst, q, scales) }

func scaleAddGroups(dst []float32, q []byte, scales, offsets []float32) {
	plainScaleAddGroups(dst, q, scales, offsets)
}

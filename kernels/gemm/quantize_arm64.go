//go:build !purego

package gemm

// peaksNEON finds the largest magnitude of each block of 32.
//
//go:noescape
func peaksNEON(blocks int, x, peak *float32)

// quantizeNEON quantizes blocks of 32 activations, whose peaks become scales. sum
// may be nil; group is 16 or 32.
//
//go:noescape
func quantizeNEON(blocks int, x *float32, a *uint8, scale, sum *float32, group int)

func peaksRowNEON(peaks, x []float32) {
	if len(peaks) > 0 {
		peaksNEON(len(peaks), &x[0], &peaks[0])
	}
}

func quantizeRowNEON(q []byte, peaks, scales, sums []float32, group int, x []float32) {
	copy(scales, peaks)
	if len(scales) > 0 {
		quantizeNEON(len(scales), &x[0], &q[0], &scales[0], first(sums), group)
	}
}

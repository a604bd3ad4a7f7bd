package block

// signed gives the numbers that signed bytes stand for. Reading it is less work
// than converting an integer to a float.
var signed = func() *[256]float32 {
	var values [256]float32
	for i := range values {
		values[i] = float32(int8(i))
	}
	return &values
}()

// plainScaleGroups stores scales[g]·q[i] for each element i of each group g, which
// are of 16 or 32.
func plainScaleGroups(dst []float32, q []byte, scales []float32) {
	group := len(dst) / len(scales)
	for i, s := range scales {
		scale(dst[i*group:(i+1)*group], q[i*group:], s)
	}
}

// plainScaleAddGroups also adds offsets[g].
func plainScaleAddGroups(dst []float32, q []byte, scales, offsets []float32) {
	group := len(dst) / len(scales)
	for i, s := range scales {
		scaleAdd(dst[i*group:(i+1)*group], q[i*group:], s, offsets[i])
	}
}

// scale stores d·q[i], a multiple of eight of them.
func scale(dst []float32, q []byte, d float32) {
	values := signed
	for ; len(dst) >= 8 && len(q) >= 8; dst, q = dst[8:], q[8:] {
		dst[0] = d * values[q[0]]
		dst[1] = d * values[q[1]]
		dst[2] = d * values[q[2]]
		dst[3] = d * values[q[3]]
		dst[4] = d * values[q[4]]
		dst[5] = d * values[q[5]]
		dst[6] = d * values[q[6]]
		dst[7] = d * values[q[7]]
	}
}

// scaleAdd stores d·q[i] + m, a multiple of eight of them.
func scaleAdd(dst []float32, q []byte, d, m float32) {
	values := signed
	for ; len(dst) >= 8 && len(q) >= 8; dst, q = dst[8:], q[8:] {
		dst[0] = float32(d*values[q[0]]) + m
		dst[1] = float32(d*values[q[1]]) + m
		dst[2] = float32(d*values[q[2]]) + m
		dst[3] = float32(d*values[q[3]]) + m
		dst[4] = float32(d*values[q[4]]) + m
		dst[5] = float32(d*values[q[5]]) + m
		dst[6] = float32(d*values[q[6]]) + m
		dst[7] = float32(d*values[q[7]]) + m
	}
}

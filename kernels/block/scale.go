package block

// A quantValues gives the number that a quant stands for, before it is scaled.
// Reading it is less work than converting an integer to a float.
type quantValues [256]float32

var (
	signed  = newQuantValues(func(q uint8) int { return int(int8(q)) })
	minus0  = newQuantValues(func(q uint8) int { return int(q) })
	minus4  = newQuantValues(func(q uint8) int { return int(q) - 4 })
	minus8  = newQuantValues(func(q uint8) int { return int(q) - 8 })
	minus16 = newQuantValues(func(q uint8) int { return int(q) - 16 })
	minus32 = newQuantValues(func(q uint8) int { return int(q) - 32 })
)

func newQuantValues(value func(q uint8) int) *quantValues {
	var values quantValues
	for i := range values {
		values[i] = float32(value(uint8(i)))
	}
	return &values
}

// scale stores d·values[q[i]], a multiple of eight of them.
func (values *quantValues) scale(dst []float32, q []uint8, d float32) {
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
func scaleAdd(dst []float32, q []uint8, d, m float32) {
	values := minus0
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

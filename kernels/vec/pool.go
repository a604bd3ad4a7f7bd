package vec

// Mean stores in dst the mean of the rows of x, each as long as dst:
//
//	y[j] = Σ x[i][j] / rows
//
// The sums are float32 and run in index order, so each result is within
// rows·2⁻²⁴·max |x[i][j]| of the exact one.
func Mean(dst, x []float32) {
	if len(dst) == 0 {
		return
	}
	rows := len(x) / len(dst)
	if rows == 0 {
		plainMean(dst, x, rows)
		return
	}
	mean(dst, x[:rows*len(dst)], rows)
}

// NotFinite returns the index of the first NaN or infinity in x, or -1.
func NotFinite(x []float32) int {
	start := finite(x)
	for i, v := range x[start:] {
		if v-v != 0 {
			return start + i
		}
	}
	return -1
}

func plainMean(dst, x []float32, rows int) {
	clear(dst)
	for i := range rows {
		for j, v := range x[i*len(dst) : (i+1)*len(dst)] {
			dst[j] += v
		}
	}
	for j := range dst {
		dst[j] /= float32(rows)
	}
}

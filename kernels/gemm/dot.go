package gemm

// dotPanel computes the first width columns of one row of a product:
//
//	for j < width: sums[j] = Σ x[k]·panel[k][j]
//
// It goes four columns at a time; the compiler keeps no more sums than that in
// registers. The conversions keep it from fusing a product into a sum, which
// some machines do and others do not.
func dotPanel(sums *[panelCols]float32, x, panel []float32, width int) {
	for j := 0; j < width; j += 4 {
		var a, b, c, d float32
		for k, v := range x {
			w := panel[k*panelCols+j : k*panelCols+j+4 : k*panelCols+j+4]
			a += float32(v * w[0])
			b += float32(v * w[1])
			c += float32(v * w[2])
			d += float32(v * w[3])
		}
		sums[j], sums[j+1], sums[j+2], sums[j+3] = a, b, c, d
	}
}

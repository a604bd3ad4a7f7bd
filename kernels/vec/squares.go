package vec

// AddSquares adds the squares of each column of a matrix to sums:
//
//	sums[j] = sums[j] + x[i·stride+j]²  for each row i, in order
//
// for 0 ≤ j < len(sums), where stride is from one row to the next. A square of a
// float32 is exact in float64, and each sum is rounded to float64 as a row is
// added. So the result is the same to the bit on every path, and however
// columns, or rows that follow each other, are divided among calls.
func AddSquares(sums []float64, x []float32, rows, stride int) {
	if len(sums) == 0 || rows <= 0 {
		return
	}
	if stride < len(sums) {
		panic("vec: rows overlap")
	}
	x = x[:(rows-1)*stride+len(sums)]
	done := addSquares(sums, x, rows, stride)
	if done < len(sums) {
		plainAddSquares(sums[done:], x[done:], rows, stride)
	}
}

func plainAddSquares(sums []float64, x []float32, rows, stride int) {
	for i := range rows {
		for j, v := range x[i*stride:][:len(sums)] {
			sums[j] += float64(v) * float64(v)
		}
	}
}

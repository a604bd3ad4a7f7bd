package vec

import "math"

// GELU applies the Gaussian error linear unit in its exact form:
//
//	y[i] = x[i] · (1 + erf(x[i]/√2)) / 2
//
// Each result is within 2⁻²²·|x[i]| of the exact one, or within 2⁻¹⁴⁹ where that
// is smaller; the assembly gives 0 below -5.4 and x above 5.4. That of -Inf is
// NaN, as 0·∞ is.
func GELU(x []float32) { oneRow(x, gelu) }

// GELURows is GELU of the first cols elements of each of the rows that begin
// stride ≥ cols elements apart in data.
func GELURows(data []float32, rows, cols, stride int) { manyRows(data, rows, cols, stride, gelu) }

// GELUTanh applies the approximation of GELU by a hyperbolic tangent:
//
//	y[i] = x[i] · (1 + tanh(√(2/π)·(x[i] + 0.044715·x[i]³))) / 2
//
// Each result is within 2⁻²²·|x[i]| of the exact one, or within 2⁻¹⁴⁹ where that
// is smaller. That of -Inf is NaN.
func GELUTanh(x []float32) { oneRow(x, geluTanh) }

// GELUTanhRows is GELUTanh of rows, as in GELURows.
func GELUTanhRows(data []float32, rows, cols, stride int) {
	manyRows(data, rows, cols, stride, geluTanh)
}

// SiLU applies the sigmoid linear unit, which is also known as swish:
//
//	y[i] = x[i] / (1 + exp(-x[i]))
//
// Each result is within a relative 2⁻²¹ of the exact one, or within 2⁻¹²⁰. That
// of -Inf is NaN.
func SiLU(x []float32) { oneRow(x, silu) }

// SiLURows is SiLU of rows, as in GELURows.
func SiLURows(data []float32, rows, cols, stride int) { manyRows(data, rows, cols, stride, silu) }

// MulGELU multiplies dst by GELU of gate, which has the length of dst, within
// 2⁻²¹·|dst[i]·gate[i]| + 2⁻¹⁴⁹·(1 + |dst[i]|).
func MulGELU(dst, gate []float32) { mulGELU(dst, gate[:len(dst)]) }

// MulGELUTanh multiplies dst by GELUTanh of gate, which has the length of dst,
// within 2⁻²¹·|dst[i]·gate[i]| + 2⁻¹⁴⁹·(1 + |dst[i]|).
func MulGELUTanh(dst, gate []float32) { mulGELUTanh(dst, gate[:len(dst)]) }

// MulSiLU multiplies dst by SiLU of gate, which has the length of dst, within
// 2⁻²¹·|dst[i]·gate[i]| + 2⁻¹⁴⁹·(1 + |dst[i]|).
func MulSiLU(dst, gate []float32) { mulSiLU(dst, gate[:len(dst)]) }

// A rowsFunc applies an activation to rows > 0 of cols > 0 elements.
type rowsFunc func(data []float32, rows, cols, stride int)

func oneRow(x []float32, f rowsFunc) {
	if len(x) > 0 {
		f(x, 1, len(x), len(x))
	}
}

func manyRows(data []float32, rows, cols, stride int, f rowsFunc) {
	if rows > 0 && cols > 0 {
		f(data[:(rows-1)*stride+cols], rows, cols, stride)
	}
}

// applyRows applies a function of single elements to rows.
func applyRows(data []float32, rows, cols, stride int, f func(float64) float64) {
	for r := range rows {
		row := data[r*stride : r*stride+cols]
		for i, v := range row {
			row[i] = float32(f(float64(v)))
		}
	}
}

// mulApplied multiplies dst by f of gate.
func mulApplied(dst, gate []float32, f func(float64) float64) {
	for i, v := range gate {
		dst[i] = float32(float64(dst[i]) * f(float64(v)))
	}
}

func plainGELU(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }

// plainGELUTanh makes use of (1 + tanh(z)) / 2 = 1 / (1 + exp(-2z)), which does
// not cancel.
func plainGELUTanh(x float64) float64 {
	z := math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x)
	return x / (1 + math.Exp(-2*z))
}

func plainSiLU(x float64) float64 { return x / (1 + math.Exp(-x)) }

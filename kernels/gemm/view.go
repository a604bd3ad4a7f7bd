// Package gemm multiplies activations by weights.
//
// Activations stay row-major. Weights are packed once into panels of 16 output
// columns with the inputs inside, so that a micro-kernel reads them in one
// sweep while a tile of the product stays in registers:
//
//	weights (outputs, inputs)         panels (outputs/16, inputs, 16)
//	w[0][0]  w[0][1]  w[0][2] ...     w[0][0] w[1][0] ... w[15][0]
//	w[1][0]  w[1][1]  w[1][2] ...     w[0][1] w[1][1] ... w[15][1]
//	...                               ...
//
// Weights that are small integers with scales stay so (Quantized); what they are
// multiplied with is rounded to bytes before (Activations).
//
// Every element of a product is summed by itself, over the inputs in ascending
// order. It therefore depends on its own row and column only: not on the rows
// around it, nor on the number of workers. The assembly of all machines gives the
// same bits; plain Go differs in its rounding.
package gemm

import "fmt"

// A View is a row-major matrix inside a slice: row i begins at Data[i*Stride].
type View struct {
	Data       []float32
	Rows, Cols int
	Stride     int // from one row to the next, at least Cols
}

// Dense returns the view of a matrix without gaps; data must be as long as it.
func Dense(data []float32, rows, cols int) View {
	v := View{Data: data, Rows: rows, Cols: cols, Stride: cols}
	v.check()
	return v
}

// Row returns row i, which shares memory with v.
func (v View) Row(i int) []float32 {
	return v.Data[i*v.Stride : i*v.Stride+v.Cols : i*v.Stride+v.Cols]
}

// Part returns rows top ≤ i < bottom and columns left ≤ j < right of v.
func (v View) Part(top, bottom, left, right int) View {
	if top < 0 || top > bottom || bottom > v.Rows || left < 0 || left > right || right > v.Cols {
		panic(fmt.Sprintf("gemm: part [%d:%d, %d:%d] of a view of %d x %d", top, bottom, left, right, v.Rows, v.Cols))
	}
	part := View{Rows: bottom - top, Cols: right - left, Stride: v.Stride}
	if part.Rows > 0 && part.Cols > 0 {
		part.Data = v.Data[top*v.Stride+left : (bottom-1)*v.Stride+right]
	}
	return part
}

// check panics when rows of v overlap or reach outside its data.
func (v View) check() {
	if v.Rows < 0 || v.Cols < 0 || v.Stride < v.Cols ||
		v.Rows > 0 && v.Cols > 0 && len(v.Data) < (v.Rows-1)*v.Stride+v.Cols {
		panic(fmt.Sprintf("gemm: a view of %d x %d with a stride of %d does not fit %d elements", v.Rows, v.Cols, v.Stride, len(v.Data)))
	}
}

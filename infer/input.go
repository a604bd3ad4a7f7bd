package infer

import "github.com/gguftool/gguftool/kernels/gemm"

// An input is rows that are multiplied by a linear: one for each token, in floats
// and, where the linear has quantized weights, also in bytes. It is made from rows
// of another matrix, one by one, best while they are in a near cache.
type input struct {
	rows      gemm.View
	x         gemm.View // that they are made from
	norm      *norm     // that makes them; nil: rows is x
	quantized bool      // quants are wanted
	quants    gemm.Activations
}

// from makes in the input of l: rows of x, or what n makes of them in memory.
// Each row is still to be prepared.
func (in *input) from(x gemm.View, n *norm, memory gemm.View, l *linear) *input {
	in.rows, in.x, in.norm, in.quantized = x, x, n, l.format != nil
	if n != nil {
		in.rows = memory
	}
	if in.quantized {
		in.quants.Resize(x.Rows, l.format)
	}
	return in
}

// nothing makes in the input of no linear.
func (in *input) nothing() { in.norm, in.quantized = nil, false }

// differs reports whether there is anything to prepare.
func (in *input) differs() bool { return in.norm != nil || in.quantized }

// prepare makes row i from that of x.
func (in *input) prepare(i int) {
	if in.norm != nil {
		copy(in.rows.Row(i), in.x.Row(i))
		in.norm.apply(in.rows.Row(i))
	}
	if in.quantized {
		in.quants.QuantizeRow(i, in.rows.Row(i))
	}
}

func (in *input) prepareRows(first, end int) {
	for i := first; i < end; i++ {
		in.prepare(i)
	}
}

// prepare prepares all rows of an input.
func (s *session) prepare(in *input) {
	if in.differs() {
		s.eachRow(in.rows.Rows, in.prepareRows)
	}
}

// mul stores in·l, with its bias, in dst after the epilogue. in has a row for each
// token.
func (s *session) mul(dst gemm.View, in *input, l *linear, ep gemm.Epilogue) {
	s.show(in.rows, l.names)
	s.product(dst, in, l, ep)
}

// product is mul that observers do not see.
func (s *session) product(dst gemm.View, in *input, l *linear, ep gemm.Epilogue) {
	rows := ep.Rows
	for i := range l.products {
		p := &l.products[i]
		out := dst.Part(0, dst.Rows, p.left, p.right)
		ep.Rows = nil
		if i == len(l.products)-1 {
			ep.Rows = rows // which are complete then
		}
		if p.floats != nil {
			ep.Bias = p.bias
			gemm.Mul(s.pool, out, in.rows, p.floats, ep)
			continue
		}
		if !in.quants.Fits(p.quantized) {
			in.quants.Resize(in.rows.Rows, p.quantized)
			s.eachRow(in.rows.Rows, in.quantizeRows)
		}
		ep.Bias = nil
		gemm.MulQuantized(s.pool, out, &in.quants, p.quantized, ep)
	}
}

func (in *input) quantizeRows(first, end int) {
	for i := first; i < end; i++ {
		in.quants.QuantizeRow(i, in.rows.Row(i))
	}
}

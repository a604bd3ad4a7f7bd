//go:build amd64 && !purego

package block

//go:generate go -C ../_gen run ./block -kernels ternary -out ../block/ternary_amd64.s -stubs ../block/ternary_stubs_amd64.go -pkg block

// ternaryKernels are the kernels of TQ1_0, TQ2_0, Q2_0 and Q1_0.
type ternaryKernels struct {
	lanes                          int
	largest                        func(dst, x *float32, groups, sixteens int)
	packTQ1_0, packTQ2_0, packQ2_0 func(dst *byte, x, inverses *float32, blocks int)
	packQ1_0                       func(dst *byte, x *float32, blocks int)
	magnitudes                     func(sums, x *float32, stride, squares int)
}

var (
	ternaryAVX512 = ternaryKernels{16, largestAVX512, packTQ1_0AVX512, packTQ2_0AVX512, packQ2_0AVX512, packQ1_0AVX512, magnitudesAVX512}
	ternaryAVX2   = ternaryKernels{8, largestAVX2, packTQ1_0AVX2, packTQ2_0AVX2, packQ2_0AVX2, packQ1_0AVX2, magnitudesAVX2}
)

// encode returns the encoder of a format whose scale is the largest magnitude of
// a block. The scale is at one place in the block, and the quants begin at another.
func (k *ternaryKernels) encode(c *Codec, pack func(dst *byte, x, inverses *float32, blocks int), scale, quants int) func(*batch) int {
	return func(b *batch) int {
		g := scalesOfGroups.Get().(*groupScales)
		defer scalesOfGroups.Put(g)
		n := len(b.x) / c.elements
		for first := 0; first < n; first += len(g.peaks) {
			some := min(len(g.peaks), n-first)
			x, dst := b.x[c.elements*first:], b.dst[c.bytes*first:c.bytes*(first+some)]
			k.largest(&g.peaks[0], &x[0], some, c.elements/16)
			for i, peak := range g.peaks[:some] {
				putHalf(dst[c.bytes*i+scale:], peak)
				g.scales[i] = inverse(peak)
			}
			pack(&dst[quants], &x[0], &g.scales[0], some)
			for i, inv := range g.scales[:some] {
				if isInf(inv) {
					c.encode(dst[c.bytes*i:c.bytes*(i+1)], x[c.elements*i:c.elements*(i+1)], nil, 0)
				}
			}
		}
		return n
	}
}

func (k *ternaryKernels) encodeQ1_0(b *batch) int {
	const elements, bytes = 128, 18
	n := len(b.x) / elements
	if n < k.lanes {
		return 0
	}
	for first := 0; first < n; first += k.lanes {
		first = min(first, n-k.lanes) // the last ones may overlap those before
		var sums [16]float32
		k.magnitudes(&sums[0], &b.x[elements*first], elements*4, elements/k.lanes)
		for i, sum := range sums[:k.lanes] {
			putHalf(b.dst[bytes*(first+i):], sum/elements)
		}
	}
	k.packQ1_0(&b.dst[2], &b.x[0], n)
	return n
}

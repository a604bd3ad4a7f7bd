//go:build amd64 && !purego

package block

import (
	"math"
	"sync"
)

//go:generate go -C ../_gen run ./block -kernels fp4 -out ../block/fp4_amd64.s -stubs ../block/fp4_stubs_amd64.go -pkg block

// fp4Kernels are the kernels of MXFP4 and NVFP4.
type fp4Kernels struct {
	largest                func(dst, x *float32, groups, sixteens int)
	quantizeMX, quantizeNV func(dst *byte, x, scales *float32, blocks int)
}

var (
	fp4AVX512 = fp4Kernels{largestAVX512, quantizeMXFP4AVX512, quantizeNVFP4AVX512}
	fp4AVX2   = fp4Kernels{largestAVX2, quantizeMXFP4AVX2, quantizeNVFP4AVX2}
)

// groupScales is what some groups of numbers have of their own.
type groupScales struct {
	peaks, scales [128]float32
}

var scalesOfGroups = sync.Pool{New: func() any { return new(groupScales) }}

func (k *fp4Kernels) encodeMXFP4(b *batch) int {
	g := scalesOfGroups.Get().(*groupScales)
	defer scalesOfGroups.Put(g)
	const bytes = 17
	n := len(b.x) / 32
	for first := 0; first < n; first += len(g.peaks) {
		some := min(len(g.peaks), n-first)
		x, dst := b.x[32*first:], b.dst[bytes*first:bytes*(first+some)]
		k.largest(&g.peaks[0], &x[0], some, 2)
		for i, peak := range g.peaks[:some] {
			e := exponentMXFP4(peak)
			dst[bytes*i], g.scales[i] = e, halfPower(e)
		}
		k.quantizeMX(&dst[1], &x[0], &g.scales[0], some)
		for i, scale := range g.scales[:some] {
			if scale == 0x1p125 { // which has products that overflow, and are not near to anything
				encodeMXFP4(dst[bytes*i:bytes*(i+1)], x[32*i:32*i+32], nil, 0)
			}
		}
	}
	return n
}

func (k *fp4Kernels) encodeNVFP4(b *batch) int {
	g := scalesOfGroups.Get().(*groupScales)
	defer scalesOfGroups.Put(g)
	const bytes = 36
	n := len(b.x) / 64
	for first := 0; first < n; first += len(g.peaks) / 4 {
		some := min(len(g.peaks)/4, n-first)
		x, dst := b.x[64*first:], b.dst[bytes*first:bytes*(first+some)]
		k.largest(&g.peaks[0], &x[0], 4*some, 1)
		for i, peak := range g.peaks[:4*some] {
			s := roundUE4M3(peak / 6)
			dst[bytes*(i/4)+i%4] = s
			g.scales[i] = halvesUE4M3[s]
			if s == 0 {
				g.scales[i] = float32(math.Inf(1)) // no number is beyond any limit
			}
		}
		k.quantizeNV(&dst[4], &x[0], &g.scales[0], some)
		for i := range some {
			// The distances of what is far beyond the codebook are rounded.
			const far = 1 << 20
			if p := g.peaks[4*i : 4*i+4]; max(p[0], p[1], p[2], p[3]) > far {
				encodeNVFP4(dst[bytes*i:bytes*(i+1)], x[64*i:64*i+64], nil, 0)
			}
		}
	}
	return n
}

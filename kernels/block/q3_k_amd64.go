//go:build amd64 && !purego

package block

import (
	"sync"

	"github.com/gguftool/gguftool/kernels/vec"
)

// descentLanes is the memory of a descent, of 16 numbers in each lane. Rows are as
// long as a vector. The assembly knows where all of it lies.
type descentLanes struct {
	scales  [16]float32
	x       [16 * 16]float32
	records [16 * 3 * 16]uint32 // (number, one of three, lane); the last of the three is the quant + 2^22
}

// lanesQ3_K is up to 16 super-blocks on their way.
type lanesQ3_K struct {
	descents [2]descentLanes // of a super-block: of all its sub-blocks, or of halves

	subBlocks, superBlocks  symmetricLanes // of searches with importance
	found, inverses, totals [16][16]float32
	w                       [superBlock]float32
	squares                 []float32     // of all super-blocks
	levels                  [16][16]uint8 // of the scales

	stored [16]float32 // the scales as they will be read
	q      [superBlock]uint8
}

var lanesOfQ3_K = sync.Pool{New: func() any {
	s := new(lanesQ3_K)
	s.subBlocks.set(&symmetric4)
	s.superBlocks.set(&symmetric32)
	return s
}}

const bytesQ3_K = 110

func (k *symmetricKernels) encodeQ3_K(b *batch) int {
	s := lanesOfQ3_K.Get().(*lanesQ3_K)
	defer lanesOfQ3_K.Put(s)
	if b.importance != nil {
		return k.weightedQ3_K(s, b)
	}
	n := len(b.x) / superBlock
	for i := range n {
		x := b.x[superBlock*i : superBlock*(i+1)]
		for j := 0; j < 16; j += k.lanes {
			d := &s.descents[j/k.lanes]
			k.transpose(&d.x[0], &x[16*j], 16*4, 16/k.lanes)
			k.descend(&d.scales[0])
			copy(s.found[0][j:j+k.lanes], d.scales[:])
		}
		clear(s.levels[0][:])
		d := peakScalesQ3_K(&s.levels[0], &s.found[0])
		k.storeQ3_K(s, b.dst[bytesQ3_K*i:][:bytesQ3_K], x, d, &s.levels[0],
			func(q []uint8, j int) { s.descents[j/k.lanes].quants(q, x[16*j:16*j+16], j%k.lanes, k.lanes) })
	}
	return n
}

// quants stores the quants of x that a descent found in one of so many lanes.
func (d *descentLanes) quants(q []uint8, x []float32, lane, lanes int) {
	if abs(extreme(x)) < tiny {
		clear(q)
		return
	}
	for i := range q {
		q[i] = uint8(4 + int32(d.records[(3*i+2)*lanes+lane]) - 1<<22)
	}
}

// weightedQ3_K puts the scales of up to 16 super-blocks into lanes once more, to
// search for the scale of each.
func (k *symmetricKernels) weightedQ3_K(s *lanesQ3_K, b *batch) int {
	n := len(b.x) / superBlock
	squares := k.squaresOf(&s.squares, b.x, superBlock)
	for first := 0; first < n; first += k.lanes {
		some := min(k.lanes, n-first)
		for i := range some {
			at := superBlock * (first + i)
			x, importance := b.x[at:at+superBlock], b.importance[at%b.columns:][:superBlock]
			k.weigh(&s.w[0], &x[0], &importance[0], superBlock/16, 2*squares[first+i]/superBlock)
			k.search(&s.subBlocks, &s.found[i], &s.inverses[i], &s.totals[i], x, s.w[:])
		}
		k.transpose(&s.superBlocks.x[0], &s.found[0][0], 16*4, 16/k.lanes)
		k.transpose(&s.superBlocks.w[0], &s.totals[0][0], 16*4, 16/k.lanes)
		k.searchWeighted(&s.superBlocks.n, 16)
		k.quantizeProducts(&s.levels[0][0], &s.found[0][0], &s.superBlocks.inverses[0], k.lanes, 32)
		for i := range some {
			at := superBlock * (first + i)
			x, dst := b.x[at:at+superBlock], b.dst[bytesQ3_K*(first+i):][:bytesQ3_K]
			if vec.NotFinite(s.found[i][:]) >= 0 {
				encodeQ3_K(dst, x, b.importance[at%b.columns:][:superBlock], 0)
				continue
			}
			if s.superBlocks.inverses[i] == 0 {
				clear(s.levels[i][:])
			}
			k.storeQ3_K(s, dst, x, s.superBlocks.scales[i], &s.levels[i], func(q []uint8, j int) {
				symmetric4.inverseQuants(q, x[16*j:16*j+16], s.inverses[i][j])
			})
		}
	}
	return n
}

// storeQ3_K packs a super-block. Sub-blocks whose scale is read as 0 keep the
// quants that were searched.
func (k *symmetricKernels) storeQ3_K(s *lanesQ3_K, dst []byte, x []float32, d float32, levels *[16]uint8, searched func(q []uint8, j int)) {
	packScales6(dst[96:108], levels)
	putHalf(dst[108:], d)
	d = getHalf(dst[108:])
	for j, level := range levels {
		s.stored[j] = float32(d * float32(int32(level)-32))
	}
	k.quantizeQuotients(&s.q[0], &x[0], &s.stored[0], 16, 4)
	for j, scale := range s.stored {
		if scale == 0 {
			searched(s.q[16*j:16*j+16], j)
		}
	}
	packThreeBitsAVX2(&dst[0], &dst[32], &s.q[0])
}

package block

// Q2_K: 256 elements in 84 bytes, sixteen sub-blocks of 16,
// x = d·scale·q - dmin·min.
//
//	0     scales   16 bytes: scale in the low nibble, minimum in the high one
//	16    qs       64 bytes: two bits an element, see packPairs
//	80    d        float16
//	82    dmin     float16

func unpackQ2_K(q []byte, scales, offsets []float32, src []byte) {
	unpackPairs((*[superBlock]uint8)(q), src[16:80])
	d, dmin := getHalf(src[80:]), getHalf(src[82:])
	for j, s := range src[:16] {
		scales[j], offsets[j] = float32(d*float32(s&15)), -float32(dmin*float32(s>>4))
	}
}

var (
	plainQ2_K    = newScaleMinSearch(3, -0.5, 0.1, 15, true)
	weightedQ2_K = newScaleMinSearch(3, -0.9, 0.05, 36, false)
)

func encodeQ2_K(dst []byte, x, importance []float32, _ float32) {
	var (
		found        [16]scaleMin
		scales, mins [16]float32
		totals       [16]float32 // Σ w of each sub-block
		w            [16]float32
		variance     float32
	)
	search := plainQ2_K
	if importance != nil {
		search = weightedQ2_K
		variance = sumSquares(x) / superBlock
	}
	for j := range found {
		sub := x[16*j : 16*j+16]
		if importance != nil {
			weigh(w[:], sub, importance[16*j:16*j+16], variance)
			for _, v := range w {
				totals[j] += v
			}
		} else {
			for i, v := range sub {
				w[i] = abs(v)
			}
		}
		found[j] = search.run(sub, w[:])
		scales[j], mins[j] = found[j].scale, found[j].min
	}

	var ls, lm [16]uint8
	var d, dmin float32
	if importance != nil {
		d = positiveSearch(ls[:], scales[:], totals[:], levelsQ2_K)
		dmin = positiveSearch(lm[:], mins[:], totals[:], levelsQ2_K)
	} else {
		d = proportional(ls[:], scales[:], levelsQ2_K)
		dmin = proportional(lm[:], mins[:], levelsQ2_K)
	}
	storeScalesQ2_K(scales[:], mins[:], dst, d, dmin, &ls, &lm)
	quantizeQ2_K(dst, x, &scales, &mins, &found)
}

const levelsQ2_K = 15 // the most of a scale or minimum

// storeScalesQ2_K stores the scales and minimums and gives them as they will be read.
func storeScalesQ2_K(scales, mins []float32, dst []byte, d, dmin float32, ls, lm *[16]uint8) {
	putHalf(dst[80:], d)
	putHalf(dst[82:], dmin)
	d, dmin = getHalf(dst[80:]), getHalf(dst[82:])
	for j := range ls {
		s := ls[j] | lm[j]<<4
		dst[j] = s
		scales[j], mins[j] = float32(d*float32(s&15)), float32(dmin*float32(s>>4))
	}
}

// quantizeQ2_K stores the last quants. Sub-blocks whose scale is 0 keep those that
// the search found.
func quantizeQ2_K(dst []byte, x []float32, scales, mins *[16]float32, found *[16]scaleMin) {
	var q [superBlock]uint8
	for j := range found {
		sub, qs := x[16*j:16*j+16], q[16*j:16*j+16]
		if scales[j] == 0 {
			found[j].quantize(qs, sub, 3)
			continue
		}
		for i, v := range sub {
			qs[i] = uint8(clamp(nearest((v+mins[j])/scales[j]), 0, 3))
		}
	}
	packPairs(dst[16:80], &q)
}

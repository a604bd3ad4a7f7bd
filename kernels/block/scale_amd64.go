//go:build amd64 && !purego

package block

import "github.com/gguftool/gguftool/kernels/cpu"

// scaleGroups and scaleAddGroups do what the plain functions do. The groups are
// of 16 or 32 elements.

func scaleGroups(dst []float32, q []byte, scales []float32) {
	sixteens := len(dst) / len(scales) / 16
	_, _ = q[len(dst)-1], dst[len(scales)*sixteens*16-1]
	switch lanePath {
	case cpu.AVX512:
		scaleGroupsAVX512(&dst[0], &q[0], &scales[0], len(scales), sixteens)
	case cpu.AVX2:
		scaleGroupsAVX2(&dst[0], &q[0], &scales[0], len(scales), sixteens)
	default:
		plainScaleGroups(dst, q, scales)
	}
}

func scaleAddGroups(dst []float32, q []byte, scales, offsets []float32) {
	sixteens := len(dst) / len(scales) / 16
	_, _, _ = q[len(dst)-1], dst[len(scales)*sixteens*16-1], offsets[len(scales)-1]
	switch lanePath {
	case cpu.AVX512:
		scaleAddGroupsAVX512(&dst[0], &q[0], &scales[0], &offsets[0], len(scales), sixteens)
	case cpu.AVX2:
		scaleAddGroupsAVX2(&dst[0], &q[0], &scales[0], &offsets[0], len(scales), sixteens)
	default:
		plainScaleAddGroups(dst, q, scales, offsets)
	}
}

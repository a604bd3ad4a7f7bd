//go:build amd64 && !purego

package block

//go:generate go -C ../_gen run ./block -kernels plain -out ../block/plain_amd64.s -stubs ../block/plain_stubs_amd64.go -pkg block

// plainKernels encode blocks of 32 elements that need no search.
type plainKernels struct {
	q8_0, q4_0, q5_0 func(dst *byte, x *float32, blocks int)
}

var (
	plainAVX512 = plainKernels{blocksQ8_0AVX512, blocksQ4_0AVX512, blocksQ5_0AVX512}
	plainAVX2   = plainKernels{blocksQ8_0AVX2, blocksQ4_0AVX2, blocksQ5_0AVX2}
)

// plainLanes returns the encoder of a whole batch of one of them.
func plainLanes(encode func(dst *byte, x *float32, blocks int)) func(*batch) int {
	return func(b *batch) int {
		n := len(b.x) / 32
		encode(&b.dst[0], &b.x[0], n)
		return n
	}
}

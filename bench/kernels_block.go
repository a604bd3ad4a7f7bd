package bench

import (
	"fmt"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// The rows that block kernels encode and decode: enough blocks for kernels that
// take several at a time.
const (
	blockRows    = 4
	blockColumns = 1024
)

// blockKernels lists what package block does with each format: decoding,
// unpacking for products of bytes, and encoding with the importance of columns.
// Its bytes are those of the floats and of the blocks.
func blockKernels() (all []kernel) {
	const n = blockRows * blockColumns
	// Tensor types are small numbers, with gaps where types were removed.
	for t := range gguf.Type(1 << 10) {
		codec, ok := block.Lookup(t)
		if !ok {
			continue
		}
		size, ok := t.Size(n)
		if elements, _, _ := t.Block(); !ok || blockColumns%elements != 0 {
			continue
		}
		add := func(name string, bytes float64, prepare func(data []byte) (func(), error)) {
			all = append(all, kernel{pkg: "block", name: name, format: t.String(), shape: fmt.Sprintf("%d x %d", blockRows, blockColumns),
				work: bytes, unit: bytesPerSecond, ceiling: cacheCeiling,
				prepare: func() (func(), error) { return prepare(make([]byte, size)) }})
		}
		x := randomFloats(n)
		importance := make([]float32, blockColumns)
		for i := range importance {
			importance[i] = 1 + float32(i%7)
		}
		encode := func(data []byte) error {
			if !codec.CanEncode() {
				return nil // zeros decode like other bytes
			}
			return codec.EncodeRows(data, x, blockColumns, importance)
		}
		add("decode", float64(4*n+size), func(data []byte) (func(), error) {
			dst := make([]float32, n)
			err := encode(data)
			return func() { codec.Decode(dst, data) }, err
		})
		if group, offsets := codec.QuantGroup(); group > 0 {
			bytes := size + n + 4*n/int64(group)
			if offsets {
				bytes += 4 * n / int64(group)
			}
			add("unpack", float64(bytes), func(data []byte) (func(), error) {
				quants, scales, mins := make([]byte, n), make([]float32, n/group), make([]float32, n/group)
				err := encode(data)
				return func() { codec.Quants(quants, scales, mins, data) }, err
			})
		}
		if codec.CanEncode() {
			add("encode", float64(4*n+size), func(data []byte) (func(), error) {
				err := encode(data)
				return func() { encode(data) }, err
			})
		}
	}
	return all
}

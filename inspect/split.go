package inspect

import (
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// DefaultMaxTensors is how many tensors a shard gets where nothing else is said.
const DefaultMaxTensors = 128

// SplitOptions limit the shards of Split. At most one of the limits may be set;
// without any it is DefaultMaxTensors.
type SplitOptions struct {
	MaxTensors int // tensors in a shard
	// MaxSize limits the bytes of tensor data in a shard, each tensor padded to 32
	// bytes. Keys and tensor table come on top. A tensor that is larger gets a
	// shard of its own.
	MaxSize        int64
	NoTensorsFirst bool // leave the first shard, which holds the keys, without tensors
}

// Split plans to store the model in f in shards, named as gguf.ShardPath does;
// ".gguf" at the end of prefix is dropped. Every shard has the keys split.no
// (u16), split.tensors.count (i32, of the whole model) and split.count (u16);
// all other keys are in the first shard only. A model that is in shards already
// is divided anew. Names, keys and bytes are those of llama-gguf-split.
func Split(f *gguf.File, prefix string, o *SplitOptions) (*Rewrite, error) {
	if o == nil {
		o = new(SplitOptions)
	}
	if o.MaxTensors < 0 || o.MaxSize < 0 || o.MaxTensors > 0 && o.MaxSize > 0 {
		return nil, fmt.Errorf("shards are limited by a number of tensors or a size above 0, not by %d tensors and %d bytes", o.MaxTensors, o.MaxSize)
	}
	limits := gguf.ShardLimits{MaxTensors: o.MaxTensors, MaxSize: o.MaxSize, NoTensorsFirst: o.NoTensorsFirst}
	if o.MaxTensors == 0 && o.MaxSize == 0 {
		limits.MaxTensors = DefaultMaxTensors
	}
	sizes := make([]int64, len(f.Tensors))
	for i, t := range f.Tensors {
		const unit = gguf.DefaultAlignment
		sizes[i] = (t.Size + unit - 1) / unit * unit
	}
	shards := limits.Divide(sizes)
	metadata, err := gguf.SplitOrder.Metadata(f.Metadata, len(shards), len(f.Tensors))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	prefix = strings.TrimSuffix(prefix, ".gguf")
	r := &Rewrite{source: f}
	tensors := f.Tensors
	for i, md := range metadata {
		out, err := r.output(gguf.ShardPath(prefix, i, len(shards)), md, tensors[:shards[i]])
		if err != nil {
			return nil, err
		}
		r.Outputs = append(r.Outputs, out)
		tensors = tensors[shards[i]:]
	}
	return r, nil
}

// setLast gives key a value at the end of md.
func setLast(md *gguf.Metadata, key string, v gguf.Value) {
	md.Delete(key)
	md.Set(key, v)
}

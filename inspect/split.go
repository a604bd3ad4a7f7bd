package inspect

import (
	"fmt"
	"math"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
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
	shards := o.divide(f.Tensors)
	if len(shards) > math.MaxUint16 {
		return nil, fmt.Errorf("%s: %d shards are more than the %d that %s can count; allow larger ones", f.Path, len(shards), math.MaxUint16, gguf.KeySplitCount)
	}
	if len(f.Tensors) > math.MaxInt32 {
		return nil, fault.Unsupported(f.Path, "", "", "%d tensors are more than %s can count", len(f.Tensors), gguf.KeySplitTensors)
	}
	prefix = strings.TrimSuffix(prefix, ".gguf")
	r := &Rewrite{source: f}
	for i, tensors := range shards {
		md := new(gguf.Metadata)
		if i == 0 {
			md = f.Metadata.Clone()
		}
		// llama-gguf-split sets the count once more when it knows it, which moves
		// it to the end.
		setLast(md, gguf.KeySplitNo, gguf.ValueOf(uint16(i)))
		setLast(md, gguf.KeySplitTensors, gguf.ValueOf(int32(len(f.Tensors))))
		setLast(md, gguf.KeySplitCount, gguf.ValueOf(uint16(len(shards))))
		out, err := r.output(gguf.ShardPath(prefix, i, len(shards)), md, tensors)
		if err != nil {
			return nil, err
		}
		r.Outputs = append(r.Outputs, out)
	}
	return r, nil
}

// divide returns the tensors of each shard; there is at least one.
func (o *SplitOptions) divide(tensors []*gguf.Tensor) [][]*gguf.Tensor {
	limit := o.MaxTensors
	if limit == 0 {
		limit = DefaultMaxTensors
	}
	shards := make([][]*gguf.Tensor, 1)
	var size int64 // of the last shard
	next := func() { shards, size = append(shards, nil), 0 }
	if o.NoTensorsFirst {
		next()
	}
	for i, t := range tensors {
		const unit = gguf.DefaultAlignment
		n := (t.Size + unit - 1) / unit * unit
		full := o.MaxSize == 0 && i%limit == 0 || o.MaxSize > 0 && size+n > o.MaxSize
		if last := len(shards) - 1; full && len(shards[last]) > 0 {
			next()
		}
		size += n
		shards[len(shards)-1] = append(shards[len(shards)-1], t)
	}
	return shards
}

// setLast gives key a value at the end of md.
func setLast(md *gguf.Metadata, key string, v gguf.Value) {
	md.Delete(key)
	md.Set(key, v)
}

package gguf

import (
	"fmt"
	"math"
)

// ShardLimits bound the shards that a model is stored in. Without any there is
// one shard.
type ShardLimits struct {
	MaxTensors     int   // in a shard; 0: any number
	MaxSize        int64 // bytes of a shard's tensors; 0: any number. One that is larger gets a shard of its own.
	NoTensorsFirst bool  // leave the first shard, which holds the keys, without tensors
}

// Divide returns the number of tensors in each shard; there is at least one
// shard. sizes are the bytes of the tensors in the order of the model.
func (l ShardLimits) Divide(sizes []int64) []int {
	shards := make([]int, 1)
	if l.NoTensorsFirst {
		shards = append(shards, 0)
	}
	var size int64 // of the last shard
	for _, n := range sizes {
		last := len(shards) - 1
		full := l.MaxTensors > 0 && shards[last] >= l.MaxTensors || l.MaxSize > 0 && n > l.MaxSize-size
		if full && shards[last] > 0 {
			shards, size = append(shards, 0), 0
			last++
		}
		shards[last]++
		size += n
	}
	return shards
}

// ShardKeys are the keys that every shard has, in their order.
type ShardKeys [3]string

// The orders of llama.cpp's programs.
var (
	SplitOrder     = ShardKeys{KeySplitNo, KeySplitTensors, KeySplitCount} // of llama-gguf-split
	ConvertedOrder = ShardKeys{KeySplitNo, KeySplitCount, KeySplitTensors} // of convert_hf_to_gguf.py and llama-quantize
)

// Set gives the keys of shard i, counted from 0, their values at the end of md:
// split.no (u16), split.count (u16) and split.tensors.count (i32, of all shards).
func (k ShardKeys) Set(md *Metadata, i, shards, tensors int) {
	values := map[string]Value{
		KeySplitNo:      ValueOf(uint16(i)),
		KeySplitCount:   ValueOf(uint16(shards)),
		KeySplitTensors: ValueOf(int32(tensors)),
	}
	for _, key := range k {
		md.Delete(key)
	}
	for _, key := range k {
		md.Set(key, values[key])
	}
}

// Metadata returns the keys of each of several shards, those of md being in the
// first one only.
func (k ShardKeys) Metadata(md *Metadata, shards, tensors int) ([]*Metadata, error) {
	if shards > math.MaxUint16 {
		return nil, fmt.Errorf("%d shards are more than the %d that %s can count; allow larger ones", shards, math.MaxUint16, KeySplitCount)
	}
	if tensors > math.MaxInt32 {
		return nil, fmt.Errorf("%d tensors are more than %s can count", tensors, KeySplitTensors)
	}
	all := make([]*Metadata, shards)
	for i := range all {
		all[i] = new(Metadata)
		if i == 0 {
			all[i] = md.Clone()
		}
		k.Set(all[i], i, shards, tensors)
	}
	return all, nil
}

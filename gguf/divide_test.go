package gguf

import (
	"slices"
	"testing"
)

func TestDivide(t *testing.T) {
	for _, c := range []struct {
		limits ShardLimits
		sizes  []int64
		want   []int
	}{
		{ShardLimits{}, nil, []int{0}},
		{ShardLimits{}, []int64{1, 2, 3}, []int{3}},
		{ShardLimits{NoTensorsFirst: true}, []int64{1, 2, 3}, []int{0, 3}},
		{ShardLimits{NoTensorsFirst: true}, nil, []int{0, 0}},
		{ShardLimits{MaxTensors: 2}, []int64{1, 2, 3, 4, 5}, []int{2, 2, 1}},
		{ShardLimits{MaxTensors: 5}, []int64{1, 2, 3, 4, 5}, []int{5}},
		{ShardLimits{MaxTensors: 2, NoTensorsFirst: true}, []int64{1, 2, 3}, []int{0, 2, 1}},
		{ShardLimits{MaxSize: 5}, []int64{2, 3, 1, 9, 1, 4, 1}, []int{2, 1, 1, 2, 1}},
		{ShardLimits{MaxSize: 1}, []int64{9, 9}, []int{1, 1}},
		{ShardLimits{MaxSize: 5}, []int64{0, 0, 5, 0, 1}, []int{4, 1}},
		{ShardLimits{MaxSize: 1<<63 - 1}, []int64{1 << 62, 1<<62 - 1, 1}, []int{2, 1}},
		{ShardLimits{MaxSize: 4, MaxTensors: 2}, []int64{1, 1, 1, 4, 1}, []int{2, 1, 1, 1}},
	} {
		if got := c.limits.Divide(c.sizes); !slices.Equal(got, c.want) {
			t.Errorf("%+v divides %v into %v, want %v", c.limits, c.sizes, got, c.want)
		}
	}
}

func TestShardKeys(t *testing.T) {
	md := new(Metadata)
	md.Set(KeySplitCount, ValueOf(uint16(7)))
	md.Set("a", ValueOf(true))
	for _, order := range []ShardKeys{SplitOrder, ConvertedOrder} {
		all, err := order.Metadata(md, 3, 9)
		if err != nil || len(all) != 3 {
			t.Fatal(len(all), err)
		}
		for i, shard := range all {
			var keys []string
			for key := range shard.All() {
				keys = append(keys, key)
			}
			want := order[:]
			if i == 0 {
				want = append([]string{"a"}, want...)
			}
			if !slices.Equal(keys, want) {
				t.Errorf("shard %d has the keys %q, want %q", i, keys, want)
			}
			for key, want := range map[string]int64{KeySplitNo: int64(i), KeySplitCount: 3, KeySplitTensors: 9} {
				if n, _ := shard.Int(key); n != want {
					t.Errorf("shard %d: %s is %d, want %d", i, key, n, want)
				}
			}
		}
	}
	if n, _ := md.Int(KeySplitCount); n != 7 {
		t.Error("the keys that shards are made of were changed")
	}
	for _, counts := range [][2]int{{1 << 16, 9}, {1, 1 << 31}} {
		if _, err := SplitOrder.Metadata(md, counts[0], counts[1]); err == nil {
			t.Errorf("%d shards of %d tensors are counted", counts[0], counts[1])
		}
	}
}

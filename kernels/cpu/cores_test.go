package cpu

import (
	"fmt"
	"runtime"
	"testing"
	"testing/fstest"
)

func TestCountCores(t *testing.T) {
	topology := func(siblings ...string) fstest.MapFS {
		fsys := fstest.MapFS{}
		for i, list := range siblings {
			if list != "" {
				fsys[fmt.Sprintf("cpu%d/topology/thread_siblings_list", i)] = &fstest.MapFile{Data: []byte(list + "\n")}
			}
		}
		return fsys
	}
	for _, c := range []struct {
		what       string
		sys        fstest.MapFS
		processors []int
		want       int
	}{
		{"no threads", topology("0", "1", "2"), []int{0, 1, 2}, 3},
		{"neighbours share a core", topology("0-1", "0-1", "2-3", "2-3"), []int{0, 1, 2, 3}, 2},
		{"halves share cores", topology("0,2", "1,3", "0,2", "1,3"), []int{0, 1, 2, 3}, 2},
		{"one thread of each core", topology("0,2", "1,3", "0,2", "1,3"), []int{0, 1}, 2},
		{"both threads of one core", topology("0,2", "1,3", "0,2", "1,3"), []int{1, 3}, 1},
		{"some cores have threads", topology("0-1", "0-1", "2", "3"), []int{0, 1, 2, 3}, 3},
		{"nothing known", fstest.MapFS{}, []int{0, 1, 5}, 3},
		{"some known", topology("0-1", "0-1", ""), []int{0, 1, 2}, 2},
		{"empty file", topology(" ", " "), []int{0, 1}, 2},
		{"no processors", fstest.MapFS{}, nil, 0},
	} {
		if got := countCores(c.sys, c.processors); got != c.want {
			t.Errorf("%s: %d cores, want %d", c.what, got, c.want)
		}
	}
}

func TestPhysicalCores(t *testing.T) {
	if got := PhysicalCores(); got < 1 || got > runtime.NumCPU() {
		t.Errorf("%d cores, %d processors", got, runtime.NumCPU())
	}
}

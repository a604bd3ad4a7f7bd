//go:build amd64 && !purego

package block

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// TestLanes holds the vector encoders of each path that the machine has to the
// bytes of the plain ones, for batches of any number of blocks in rows of one to five.
//
// The race detector makes the plain encoders ten times slower and has little to
// see here, so it gets a part of the batches.
func TestLanes(t *testing.T) {
	rowStep, blockStep := 1, 1
	if raceDetector {
		rowStep, blockStep = 13, 3
	}
	for _, path := range cpu.Paths() {
		for typ, lanes := range laneEncodersOf(path) {
			c, _ := Lookup(typ)
			t.Run(fmt.Sprintf("%s/%s", path, typ), func(t *testing.T) {
				for _, family := range families {
					for _, kind := range append([]string{"wild"}, importances...) {
						for rowBlocks := 1; rowBlocks <= 5; rowBlocks += blockStep {
							testLanes(t, c, lanes, family, kind, 1+(rowBlocks*7+len(family)+len(kind))%8, rowBlocks)
						}
					}
				}
				for rows := 1; rows <= 40; rows += rowStep {
					testLanes(t, c, lanes, "normal", "none", rows, 1)
					testLanes(t, c, lanes, "heavy", "random", rows, 1)
				}
			})
		}
	}
}

// testLanes compares the encoders on rows of a family. Blocks whose scale
// overflows must do so in both, whatever else is in them.
func testLanes(t *testing.T, c *Codec, lanes func(*batch) int, family, kind string, rows, rowBlocks int) {
	t.Helper()
	if kind == "none" && c.NeedsImportance() {
		return
	}
	columns := rowBlocks * c.elements
	const guard = 64
	var (
		x    []float32
		want = make([]byte, rows*rowBlocks*c.bytes)
		got  = bytes.Repeat([]byte{0xa5}, len(want)+guard)
	)
	for row := range rows {
		if family == "real" {
			x = append(x, realRow(t, row%goldenRows, 1024)[:min(columns, 1024)]...)
			x = append(x, make([]float32, max(0, columns-1024))...)
			continue
		}
		x = append(x, makeRow(t, family, row, columns)...)
	}
	var importance []float32
	if kind == "wild" {
		importance = wildImportance(columns)
	} else {
		importance = makeImportance(t, kind, columns)
	}
	plain := &batch{want, x, columns, importance, nil}
	c.setVariances(plain)
	c.encodeFrom(plain, 0)
	b := &batch{got[:len(want):len(want)], x, columns, importance, nil}
	c.setVariances(b)
	n := lanes(b)
	what := fmt.Sprintf("%s, importance %s, %d rows of %d blocks", family, kind, rows, rowBlocks)
	if n < 0 || n > rows*rowBlocks {
		t.Fatalf("%s: %d blocks encoded", what, n)
	}
	for i := range n {
		w, g := want[i*c.bytes:(i+1)*c.bytes], got[i*c.bytes:(i+1)*c.bytes]
		if c.Validate(w) != nil {
			if c.Validate(g) == nil {
				t.Fatalf("%s: the scale of block %d does not overflow", what, i)
			}
		} else if !bytes.Equal(w, g) {
			t.Fatalf("%s: block %d is\n%x, want\n%x", what, i, g, w)
		}
	}
	for i, v := range got[n*c.bytes:] {
		if v != 0xa5 {
			t.Fatalf("%s: byte %d past the end of %d blocks is changed", what, i, n)
		}
	}
}

// wildImportance returns weights that no importance matrix has, but that are not
// refused either: of either sign, and so large or small that sums overflow or vanish.
func wildImportance(n int) []float32 {
	w := make([]float32, n)
	for i, z := range draws(uint64(n), n) {
		w[i] = normal(z) * power(int(z>>48)%240-120)
	}
	return w
}

// TestSumsOfSquares holds the sums of several rows at once to those of each by itself.
func TestSumsOfSquares(t *testing.T) {
	for _, k := range []*symmetricKernels{&symmetricAVX2, &symmetricAVX512} {
		if k == &symmetricAVX512 && !slices.Contains(cpu.Paths(), cpu.AVX512) || !slices.Contains(cpu.Paths(), cpu.AVX2) {
			continue
		}
		for rows := 1; rows <= 40; rows++ {
			for _, columns := range []int{16, 32, 96, 256, 30} {
				x := makeRow(t, "heavy", rows%goldenRows, rows*columns)
				want, got := make([]float32, rows), make([]float32, rows+1)
				sumsOfRows(want, x, columns)
				k.sumsOfSquares(got[:rows], x, columns)
				if !slices.Equal(got[:rows], want) || got[rows] != 0 {
					t.Fatalf("%d lanes, %d rows of %d: %v, want %v", k.lanes, rows, columns, got, want)
				}
			}
		}
	}
}

// TestScaleGroups holds the numbers that quants are decoded to on each path to the
// plain ones, whatever the scales are.
func TestScaleGroups(t *testing.T) {
	defer func(path cpu.Path) { lanePath = path }(lanePath)
	for _, lanePath = range cpu.Paths() {
		for _, group := range []int{16, 32} {
			for groups := 1; groups <= 16; groups++ {
				n := group * groups
				q := make([]byte, n)
				for i, z := range draws(uint64(n), n) {
					q[i] = byte(z)
				}
				for _, family := range []string{"normal", "subnormal", "vast", "zeros"} {
					scales, offsets := makeRow(t, family, 0, 16)[:groups], makeRow(t, family, 1, 16)[:groups]
					want, got := make([]float32, n), make([]float32, n+1)
					plainScaleGroups(want, q, scales)
					scaleGroups(got[:n], q, scales)
					if !bytes.Equal(floatBytes(got[:n]), floatBytes(want)) || got[n] != 0 {
						t.Fatalf("%s: %d groups of %d %s: %v, want %v", lanePath, groups, group, family, got, want)
					}
					plainScaleAddGroups(want, q, scales, offsets)
					scaleAddGroups(got[:n], q, scales, offsets)
					if !bytes.Equal(floatBytes(got[:n]), floatBytes(want)) || got[n] != 0 {
						t.Fatalf("%s: %d groups of %d %s with offsets: %v, want %v", lanePath, groups, group, family, got, want)
					}
				}
			}
		}
	}
}

//go:build amd64 && !purego

package block

import (
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// TestNear holds the search for near points of each path to the plain one, for any
// number of candidates: those beyond keep their codes.
func TestNear(t *testing.T) {
	for _, path := range cpu.Paths() {
		k := map[cpu.Path]*gridKernels{cpu.AVX2: &gridAVX2, cpu.AVX512: &gridAVX512}[path]
		if k == nil {
			continue
		}
		for _, g := range gridFormats {
			f := g.format
			groups := f.group / f.book.coordinates
			subs := gridGroups / groups
			for count := 1; count < gridLanes; count++ {
				want, got := new(gridWork), new(gridWork)
				x := makeRow(t, "heavy", count%goldenRows, subs*f.group)
				importance := makeImportance(t, "random", subs*f.group)
				for i := range subs {
					s := &want.subs[i]
					s.signs = make([]uint8, 4)
					sub := x[i*f.group : (i+1)*f.group]
					weigh(s.weight[:f.group], sub, importance[i*f.group:(i+1)*f.group], 1)
					f.begin(&s.gridSub, sub)
					if !f.bounded(&s.gridSub, &s.energy) {
						t.Fatalf("%s: sub-block %d has no bounds", g.typ, i)
					}
					for c := range gridLanes {
						v := f.top() * (1 + (float32(c)-15)/40) / s.max
						want.inverse[i][c], want.scale[i][c] = v, 1/v
					}
					roundGrid(f, want, i, gridLanes)
				}
				*got = *want
				before := want.codes
				plainGridKernels.nearest(f, want, subs, count)
				k.nearest(f, got, subs, count)
				if got.codes != want.codes || got.off != want.off {
					t.Errorf("%s, %s: the points of %d candidates differ", path, g.typ, count)
				}
				for j := range got.codes {
					if !slices.Equal(got.codes[j][count:], before[j][count:]) {
						t.Errorf("%s, %s: group %d has more than %d points", path, g.typ, j, count)
					}
				}
				if got.codes == before {
					t.Errorf("%s: all codes are points", g.typ)
				}
			}
		}
	}
}

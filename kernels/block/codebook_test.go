package block

import (
	"cmp"
	"slices"
	"testing"
)

var codebooks = map[string]*codebook{
	"IQ1_S": bookIQ1S, "IQ2_XXS": bookIQ2XXS, "IQ2_XS": bookIQ2XS, "IQ2_S": bookIQ2S, "IQ3_XXS": bookIQ3XXS, "IQ3_S": bookIQ3S,
}

// TestCodebooks holds the tables to what the lookups need.
func TestCodebooks(t *testing.T) {
	for name, b := range codebooks {
		if !slices.IsSorted(b.codes) || len(slices.Compact(slices.Clone(b.codes))) != len(b.codes) {
			t.Errorf("%s: codes are not in order", name)
		}
		if b.codes[0] != 0 {
			t.Errorf("%s: the lowest point is missing", name)
		}
		points := b.points()
		for i, code := range b.codes {
			if !b.valid(code) {
				t.Errorf("%s: code %#x has levels that do not exist", name, code)
			}
			if n := b.neighbours().point(code); n != i {
				t.Errorf("%s: code %#x is point %d, want %d", name, code, n, i)
			}
			for k := range b.coordinates {
				if got := uint8(points[i] >> (8 * k)); got != b.levels[b.level(code, k)] {
					t.Errorf("%s: point %d decodes to %#x", name, i, points[i])
				}
			}
		}
	}
}

// TestNeighbours compares some lists with sorting all points.
func TestNeighbours(t *testing.T) {
	for name, b := range codebooks {
		n := b.neighbours()
		checked := 0
		for code := 1; code < len(n.at); code += 37 {
			if !b.valid(uint16(code)) || n.at[code] >= 0 {
				continue
			}
			checked++
			type near struct {
				distance int
				code     uint16
			}
			var all []near
			for _, c := range b.codes {
				d := 0
				for k := range b.coordinates {
					e := b.level(c, k) - b.level(uint16(code), k)
					d += e * e
				}
				all = append(all, near{d, c})
			}
			slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
			var want []uint16
			for i, shells := 0, 1; i < len(all); i++ {
				if i > 0 && all[i].distance > all[i-1].distance {
					if shells++; shells > b.shells {
						break
					}
				}
				want = append(want, all[i].code)
			}
			if got := n.near(n.point(uint16(code))); !slices.Equal(got, want) {
				t.Fatalf("%s: near %#x are %#x, want %#x", name, code, got, want)
			}
		}
		for i := range n.at {
			if at := n.point(uint16(i)); at < 0 && b.valid(uint16(i)) && len(n.near(at)) > maxNear-16 {
				t.Errorf("%s: %d points near %#x", name, len(n.near(at)), i)
			}
		}
		if checked < 50 {
			t.Errorf("%s: only %d lists checked", name, checked)
		}
	}
}

func BenchmarkNeighbours(b *testing.B) {
	for name, book := range codebooks {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				book.findNeighbours()
			}
		})
	}
}

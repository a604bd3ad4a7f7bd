package bench

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/internal/fault"
)

// Pairs are texts whose similarity people or a thesaurus have graded: semantic
// textual similarity, STS for short.
type Pairs struct {
	Left, Right []string
	Scores      []float64
}

// A PairScore is the rank correlation (Spearman) of the cosines of pairs with
// their grades.
type PairScore struct {
	Pairs    int      `json:"pairs"`
	Spearman Estimate `json:"spearman"`

	cosines *ranking
}

// ReadPairs reads pairs from a file of lines with two texts and a score, separated
// by tabs. A first line whose score is no number is a header. Errors about the
// content are *fault.FormatError.
func ReadPairs(path string) (*Pairs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parsePairs(path, f)
}

func parsePairs(name string, r io.Reader) (*Pairs, error) {
	p := new(Pairs)
	err := eachLine(name, r, func(n int, line string) error {
		if strings.TrimSpace(line) == "" {
			return nil
		}
		fields := strings.Split(line, "\t")
		at := fmt.Sprintf("line %d", n)
		if len(fields) != 3 {
			return fault.Malformed(name, at, "has %d fields separated by tabs, expected two texts and a score", len(fields))
		}
		score, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
		if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
			if n == 1 {
				return nil
			}
			return fault.Malformed(name, at, "the score %q is no number", fields[2])
		}
		p.Left, p.Right, p.Scores = append(p.Left, fields[0]), append(p.Right, fields[1]), append(p.Scores, score)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.Scores) < MinTexts {
		return nil, fault.Malformed(name, "", "has %d pairs, too few to correlate; expected at least %d", len(p.Scores), MinTexts)
	}
	return p, nil
}

// MeasurePairs scores the vectors of pairs, in their order.
func MeasurePairs(p *Pairs, left, right [][]float32) (*PairScore, error) {
	if len(left) != len(p.Scores) || len(right) != len(p.Scores) {
		return nil, fmt.Errorf("%d and %d vectors for %d pairs", len(left), len(right), len(p.Scores))
	}
	s := &PairScore{Pairs: len(p.Scores)}
	cosines := make([]float64, len(left))
	for i := range left {
		cosines[i] = embedding.Cosine(left[i], right[i])
	}
	s.cosines = newRanking(cosines)
	grades := newRanking(p.Scores)
	x, y := make([]float64, s.Pairs), make([]float64, s.Pairs)
	s.Spearman = bootstrap(s.Pairs, func(pairs []int) float64 {
		return correlation(s.cosines.places(x, pairs), grades.places(y, pairs))
	})
	return s, nil
}

// change estimates how much the correlation differs from that of a reference for
// the same pairs.
func (s *PairScore) change(p *Pairs, reference *PairScore) Estimate {
	grades := newRanking(p.Scores)
	x, y := make([]float64, s.Pairs), make([]float64, s.Pairs)
	return bootstrap(s.Pairs, func(pairs []int) float64 {
		grades.places(y, pairs)
		r := correlation(s.cosines.places(x, pairs), y)
		return r - correlation(reference.cosines.places(x, pairs), y)
	})
}

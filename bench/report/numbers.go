package report

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// digits returns v with so many digits behind the point, or nothing where it is no
// number.
func digits(v float64, n int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', n, 64), ".")
	if fraction != "" {
		fraction = "." + fraction
	}
	return grouped(whole) + fraction
}

// significant returns v with three digits, or all that are before the point.
func significant(v float64) string {
	size := math.Abs(v)
	switch {
	case size == 0:
		return "0"
	case size < 1e-4:
		return short(v)
	case size >= 99.95:
		return digits(v, 0)
	}
	return digits(v, 2-int(math.Floor(math.Log10(size*1.0005))))
}

// percent returns a share in percent, or nothing where it is not known.
func percent(share float64) string {
	if share == 0 {
		return ""
	}
	return digits(100*share, 1) + " %"
}

func percentTick(v float64) string { return short(v) + " %" }

// megabytes returns n in millions of bytes, or nothing where it is not known.
func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return significant(float64(n) / 1e6)
}

func millions(n int64) float64 { return float64(n) / 1e6 }

// estimated returns an estimate with half its interval.
func estimated(e bench.Estimate, n int) string {
	return digits(e.Value, n) + " ±" + digits((e.High-e.Low)/2, n)
}

// estimatedLoss is estimated for losses, which may be tiny: it has three digits of
// the value, and as many places of half the interval.
func estimatedLoss(e bench.Estimate) string {
	half, size := (e.High-e.Low)/2, math.Abs(e.Value)
	if size < 1e-6 || size >= 1000 {
		return significant(e.Value) + " ±" + significant(half)
	}
	places := max(0, 2-int(math.Floor(math.Log10(size*1.0005))))
	return digits(e.Value, places) + " ±" + digits(half, places)
}

// fileNames returns names of files that are short and differ: without folders
// where no two are the same then.
func fileNames(paths []string) []string {
	count := map[string]int{}
	for _, p := range paths {
		count[filepath.Base(p)]++
	}
	var names []string
	for _, p := range paths {
		name := filepath.Base(p)
		if count[name] > 1 {
			name = p
		}
		names = append(names, texttable.Safe(name))
	}
	return names
}

// shortened returns a name that fits the head of a column.
func shortened(name string) string { return shortenedTo(name, 24) }

// shortenedTo returns a name of at most n > 1 characters, with an ellipsis in its
// middle where it is longer: the ends of file names tell more than their middles.
func shortenedTo(name string, n int) string {
	runes := []rune(name)
	if len(runes) <= n {
		return name
	}
	head := n / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(n-head-1):])
}

package report

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-analyze/charts/chartdraw"
)

// A scale places the numbers of an axis: it is the Range of chartdraw, which has no
// logarithms of numbers below 1. What chartdraw finds out about the range of the
// data does not change it.
type scale struct {
	min, max float64
	log      bool
	down     bool // the least is at the far end
	domain   int  // pixels
}

var _ chartdraw.Range = (*scale)(nil)

// String returns a description.
func (s *scale) String() string { return strconv.FormatFloat(s.min, 'g', 4, 64) }

// IsZero is false: there always is a range.
func (s *scale) IsZero() bool { return false }

// GetMin returns the least number.
func (s *scale) GetMin() float64 { return s.min }

// GetMax returns the greatest number.
func (s *scale) GetMax() float64 { return s.max }

// SetMin does nothing.
func (s *scale) SetMin(float64) {}

// SetMax does nothing.
func (s *scale) SetMax(float64) {}

// GetDelta returns the distance of both ends.
func (s *scale) GetDelta() float64 { return s.max - s.min }

// GetDomain returns the length of the axis in pixels.
func (s *scale) GetDomain() int { return s.domain }

// SetDomain sets it.
func (s *scale) SetDomain(pixels int) { s.domain = pixels }

// IsDescending reports whether the least is at the far end.
func (s *scale) IsDescending() bool { return s.down }

// Translate returns the place of v, in pixels; that of an end where v lies outside.
func (s *scale) Translate(v float64) int {
	at := (v - s.min) / (s.max - s.min)
	if s.log {
		at = math.Log(max(v, s.min)/s.min) / math.Log(s.max/s.min)
	}
	at = min(max(at, 0), 1)
	if s.down {
		at = 1 - at
	}
	return int(math.Round(at * float64(s.domain)))
}

// newScale returns a scale for numbers from low to high, which are finite and on a
// logarithmic scale above 0, and its ticks, about so many. Both ends are ticks
// unless there is to be room.
func (a *Axis) newScale(low, high float64, ticks int) (*scale, []chartdraw.Tick) {
	if a.Rows != nil {
		s := &scale{min: -0.5, max: float64(len(a.Rows)) - 0.5, down: true}
		var all []chartdraw.Tick
		for i, name := range a.Rows {
			all = append(all, chartdraw.Tick{Value: float64(i), Label: name})
		}
		return s, all
	}
	var values []float64
	if a.Log {
		values = logTicks(low, high, ticks)
	} else {
		if a.Zero {
			low, high = min(low, 0), max(high, 0)
		}
		values = linearTicks(low, high, ticks, a.Whole)
	}
	s := &scale{min: values[0], max: values[len(values)-1], log: a.Log}
	if room := (high - low) / 25; a.Room && !a.Log && room > 1e-9*s.max {
		within := func(v float64) bool { return v >= low-room && v <= high+room }
		if inner := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !within(v) }); len(inner) > 1 {
			s.min, s.max, values = low-room, high+room, inner
		}
	}
	var all []chartdraw.Tick
	for _, v := range values {
		all = append(all, chartdraw.Tick{Value: v, Label: a.format(v)})
	}
	return s, all
}

// linearTicks returns multiples of 1, 2 or 5 times a power of ten around low and
// high; whole ones are multiples of 1.
func linearTicks(low, high float64, count int, whole bool) []float64 {
	if high-low <= max(1e-9*max(math.Abs(low), math.Abs(high)), 1e-90) {
		// A single number, or as good as one, is in the middle.
		d := max(math.Abs(low)/2, 1e-9)
		if low == 0 {
			d = 1
		}
		low, high = low-d, high+d
	}
	step := niceStep((high - low) / float64(count))
	if whole {
		step = max(1, step)
	}
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	last = max(last, first+1)
	var values []float64
	for i := first; i <= last; i++ {
		values = append(values, i*step)
	}
	return values
}

// niceStep returns the least of 1, 2 and 5 times a power of ten that is not less.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logTicks returns powers of ten around low and high, or every second or third of
// them, and where these are few also 2 and 5 times as much.
func logTicks(low, high float64, count int) []float64 {
	mantissas := []float64{1, 2, 5}
	decades := math.Log10(high / low)
	if decades > float64(count)/2.5 {
		mantissas = mantissas[:1]
	}
	every := 1
	for decades/float64(every) > float64(count) {
		every++
	}
	var values []float64
	first := math.Floor(math.Log10(low) + 1e-9)
	for e := first; ; e += float64(every) {
		for _, m := range mantissas {
			v := m * math.Pow(10, e)
			if v <= low*(1+1e-9) {
				values = values[:0]
			}
			values = append(values, v)
			if v >= high*(1-1e-9) && len(values) > 1 {
				return values
			}
		}
	}
}

// format returns a tick's label.
func (a *Axis) format(v float64) string {
	if a.Format != nil {
		return a.Format(v)
	}
	return short(v)
}

// short returns a number with up to six digits, as in "0.002", "12,000" or "1e-6".
func short(v float64) string {
	size := math.Abs(v)
	if size != 0 && (size < 1e-4 || size >= 1e9) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		n, _ := strconv.Atoi(exponent) // "+06" is 6
		return mantissa + "e" + strconv.Itoa(n)
	}
	return trimmed(strconv.FormatFloat(v, 'f', max(0, 5-int(math.Floor(math.Log10(max(size, 1e-4))))), 64))
}

// trimmed groups the digits of a decimal number and drops zeros at its end.
func trimmed(s string) string {
	whole, fraction, _ := strings.Cut(s, ".")
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		fraction = "." + fraction
	}
	return grouped(whole) + fraction
}

// grouped puts commas between groups of three digits of an integer.
func grouped(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

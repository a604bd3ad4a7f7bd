package report

import (
	"math"
	"testing"

	"github.com/gguftool/gguftool/bench"
)

func labels(a *Axis, low, high float64, ticks int) (all string) {
	_, marks := a.newScale(low, high, ticks)
	for _, m := range marks {
		all += m.Label + " "
	}
	return all
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis      Axis
		low, high float64
		count     int
		want      string
	}{
		{Axis{}, 19.5, 25.3, 8, "19 20 21 22 23 24 25 26 "},
		{Axis{}, 0.84, 0.999, 4, "0.8 0.85 0.9 0.95 1 "},
		{Axis{Zero: true}, 3500, 9700, 5, "0 2,000 4,000 6,000 8,000 10,000 "},
		{Axis{}, -0.5, 0.2, 4, "-0.6 -0.4 -0.2 0 0.2 "},
		{Axis{}, 5, 5, 5, "2 3 4 5 6 7 8 "},
		{Axis{}, 0, 0, 2, "-1 0 1 "},
		{Axis{Room: true}, 20, 30, 5, "20 22 24 26 28 30 "},
		{Axis{Room: true}, 19.5, 25.3, 8, "20 21 22 23 24 25 "},
		{Axis{Room: true}, 5, 5, 5, "2 3 4 5 6 7 8 "},
		{Axis{Whole: true}, 0, 2, 8, "0 1 2 "},
		{Axis{Log: true}, 0.0002, 0.04, 6, "0.0002 0.0005 0.001 0.002 0.005 0.01 0.02 0.05 "},
		{Axis{Log: true}, 3e-7, 0.04, 6, "1e-7 1e-6 1e-5 0.0001 0.001 0.01 0.1 "},
		{Axis{Log: true}, 1, 1, 6, "1 2 "},
		{Axis{Log: true}, 1e-80, 1e80, 4, "1e-80 1e-40 1 1e40 1e80 "},
		{Axis{Rows: []string{"a", "b"}}, 0, 1, 8, "a b "},
	} {
		if got := labels(&c.axis, c.low, c.high, c.count); got != c.want {
			t.Errorf("%+v from %v to %v: %s, want %s", c.axis, c.low, c.high, got, c.want)
		}
	}
}

func TestTranslate(t *testing.T) {
	linear := scale{min: 10, max: 20, domain: 100}
	logarithmic := scale{min: 0.01, max: 100, log: true, domain: 400}
	down := scale{min: -0.5, max: 3.5, down: true, domain: 40}
	for _, c := range []struct {
		s    scale
		v    float64
		want int
	}{
		{linear, 10, 0}, {linear, 20, 100}, {linear, 12.5, 25}, {linear, -5, 0}, {linear, 99, 100},
		{logarithmic, 0.01, 0}, {logarithmic, 1, 200}, {logarithmic, 100, 400}, {logarithmic, 0, 0}, {logarithmic, -3, 0}, {logarithmic, 1e9, 400},
		{down, 0, 35}, {down, 3, 5},
	} {
		if got := c.s.Translate(c.v); got != c.want {
			t.Errorf("%v on %+v is at %d, want %d", c.v, c.s, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -1.5: "-1.5", 0.002: "0.002", 0.0001: "0.0001", 0.00001: "1e-5", 12000: "12,000", 1234567: "1,234,567", 1e12: "1e12", 2.5e-7: "2.5e-7", 1e20: "1e20",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%v) is %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 9.999: "10.0", 99.96: "100", 1234.5: "1,234", 0.012345: "0.0123", 0.00012345: "0.000123", 1e-6: "1e-6", -0.5: "-0.500",
	} {
		if got := significant(v); got != want {
			t.Errorf("significant(%v) is %s, want %s", v, got, want)
		}
	}
	for _, c := range []struct {
		e    bench.Estimate
		want string
	}{
		{bench.Estimate{Value: 0.0417, Low: 0.0391, High: 0.0443}, "0.0417 ±0.0026"},
		{bench.Estimate{Value: 0.000414, Low: 0.00038, High: 0.000448}, "0.000414 ±0.000034"},
		{bench.Estimate{Value: 2e-8, Low: 1e-8, High: 3e-8}, "2e-8 ±1e-8"},
		{bench.Estimate{}, "0 ±0"},
	} {
		if got := estimatedLoss(c.e); got != c.want {
			t.Errorf("%+v: %s, want %s", c.e, got, c.want)
		}
	}
	if digits(math.NaN(), 2) != "" || percent(0) != "" || megabytes(0) != "" {
		t.Error("what is not known is shown")
	}
	if got := shortenedTo("0123456789", 7); got != "012…789" {
		t.Errorf("shortened to %s", got)
	}
	if got := fileNames([]string{"a/m.gguf", "b/m.gguf", "b/n.gguf"}); got[0] != "a/m.gguf" || got[1] != "b/m.gguf" || got[2] != "n.gguf" {
		t.Errorf("names %q", got)
	}
}

// No two series of a report look the same, and their neighbours differ in both
// colour and mark.
func TestSeriesDiffer(t *testing.T) {
	seen := map[[2]int]bool{}
	for i := range colours * marks {
		look := [2]int{i % colours, i % marks}
		if seen[look] {
			t.Fatalf("series %d looks like one before", i)
		}
		seen[look] = true
	}
}

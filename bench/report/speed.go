package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// Speed returns the page about how fast models are.
func Speed(r *bench.SpeedReport) *Page {
	p := &Page{
		Title: "How fast models are",
		Lead:  "Throughput, latency and memory of models that compute vectors, measured side by side.",
		Facts: append(MachineFacts(&r.Machine),
			Fact{"Repetitions", grouped(strconv.Itoa(r.Settings.Repetitions))},
			Fact{"Real text", texttable.Safe(r.Settings.Text)}),
	}
	v := &speedView{SpeedReport: r}
	for i := range r.Cases {
		if k := kindOf(&r.Cases[i]); !slices.Contains(v.kinds, k) {
			v.kinds = append(v.kinds, k)
		}
	}
	for _, k := range v.kinds {
		v.threads = v.threads || k.threads != v.kinds[0].threads
	}
	p.Sections = []Section{
		{Title: "Throughput", Figures: []Figure{v.throughput()}},
		{Title: "Latency", Text: "How long single requests took. A curve tells which part of the requests was done in what time; marks are the median, p95, p99 and the slowest.", Figures: v.latencies()},
		{Title: "Models", Figures: []Figure{v.memory()}},
	}
	if len(r.Ceilings) > 0 {
		p.Sections = append(p.Sections, Section{
			Title:   "Roofline",
			Text:    "What the machine can do at most was measured with loops that do nothing else. Memory may exceed 100 % where weights stay in a cache.",
			Figures: []Figure{v.arithmetic(), v.reading(), v.ceilings()},
		})
	}
	return p
}

// A kind is a way of using a model: cases of one kind do the same.
type kind struct {
	threads, batch, length int
	text                   bool
}

func kindOf(c *bench.CaseSpeed) kind {
	k := kind{c.Threads, c.Batch, c.Length, c.Workload == "text"}
	if k.text {
		k.length = 0 // a mean, which may differ with the tokenizer
	}
	return k
}

// A speedView is what the figures are made of.
type speedView struct {
	*bench.SpeedReport
	kinds   []kind
	threads bool // kinds differ in them
}

// name returns the name of a kind, as in "16 × 128 tokens, 2 threads".
func (v *speedView) name(k kind) string {
	name := fmt.Sprintf("%d × %s", k.batch, lengthOf(k))
	if v.threads {
		name += ", " + plural(k.threads, "thread")
	}
	return name
}

func lengthOf(k kind) string {
	if k.text {
		return "real text"
	}
	return plural(k.length, "token")
}

// each calls f for all cases, by model and in the order of kinds.
func (v *speedView) each(f func(model, kind int, c *bench.CaseSpeed)) {
	for m, model := range v.Models {
		for k, want := range v.kinds {
			for i := range v.Cases {
				if c := &v.Cases[i]; c.Model == model.Name && kindOf(c) == want {
					f(m, k, c)
				}
			}
		}
	}
}

// kindChart returns a chart with a row for each kind and a series for each model,
// whose points value gives. What is 0 is not known.
func (v *speedView) kindChart(description, x string, value func(c *bench.CaseSpeed) (p Point, tip string)) *Chart {
	chart := &Chart{Description: description, X: Axis{Name: x, Zero: true}}
	for _, k := range v.kinds {
		chart.Y.Rows = append(chart.Y.Rows, v.name(k))
	}
	for _, m := range v.Models {
		chart.Series = append(chart.Series, Series{Name: texttable.Safe(m.Name)})
	}
	v.each(func(m, k int, c *bench.CaseSpeed) {
		p, tip := value(c)
		if p.X == 0 {
			return
		}
		p.Y = float64(k)
		p.Tip = fmt.Sprintf("%s, %s: %s", chart.Series[m].Name, chart.Y.Rows[k], tip)
		chart.Series[m].Points = append(chart.Series[m].Points, p)
	})
	return chart
}

func (v *speedView) throughput() Figure {
	f := Figure{
		Title: "Tokens per second",
		Text:  "For each number of texts in a request × tokens in a text. Marks are the medians of all repetitions, the lines through them reach from quartile to quartile.",
		Chart: v.kindChart("Tokens per second of each model for each kind of request.", "tokens per second (more is better)", func(c *bench.CaseSpeed) (Point, string) {
			s := c.TokensPerSecond
			return Point{X: s.Median, LowX: s.Low, HighX: s.High}, digits(s.Median, 0) + " tokens per second"
		}),
	}
	f.Table.Columns = Columns("model", "threads>", "texts>", "tokens>", "tokens/s>", "±>", "texts/s>", "CPU>", "requests>", "errors>")
	v.each(func(m, k int, c *bench.CaseSpeed) {
		f.Table.Row(texttable.Safe(c.Model), strconv.Itoa(c.Threads), strconv.Itoa(c.Batch), lengthCell(c), digits(c.TokensPerSecond.Median, 0),
			percent(c.TokensPerSecond.Spread()), significant(c.TextsPerSecond), significant(c.CPUSeconds/max(c.Seconds, 1e-9)),
			grouped(strconv.Itoa(c.Requests)), grouped(strconv.Itoa(c.Errors)))
	})
	f.Notes = []string{"± is half the distance of the quartiles; CPU is how many processors were busy on average."}
	return f
}

// lengthCell returns the tokens of a text; of real text, their mean.
func lengthCell(c *bench.CaseSpeed) string {
	if c.Workload == "text" {
		return fmt.Sprintf("text, %d", c.Length)
	}
	return strconv.Itoa(c.Length)
}

// latencies has a figure for each length and number of threads, of the requests
// with the fewest texts.
func (v *speedView) latencies() (all []Figure) {
	least := 0
	for _, k := range v.kinds {
		if least == 0 || k.batch < least {
			least = k.batch
		}
	}
	for i, k := range v.kinds {
		if k.batch != least {
			continue
		}
		if f := v.latency(i); f.Chart.points() > 0 {
			all = append(all, f)
		}
	}
	return all
}

func (v *speedView) latency(kind int) Figure {
	f := Figure{
		Title: "Requests of " + v.name(v.kinds[kind]),
		Chart: &Chart{
			Description: "For each model the part of requests that was done in so many milliseconds.",
			X:           Axis{Name: "milliseconds (less is better)", Log: true},
			Y:           Axis{Name: "part of requests done", Format: percentTick, Zero: true},
		},
	}
	f.Table.Columns = Columns("model", "requests>", "p50 ms>", "p95 ms>", "p99 ms>", "max ms>")
	v.each(func(m, k int, c *bench.CaseSpeed) {
		if k != kind || c.Requests == 0 {
			return
		}
		name := texttable.Safe(c.Model)
		f.Chart.Series = append(f.Chart.Series, latencySeries(name, c))
		f.Table.Row(name, grouped(strconv.Itoa(c.Requests)), milliseconds(c.Latency.P50), milliseconds(c.Latency.P95), milliseconds(c.Latency.P99), milliseconds(c.Latency.Max))
	})
	return f
}

func milliseconds(seconds float64) string { return significant(1e3 * seconds) }

// latencySeries returns the curve of all requests, with marks at the percentiles
// that the table has.
func latencySeries(name string, c *bench.CaseSpeed) Series {
	s := Series{Name: name, Line: true}
	n := len(c.Latencies)
	for i, t := range c.Latencies {
		done := 100 * float64(i+1) / float64(n)
		if n > 100 {
			done = float64(i) // see docs/json.md
		}
		s.Points = append(s.Points, Point{X: 1e3 * t, Y: done, Plain: true})
	}
	for _, mark := range []struct {
		what string
		part int
		time float64
	}{{"median", 50, c.Latency.P50}, {"p95", 95, c.Latency.P95}, {"p99", 99, c.Latency.P99}, {"slowest", 100, c.Latency.Max}} {
		at := slices.IndexFunc(c.Latencies, func(t float64) bool { return t >= mark.time })
		if at < 0 {
			continue
		}
		p := &s.Points[at]
		if p.Plain {
			p.Tip = name + ","
		}
		p.Plain = false
		p.Tip += fmt.Sprintf(" %s: %s ms", mark.what, milliseconds(mark.time))
	}
	return s
}

func (v *speedView) memory() Figure {
	f := Figure{
		Title: "Size and memory",
		Text:  "Resident is the memory of a process that has loaded the model alone, peak the most that it had while it loaded it and made one request of each kind.",
		Chart: &Chart{Description: "The size of each model's file, and the resident and the peak memory of a process with it.", X: Axis{Name: "MB (less is better)", Zero: true}},
	}
	f.Table.Columns = Columns("model", "architecture", "computed in", "file MB>", "resident MB>", "peak MB>", "loading ms>", "±>")
	series := []Series{{Name: "file"}, {Name: "resident"}, {Name: "peak"}}
	for i, m := range v.Models {
		name := texttable.Safe(m.Name)
		f.Chart.Y.Rows = append(f.Chart.Y.Rows, name)
		for k, bytes := range []int64{m.FileBytes, m.ResidentBytes, m.PeakBytes} {
			if bytes > 0 {
				series[k].Points = append(series[k].Points, Point{X: millions(bytes), Y: float64(i), Tip: fmt.Sprintf("%s, %s: %s MB", name, series[k].Name, megabytes(bytes))})
			}
		}
		f.Table.Row(name, texttable.Safe(m.Architecture), m.Precision, megabytes(m.FileBytes), megabytes(m.ResidentBytes), megabytes(m.PeakBytes),
			milliseconds(m.LoadSeconds.Median), percent(m.LoadSeconds.Spread()))
	}
	f.Chart.Series = series
	return f
}

// shares returns a figure of a share of a ceiling.
func (v *speedView) shares(title, text, what string, share func(c *bench.CaseSpeed) float64) Figure {
	f := Figure{Title: title, Text: text, Chart: v.kindChart(title+" of each model for each kind of request.", what, func(c *bench.CaseSpeed) (Point, string) {
		return Point{X: 100 * share(c)}, percent(share(c))
	})}
	f.Chart.X.Format = percentTick
	f.Table.Columns = Columns("model", "threads>", "texts>", "tokens>", "share>")
	v.each(func(m, k int, c *bench.CaseSpeed) {
		f.Table.Row(texttable.Safe(c.Model), strconv.Itoa(c.Threads), strconv.Itoa(c.Batch), lengthCell(c), percent(share(c)))
	})
	return f
}

func (v *speedView) arithmetic() Figure {
	return v.shares("Share of the arithmetic", "The time that the multiplications take at least, as a part of the time that requests took.",
		"share of what the machine can multiply", func(c *bench.CaseSpeed) float64 { return c.ArithmeticShare })
}

func (v *speedView) reading() Figure {
	return v.shares("Share of the memory", "The time that reading all weights takes at least, as a part of the time that requests took.",
		"share of what the machine can read from memory", func(c *bench.CaseSpeed) float64 { return c.MemoryShare })
}

func (v *speedView) ceilings() Figure {
	f := Figure{
		Title: "What the machine can do at most",
		Text:  fmt.Sprintf("In billions a second, with %s for floats and %s for bytes.", v.Machine.FloatLoop, v.Machine.ByteLoop),
	}
	f.Table.Columns = Columns("threads", "f32 operations>", "int8 operations>", "bytes read from memory>")
	for _, c := range v.Ceilings {
		f.Table.Row(strconv.Itoa(c.Threads), significant(c.FloatOperations/1e9), significant(c.ByteOperations/1e9), significant(c.MemoryBytes/1e9))
	}
	return f
}

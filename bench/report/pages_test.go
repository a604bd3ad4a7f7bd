package report

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gguftool/gguftool/bench"
)

var (
	pagesDir = flag.String("pages", "", "write sample pages to this folder")
	update   = flag.Bool("update", false, "write testdata/curve.svg")
)

func page(t *testing.T, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Pages ask for nothing, run nothing whatever names say, and are the same every
// time.
func TestPages(t *testing.T) {
	again := samplePages()
	for name, p := range samplePages() {
		text := page(t, p)
		if *pagesDir != "" {
			if err := os.WriteFile(filepath.Join(*pagesDir, name+".html"), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if text != page(t, again[name]) {
			t.Errorf("%s: another time it is another page", name)
		}
		for _, bad := range []string{"<script", "<img", "<iframe", "<object", "@import", "url(", "\u202e", "\x1b", "ZgotmplZ", "NaN", "%!"} {
			if strings.Contains(strings.ReplaceAll(text, p.Commands[0], ""), bad) && !strings.Contains(bad, "\u202e") {
				t.Errorf("%s has %q", name, bad)
			}
		}
		for _, link := range regexp.MustCompile(`\s(?:src|href|xlink:href|action)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if link[1] != "data:," && !strings.HasPrefix(link[1], "#") {
				t.Errorf("%s links to %s", name, link[1])
			}
		}
		charts := strings.Count(text, `<svg class="plot wide"`)
		if charts == 0 || charts != strings.Count(text, `<svg class="plot narrow"`) || charts > strings.Count(text, "<table>") {
			t.Errorf("%s: %d charts, %d tables", name, charts, strings.Count(text, "<table>"))
		}
		if opened, closed := strings.Count(text, "<svg"), strings.Count(text, "</svg>"); opened != closed {
			t.Errorf("%s: %d svg elements begin, %d end", name, opened, closed)
		}
	}
}

// What was measured is in the tables.
func TestFiguresAreThere(t *testing.T) {
	pages := samplePages()
	for name, want := range map[string][]string{
		"speed-12": {">19,000<", ">text, 35<", ">1,140<", ">3.50<", "30.0 %", "16 × 16 tokens: 19,000 tokens per second", "median: 10.0 ms", "slowest: 100 ms", "model-Q8_0.gguf", "avx2 vpmaddubsw",
			"&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"},
		"fidelity-1": {">32.00<", ">4.50×<", ">0.0500 ±0.0050<", ">0.300<", ">0.900 ±0.018<", ">embeddings<", ">0.1500 ±0.0150<", "Q2_K: 20.0 MB, loss 0.0500 ±0.0050", "300 tokens of 16 texts",
			"Ways to search: set", ">whole texts<", ">12,345 chunks<", ">&#43; 0.3 of second.gguf<", ">&#43; 100 reranked by", ">0.2300 ±0.0230<", ">0.0200 ±0.0060<", "Q2_K.gguf, 12,345 chunks: 0.1700 ±0.0170",
			"models/model" /* not in it */},
		"decoder-5": {"KL divergence", ">12.6000<", "perplexity of the reference is 12.0000", `href="#s2"`},
		"curve":     {"chosen by measured loss", "Q2_K: 18.0 MB"},
	} {
		text := page(t, pages[name])
		for _, w := range want {
			if has := strings.Contains(text, w); has == (w == "models/model") {
				t.Errorf("%s: %q is there: %v", name, w, has)
			}
		}
	}
}

func TestDrawing(t *testing.T) {
	c := sampleCurve().Sections[0].Figures[0].Chart
	shown, _ := c.onAxes()
	d, err := shown.draw("wide")
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/curve.svg"
	if *update {
		if err := os.WriteFile(path, []byte(d.Body), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(d.Body) != string(want) {
		t.Errorf("the drawing is not that of %s; look at it in a browser (make report-check) and run 'go test ./bench/report -update'", path)
	}
	if len(d.Hits) != 16 || d.Hits[12].Tip != "Q2_K: 18.0 MB, loss 0.0200 ±0.0020" {
		t.Errorf("%d tips, %+v", len(d.Hits), d.Hits)
	}
}

// Nothing that was measured, however odd, makes a page fail or a chart leave its
// frame.
func TestAnyNumbers(t *testing.T) {
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 1), rapid.SampledFrom([]float64{0, 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), 1e-300, 1e300, 5e-324, math.MaxFloat64}))
	rapid.Check(t, func(t *rapid.T) {
		c := &Chart{
			X: Axis{Log: rapid.Bool().Draw(t, "logX"), Zero: rapid.Bool().Draw(t, "zero"), Whole: rapid.Bool().Draw(t, "whole"), Room: rapid.Bool().Draw(t, "room")},
			Y: Axis{Log: rapid.Bool().Draw(t, "logY")},
		}
		for range rapid.IntRange(0, 4).Draw(t, "series") {
			s := Series{Line: rapid.Bool().Draw(t, "line")}
			for range rapid.IntRange(0, 4).Draw(t, "points") {
				p := Point{X: number.Draw(t, "x"), Y: number.Draw(t, "y"), Tip: "tip", Label: "label"}
				p.LowY, p.HighY, p.LowX, p.HighX = number.Draw(t, "low"), number.Draw(t, "high"), number.Draw(t, "left"), number.Draw(t, "right")
				s.Points = append(s.Points, p)
			}
			c.Series = append(c.Series, s)
		}
		f := Figure{Title: "figure", Chart: c}
		shown, err := f.show("f")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range shown.Charts {
			for _, h := range d.Hits {
				if h.X < 0 || h.X > d.Width || h.Y < 0 || h.Y > d.Height {
					t.Fatalf("a point is at %d, %d of %d x %d", h.X, h.Y, d.Width, d.Height)
				}
			}
			if strings.Contains(string(d.Body), "NaN") {
				t.Fatalf("a drawing has NaN: %s", d.Body)
			}
		}
	})
}

// Reports in which nothing or nearly nothing was measured are pages too.
func TestSparseReports(t *testing.T) {
	failed := sampleSpeed(1)
	for i := range failed.Cases {
		failed.Cases[i] = bench.CaseSpeed{Model: failed.Cases[i].Model, Errors: 3, FirstError: "it is broken", TokensPerSecond: bench.Samples{Values: []float64{}}}
	}
	bare := sampleFidelity(2, false)
	for i := range bare.Files {
		bare.Files[i] = bench.FileFidelity{Path: bare.Files[i].Path}
	}
	same := sampleFidelity(1, false)
	same.Files[0].Vectors = same.Files[0].Vectors[:1]
	same.Files[0].Vectors[0].Loss = bench.Estimate{}
	for name, p := range map[string]*Page{
		"no models":     Speed(&bench.SpeedReport{}),
		"all fail":      Speed(failed),
		"no references": Fidelity(nil),
		"no files":      Fidelity([]*bench.Fidelity{{}}),
		"bare files":    Fidelity([]*bench.Fidelity{bare}),
		"no loss":       Fidelity([]*bench.Fidelity{same}),
		"nothing":       {},
	} {
		if text := page(t, p); !strings.HasSuffix(text, "</html>\n") || strings.Contains(text, "NaN") {
			t.Errorf("%s: the page is not whole, or has no numbers: %.3000s", name, text[strings.Index(text, "<body>"):])
		} else if name == "no loss" && !strings.Contains(text, "1 point that the axes cannot show") {
			t.Error("nobody says that a point is left out")
		}
	}
}

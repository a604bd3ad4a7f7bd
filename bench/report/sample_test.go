package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// hostileName is what a file may be called.
const hostileName = "</title><script>alert(1)</script>\"'&<img src=http://127.0.0.1/x onerror=alert(2)>\u202e\x1b[31m{{.}}.gguf"

// longName is longer than any page is wide, without a place to break it.
const longName = "a-very-long-model-name-that-somebody-gave-to-a-finetune-of-a-finetune-of-a-merge-of-two-models-with-all-hyperparameters-lr2e-5-bs32-ep3-v1.2.3-final-final2-Q4_K_M.gguf"

func estimate(v, spread float64) bench.Estimate {
	return bench.Estimate{Value: v, Low: v * (1 - spread), High: v * (1 + spread)}
}

func samples(v float64) bench.Samples {
	return bench.NewSamples([]float64{v * 0.97, v, v * 1.05, v * 0.99, v * 1.01})
}

var sampleMachine = bench.Machine{OS: "linux", Architecture: "amd64", Processors: 8, Cores: 4, Path: "avx2", FloatLoop: "avx2 fma", ByteLoop: "avx2 vpmaddubsw", Features: []string{"avx2", "fma"}}

// sampleNames are names of so many files, some of which are difficult.
func sampleNames(n int) []string {
	types := []string{"Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "IQ3_S"}
	var names []string
	for i := range n {
		switch {
		case n > 2 && i == n-1:
			names = append(names, hostileName)
		case n > 2 && i == n-2:
			names = append(names, longName)
		default:
			names = append(names, "model-"+types[i%len(types)]+".gguf")
		}
	}
	return names
}

// sampleSpeed is a report about n models.
func sampleSpeed(n int) *bench.SpeedReport {
	r := &bench.SpeedReport{
		Schema: bench.SpeedSchema, Version: "1", Machine: sampleMachine,
		Settings: bench.Settings{Repetitions: 5, DurationSeconds: 0.2, WarmupSeconds: 0.1, Text: "built-in"},
		Ceilings: []bench.Ceilings{{Threads: 4, FloatOperations: 2e11, ByteOperations: 8e11, MemoryBytes: 2e10, CacheBytes: 1e11}},
	}
	for i, name := range sampleNames(n) {
		f := 1 + 0.3*float64(i)
		r.Models = append(r.Models, bench.ModelSpeed{
			Name: name, Architecture: "bert", FileBytes: 20e6 + int64(i)*3e6, Precision: "int8", Context: 512,
			LoadSeconds: samples(0.02 * f), ResidentBytes: 60e6 + int64(i)*4e6, PeakBytes: 80e6 + int64(i)*5e6,
		})
		for _, k := range []kind{{4, 1, 16, false}, {4, 16, 16, false}, {4, 1, 35, true}} {
			c := bench.CaseSpeed{
				Model: name, Threads: k.threads, Workload: "synthetic", Batch: k.batch, Length: k.length, Requests: 500, Texts: 500 * k.batch,
				Tokens: 500 * k.batch * k.length, Seconds: 1, CPUSeconds: 3.5,
				TokensPerSecond: samples(1000 * f * float64(k.batch+3)), TextsPerSecond: 60 * f * float64(k.batch+3),
				Latency:         bench.Latency{P50: 0.01 / f, P95: 0.02 / f, P99: 0.03 / f, Max: 0.1 / f},
				ArithmeticShare: 0.1 * float64(k.batch%7) / f, MemoryShare: 0.3 / f,
			}
			if k.text {
				c.Workload = "text"
			}
			for p := range 101 {
				c.Latencies = append(c.Latencies, c.Latency.P50*(0.7+0.006*float64(p)))
			}
			c.Latencies[95], c.Latencies[96], c.Latencies[97], c.Latencies[98] = c.Latency.P95, c.Latency.P95, c.Latency.P95, c.Latency.P95
			c.Latencies[99], c.Latencies[100] = c.Latency.P99, c.Latency.Max
			r.Cases = append(r.Cases, c)
		}
	}
	return r
}

// sampleFidelity is about n files of an encoder, or of a decoder.
func sampleFidelity(n int, decoder bool) *bench.Fidelity {
	f := &bench.Fidelity{Reference: bench.FileFidelity{
		Path: "models/model-F32.gguf", Type: "F32", Bytes: 90e6, BitsPerWeight: 32, Reduction: 1, Precision: "f32", Tokens: 5000, Speed: 9000,
	}}
	score := func(v float64) *bench.RetrievalScore {
		return &bench.RetrievalScore{Queries: 100, Texts: 1000, NDCG: estimate(v, 0.1), Recall10: estimate(1.5*v, 0.1), Recall: estimate(3*v, 0.1), MRR: estimate(v, 0.2)}
	}
	stages := func(v, change float64) []bench.SearchStage {
		var all []bench.SearchStage
		for k, s := range []bench.SearchStage{
			{Stage: bench.StageChunks, Chunks: 12345},
			{Stage: bench.StageHybrid, Model: "second.gguf", Weight: 0.3},
			{Stage: bench.StageHybrid, Model: longName, Weight: 0.5},
			{Stage: bench.StageRerank, Model: hostileName, Depth: 100},
		} {
			s.RetrievalScore = score(v + 0.02*float64(k+1))
			s.Gain, s.Change, s.Retention = estimate(0.02, 0.3), estimate(change, 0.5), 1+change/v
			all = append(all, s)
		}
		return all
	}
	if !decoder {
		f.Reference.Retrieval = &bench.RetrievalResult{Name: "set", RetrievalScore: score(0.2), Retention: 1, Stages: stages(0.2, 0)}
		f.Reference.Pairs = []bench.PairResult{{Name: "sts.tsv", PairScore: &bench.PairScore{Pairs: 1500, Spearman: estimate(0.75, 0.03)}, Retention: 1}}
	}
	for i, name := range sampleNames(n) {
		loss := 0.05 * math.Pow(0.5, float64(i))
		bytes := int64(20e6 + float64(i)*2.5e6)
		file := bench.FileFidelity{
			Path: "models/" + name, Type: []string{"Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_S"}[i%5], Bytes: bytes, BitsPerWeight: 5 + 0.4*float64(i),
			Reduction: 90e6 / float64(bytes), Precision: "int8", Tokens: 5000, Speed: 20000 + 400*float64(i),
		}
		file.Layers = &bench.LayerFidelity{Texts: 16, Tokens: 300}
		for l := range 7 {
			file.Layers.Errors = append(file.Layers.Errors, math.Sqrt(loss)*(0.3+0.2*float64(l)))
		}
		if decoder {
			file.Logits = &bench.LogitFidelity{
				Windows: 20, ContextSize: 256, Tokens: 2560, Perplexity: 12 * (1 + loss), Reference: 12, KL: estimate(loss, 0.1), KLWorst: 20 * loss,
				SameTop: estimate(1-2*loss, 0.01), Increase: estimate(loss, 0.2),
			}
		} else {
			for _, d := range []int{384, 64, 128} {
				file.Vectors = append(file.Vectors, &bench.VectorFidelity{
					Dimensions: d, Texts: 185, Rows: 185, Loss: estimate(loss*384/float64(d), 0.1), Losses: bench.Percentile{P50: 0.9 * loss, P90: 1.5 * loss, P99: 3 * loss},
					Worst: 6 * loss, WorstText: 17, Overlap: estimate(1-2*loss, 0.02), Correlation: estimate(1-loss, 0.001), KL: estimate(2*loss, 0.1),
				})
			}
			file.Retrieval = &bench.RetrievalResult{Name: "set", RetrievalScore: score(0.2 - loss), Change: estimate(-loss, 0.5), Retention: 1 - 5*loss, Stages: stages(0.2-loss, -loss)}
			file.Pairs = []bench.PairResult{{Name: "sts.tsv", PairScore: &bench.PairScore{Pairs: 1500, Spearman: estimate(0.75-loss, 0.03)}, Change: estimate(-loss, 0.5), Retention: 1 - loss}}
		}
		f.Files = append(f.Files, file)
	}
	return f
}

// sampleCurve is a page such as choosing types by their loss would make: a curve,
// with points that are not on it.
func sampleCurve() *Page {
	var chosen, fixed Series
	chosen = Series{Name: "chosen by measured loss", Line: true}
	fixed = Series{Name: "one type or mixture for all"}
	for i := range 12 {
		loss := 0.001 * math.Pow(0.7, float64(i))
		chosen.Points = append(chosen.Points, SizeLossPoint("", 17e6+int64(i)*4e5, estimate(loss, 0.1)))
		if i%3 == 0 {
			fixed.Points = append(fixed.Points, SizeLossPoint(fmt.Sprintf("Q%d_K", 2+i/3), 18e6+int64(i)*4e5, estimate(20*loss, 0.1)))
		}
	}
	return &Page{Title: "Types chosen by measured loss", Sections: []Section{{Title: "model.gguf", Figures: []Figure{{
		Title: "Size against loss", Chart: SizeAgainstLoss("1 − cosine", chosen, fixed),
		Table: Table{Columns: Columns("choice", "MB>"), Rows: [][]string{{"a", "17"}}},
	}}}}}
}

// samplePages are pages of all kinds, by the names of their files.
func samplePages() map[string]*Page {
	pages := map[string]*Page{
		"speed-1":     Speed(sampleSpeed(1)),
		"speed-12":    Speed(sampleSpeed(12)),
		"fidelity-1":  Fidelity([]*bench.Fidelity{sampleFidelity(1, false)}),
		"fidelity-12": Fidelity([]*bench.Fidelity{sampleFidelity(12, false)}),
		"decoder-5":   Fidelity([]*bench.Fidelity{sampleFidelity(5, true), sampleFidelity(3, false)}),
		"curve":       sampleCurve(),
	}
	for _, p := range pages {
		p.Commands = []string{"gguftool bench fidelity model-F32.gguf " + strings.ReplaceAll(hostileName, "\x1b", "") + " " + longName + " --html report.html"}
		p.Facts = append(p.Facts, Fact{"Long", longName}, Fact{"Hostile", texttable.Safe(hostileName)})
	}
	return pages
}

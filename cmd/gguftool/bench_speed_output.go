package main

import (
	"fmt"
	"strconv"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// speedOutput prints a report of speed.
type speedOutput struct{ *bench.SpeedReport }

func (r speedOutput) whole() any { return r.SpeedReport }

func (r speedOutput) items() (all []any) {
	for _, c := range r.Cases {
		all = append(all, c)
	}
	return all
}

func (r speedOutput) tables() []figureTable {
	models := figureTable{title: "Models", columns: []string{"model", "precision", "MB>", "load ms>", "±>", "resident MB>", "peak MB>"}}
	for _, m := range r.Models {
		models.row(texttable.Safe(m.Name), m.Precision, megabytes(m.FileBytes), significant(1e3*m.LoadSeconds.Median),
			percentage(m.LoadSeconds.Spread()), megabytes(m.ResidentBytes), megabytes(m.PeakBytes))
	}
	speed := figureTable{title: "Speed", columns: []string{"model", "threads>", "batch>", "length>", "tokens/s>", "±>", "texts/s>",
		"p50 ms>", "p95 ms>", "p99 ms>", "max ms>", "open p99>", "requests>", "CPU>", "arithmetic>", "memory>", "errors>"}}
	for _, c := range r.Cases {
		length := strconv.Itoa(c.Length)
		if c.Workload == "text" {
			length = "text " + length
		}
		speed.row(texttable.Safe(c.Model), strconv.Itoa(c.Threads), strconv.Itoa(c.Batch), length,
			texttable.Grouped(int64(c.TokensPerSecond.Median+0.5)), percentage(c.TokensPerSecond.Spread()), significant(c.TextsPerSecond),
			significant(1e3*c.Latency.P50), significant(1e3*c.Latency.P95), significant(1e3*c.Latency.P99), significant(1e3*c.Latency.Max), significant(1e3*c.OpenLatency.P99),
			texttable.Grouped(int64(c.Requests)), significant(c.CPUSeconds/max(c.Seconds, 1e-9)), percentage(c.ArithmeticShare), percentage(c.MemoryShare), strconv.Itoa(c.Errors))
	}
	machine := figureTable{title: "Machine", columns: []string{"threads>", "f32 Gop/s>", "int8 Gop/s>", "memory GB/s>"}}
	for _, c := range r.Ceilings {
		machine.row(strconv.Itoa(c.Threads), significant(c.FloatOperations/1e9), significant(c.ByteOperations/1e9), significant(c.MemoryBytes/1e9))
	}
	machine.notes = []string{
		fmt.Sprintf("%s/%s, %d processors, %d cores, %s (%s, %s)", r.Machine.OS, r.Machine.Architecture, r.Machine.Processors, r.Machine.Cores,
			r.Machine.Path, r.Machine.FloatLoop, r.Machine.ByteLoop),
		fmt.Sprintf("whole process: %.2f s, %.2f s of processors, %s MB at most", r.Process.Seconds, r.Process.CPUSeconds, megabytes(r.Process.PeakBytes)),
	}
	return []figureTable{models, speed, machine}
}

func (r speedOutput) records() figureTable {
	t := figureTable{columns: []string{"model", "precision", "threads", "workload", "batch", "length", "requests", "errors", "texts", "tokens", "seconds", "cpu_seconds",
		"tokens_per_second", "tokens_per_second_low", "tokens_per_second_high", "texts_per_second", "latency_p50", "latency_p95", "latency_p99", "latency_max", "latency_open_p99",
		"arithmetic_share", "memory_share", "load_seconds", "resident_bytes", "peak_bytes", "file_bytes"}}
	for _, c := range r.Cases {
		var m bench.ModelSpeed
		for _, known := range r.Models {
			if known.Name == c.Model {
				m = known
			}
		}
		t.row(c.Model, m.Precision, strconv.Itoa(c.Threads), c.Workload, strconv.Itoa(c.Batch), strconv.Itoa(c.Length), strconv.Itoa(c.Requests),
			strconv.Itoa(c.Errors), strconv.Itoa(c.Texts), strconv.Itoa(c.Tokens), exact(c.Seconds), exact(c.CPUSeconds),
			exact(c.TokensPerSecond.Median), exact(c.TokensPerSecond.Low), exact(c.TokensPerSecond.High), exact(c.TextsPerSecond),
			exact(c.Latency.P50), exact(c.Latency.P95), exact(c.Latency.P99), exact(c.Latency.Max), exact(c.OpenLatency.P99),
			exact(c.ArithmeticShare), exact(c.MemoryShare), exact(m.LoadSeconds.Median),
			strconv.FormatInt(m.ResidentBytes, 10), strconv.FormatInt(m.PeakBytes, 10), strconv.FormatInt(m.FileBytes, 10))
	}
	return t
}

// exact returns v with as many digits as it has.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// significant returns v with three digits, or all that are before the point.
func significant(v float64) string {
	switch {
	case v >= 100:
		return texttable.Grouped(int64(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// percentage returns a share in percent; 0 is not known.
func percentage(share float64) string {
	if share == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + "%"
}

// megabytes returns n in millions of bytes; 0 is not known.
func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return significant(float64(n) / 1e6)
}

package bench

import (
	"runtime"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/peak"
)

// SpeedSchema names the form of a SpeedReport. It changes when that does.
const SpeedSchema = "gguftool/bench-speed/2"

// A SpeedReport is what was measured of models, and on which machine. As JSON it
// has the form of docs/json.md.
type SpeedReport struct {
	Schema   string       `json:"schema"`
	Version  string       `json:"version"` // of the program
	Machine  Machine      `json:"machine"`
	Settings Settings     `json:"settings"`
	Ceilings []Ceilings   `json:"ceilings"` // for each number of threads
	Models   []ModelSpeed `json:"models"`
	Cases    []CaseSpeed  `json:"cases"`
	Process  Process      `json:"process"`
}

// A Machine is where something was measured.
type Machine struct {
	OS           string   `json:"os"`
	Architecture string   `json:"architecture"`
	Processors   int      `json:"processors"` // that the process may use
	Cores        int      `json:"cores"`      // physical ones of these
	Path         string   `json:"path"`       // the instructions that kernels use
	FloatLoop    string   `json:"float_loop"` // what the ceilings of arithmetic are measured with
	ByteLoop     string   `json:"byte_loop"`
	Features     []string `json:"features"`
}

// ThisMachine describes the machine that this process is on.
func ThisMachine() Machine {
	path, _ := cpu.Chosen()
	return Machine{
		OS: runtime.GOOS, Architecture: runtime.GOARCH, Processors: runtime.NumCPU(), Cores: cpu.PhysicalCores(),
		Path: path.String(), FloatLoop: peak.Float32(path).Name, ByteLoop: peak.Int8(path).Name,
		Features: append([]string{}, cpu.Features()...),
	}
}

// Settings are how it was measured.
type Settings struct {
	Repetitions     int     `json:"repetitions"`
	DurationSeconds float64 `json:"duration_seconds"` // of a case, all its repetitions together
	WarmupSeconds   float64 `json:"warmup_seconds"`
	Reloads         int     `json:"reloads"` // how often models were loaded again meanwhile
	Text            string  `json:"text"`    // name of the texts
}

// A ModelSpeed is what there is to a model whatever its requests are.
type ModelSpeed struct {
	Name          string  `json:"name"`
	Architecture  string  `json:"architecture"`
	FileBytes     int64   `json:"file_bytes"`
	Precision     string  `json:"precision"`
	Context       int     `json:"context"`
	LoadSeconds   Samples `json:"load_seconds"`     // opening the file and loading it
	LoadCPU       Samples `json:"load_cpu_seconds"` // the same of processor time; no values where the system does not tell
	ResidentBytes int64   `json:"resident_bytes"`   // memory of a process that has loaded this model; 0 where it is not known
	PeakBytes     int64   `json:"peak_bytes"`       // the most of one that has loaded it and made each kind of request; 0 where it is not known
}

// A CaseSpeed is a Measurement as it is reported.
type CaseSpeed struct {
	Model    string `json:"model"`
	Threads  int    `json:"threads"`
	Workload string `json:"workload"` // synthetic or text
	Batch    int    `json:"batch"`
	Length   int    `json:"length"` // tokens of a text; for real text the mean, rounded

	Requests   int     `json:"requests"`
	Errors     int     `json:"errors"`
	FirstError string  `json:"first_error,omitempty"`
	Texts      int     `json:"texts"`
	Tokens     int     `json:"tokens"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`

	TokensPerSecond    Samples   `json:"tokens_per_second"`
	TokensPerCPUSecond Samples   `json:"tokens_per_cpu_second"` // no values where the system does not tell
	TextsPerSecond     float64   `json:"texts_per_second"`
	Latency            Latency   `json:"latency_seconds"`
	Latencies          []float64 `json:"latency_distribution_seconds,omitempty"` // the shortest, those that 1 % to 99 % of requests did not exceed, the longest; of fewer than 101 requests all
	OpenLatency        Latency   `json:"latency_open_seconds"`                   // had requests come at a steady rate
	LatencyParts       []Latency `json:"latency_parts"`                          // of consecutive parts of the requests
	MedianLatency      Samples   `json:"median_latency_seconds"`                 // of each repetition
	Yardstick          Samples   `json:"yardstick"`
	ThreadYardstick    Samples   `json:"thread_yardstick"`

	FloatOperations int64   `json:"float_operations"`
	ByteOperations  int64   `json:"byte_operations"`
	WeightBytes     int64   `json:"weight_bytes"`
	ArithmeticShare float64 `json:"arithmetic_share"` // of the ceiling
	MemoryShare     float64 `json:"memory_share"`
}

// report returns m as it is reported, beside the ceilings for its threads, or nil.
func (m *Measurement) report(c *Ceilings) CaseSpeed {
	r := CaseSpeed{
		Model: m.Case.Model, Threads: m.Case.Threads, Workload: m.Case.Workload(), Batch: m.Case.Batch, Length: m.Case.Length,
		Requests: m.Requests, Errors: m.Errors, Texts: m.Served.Texts, Tokens: m.Served.Tokens,
		Seconds: m.Seconds, CPUSeconds: m.CPUSeconds,
		TokensPerSecond: m.TokensPerSecond, TokensPerCPUSecond: m.TokensPerCPUSecond, TextsPerSecond: m.TextsPerSecond(),
		Latency: m.Latency, Latencies: m.Latencies, OpenLatency: m.OpenLatency, LatencyParts: append([]Latency{}, m.LatencyParts...), MedianLatency: m.MedianLatency, Yardstick: m.Yardstick, ThreadYardstick: m.ThreadYardstick,
		FloatOperations: m.Served.Work.FloatOperations, ByteOperations: m.Served.Work.ByteOperations, WeightBytes: m.Served.Work.WeightBytes,
	}
	if m.FirstError != nil {
		r.FirstError = m.FirstError.Error()
	}
	if r.Length == 0 && r.Texts > 0 {
		r.Length = (r.Tokens + r.Texts/2) / r.Texts
	}
	if c != nil {
		r.ArithmeticShare, r.MemoryShare = c.shares(m.Served.Work, m.Seconds)
	}
	return r
}

package quantize

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
)

// RunOptions say how plans are carried out. They never change the output.
type RunOptions struct {
	Threads   int  // workers; 0: one for each processor
	Overwrite bool // replace files that exist
	Measure   bool // compare what is written with the input: Result.Deviations
	Verify    bool // read the output again when it is written
	Progress  func(Progress)
}

// A Job is a plan and the path that it writes to, as Outputs takes it.
type Job struct {
	Plan *Plan
	Out  string
}

// A Result tells what became of a job.
type Result struct {
	Deviations []Deviation // of each tensor of the plan, with RunOptions.Measure
}

// Progress tells how far Run is.
type Progress struct {
	Tensor      string // being written
	Index       int    // of that tensor, from 0
	Done, Total int64  // bytes of the source
	Elapsed     time.Duration
}

// Rate returns the bytes of the source that were converted in a second.
func (p Progress) Rate() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Done) / p.Elapsed.Seconds()
}

// Outputs returns the files that Run writes for the path out: that path itself
// or, where shards are kept, prefix-00001-of-00003.gguf and so on for the path
// prefix or prefix.gguf.
func (p *Plan) Outputs(out string) []string {
	if !p.opts.KeepSplit {
		return []string{out}
	}
	prefix := strings.TrimSuffix(out, ".gguf")
	paths := make([]string, p.shards)
	for i := range paths {
		paths[i] = gguf.ShardPath(prefix, i, p.shards)
	}
	return paths
}

// FileSizes returns the bytes of the files that Run writes, in the order of Outputs.
func (p *Plan) FileSizes() ([]int64, error) {
	sizes := make([]int64, p.shards)
	for i, table := range p.tables() {
		var err error
		if sizes[i], err = gguf.FileSize(p.shardMetadata(i), table, nil); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// tables returns the tensors of each shard.
func (p *Plan) tables() [][]gguf.TensorInfo {
	tables := make([][]gguf.TensorInfo, p.shards)
	for i := range p.Tensors {
		t := &p.Tensors[i]
		tables[t.shard] = append(tables[t.shard], gguf.TensorInfo{Name: t.Name, Type: t.To, Shape: t.Shape, Size: t.BytesAfter})
	}
	return tables
}

// Run carries the plan out alone, as the function Run does.
func (p *Plan) Run(ctx context.Context, out string, o *RunOptions) error {
	_, err := Run(ctx, []Job{{p, out}}, o)
	return err
}

// Run carries out plans of one source, which it reads once. All files appear
// whole or none does; of several shards the first, without which no program
// opens the others, appears last. The results are in the order of the jobs.
//
// With RunOptions.Verify an output that differs from what was written is reported
// by a *VerifyError, and no output stays. When ctx ends, Run returns within a fraction of
// a second.
func Run(ctx context.Context, jobs []Job, o *RunOptions) ([]Result, error) {
	if o == nil {
		o = new(RunOptions)
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	if err := checkJobs(jobs); err != nil {
		return nil, err
	}
	s, err := newStream(jobs, *o)
	if err != nil {
		return nil, err
	}
	defer s.abort()
	if err := s.create(jobs); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if err := s.commit(); err != nil {
		return nil, err
	}
	if o.Verify {
		if err := s.verify(ctx); err != nil {
			return nil, err
		}
	}
	return s.results, nil
}

// checkJobs finds what would stop jobs, before anything is written.
func checkJobs(jobs []Job) error {
	taken := make(map[string]bool)
	for _, job := range jobs {
		if err := job.Plan.Check(); err != nil {
			return err
		}
		paths := job.Plan.Outputs(job.Out)
		if err := job.Plan.refuseInputs(paths); err != nil {
			return err
		}
		for _, path := range paths {
			if taken[filepath.Clean(path)] {
				return fmt.Errorf("%s would be written twice; give every type a name of its own", path)
			}
			taken[filepath.Clean(path)] = true
		}
	}
	return nil
}

// refuseInputs fails when one of the paths is a file that is read.
func (p *Plan) refuseInputs(paths []string) error {
	return atomicfile.RefuseInputs(paths, append([]string{p.opts.ImportanceInfo.File}, p.source.Files...))
}

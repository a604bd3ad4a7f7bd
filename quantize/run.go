package quantize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
)

// RunOptions say how a plan is carried out. They never change the output.
type RunOptions struct {
	Threads   int  // workers; 0: one for each processor
	Overwrite bool // replace files that exist
	Progress  func(Progress)
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

// Run carries the plan out. The output appears whole or not at all; of several
// shards the first, without which no program opens the others, appears last.
// When ctx ends, Run returns within a fraction of a second.
func (p *Plan) Run(ctx context.Context, out string, o *RunOptions) error {
	if o == nil {
		o = new(RunOptions)
	}
	if err := p.Check(); err != nil {
		return err
	}
	paths := p.Outputs(out)
	if err := p.refuseInputs(paths); err != nil {
		return err
	}

	files, err := createShards(paths, o.Overwrite)
	if err != nil {
		return err
	}
	defer files.abort()
	if err := p.write(ctx, files, o.Threads, o.Progress); err != nil {
		return err
	}
	return files.commit(o.Overwrite)
}

// refuseInputs fails when one of the paths is a file that is read.
func (p *Plan) refuseInputs(paths []string) error {
	inputs := []string{p.opts.ImportanceInfo.File}
	for _, s := range p.source.Shards {
		inputs = append(inputs, s.Path)
	}
	for _, path := range paths {
		out, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		for _, input := range inputs {
			if in, err := os.Stat(input); err == nil && os.SameFile(in, out) {
				return fmt.Errorf("the output %s is the input %s; give it another name", path, input)
			}
		}
	}
	return nil
}

// shardFiles are the outputs of one run, complete or not.
type shardFiles struct {
	paths []string
	files []*atomicfile.File
}

func createShards(paths []string, overwrite bool) (*shardFiles, error) {
	s := &shardFiles{paths: paths}
	for _, path := range paths {
		f, err := atomicfile.Create(path, overwrite)
		if err != nil {
			s.abort()
			return nil, err
		}
		s.files = append(s.files, f)
	}
	return s, nil
}

func (s *shardFiles) abort() {
	for _, f := range s.files {
		f.Abort()
	}
}

// commit gives the files their names, the last first, and takes the names back
// when that fails in between. What was overwritten is lost then.
func (s *shardFiles) commit(overwrite bool) error {
	for i := len(s.files) - 1; i >= 0; i-- {
		if err := s.files[i].Commit(overwrite); err != nil {
			for _, path := range s.paths[i+1:] {
				os.Remove(path)
			}
			return err
		}
	}
	return nil
}

// write streams the plan into files, one after the other.
func (p *Plan) write(ctx context.Context, files *shardFiles, threads int, progress func(Progress)) error {
	tables := make([][]gguf.TensorInfo, p.shards)
	var total int64
	for _, t := range p.Tensors {
		tables[t.shard] = append(tables[t.shard], gguf.TensorInfo{Name: t.Name, Type: t.To, Shape: t.Shape, Size: t.BytesAfter})
		total += t.BytesBefore
	}
	writers := make([]*gguf.Writer, p.shards)
	for i, f := range files.files {
		md := p.shardMetadata(i)
		size, err := gguf.FileSize(md, tables[i], nil)
		if err != nil {
			return err
		}
		if err := f.Expect(size); err != nil {
			return err
		}
		if writers[i], err = gguf.NewWriter(f, md, tables[i], nil); err != nil {
			return err
		}
	}

	start, done, index := time.Now(), int64(0), 0
	err := p.stream(ctx, threads, func(c chunk, out []byte) error {
		if _, err := writers[c.tensor.shard].Write(out); err != nil {
			return err
		}
		if progress != nil {
			for &p.Tensors[index] != c.tensor {
				index++
			}
			done += c.tensor.BytesBefore / c.tensor.source.Rows() * (c.to - c.from)
			progress(Progress{c.tensor.Name, index, done, total, time.Since(start)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

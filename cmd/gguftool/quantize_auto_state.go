package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gguftool/gguftool/allocate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
)

// An autoState keeps what is measured in a file.
type autoState struct {
	*allocate.State
	path  string // "": nowhere
	saved time.Time
	dirty bool
}

// saveEvery is how often a state is written while more is measured.
const saveEvery = 3 * time.Second

// openState returns a state of this work with what the files of --state hold. They
// need not exist, but for those behind the first.
func (job *autoJob) openState(work map[string]string) (*autoState, error) {
	s := &autoState{State: allocate.NewState(work), saved: time.Now()}
	for i, path := range job.states {
		data, err := os.ReadFile(path)
		if i == 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		other, err := allocate.ReadState(path, data)
		if err != nil {
			return nil, err
		}
		if err := s.Merge(path, other); err != nil {
			return nil, err
		}
	}
	if len(job.states) == 0 {
		return s, nil
	}
	s.path = job.states[0]
	s.Save = func() error {
		s.dirty = true
		if time.Since(s.saved) < saveEvery {
			return nil
		}
		return s.close()
	}
	return s, nil
}

// close writes what is not written yet, whole or not at all.
func (s *autoState) close() error {
	if !s.dirty {
		return nil
	}
	f, err := atomicfile.Create(s.path, true)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := s.Write(f); err != nil {
		return err
	}
	s.dirty, s.saved = false, time.Now()
	return f.Commit(true)
}

// work returns digests of everything that a measured loss depends on.
func (job *autoJob) work(texts string, sample allocate.Sample) map[string]string {
	digest := func(write func(h hash.Hash)) string {
		h := sha256.New()
		write(h)
		return hex.EncodeToString(h.Sum(nil)[:16])
	}
	return map[string]string{
		"model":      digest(func(h hash.Hash) { hashModel(h, job.file) }),
		"texts":      texts,
		"importance": digest(func(h hash.Hash) { hashImportance(h, job.o.library.Importance) }),
		"types": digest(func(h hash.Hash) {
			for _, w := range job.problem.Weights {
				fmt.Fprintf(h, "%q %v\n", w.Tensor, w.Types)
			}
			for _, name := range slices.Sorted(maps.Keys(job.problem.Fixed)) {
				fmt.Fprintf(h, "%q %v\n", name, job.problem.Fixed[name])
			}
		}),
		"samples": digest(func(h hash.Hash) { fmt.Fprint(h, job.unit, sample) }),
	}
}

func hashModel(h hash.Hash, f *gguf.File) {
	for i := range f.Shards {
		h.Write(f.Head(i))
	}
	for _, t := range f.Tensors {
		h.Write(f.Stored(t))
	}
}

func hashImportance(h hash.Hash, importance map[string][]float32) {
	for _, name := range slices.Sorted(maps.Keys(importance)) {
		fmt.Fprintf(h, "%q %d\n", name, len(importance[name]))
		var b []byte
		for _, v := range importance[name] {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		h.Write(b)
	}
}

// choiceKey is what a file tells of how its types were chosen.
type choiceKey struct {
	Target     string   `json:"target"`
	Unit       string   `json:"loss"`
	Loss       float64  `json:"measured"`
	HeldOut    *float64 `json:"held_out,omitempty"`
	Texts      int      `json:"texts"`
	TextDigest string   `json:"texts_digest"`
	Importance string   `json:"importance_digest,omitempty"`
	Candidates string   `json:"types"`
}

// key returns the text of the key allocate.Key.
func (job *autoJob) key(r *allocate.Result) (string, error) {
	k := choiceKey{
		Target: job.target.text, Unit: job.unit, Loss: rounded(r.Loss.Mean),
		Texts: r.Texts, TextDigest: job.state.Work["texts"], Candidates: "all that pay",
	}
	if r.HeldOut.Texts > 0 {
		x := rounded(r.HeldOut.Mean)
		k.HeldOut = &x
	}
	switch {
	case job.types != "":
		k.Candidates = job.types
	case job.portable:
		k.Candidates = "portable ones that pay"
	}
	if len(job.o.library.Importance) > 0 {
		k.Importance = job.state.Work["importance"]
	}
	text, err := json.Marshal(k)
	return string(text), err
}

// rounded returns x with four digits, which is more than is known of it.
func rounded(x float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	return short
}

package quantize

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// jobs plans f for several types, each with an output of its own.
func jobs(t *testing.T, s *Source, base Options, types ...gguf.FileType) []Job {
	t.Helper()
	var all []Job
	for _, to := range types {
		o := base
		o.FileType = to
		p, err := s.Plan(&o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Job{p, "several-" + to.String() + ".gguf"})
	}
	return all
}

// Several types at once give the files of one run each, for any number of
// threads.
func TestSeveral(t *testing.T) {
	t.Chdir(t.TempDir())
	types := []gguf.FileType{gguf.FileQ4_K_M, gguf.FileF16, gguf.FileQ8_0, gguf.FileF32}
	for _, split := range []bool{false, true} {
		m := several()
		if split {
			m = decoderModel().splitReversed()
			m.writeData(t)
		} else {
			m.name = "in"
			writeGGUF(t, "in.gguf", m.metadata(), m.tensors, weights(nil))
		}
		s := FileSource(reopen(t, m.name+".gguf"))
		base := Options{KeepSplit: split}
		want := make(map[string][]byte)
		for _, job := range jobs(t, s, base, types...) {
			if err := job.Plan.Run(t.Context(), "alone", &RunOptions{Overwrite: true}); err != nil {
				t.Fatal(err)
			}
			alone := job.Plan.Outputs("alone")
			for k, path := range job.Plan.Outputs(job.Out) {
				want[path] = readFile(t, alone[k])
			}
		}
		for _, threads := range []int{1, 2, 7} {
			if _, err := Run(t.Context(), jobs(t, s, base, types...), &RunOptions{Threads: threads, Overwrite: true, Verify: threads == 2}); err != nil {
				t.Fatal(err)
			}
			for path, data := range want {
				if !bytes.Equal(readFile(t, path), data) {
					t.Errorf("split %v, %d threads: %s differs from a run of its own", split, threads, path)
				}
			}
		}
	}
}

// A tensor that two plans store alike is encoded once.
func TestSharedEncodings(t *testing.T) {
	importance := make([]float32, 256)
	o := Options{Importance: map[string][]float32{"blk.0.ffn_down.weight": importance}}
	s := FileSource(decoderModel().file())
	st, err := newStream(jobs(t, s, o, gguf.FileQ4_K_M, gguf.FileQ4_K_S, gguf.FileQ6_K), RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range st.tensors {
		plans := 0
		seen := make(map[gguf.Type]bool)
		for _, e := range st.encodings[i] {
			plans += len(e.plans)
			if seen[e.tensor.To] {
				t.Errorf("%s is encoded to %s twice", x.Name, e.tensor.To)
			}
			seen[e.tensor.To] = true
		}
		if plans != 3 {
			t.Errorf("%s is encoded for %d plans", x.Name, plans)
		}
	}

	// With other importance the bytes are others.
	p, err := s.Plan(&Options{FileType: gguf.FileQ4_K_M})
	if err != nil {
		t.Fatal(err)
	}
	st, err = newStream(append(jobs(t, s, o, gguf.FileQ4_K_M), Job{p, "plain.gguf"}), RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(st.tensors, func(x *gguf.Tensor) bool { return x.Name == "blk.0.ffn_down.weight" })
	if n := len(st.encodings[i]); n != 2 {
		t.Errorf("%d encodings with and without importance", n)
	}
}

func TestJobsThatDoNotFit(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	s := FileSource(f)
	run := func(jobs ...Job) error {
		_, err := Run(t.Context(), jobs, nil)
		return err
	}
	one := jobs(t, s, Options{}, gguf.FileQ8_0)[0]
	checkPlain(t, run(one, Job{one.Plan, "./" + one.Out}), "would be written twice; give every type a name of its own")

	split := jobs(t, s, Options{KeepSplit: true}, gguf.FileQ6_K)[0]
	checkPlain(t, run(one, split), "plans with different orders of tensors")

	m := decoderModel()
	m.name = "other"
	m.writeData(t)
	other := jobs(t, FileSource(reopen(t, "other.gguf")), Options{}, gguf.FileQ6_K)[0]
	checkPlain(t, run(one, other), "plans of different sources")
	if err := run(); err != nil {
		t.Error(err)
	}
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf", "other.gguf"}) {
		t.Errorf("folder has %q", got)
	}
}

// When one of several outputs cannot be made, none appears.
func TestAllOrNone(t *testing.T) {
	t.Chdir(t.TempDir())
	s := FileSource(open(t, several(), weights(nil)))
	types := []gguf.FileType{gguf.FileQ8_0, gguf.FileQ4_0, gguf.FileQ5_0}
	all := jobs(t, s, Options{}, types...)
	if err := os.WriteFile(all[1].Out, []byte("theirs"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), all, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf", all[1].Out}) {
		t.Errorf("folder has %q", got)
	}

	// One that appears in the meantime.
	os.Remove(all[1].Out)
	_, err := Run(t.Context(), all, &RunOptions{Progress: func(Progress) { os.WriteFile(all[0].Out, []byte("theirs"), 0o666) }})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf", all[0].Out}) {
		t.Errorf("folder has %q", got)
	}

	// Too little for one of the types: found before anything is written.
	narrow := newModel("narrow", "llama", 1, 8, 8, 0).add([]int64{64, 2}, "blk.0.attn_q.weight")
	large := make([]float32, 128)
	large[9] = 1e30
	writeGGUF(t, "narrow.gguf", narrow.metadata(), narrow.tensors, weights(map[string][]float32{"blk.0.attn_q.weight": large}))
	s = FileSource(reopen(t, "narrow.gguf"))
	_, err = Run(t.Context(), jobs(t, s, Options{}, gguf.FileBF16, gguf.FileF16), nil)
	checkUnsupported(t, err, "value 9 is too large for F16")
	if _, err := os.Stat("several-BF16.gguf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one of two outputs is there: %v", err)
	}
}

// Errors are those of the file as it is read again.
func TestMeasure(t *testing.T) {
	t.Chdir(t.TempDir())
	importance := make([]float32, 768)
	for i := range importance {
		importance[i] = float32(1 + i%5)
	}
	f := open(t, several(), weights(nil))
	o := Options{Importance: map[string][]float32{"blk.0.attn_v.weight": importance}}
	all := jobs(t, FileSource(f), o, gguf.FileQ4_K_M, gguf.FileF16)
	for _, threads := range []int{1, 3} {
		results, err := Run(t.Context(), all, &RunOptions{Threads: threads, Overwrite: true, Measure: true})
		if err != nil {
			t.Fatal(err)
		}
		for k, job := range all {
			out := reopen(t, job.Out)
			for i, x := range job.Plan.Tensors {
				before, after := floatsOf(f, f.Tensor(x.Name)), floatsOf(out, out.Tensor(x.Name))
				var squares, power, weighted, weights float64
				for j := range before {
					e := float64(before[j]) - float64(after[j])
					squares += e * e
					power += float64(before[j]) * float64(before[j])
					if x.Name == "blk.0.attn_v.weight" && k == 0 {
						w := float64(importance[j%768])
						weighted += w * e * e
						weights += w
					}
				}
				d := results[k].Deviations[i]
				if d.Elements != int64(len(before)) || !near(d.RMSE(), math.Sqrt(squares/float64(len(before)))) || !near(d.Relative(), math.Sqrt(squares/power)) {
					t.Errorf("%s as %s: %d elements, RMSE %g, relative %g", x.Name, x.To, d.Elements, d.RMSE(), d.Relative())
				}
				got, ok := d.WeightedRMSE()
				if ok != (weights > 0) || ok && !near(got, math.Sqrt(weighted/weights)) {
					t.Errorf("%s as %s: weighted RMSE %g, %v", x.Name, x.To, got, ok)
				}
				if (x.From == x.To) != (d.RMSE() == 0) {
					t.Errorf("%s as %s: RMSE %g", x.Name, x.To, d.RMSE())
				}
			}
		}
	}
}

func near(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Abs(y) }

func floatsOf(f *gguf.File, x *gguf.Tensor) []float32 {
	codec, _ := block.Lookup(x.Type)
	values := make([]float32, x.Elements())
	codec.Decode(values, f.Stored(x))
	return values
}

// A file that is damaged between writing and reading is told from a good one,
// and removed.
func TestVerify(t *testing.T) {
	t.Chdir(t.TempDir())
	s := FileSource(open(t, several(), weights(nil)))
	for _, c := range []struct {
		name   string
		damage func(data []byte, l *gguf.Layout) []byte
		want   string
	}{
		{"nothing", func(data []byte, l *gguf.Layout) []byte { return data }, ""},
		{"a weight", func(data []byte, l *gguf.Layout) []byte { data[l.Offsets[2]+70] ^= 1; return data }, `tensor "token_embd.weight": rows 0 to 1023 differ`},
		{"the last weight", func(data []byte, l *gguf.Layout) []byte {
			last := len(l.Offsets) - 1
			data[l.Offsets[last]+l.Tensors[last].Size-1] ^= 0x80
			return data
		}, `tensor "blk.0.ffn_down.weight": rows 2 to 2 differ`},
		{"a key", func(data []byte, l *gguf.Layout) []byte { data[bytes.Index(data, []byte("llama"))] = 'L'; return data }, "keys or tensor table"},
		{"the beginning", func(data []byte, l *gguf.Layout) []byte { data[0] = 0; return data }, `begins with "\x00GUF"`},
		{"the end", func(data []byte, l *gguf.Layout) []byte { return data[:len(data)-32] }, "ffn_down.weight"},
		{"more", func(data []byte, l *gguf.Layout) []byte { return append(data, 0) }, "bytes, not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := jobs(t, s, Options{}, gguf.FileQ8_0, gguf.FileQ4_0)
			st, err := newStream(all, RunOptions{Threads: 2, Verify: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := st.create(all); err != nil {
				t.Fatal(err)
			}
			defer st.abort()
			if err := st.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := st.commit(); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(all[0].Out)
			defer os.Remove(all[1].Out)
			out := all[1].Out
			if err := os.WriteFile(out, c.damage(readFile(t, out), st.outputs[1].files[0].layout), 0o666); err != nil {
				t.Fatal(err)
			}
			err = st.verify(t.Context())
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			bad, ok := errors.AsType[*VerifyError](err)
			if !ok || bad.Path != out || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, not %q", err, c.want)
			}
			if got := listFolder(t); !slices.Equal(got, []string{"in.gguf"}) {
				t.Errorf("folder has %q", got)
			}
		})
	}
}

// A check that is broken off leaves nothing behind either.
func TestVerifyCancelled(t *testing.T) {
	t.Chdir(t.TempDir())
	s := FileSource(open(t, several(), weights(nil)))
	all := jobs(t, s, Options{}, gguf.FileQ8_0, gguf.FileQ4_0)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, all, &RunOptions{Verify: true, Progress: func(p Progress) {
		if p.Done == p.Total {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf"}) {
		t.Errorf("folder has %q", got)
	}
}

func TestVerifyPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	err := run(t, f, &Options{FileType: gguf.FileQ8_0}, os.DevNull, &RunOptions{Verify: true})
	checkPlain(t, err, "cannot be read again to verify it; write to a file")
}

// A countedRows counts how often each row is fetched, read and given back.
type countedRows struct {
	Rows
	mu                  sync.Mutex
	fetched, read, done map[string]int
}

// note counts rows and returns one that is not in before, or "".
func (r *countedRows) note(counts, before map[string]int, t *gguf.Tensor, from, to int64) (early string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for row := from; row < to; row++ {
		key := fmt.Sprint(t.Name, " ", row)
		counts[key]++
		if before != nil && before[key] == 0 {
			early = key
		}
	}
	return early
}

func (r *countedRows) Fetch(t *gguf.Tensor, from, to int64) {
	r.note(r.fetched, nil, t, from, to)
	r.Rows.Fetch(t, from, to)
}

func (r *countedRows) Data(t *gguf.Tensor, from, to int64, buf *[]byte) ([]byte, error) {
	if early := r.note(r.read, r.fetched, t, from, to); early != "" {
		return nil, errors.New(early + " is read before it is fetched")
	}
	return r.Rows.Data(t, from, to, buf)
}

func (r *countedRows) DontNeed(t *gguf.Tensor, from, to int64) {
	if early := r.note(r.done, r.read, t, from, to); early != "" {
		panic(early + " is given back before it is read")
	}
	r.Rows.DontNeed(t, from, to)
}

// Every row is fetched, read and given back, once, also for several plans.
func TestFetch(t *testing.T) {
	t.Chdir(t.TempDir())
	s := FileSource(open(t, several(), weights(nil)))
	rows := &countedRows{Rows: s.Rows, fetched: map[string]int{}, read: map[string]int{}, done: map[string]int{}}
	s.Rows = rows
	if _, err := Run(t.Context(), jobs(t, s, Options{}, gguf.FileQ8_0, gguf.FileF16), &RunOptions{Threads: 3}); err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, x := range s.Tensors {
		all += int(x.Rows())
	}
	for what, counts := range map[string]map[string]int{"fetched": rows.fetched, "read": rows.read, "given back": rows.done} {
		if len(counts) != all {
			t.Errorf("%d of %d rows are %s", len(counts), all, what)
		}
		for row, n := range counts {
			if n != 1 {
				t.Errorf("%s is %s %d times", row, what, n)
			}
		}
	}
}

// A run that is stopped while it waits for the disk fails and leaves nothing.
func TestStoppedFetch(t *testing.T) {
	t.Chdir(t.TempDir())
	s := FileSource(open(t, several(), weights(nil)))
	for after := range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		s.Rows = stoppingRows{FileSource(reopen(t, "in.gguf")).Rows, cancel, new(atomic.Int32), int32(after)}
		_, err := Run(ctx, jobs(t, s, Options{}, gguf.FileF16), &RunOptions{Threads: 2})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped in fetch %d: %v", after, err)
		}
		if got := listFolder(t); !slices.Equal(got, []string{"in.gguf"}) {
			t.Errorf("folder has %q", got)
		}
		cancel()
	}
}

// stoppingRows stops the run in some call of Fetch.
type stoppingRows struct {
	Rows
	stop  context.CancelFunc
	calls *atomic.Int32
	after int32
}

func (r stoppingRows) Fetch(t *gguf.Tensor, from, to int64) {
	if r.calls.Add(1) == r.after+1 {
		r.stop()
	}
}

// Rows of another source than a file, which are made when they are asked for.
type madeRows struct{}

func (madeRows) Data(t *gguf.Tensor, from, to int64, buf *[]byte) ([]byte, error) {
	if t.Name == "broken.weight" {
		return nil, errors.New("this row cannot be made")
	}
	*buf = (*buf)[:0]
	for row := from; row < to; row++ {
		for column := range t.Shape[0] {
			*buf = binary.LittleEndian.AppendUint32(*buf, math.Float32bits(float32(row)+float32(column)/1000))
		}
	}
	return *buf, nil
}

func (madeRows) Fetch(*gguf.Tensor, int64, int64)    {}
func (madeRows) DontNeed(*gguf.Tensor, int64, int64) {}

func TestMadeSource(t *testing.T) {
	t.Chdir(t.TempDir())
	m := several()
	data := func(info gguf.TensorInfo, size int64) []byte {
		x := &gguf.Tensor{Shape: info.Shape}
		var buf []byte
		made, _ := madeRows{}.Data(x, 0, x.Rows(), &buf)
		return made
	}
	f := open(t, m, data)
	s := &Source{Path: "made", Files: []string{"made"}, Metadata: f.Metadata, Tensors: f.Tensors, Rows: madeRows{}}
	all := jobs(t, s, Options{}, gguf.FileQ4_K_M)
	if _, err := Run(t.Context(), all, &RunOptions{Threads: 3}); err != nil {
		t.Fatal(err)
	}
	if err := run(t, f, &Options{FileType: gguf.FileQ4_K_M}, "file.gguf", nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, all[0].Out), readFile(t, "file.gguf")) {
		t.Error("rows that are made and rows that are mapped become different files")
	}

	broken := newModel("broken", "llama", 1, 8, 8, 0).add([]int64{64, 2}, "broken.weight").file()
	s = &Source{Path: "made", Files: []string{"made"}, Metadata: broken.Metadata, Tensors: broken.Tensors, Rows: madeRows{}}
	_, err := Run(t.Context(), jobs(t, s, Options{}, gguf.FileQ8_0), nil)
	checkPlain(t, err, "this row cannot be made")
}

package calibrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// open writes a model, opens it and loads it.
func open(t *testing.T, m *synth.Model, o infer.Options) (*gguf.File, *infer.Model) {
	t.Helper()
	f := m.Open(t)
	o.Precision = infer.PrecisionF32
	loaded, err := infer.Load(f, &o)
	if err != nil {
		t.Fatal(err)
	}
	return f, loaded
}

func withProcs(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// ids returns n tokens below vocab.
func ids(n, vocab int) (all []int32) {
	for i := range n {
		all = append(all, int32((i*i*7+i*3+1)%vocab))
	}
	return all
}

func encode(t *testing.T, f *imatrix.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteGGUF(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// byLetter is an Encoder of one token for each byte.
type byLetter struct{}

func (byLetter) Encode(text string, special bool) (all []int32) {
	for i := range len(text) {
		all = append(all, int32(text[i]%50))
	}
	return append(all, 3)
}

func someTexts(n int) (texts []string) {
	for i := range n {
		texts = append(texts, strings.Repeat(fmt.Sprintf("text %d of many, ", i), 1+i%4))
	}
	return texts
}

// Whole texts give the sums over all tokens of all texts, whatever the threads.
func TestTexts(t *testing.T) {
	withProcs(t, 4)
	texts := someTexts(30)
	var want []byte
	for threads := 1; threads <= 4; threads++ {
		f, m := open(t, synth.BERT{}.Model(), infer.Options{Threads: threads, Context: 40})
		in := WholeTexts(byLetter{}, "p: ", texts, threads)
		if got := in.Cut(m.ContextLength()); got != 14 {
			t.Errorf("%d texts are cut, want 14", got)
		}
		r, err := Measure(t.Context(), f, m, in, &Options{Datasets: []string{"a.txt"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(t, r.File); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d threads give other sums than one", threads)
		}
		if threads > 1 {
			continue
		}
		sums, tokens := map[string][]float64{}, 0
		var batch [][]int32
		for _, s := range texts {
			batch = append(batch, byLetter{}.Encode("p: "+s, true))
			tokens += min(40, len(batch[len(batch)-1]))
		}
		_, err = m.Embed(t.Context(), batch, &infer.EmbedOptions{Truncated: func(int, int, int) {}, Watch: func(int) (infer.Observer, func() error) {
			return func(weights []string, x gemm.View) {
				for _, name := range weights {
					if sums[name] == nil {
						sums[name] = make([]float64, x.Cols)
					}
					for i := range x.Rows {
						for j, v := range x.Row(i) {
							sums[name][j] += float64(v) * float64(v)
						}
					}
				}
			}, func() error { return nil }
		}})
		if err != nil {
			t.Fatal(err)
		}
		if len(sums) != len(r.File.Entries) || r.Tokens != tokens || r.Done != 30 || r.Total != 30 {
			t.Errorf("%d weights, %d tokens, want %d and %d; %d texts of %d", len(r.File.Entries), r.Tokens, len(sums), tokens, r.Done, r.Total)
		}
		for name, e := range r.File.Entries {
			if e.Counts[0] != int64(tokens) {
				t.Errorf("%s: count %d, want %d", name, e.Counts[0], tokens)
			}
			for j, v := range e.SumSquares {
				if math.Abs(float64(v)-sums[name][j]) > 1e-6*sums[name][j] {
					t.Fatalf("%s: sum %d is %v, want %v", name, j, v, sums[name][j])
				}
			}
		}
	}
}

// Windows see BOS in place of their first token, and the perplexity is that of
// package bench.
func TestWindows(t *testing.T) {
	withProcs(t, 4)
	decoder := synth.Decoder{Vocab: 64, Tied: true}
	text := ids(16*9+5, 64)
	var want []byte
	for threads := 1; threads <= 4; threads++ {
		f, m := open(t, decoder.Model(), infer.Options{Threads: threads})
		in, err := CutWindows(text, []int32{5}, 16, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range in.IDs {
			if target := text[(2+i)*16 : (3+i)*16]; w[0] != 5 || !slices.Equal(w[1:], target[1:]) || !slices.Equal(in.targets[i], target) {
				t.Fatalf("window %d is %v of %v", i, w, target)
			}
		}
		r, err := Measure(t.Context(), f, m, in, &Options{Perplexity: true, Head: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := bench.MeasurePerplexity(t.Context(), m, text[32:], &bench.PerplexityOptions{ContextSize: 16, Prefix: []int32{5}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Perplexity != p || r.Done != 7 {
			t.Errorf("perplexity %+v of %d windows, want %+v", r.Perplexity, r.Done, p)
		}
		head := r.File.Entries["token_embd.weight"]
		if head == nil || head.Counts[0] != 7*16 || r.File.ChunkSize != 16 || r.File.Chunks != 7 || r.File.State != nil {
			t.Errorf("head %+v, %d chunks of %d, state %v", head, r.File.Chunks, r.File.ChunkSize, r.File.State)
		}
		if got := encode(t, r.File); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d threads give other sums than one", threads)
		}
		plain, err := Measure(t.Context(), f, m, in, &Options{})
		if err != nil {
			t.Fatal(err)
		}
		if plain.File.Entries["token_embd.weight"] != nil || len(plain.File.Entries) != len(r.File.Entries)-1 || plain.Perplexity.Chunks != 0 {
			t.Errorf("%d weights without the head, %d with it", len(plain.File.Entries), len(r.File.Entries))
		}
	}
}

// Who is interrupted, and goes on from what was saved or returned, comes to the
// same bits.
func TestResume(t *testing.T) {
	f, m := open(t, synth.Decoder{Vocab: 64}.Model(), infer.Options{Threads: 1})
	in, err := CutWindows(ids(16*9, 64), nil, 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Perplexity: true, Datasets: []string{"d"}}
	whole, err := Measure(t.Context(), f, m, in, &o)
	if err != nil {
		t.Fatal(err)
	}
	reread := func(file *imatrix.File) *imatrix.File {
		path := filepath.Join(t.TempDir(), "partial.gguf")
		if err := os.WriteFile(path, encode(t, file), 0o666); err != nil {
			t.Fatal(err)
		}
		back, err := imatrix.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return back
	}
	check := func(from *imatrix.File) {
		t.Helper()
		resumed := o
		resumed.Resume = reread(from)
		r, err := Measure(t.Context(), f, m, in, &resumed)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, r.File), encode(t, whole.File)) || r.Perplexity != whole.Perplexity || r.Tokens != 16*(9-from.State.Done) {
			t.Errorf("after a stop at %d: other sums, perplexity %+v or %d tokens", from.State.Done, r.Perplexity, r.Tokens)
		}
	}
	saving := o
	saving.SaveEvery = 2
	var saved []*imatrix.File
	saving.Save = func(file *imatrix.File) error { saved = append(saved, file); return nil }
	if _, err := Measure(t.Context(), f, m, in, &saving); err != nil {
		t.Fatal(err)
	}
	if len(saved) != 4 {
		t.Fatalf("saved %d times, want 4", len(saved))
	}
	for i, file := range saved {
		if file.State.Done != 2*(i+1) || file.State.Total != 9 {
			t.Errorf("saved %+v", file.State)
		}
		check(file)
	}
	for stop := 1; stop < 9; stop += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		stopping := o
		stopping.Progress = func(r *Result) {
			if r.Done == stop {
				cancel()
			}
		}
		r, err := Measure(ctx, f, m, in, &stopping)
		if !errors.Is(err, context.Canceled) || r.Done < stop || r.Done == 9 || r.File.State == nil {
			t.Fatalf("stopped at %d: %+v, error %v", stop, r, err)
		}
		check(r.File)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Measure(ctx, f, m, in, &o); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("stopped before it begins: %+v, error %v", r, err)
	}

	// What does not belong together is refused.
	other, _ := open(t, synth.Decoder{Vocab: 64, Seed: 9}.Model(), infer.Options{})
	shorter := *in
	shorter.First(8)
	for _, c := range []struct {
		name string
		file *gguf.File
		in   *Inputs
		o    Options
		want string
	}{
		{"another model", other, in, o, "was measured on another model"},
		{"fewer windows", f, &shorter, o, "was measured on other texts, or with other options"},
		{"other options", f, in, Options{}, "was measured on other texts, or with other options"},
		{"a file that is complete", f, in, o, "does not say where it stands"},
	} {
		c.o.Resume = saved[0]
		if strings.Contains(c.name, "complete") {
			c.o.Resume = whole.File
		}
		if _, err := Measure(t.Context(), c.file, m, c.in, &c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// The shares of a work, merged, are the whole within rounding.
func TestParts(t *testing.T) {
	f, m := open(t, synth.BERT{}.Model(), infer.Options{Threads: 1})
	for weighing := imatrix.ByTokens; weighing <= imatrix.ByVectors; weighing++ {
		t.Run(weighing.String(), func(t *testing.T) { testParts(t, f, m, &Options{Weighing: weighing}) })
	}
}

func testParts(t *testing.T, f *gguf.File, m *infer.Model, o *Options) {
	const shares = 3
	texts := someTexts(20)
	var files []*imatrix.File
	count := 0
	for k := 1; k <= shares; k++ {
		in := WholeTexts(byLetter{}, "", texts, 1)
		in.Part(k, shares)
		count += len(in.IDs)
		r, err := Measure(t.Context(), f, m, in, o)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, r.File)
	}
	merged, err := imatrix.Merge(0, files...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Measure(t.Context(), f, m, WholeTexts(byLetter{}, "", texts, 1), o)
	if err != nil {
		t.Fatal(err)
	}
	if count != len(texts) || len(merged.Entries) != len(r.File.Entries) || merged.Chunks != r.File.Chunks {
		t.Errorf("%d texts, %d weights, %d chunks", count, len(merged.Entries), merged.Chunks)
	}
	for name, e := range r.File.Entries {
		m := merged.Entries[name]
		if !slices.Equal(m.Counts, e.Counts) {
			t.Errorf("%s: counts %v, want %v", name, m.Counts, e.Counts)
		}
		for j, v := range e.SumSquares {
			if math.Abs(float64(m.SumSquares[j]-v)) > 1e-6*float64(v) {
				t.Fatalf("%s: sum %d is %v, want %v", name, j, m.SumSquares[j], v)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	f, m := open(t, synth.Decoder{Vocab: 64}.Model(), infer.Options{})
	bertFile, bert := open(t, synth.BERT{}.Model(), infer.Options{})
	windows := func(size int) *Inputs {
		in, err := CutWindows(ids(400, 64), nil, size, 0)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	for _, c := range []struct {
		name string
		err  func() error
		want string
	}{
		{"no text", func() error { _, err := Measure(t.Context(), f, m, &Inputs{Mode: Texts}, &Options{}); return err }, "there is no text"},
		{"windows by vectors", func() error {
			_, err := Measure(t.Context(), f, m, windows(16), &Options{Weighing: imatrix.ByVectors})
			return err
		}, "windows have no vectors to be weighed by"},
		{"long windows", func() error { _, err := Measure(t.Context(), f, m, windows(200), &Options{}); return err }, "windows of 200 tokens are longer than the model's context of 128"},
		{"no logits", func() error {
			_, err := Measure(t.Context(), bertFile, bert, windows(16), &Options{Perplexity: true})
			return err
		}, "predict no tokens"},
		{"an empty text", func() error {
			_, err := Measure(t.Context(), f, m, &Inputs{Mode: Texts, IDs: [][]int32{{1}, {}}}, &Options{})
			return err
		}, "text 1 has no tokens"},
		{"short windows", func() error { _, err := CutWindows(ids(40, 64), nil, 4, 0); return err }, "a window of 4 tokens is too short"},
		{"long prefix", func() error { _, err := CutWindows(ids(40, 64), ids(5, 64), 8, 0); return err }, "5 tokens begin each window"},
		{"a short text", func() error { _, err := CutWindows(ids(40, 64), nil, 8, 5); return err }, "the text has 40 tokens, which make 5 windows of 8, and the first 5 are left out"},
		{"a very short text", func() error { _, err := CutWindows(ids(7, 64), nil, 8, 0); return err }, "the text has 7 tokens, fewer than a window of 8"},
	} {
		if err := c.err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	full := errors.New("disk is full")
	r, err := Measure(t.Context(), f, m, windows(16), &Options{SaveEvery: 3, Save: func(*imatrix.File) error { return full }})
	if err != full || r.Done != 3 {
		t.Errorf("%+v, error %v", r, err)
	}
}

func TestModeOf(t *testing.T) {
	pooled := synth.Decoder{}.Model()
	pooled.Metadata.Set("llama.pooling_type", gguf.ValueOf(uint32(3)))
	ranked := synth.BERT{}.Model()
	ranked.Metadata.Set("bert.pooling_type", gguf.ValueOf(uint32(4)))
	for _, c := range []struct {
		name  string
		model *synth.Model
		want  Mode
	}{{"BERT", synth.BERT{}.Model(), Texts}, {"a decoder", synth.Decoder{}.Model(), Windows}, {"a decoder that is pooled", pooled, Texts}, {"a model that ranks", ranked, Texts}} {
		f, m := open(t, c.model, infer.Options{})
		if got := ModeOf(f.Metadata, m); got != c.want {
			t.Errorf("%s is shown %v, want %v", c.name, got, c.want)
		}
		if _, err := Measure(t.Context(), f, m, &Inputs{Mode: Texts, IDs: [][]int32{{1, 2, 3}}}, &Options{}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for m := Auto; m <= Windows; m++ {
		if got, err := ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%v is parsed as %v, %v", m, got, err)
		}
	}
	if _, err := ParseMode("chunks"); err == nil || Mode(9).String() != "mode 9" {
		t.Error("an unknown mode")
	}
}

func TestSplit(t *testing.T) {
	const text = "one\r\ntwo \n\n \t\nthree\n\n\nfour"
	if got, want := Paragraphs(text), []string{"one\ntwo ", "three", "four"}; !reflect.DeepEqual(got, want) {
		t.Errorf("paragraphs %q, want %q", got, want)
	}
	if got, want := bench.Lines(text), []string{"one", "two ", "three", "four"}; !reflect.DeepEqual(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	if Paragraphs("\n \n") != nil || bench.Lines("") != nil {
		t.Error("blank lines are texts")
	}
}

// The built-in text is of many passages, none of which is there twice, and fits
// the shortest contexts.
func TestBuiltIn(t *testing.T) {
	text := BuiltIn()
	passages := Paragraphs(text)
	if !utf8.ValidString(text) || len(text) < 30_000 || len(passages) < 150 || strings.HasSuffix(text, "\n") {
		t.Errorf("%d bytes, %d passages", len(text), len(passages))
	}
	seen := map[string]bool{}
	for _, p := range passages {
		if seen[p] || len([]rune(p)) > 1000 {
			t.Errorf("twice, or long: %q", p)
		}
		seen[p] = true
	}
}

func TestOrder(t *testing.T) {
	in, err := CutWindows(ids(64, 64), []int32{5}, 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := in.Order([]int{3, 1})
	if got.Mode != Windows || got.Size != 16 || !reflect.DeepEqual(got.IDs, [][]int32{in.IDs[3], in.IDs[1]}) || !reflect.DeepEqual(got.targets, [][]int32{in.targets[3], in.targets[1]}) {
		t.Errorf("%+v", got)
	}
	if got := WholeTexts(byLetter{}, "", someTexts(5), 1).Order([]int{4}); len(got.IDs) != 1 || got.targets != nil || got.Mode != Texts {
		t.Errorf("%+v", got)
	}
}

package bench

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/cpu"
)

func randomVectors(n, width int) [][]float32 {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(width)))
	all := make([][]float32, n)
	for i := range all {
		for range width {
			all[i] = append(all[i], float32(rng.NormFloat64()))
		}
	}
	return all
}

// Search finds what sorting all scores finds, of equal scores the lower numbers.
func TestSearch(t *testing.T) {
	queries, corpus := randomVectors(9, 20), randomVectors(150, 20)
	corpus[40], corpus[20] = corpus[100], corpus[100]
	for _, threads := range []int{1, 3} {
		got, err := Search(t.Context(), cpu.NewPool(threads), queries, corpus, 30)
		if err != nil {
			t.Fatal(err)
		}
		for q := range queries {
			all, err := Search(t.Context(), nil, queries[q:q+1], corpus, len(corpus)+5)
			if err != nil {
				t.Fatal(err)
			}
			if len(all[0]) != len(corpus) || !slices.Equal(got[q], all[0][:30]) {
				t.Errorf("query %d, %d threads: %v", q, threads, got[q])
			}
			var exact []float64
			for _, h := range all[0] {
				var dot float64
				for i, v := range queries[q] {
					dot += float64(v) * float64(corpus[h.Text][i])
				}
				if math.Abs(dot-float64(h.Score)) > 1e-5 {
					t.Errorf("query %d, text %d: score %v, want %v", q, h.Text, h.Score, dot)
				}
				exact = append(exact, -dot)
			}
			place := func(text int) int { return slices.IndexFunc(all[0], func(h Hit) bool { return h.Text == text }) }
			if place(40) != place(20)+1 || place(100) != place(40)+1 {
				t.Errorf("query %d: equal texts are at %d, %d and %d", q, place(20), place(40), place(100))
			}
			if !slices.IsSortedFunc(exact, func(a, b float64) int {
				if a < b-1e-5 {
					return -1
				} else if a > b+1e-5 {
					return 1
				}
				return 0
			}) {
				t.Errorf("query %d: not in the order of scores", q)
			}
		}
	}
}

// A model is not far from itself, and figures do not depend on threads.
func TestCompareVectorsOfSelf(t *testing.T) {
	v := randomVectors(1200, 8)
	got, err := CompareVectors(t.Context(), nil, v, v, 8)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 1000 || got.Texts != 1200 || math.Abs(got.Worst) > 1e-12 || !near(got.Overlap.Value, 1, 1e-12) ||
		!near(got.Correlation.Value, 1, 1e-12) || got.KL.High != 0 {
		t.Errorf("%+v", got)
	}
	several, err := CompareVectors(t.Context(), cpu.NewPool(3), v, v, 8)
	if err != nil || !reflect.DeepEqual(got, several) {
		t.Errorf("by three threads %+v, %v", several, err)
	}
	for _, c := range []struct {
		a, b       [][]float32
		dimensions int
		want       string
	}{
		{v, v[:5], 8, "there are 5 vectors"},
		{v[:2], v[:2], 8, "too few texts to compare similarities: 2"},
		{v, v, 9, "text 0 have 8 and 8 dimensions, fewer than 9"},
		{v, v, 0, "0 dimensions"},
	} {
		if _, err := CompareVectors(t.Context(), nil, c.a, c.b, c.dimensions); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestCompareLogitsErrors(t *testing.T) {
	row := func(logits ...float32) [][]float32 { return slices.Repeat([][]float32{logits}, 10) }
	inf := float32(math.Inf(-1))
	ids := slices.Repeat([]int32{1}, 10)
	for _, c := range []struct {
		name             string
		reference, other [][]float32
		want             string
	}{
		{"vocabulary", row(1, 2, 3), row(1, 2), "there are logits for 2 tokens, but the reference has them for 3"},
		{"ruled out by the other", row(1, 2, 3), row(1, 2, inf), "the divergence is not finite"},
		{"not finite", row(1, inf, 3), row(1, 2, 3), "the reference: the logits are not finite"},
	} {
		_, err := CompareLogits(t.Context(), &rows{logits: c.reference, size: 10}, &rows{logits: c.other, size: 10}, ids, &PerplexityOptions{ContextSize: 10})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	// What both rule out counts nothing.
	same := row(1, 2, inf)
	f, err := CompareLogits(t.Context(), &rows{logits: same, size: 10}, &rows{logits: same, size: 10}, ids, &PerplexityOptions{ContextSize: 10})
	if err != nil || f.KL.Value > 1e-12 || f.SameTop.Value != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestPromptOf(t *testing.T) {
	for _, c := range []struct {
		p                     embedding.Prompts
		text, query, document string
	}{
		{embedding.Prompts{}, "", "", ""},
		{embedding.Prompts{Names: []string{"query"}, Texts: []string{"q: "}}, "", "q: ", ""},
		{embedding.Prompts{Names: []string{"passage", "query"}, Texts: []string{"p: ", "q: "}, Default: "passage"}, "p: ", "q: ", "p: "},
		{embedding.Prompts{Names: []string{"sts", "passage", "document"}, Texts: []string{"s: ", "p: ", "d: "}, Default: "sts"}, "s: ", "s: ", "d: "},
	} {
		for role, want := range map[Role]string{RoleText: c.text, RoleQuery: c.query, RoleDocument: c.document} {
			if got, err := promptOf(&c.p, role); err != nil || got != want {
				t.Errorf("%+v, role %d: %q, %v, want %q", c.p, role, got, err, want)
			}
		}
	}
}

func TestMeasureFidelity(t *testing.T) {
	dir := t.TempDir()
	reference, checkpoint := filepath.Join(dir, "f32.gguf"), filepath.Join(dir, "checkpoint")
	if err := (synth.BERT{}).WriteGGUF(reference); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(checkpoint, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := (synth.BERT{}).WriteCheckpoint(checkpoint, nil); err != nil {
		t.Fatal(err)
	}
	w := &Workshop{Folder: filepath.Join(dir, "cache")}
	types := []gguf.FileType{gguf.FileQ8_0, gguf.FileQ4_0}
	files, err := w.Quantized(t.Context(), reference, types, "")
	if err != nil {
		t.Fatal(err)
	}
	set := &RetrievalSet{
		Queries: []string{"a quick fox", "a lazy dog"}, QueryIDs: []string{"1", "2"},
		Corpus: []string{"the fox", "the dog", "nothing"}, CorpusIDs: []string{"a", "b", "c"},
		Relevant: []map[int]int{{0: 1}, {1: 1, 2: 2}},
	}
	pairs := &Pairs{Left: []string{"a fox", "a dog", "fox"}, Right: []string{"the fox", "nothing", "dog"}, Scores: []float64{3, 1, 2}}
	steps := 0
	f, err := MeasureFidelity(t.Context(), reference, append([]string{reference}, files...), &FidelityOptions{
		Pairs: []NamedPairs{{"pairs", pairs}}, Retrieval: &NamedSet{"set", set}, Dimensions: []int{16}, Precision: infer.PrecisionF32,
		Progress: func(string, int, int) { steps++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	// The file that is the reference lost nothing, the one of fewer bits the most.
	if len(f.Files) != 3 || steps == 0 {
		t.Fatalf("%d files, told of %d steps", len(f.Files), steps)
	}
	last := -1e-9
	for i, file := range f.Files {
		if len(file.Vectors) != 2 || file.Vectors[0].Dimensions != 64 || file.Vectors[1].Dimensions != 16 || file.Vectors[0].Texts != 3 {
			t.Fatalf("%s: %+v", file.Path, file.Vectors)
		}
		if loss := file.Vectors[0].Loss.Value; loss <= last {
			t.Errorf("%s: loss %v after %v", file.Path, loss, last)
		} else {
			last = loss
		}
		if file.Retrieval.Queries != 2 || len(file.Pairs) != 1 || file.Tokens != f.Reference.Tokens || file.Tokens == 0 {
			t.Errorf("%s: %+v", file.Path, file)
		}
		if i > 0 && file.Reduction <= 1 {
			t.Errorf("%s: reduction %v", file.Path, file.Reduction)
		}
	}
	same := f.Files[0]
	if same.Retrieval.Retention != 1 || same.Retrieval.Change != (Estimate{}) || same.Pairs[0].Change != (Estimate{}) || same.Reduction != 1 {
		t.Errorf("the reference against itself: %+v", same)
	}
	if err := f.CheckCosine(0.1); err != nil {
		t.Error(err)
	}
	floor, ok := errors.AsType[*FloorError](f.CheckCosine(0.999999))
	if !ok || strings.Contains(floor.Error(), "f32.gguf") || !strings.Contains(floor.Error(), "Q4_0") {
		t.Errorf("floor: %v", floor)
	}

	// Those of a checkpoint are the same, and are found again.
	made, err := w.Reference(t.Context(), checkpoint, "")
	if err != nil {
		t.Fatal(err)
	}
	q, err := w.Quantized(t.Context(), made, types, "")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(q[1]) != filepath.Dir(made) || filepath.Base(q[1]) != "checkpoint-Q4_0.gguf" {
		t.Errorf("made %s and %s", made, q[1])
	}
	before := modified(t, append(q, made)...)
	if _, err := w.Reference(t.Context(), checkpoint+string(filepath.Separator), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Quantized(t.Context(), made, types, ""); err != nil {
		t.Fatal(err)
	}
	if after := modified(t, append(q, made)...); !reflect.DeepEqual(before, after) {
		t.Error("files were made again")
	}
	// Another content, or another version, is another file.
	if err := os.WriteFile(filepath.Join(checkpoint, "README.md"), []byte("---\nlicense: mit\n---\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	other, err := w.Reference(t.Context(), checkpoint, "")
	if err != nil || other == made {
		t.Errorf("with a README: %s, %v", other, err)
	}
	w.Version = "2"
	if newer, err := w.Quantized(t.Context(), reference, types[:1], ""); err != nil || newer[0] == files[0] {
		t.Errorf("by another version: %s, %v", newer, err)
	}
}

func modified(t *testing.T, paths ...string) (times []os.FileInfo) {
	t.Helper()
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, info)
	}
	return times
}

func TestMeasureFidelityOfDecoder(t *testing.T) {
	dir := t.TempDir()
	reference := filepath.Join(dir, "f32.gguf")
	if err := (synth.Decoder{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, Words: true}).Model().WriteGGUF(reference, nil); err != nil {
		t.Fatal(err)
	}
	files, err := (&Workshop{Folder: dir}).Quantized(t.Context(), reference, []gguf.FileType{gguf.FileQ8_0, gguf.FileQ4_0}, "")
	if err != nil {
		t.Fatal(err)
	}
	o := &FidelityOptions{Precision: infer.PrecisionF32, Windows: PerplexityOptions{ContextSize: 64, Chunks: 3}}
	f, err := MeasureFidelity(t.Context(), reference, append([]string{reference}, files...), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range f.Files {
		if l := file.Logits; l.Windows != 3 || l.Tokens != 93 || file.Tokens != 3*63 || file.Speed <= 0 {
			t.Errorf("%s: %+v", file.Path, l)
		} else if i > 0 && l.KL.Value <= f.Files[i-1].Logits.KL.Value {
			t.Errorf("%s: divergence %v", file.Path, l.KL)
		}
	}
	if l := f.Files[0].Logits; l.KL.Value > 1e-9 || l.SameTop.Value != 1 || l.Increase.Value != 0 || l.Perplexity != l.Reference {
		t.Errorf("the reference against itself: %+v", l)
	}
	if err := f.CheckCosine(0.5); err == nil || !strings.Contains(err.Error(), "has no vectors") {
		t.Errorf("floor: %v", err)
	}
	o.Dimensions = []int{8}
	if _, err := MeasureFidelity(t.Context(), reference, files, o); err == nil {
		t.Error("dimensions of a decoder are no error")
	} else if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok {
		t.Error(err)
	}
}

// Files of different models are told apart.
func TestMeasureFidelityMismatch(t *testing.T) {
	dir := t.TempDir()
	small, wide, decoder := filepath.Join(dir, "small.gguf"), filepath.Join(dir, "wide.gguf"), filepath.Join(dir, "decoder.gguf")
	if err := errors.Join((synth.BERT{}).WriteGGUF(small), (synth.BERT{Width: 128}).WriteGGUF(wide),
		(synth.Decoder{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, Words: true}).Model().WriteGGUF(decoder, nil)); err != nil {
		t.Fatal(err)
	}
	for other, want := range map[string]string{
		wide:    "its number of dimensions is 128, not 64",
		decoder: "its architecture is",
	} {
		if _, err := MeasureFidelity(t.Context(), small, []string{other}, &FidelityOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := MeasureFidelity(t.Context(), small, []string{small}, &FidelityOptions{Dimensions: []int{65}}); err == nil || !strings.Contains(err.Error(), "have 64") {
		t.Errorf("too many dimensions: %v", err)
	}
}

func TestBuiltInText(t *testing.T) {
	texts := BuiltInText()
	seen := map[string]bool{}
	for _, text := range texts {
		if seen[text] {
			t.Errorf("%q is there twice", text)
		}
		seen[text] = true
	}
	if len(texts) < 150 {
		t.Errorf("%d texts", len(texts))
	}
}

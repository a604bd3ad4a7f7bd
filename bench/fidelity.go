package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/inspect"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// FidelitySchema names the form of reports of Fidelity. It changes when that does.
const FidelitySchema = "gguftool/bench-fidelity/1"

// FidelityOptions say what models are measured on. The zero value measures on
// BuiltInText.
type FidelityOptions struct {
	Texts      []string          // whose vectors are compared; of decoders, one long text. None means BuiltInText, or the corpus of Retrieval
	Pairs      []NamedPairs      // graded pairs
	Retrieval  *NamedSet         // or nil
	Search     SearchOptions     // how Retrieval is searched besides
	Dimensions []int             // that vectors are cut to as well, for models that are trained for it (Matryoshka)
	NoPrompt   bool              // put no prompt of the reference before texts
	Threads    int               // workers; 0 means one for each physical core
	Precision  infer.Precision   // of the files; the reference is computed in f32
	Windows    PerplexityOptions // of decoders, at most as long as their context; Prefix and Progress are not used

	// Progress, when set, is told how much of how much work on a file is done, in
	// texts or windows.
	Progress func(path string, done, total int)

	// Note, when set, is told of what is measured otherwise than these options say,
	// and why.
	Note func(message string)
}

// NamedPairs are Pairs and the name of their file.
type NamedPairs struct {
	Name string
	*Pairs
}

// A NamedSet is a RetrievalSet and the name of its folder.
type NamedSet struct {
	Name string
	*RetrievalSet
}

// A Fidelity tells what was measured of a reference and of other files of the same
// model, in their order.
type Fidelity struct {
	Reference FileFidelity   `json:"reference"`
	Files     []FileFidelity `json:"files"`
}

// A FileFidelity is a file and what was measured of it.
type FileFidelity struct {
	Path          string  `json:"path"`
	Type          string  `json:"type"`                 // of the file, as in "Q4_K_M"
	Bytes         int64   `json:"bytes"`                // of the file, or of all shards
	BitsPerWeight float64 `json:"bits_per_weight"`      // of all tensors
	Reduction     float64 `json:"reduction"`            // bytes of the reference / Bytes
	Importance    string  `json:"importance,omitempty"` // that errors of weights were weighed with: its texts, or its file
	Precision     string  `json:"precision"`            // that was computed in
	Tokens        int     `json:"tokens"`               // that were computed
	Truncated     int     `json:"truncated"`            // texts that were cut to the context of the model
	Speed         float64 `json:"tokens_per_second,omitempty"`

	Vectors   []*VectorFidelity `json:"vectors,omitempty"` // for each number of dimensions, all first; none for the reference
	Retrieval *RetrievalResult  `json:"retrieval,omitempty"`
	Pairs     []PairResult      `json:"sts,omitempty"`
	Logits    *LogitFidelity    `json:"logits,omitempty"` // of decoders; none for the reference
	Layers    *LayerFidelity    `json:"layers,omitempty"` // none for the reference, and where a file has fewer layers
}

// A RetrievalResult is the score of one file on a retrieval set. Change and
// Retention compare nDCG with that of the reference.
type RetrievalResult struct {
	Name string `json:"name"`
	*RetrievalScore
	Change    Estimate `json:"ndcg_10_change"`
	Retention float64  `json:"retention"`

	Stages []SearchStage `json:"stages,omitempty"` // of SearchOptions, each on top of those before
}

// A PairResult is the score of one file on graded pairs, compared with that of the
// reference.
type PairResult struct {
	Name string `json:"name"`
	*PairScore
	Change    Estimate `json:"spearman_change"`
	Retention float64  `json:"retention"`
}

// MeasureFidelity measures what the files others lost against the file reference.
// All hold the same model. One of others is in memory at a time, besides the
// reference where it is a decoder.
func MeasureFidelity(ctx context.Context, reference string, others []string, o *FidelityOptions) (*Fidelity, error) {
	ref, err := Open(reference, &infer.Options{Threads: o.Threads, Precision: infer.PrecisionF32})
	if err != nil {
		return nil, err
	}
	defer func() { ref.Close() }()
	r := &fidelityRun{options: o, pool: cpu.NewPool(o.Threads), reference: ref}
	for _, path := range others {
		if err := r.glance(path); err != nil {
			return nil, err
		}
	}
	if PredictsTokens(ref.File.Metadata, ref.Model) {
		return r.decoders(ctx, others)
	}
	return r.encoders(ctx, others)
}

// A FloorError reports files whose vectors are further from the reference's than
// was allowed.
type FloorError struct{ Problem string }

func (e *FloorError) Error() string { return e.Problem }

// CheckCosine returns a *FloorError where the mean cosine of the vectors of a file
// and those of the reference is below floor. It is an error too where there are no
// vectors.
func (f *Fidelity) CheckCosine(floor float64) error {
	var below []string
	for _, file := range f.Files {
		if len(file.Vectors) == 0 {
			return fmt.Errorf("%s predicts tokens, it has no vectors whose cosine could be checked", file.Path)
		}
		if c := 1 - file.Vectors[0].Loss.Value; !(c >= floor) {
			below = append(below, fmt.Sprintf("the mean cosine of %s is %.6f, below %v", file.Path, c, floor))
		}
	}
	if below == nil {
		return nil
	}
	return &FloorError{strings.Join(below, "; ")}
}

// CheckDivergence returns a *FloorError where the mean KL divergence of a file's
// predictions from those of the reference, in nats, is above most. It is an error
// too where there are no predictions.
func (f *Fidelity) CheckDivergence(most float64) error {
	var above []string
	for _, file := range f.Files {
		if file.Logits == nil {
			return fmt.Errorf("%s makes vectors, it predicts nothing whose divergence could be checked", file.Path)
		}
		if kl := file.Logits.KL.Value; !(kl <= most) {
			above = append(above, fmt.Sprintf("the mean KL divergence of %s is %.6f, above %v", file.Path, kl, most))
		}
	}
	if above == nil {
		return nil
	}
	return &FloorError{strings.Join(above, "; ")}
}

type fidelityRun struct {
	options   *FidelityOptions
	pool      *cpu.Pool
	reference *Model
	sets      *embeddedSets // of the reference

	hybrid, reranker *companion // or nil

	result Fidelity
}

// describe tells what is known of a file before it is measured.
func (r *fidelityRun) describe(m *Model) FileFidelity {
	d := inspect.Describe(m.File)
	f := FileFidelity{Path: m.File.Path, Bytes: d.Size, BitsPerWeight: d.Totals.BitsPerWeight, Precision: m.Precision().String(), Reduction: 1}
	if t := d.Model.FileType; t != nil {
		f.Type = t.Name
	}
	f.Importance = importanceOf(m.File)
	if m != r.reference {
		f.Reduction = float64(r.result.Reference.Bytes) / float64(f.Bytes)
	}
	return f
}

// mismatch says that a file in path cannot be of the same model.
func (r *fidelityRun) mismatch(path, what string, want, got any) error {
	return fmt.Errorf("%s is no file of the model in %s: its %s is %v, not %v", path, r.reference.File.Path, what, got, want)
}

// glance finds the most usual mistakes before anything is computed: files that
// are missing, or of another model.
func (r *fidelityRun) glance(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	architecture := r.reference.File.Metadata.Architecture()
	if got := f.Metadata.Architecture(); got != architecture {
		return r.mismatch(path, "architecture", architecture, got)
	}
	key := architecture + ".embedding_length"
	want, ok := r.reference.File.Metadata.Int(key)
	if got, known := f.Metadata.Int(key); ok && known && got != want {
		return r.mismatch(path, "number of dimensions", want, got)
	}
	return nil
}

// open opens one of the other files and checks that it can be of the same model.
func (r *fidelityRun) open(path string) (*Model, error) {
	m, err := Open(path, &infer.Options{Threads: r.options.Threads, Precision: r.options.Precision})
	if err != nil {
		return nil, err
	}
	ref := r.reference
	mismatch := func(what string, want, got any) (*Model, error) {
		m.Close()
		return nil, r.mismatch(path, what, want, got)
	}
	if want, got := ref.Tokenizer.Size(), m.Tokenizer.Size(); want != got {
		return mismatch("number of tokens", want, got)
	}
	if want, got := ref.Dimensions(), m.Dimensions(); want != got {
		return mismatch("number of dimensions", want, got)
	}
	if want, got := PredictsTokens(ref.File.Metadata, ref.Model), PredictsTokens(m.File.Metadata, m.Model); want != got {
		return mismatch("use to predict tokens", want, got)
	}
	return m, nil
}

// encoders measures models that make vectors.
func (r *fidelityRun) encoders(ctx context.Context, others []string) (*Fidelity, error) {
	for _, n := range r.options.Dimensions {
		if all := r.reference.Dimensions(); n < 1 || n > all {
			return nil, fmt.Errorf("vectors of %d dimensions cannot be had: those of %s have %d", n, r.reference.File.Path, all)
		}
	}
	if n := len(r.texts()); n < MinTexts {
		return nil, tooFewTexts(n)
	}
	err := r.openCompanions(ctx)
	if err != nil {
		return nil, err
	}
	defer r.closeCompanions()
	if r.sets, err = r.embed(ctx, r.reference); err != nil {
		return nil, err
	}
	if r.result.Reference, err = r.score(ctx, r.reference, r.sets, nil); err != nil {
		return nil, err
	}
	for _, path := range others {
		if err := r.encoder(ctx, path); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

func (r *fidelityRun) encoder(ctx context.Context, path string) error {
	m, err := r.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	sets, err := r.embed(ctx, m)
	if err != nil {
		return err
	}
	f, err := r.score(ctx, m, sets, r.sets)
	if err != nil {
		return err
	}
	for _, n := range append([]int{m.Dimensions()}, r.options.Dimensions...) {
		v, err := CompareVectors(ctx, r.pool, r.sets.texts, sets.texts, n)
		if err != nil {
			return err
		}
		f.Vectors = append(f.Vectors, v)
	}
	if f.Layers, err = CompareLayers(ctx, r.reference.Model, m.Model, r.textSample(r.layerLimit(m))); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	r.result.Files = append(r.result.Files, f)
	return nil
}

// texts returns those whose vectors are compared.
func (r *fidelityRun) texts() []string {
	switch o := r.options; {
	case o.Texts != nil:
		return o.Texts
	case o.Retrieval != nil:
		return o.Retrieval.Corpus
	}
	return BuiltInText()
}

// embeddedSets are the vectors of everything that a model is measured on.
type embeddedSets struct {
	texts, queries, corpus [][]float32
	chunks                 [][][]float32 // of each text of the corpus, where it is cut
	left, right            [][][]float32 // of each file of pairs
	*embedder
}

func (r *fidelityRun) embed(ctx context.Context, m *Model) (*embeddedSets, error) {
	o := r.options
	e := &embeddedSets{embedder: &embedder{model: m}}
	if !o.NoPrompt {
		e.prompts = r.reference.Prompts // quantizers of others may have dropped them
	}
	var texts []string // besides the corpus
	total := 0
	if o.Texts != nil || o.Retrieval == nil {
		texts = r.texts()
		total = len(texts)
	}
	for _, p := range o.Pairs {
		total += 2 * len(p.Scores)
	}
	var cut [][]string
	if o.Retrieval != nil {
		total += len(o.Retrieval.Queries) + len(o.Retrieval.Corpus)
		if o.Search.ChunkTokens > 0 {
			if err := o.Search.fits(m); err != nil {
				return nil, err
			}
			cut = o.Search.cut(r.pool, m.Tokenizer, o.Retrieval.Corpus)
			total += pieces(cut)
		}
	}
	e.tell(o.Progress, total)
	var err error
	if e.texts, err = e.embed(ctx, texts, RoleText); err != nil {
		return nil, err
	}
	for _, p := range o.Pairs {
		left, err := e.embed(ctx, p.Left, RoleText)
		if err != nil {
			return nil, err
		}
		right, err := e.embed(ctx, p.Right, RoleText)
		if err != nil {
			return nil, err
		}
		e.left, e.right = append(e.left, left), append(e.right, right)
	}
	if o.Retrieval == nil {
		return e, nil
	}
	if e.queries, err = e.embed(ctx, o.Retrieval.Queries, RoleQuery); err != nil {
		return nil, err
	}
	if e.corpus, err = e.embed(ctx, o.Retrieval.Corpus, RoleDocument); err != nil {
		return nil, err
	}
	if texts == nil {
		e.texts = e.corpus
	}
	if cut != nil {
		e.chunks, err = e.embedChunks(ctx, cut, e.corpus)
	}
	return e, err
}

// score measures what has labels. reference is nil for the reference itself.
func (r *fidelityRun) score(ctx context.Context, m *Model, sets, reference *embeddedSets) (FileFidelity, error) {
	f := r.describe(m)
	f.Tokens, f.Truncated = sets.tokens, sets.truncated
	if sets.busy > 0 {
		f.Speed = float64(sets.tokens) / sets.busy.Seconds()
	}
	for i, p := range r.options.Pairs {
		s, err := MeasurePairs(p.Pairs, sets.left[i], sets.right[i])
		if err != nil {
			return f, err
		}
		result := PairResult{Name: p.Name, PairScore: s, Retention: 1}
		if reference != nil {
			before := r.result.Reference.Pairs[i].PairScore
			result.Change, result.Retention = s.change(p.Pairs, before), ratio(s.Spearman.Value, before.Spearman.Value)
		}
		f.Pairs = append(f.Pairs, result)
	}
	if set := r.options.Retrieval; set != nil {
		s, err := MeasureRetrieval(ctx, r.pool, set.RetrievalSet, sets.queries, sets.corpus)
		if err != nil {
			return f, err
		}
		f.Retrieval = &RetrievalResult{Name: set.Name, RetrievalScore: s, Retention: 1}
		if reference != nil {
			before := r.result.Reference.Retrieval.RetrievalScore
			f.Retrieval.Change, f.Retrieval.Retention = s.change(before), ratio(s.NDCG.Value, before.NDCG.Value)
		}
		if err := r.stages(ctx, sets, f.Retrieval, reference != nil); err != nil {
			return f, err
		}
	}
	return f, nil
}

// ratio returns a / b, or 0 where b is 0: nothing can be retained of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// decoders measures models that predict tokens.
func (r *fidelityRun) decoders(ctx context.Context, others []string) (*Fidelity, error) {
	o, ref := r.options, r.reference
	if len(o.Pairs) > 0 || o.Retrieval != nil || len(o.Dimensions) > 0 {
		return nil, fault.Unsupported(ref.File.Path, "", "measure it on a text alone",
			"the model predicts tokens; pairs, retrieval and dimensions are about vectors")
	}
	windows := o.Windows
	if windows.ContextSize == 0 {
		windows.ContextSize = DefaultContextSize
	}
	if limit := ref.ContextLength(); windows.ContextSize > limit {
		if o.Note != nil {
			o.Note(fmt.Sprintf("%s takes windows of %d tokens at most, which are measured instead of %d", filepath.Base(ref.File.Path), limit, windows.ContextSize))
		}
		windows.ContextSize = limit
	}
	windows.Prefix, _ = ref.Tokenizer.Template()
	texts := o.Texts
	if texts == nil {
		texts = BuiltInText()
	}
	ids := ref.Tokenizer.AppendEncode(append([]int32{}, windows.Prefix...), strings.Join(texts, "\n"), false)
	r.result.Reference = r.describe(ref)
	for _, path := range others {
		if err := r.decoder(ctx, path, ids, windows); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

func (r *fidelityRun) decoder(ctx context.Context, path string, ids []int32, windows PerplexityOptions) error {
	m, err := r.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	f := r.describe(m)
	if r.options.Progress != nil {
		windows.Progress = func(p Perplexity, chunks int) { r.options.Progress(path, p.Chunks, chunks) }
	}
	timed := &stopwatch{LanguageModel: m}
	if f.Logits, err = CompareLogits(ctx, r.reference, timed, ids, &windows); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	f.Tokens = timed.tokens
	f.Speed = float64(timed.tokens) / timed.busy.Seconds()
	if f.Layers, err = CompareLayers(ctx, r.reference.Model, m.Model, spanSample(ids, windows.Prefix, r.layerLimit(m))); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	r.result.Files = append(r.result.Files, f)
	return nil
}

package quantize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
)

// A Plan says what every tensor of a model becomes. Making one reads no tensor
// data, so it is also the answer to "what would happen?".
type Plan struct {
	FileType gguf.FileType  // that the output is labelled with
	Metadata *gguf.Metadata // of the output, or of its first shard
	Tensors  []Tensor       // in the order of the output
	Pruned   int            // tensors that are left out with their layers

	source *Source
	pruned *pruning
	opts   *Options
	shards int // of the output
}

// A Tensor is one tensor of the output.
type Tensor struct {
	Name        string
	Shape       []int64 // fastest dimension first
	From, To    gguf.Type
	BytesBefore int64
	BytesAfter  int64
	Reason      string // why To, as in "ffn_down: first eighth of the layers"
	Fallback    string // why not the type that was wanted, as in "384 columns are not a multiple of 256: Q4_K → Q5_0", or ""
	Unweighted  string // where there is importance, but none for this tensor, which is quantized without: why, or ""

	Choosable bool // Options.Types decides, or would if it had an entry

	source     *gguf.Tensor
	importance []float32
	shard      int
}

// NewPlan plans for the model in f, as Source.Plan does.
func NewPlan(f *gguf.File, o *Options) (*Plan, error) { return FileSource(f).Plan(o) }

// Plan applies the recipe to the tensors of s. It fails when the options
// contradict each other or the model; whether the plan can also be carried out
// is what Check says.
func (s *Source) Plan(o *Options) (*Plan, error) {
	if err := checkImportance(s, o); err != nil {
		return nil, err
	}
	pruned, err := newPruning(s, o)
	if err != nil {
		return nil, err
	}
	tensors, sources := pruned.apply(inOutputOrder(s.Tensors, o.KeepSplit))
	r, err := newRecipe(s, o, tensors)
	if err != nil {
		return nil, err
	}
	p := &Plan{Tensors: make([]Tensor, len(tensors)), Pruned: len(s.Tensors) - len(tensors), source: s, pruned: pruned, opts: o, shards: 1}
	for i, t := range tensors {
		c, err := r.choose(t)
		if err != nil {
			return nil, err
		}
		if p.Tensors[i], err = p.tensor(t.Name, sources[i], c); err != nil {
			return nil, err
		}
		p.shards = max(p.shards, p.Tensors[i].shard+1)
	}
	if o.NoFallback {
		if err := p.refuseFallbacks(); err != nil {
			return nil, err
		}
	}
	p.FileType = p.outputFileType(tensors)
	p.Metadata = p.outputMetadata()
	return p, nil
}

// tensor plans what becomes of a tensor of the source, which is called name in
// the output.
func (p *Plan) tensor(name string, source *gguf.Tensor, c choice) (Tensor, error) {
	t := Tensor{
		Name:        name,
		Shape:       source.Dimensions(),
		From:        source.Type,
		To:          c.to,
		BytesBefore: source.Size,
		BytesAfter:  source.Size,
		Reason:      c.why,
		Choosable:   c.open,
		source:      source,
	}
	if p.opts.KeepSplit {
		t.shard = source.Shard
	}
	if c.wanted != c.to {
		t.Fallback = fmt.Sprintf("%d columns are not a multiple of %d: %s → %s", t.Shape[0], blockLen(c.wanted), c.wanted, c.to)
	}
	if t.From == t.To {
		return t, nil
	}
	size, ok := t.To.Size(source.Elements())
	if !ok {
		return t, fault.Malformed(p.source.Path, quoteTensor(t.Name), "%d elements have no size as %s", source.Elements(), t.To)
	}
	t.BytesAfter = size
	var err error
	if isBlock(t.To) && len(p.opts.Importance) > 0 {
		err = p.weigh(&t)
	}
	return t, err
}

func (p *Plan) refuseFallbacks() error {
	var texts []string
	for _, t := range p.Tensors {
		if t.Fallback != "" {
			texts = append(texts, t.Name+": "+t.Fallback)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fault.Unsupported(p.source.Path, "", "",
		"%d of %d tensors have rows that do not fit their type; choose another one, or allow fallbacks:\n  %s",
		len(texts), len(p.Tensors), strings.Join(texts, "\n  "))
}

// Check returns the first reason why Run would refuse the plan, or nil.
func (p *Plan) Check() error {
	for i := range p.Tensors {
		if err := p.CheckTensor(i); err != nil {
			return err
		}
	}
	return nil
}

// CheckTensor returns why Run would refuse what is planned for tensor i, or nil.
func (p *Plan) CheckTensor(i int) error {
	t := &p.Tensors[i]
	if t.copied() {
		return nil
	}
	if isBlock(t.From) && !p.opts.AllowRequantize {
		return fmt.Errorf("%s is %s already: quantizing it again loses more than quantizing the original; use --allow-requantize to do so nevertheless",
			quoteTensor(t.Name), t.From)
	}
	if t.importance == nil && needsImportance(t.Name, t.To, p.FileType) {
		return fmt.Errorf("%s becomes %s, which is useless without importance for this tensor; give an importance file with --imatrix",
			quoteTensor(t.Name), t.To)
	}
	if _, ok := block.Lookup(t.From); !ok {
		return fault.Unsupported(p.source.Path, quoteTensor(t.Name), "start from F32, F16 or BF16", "%s cannot be decoded", t.From)
	}
	if !canEncode(t.To) {
		return fault.Unsupported(p.source.Path, quoteTensor(t.Name), "these can: "+encodable(), "%s cannot be written", t.To)
	}
	return nil
}

// encodable lists the types that Run can write.
func encodable() string {
	var names []string
	for _, row := range bases {
		if name := row.base.String(); canEncode(row.base) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func canEncode(t gguf.Type) bool {
	c, ok := block.Lookup(t)
	return ok && c.CanEncode()
}

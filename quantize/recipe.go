package quantize

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// A recipe chooses the type of one tensor after the other. The order matters:
// some rules count the weights of a role.
type recipe struct {
	opts     *Options
	path     string
	model    model
	base     gguf.Type
	patterns []pattern
	tied     bool           // there is no output.weight: the token embeddings serve as it
	values   int64          // weights in the role attnV
	met      map[role]int64 // weights of a role that the mixture has placed
}

// A choice is the type that a tensor gets.
type choice struct {
	wanted gguf.Type // without regard to the length of rows
	to     gguf.Type // wanted, or what rows of this length allow
	why    string
	open   bool // Options.Types may say otherwise
}

func newRecipe(s *Source, o *Options, tensors []*gguf.Tensor) (*recipe, error) {
	r := &recipe{opts: o, path: s.Path, tied: true, met: make(map[role]int64)}
	if o.Copy {
		return r, nil
	}
	var err error
	if r.base, err = baseOf(o.FileType); err != nil {
		return nil, err
	}
	if r.patterns, err = compilePatterns(o.Overrides); err != nil {
		return nil, err
	}
	if err := checkTargets(o); err != nil {
		return nil, err
	}
	if r.model, err = readModel(s, o, r.base); err != nil {
		return nil, err
	}
	for _, t := range tensors {
		switch roleOf(t.Name) {
		case outputWeight:
			r.tied = false
		case attnV:
			r.values++
		}
	}
	return r, nil
}

// checkTargets refuses types that are made for products or indices.
func checkTargets(o *Options) error {
	check := func(option string, t gguf.Type) error {
		if StoresWeights(t) {
			return nil
		}
		return fmt.Errorf("%s: weights are not stored as %s", option, t)
	}
	for _, v := range o.Overrides {
		if err := check("--tensor-type "+v.Pattern+"="+v.Type.String(), v.Type); err != nil {
			return err
		}
	}
	if o.OutputTensorType != nil {
		if err := check("--output-tensor-type", *o.OutputTensorType); err != nil {
			return err
		}
	}
	if o.TokenEmbeddingType != nil {
		return check("--token-embedding-type", *o.TokenEmbeddingType)
	}
	return nil
}

// choose returns the type of t, which must be the next tensor of the output.
func (r *recipe) choose(t *gguf.Tensor) (choice, error) {
	chosen, isChosen := r.opts.Types[t.Name]
	if why := r.keepReason(t); why != "" {
		positions := t.Name == positionEmbedding && !r.opts.Copy && len(t.Dimensions()) == 2 && isBlock(r.base)
		if !positions || !isChosen && !r.namesPositions() {
			return choice{wanted: t.Type, to: t.Type, why: why, open: positions}, nil
		}
	}
	named, err := match(r.patterns, t)
	if err != nil {
		return choice{}, err
	}
	role := roleOf(t.Name)
	if want := r.opts.TokenEmbeddingType; want != nil && role == tokenEmbedding && (t.Name == "token_embd.weight" || named == nil) {
		return r.exactly(t, *want, "--token-embedding-type")
	}
	if want := r.opts.OutputTensorType; want != nil && role == outputWeight {
		return r.exactly(t, *want, "--output-tensor-type")
	}

	c := choice{wanted: r.base, to: r.base, why: "base type"}
	switch {
	case !isBlock(r.base):
		return c, nil
	case named != nil:
		c = choice{wanted: named.Type, to: named.Type, why: "--tensor-type " + named.Pattern}
	case isChosen:
		c = choice{wanted: chosen, to: chosen, why: "chosen", open: true}
	case r.opts.Pure:
		c.why, c.open = "--pure", true
	default:
		if c, err = r.mix(t, role); err != nil {
			return choice{}, err
		}
		c.open = true
	}
	if c.to, err = r.fit(t, c.to); err != nil {
		return choice{}, err
	}
	return c, nil
}

// namesPositions reports whether an override is about the position embeddings and
// nothing else.
func (r *recipe) namesPositions() bool {
	return slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.Pattern == exactPositions })
}

var exactPositions = ExactOverride(positionEmbedding, gguf.TypeF32).Pattern

// exactly returns a type that the user asked for and that nothing replaces.
func (r *recipe) exactly(t *gguf.Tensor, want gguf.Type, option string) (choice, error) {
	if block := blockLen(want); t.Shape[0]%block != 0 {
		return choice{}, fault.Unsupported(r.path, quoteTensor(t.Name), "choose another type for it",
			"%s %s: %d columns are not a multiple of %d", option, want, t.Shape[0], block)
	}
	return choice{wanted: want, to: want, why: option}, nil
}

// mix returns what the mixture says.
func (r *recipe) mix(t *gguf.Tensor, role role) (choice, error) {
	for _, part := range r.model.rules.atLeastQ8_0 {
		if strings.Contains(t.Name, part) {
			return choice{wanted: gguf.TypeQ8_0, to: gguf.TypeQ8_0, why: "at least Q8_0 in " + r.model.arch}, nil
		}
	}
	switch {
	case role == outputWeight || r.tied && role == tokenEmbedding:
		return r.mixOutput(t, role), nil
	case r.opts.FileType == gguf.FileMXFP4MoE:
		return r.mixExperts(t, role), nil
	}

	s, err := r.site(t, role)
	if err != nil {
		return choice{}, err
	}
	to, when := apply(mixtures[role], r.opts.FileType, r.base, s)
	if role == attnV && r.model.large && !slices.Contains(veryLow, r.opts.FileType) && (to == gguf.TypeQ3_K || to == gguf.TypeQ4_K) {
		to, when = gguf.TypeQ5_K, "70B"
	}
	why := "base type"
	switch {
	case when != "":
		why = role.String() + ": " + when
	case to != r.base:
		why = role.String()
	}
	return choice{wanted: to, to: to, why: why}, nil
}

// mixOutput returns the type of the output matrix, or of token embeddings that
// also serve as it.
func (r *recipe) mixOutput(t *gguf.Tensor, role role) choice {
	why := role.String()
	if role == tokenEmbedding {
		why = "token embeddings, tied to the output"
	}
	if want := r.opts.OutputTensorType; want != nil {
		return choice{wanted: *want, to: *want, why: why + ": --output-tensor-type"}
	}
	wanted, _ := apply(mixtures[outputWeight], r.opts.FileType, r.base, site{model: &r.model})
	c := choice{wanted: wanted, to: wanted, why: why}
	if t.Shape[0]%blockLen(r.base) != 0 {
		c.to = gguf.TypeQ8_0
	}
	return c
}

// mixExperts returns MXFP4 for stacks of experts and Q8_0 for everything else.
func (r *recipe) mixExperts(t *gguf.Tensor, role role) choice {
	ffn := role == ffnUp || role == ffnGate || role == ffnDown
	if experts(t.Shape) > 1 && (ffn || !r.model.rules.mxfp4FFN) {
		return choice{wanted: gguf.TypeMXFP4, to: gguf.TypeMXFP4, why: "experts"}
	}
	return choice{wanted: gguf.TypeQ8_0, to: gguf.TypeQ8_0, why: "not experts"}
}

// site finds where t stands. In models with experts the feed-forward weights
// are not in the order of layers, so their names tell the layer; the mixtures
// below three bits count them nevertheless.
func (r *recipe) site(t *gguf.Tensor, role role) (site, error) {
	s := site{model: &r.model, index: r.met[role], count: r.model.layers, importance: len(r.opts.Importance) > 0}
	r.met[role]++
	switch role {
	case attnV:
		s.count = r.values
	case ffnUp, ffnGate, ffnDown:
		if r.model.experts <= 1 || slices.Contains(veryLow, r.opts.FileType) {
			break
		}
		layer, ok := layerOf(t.Name)
		if !ok || layer < 0 || layer >= s.count {
			return site{}, fault.Unsupported(r.path, quoteTensor(t.Name), "name its type with --tensor-type, or use --pure",
				"its name does not tell a layer below %d, and the mixture %s depends on it", s.count, r.opts.FileType)
		}
		s.index = layer
	}
	return s, nil
}

// fallbacks are the types for rows that are no multiple of 256 (for Q2_0, 64).
var fallbacks = map[gguf.Type]gguf.Type{
	gguf.TypeIQ1S:   gguf.TypeIQ4NL,
	gguf.TypeIQ1M:   gguf.TypeIQ4NL,
	gguf.TypeIQ2XXS: gguf.TypeIQ4NL,
	gguf.TypeIQ2XS:  gguf.TypeIQ4NL,
	gguf.TypeIQ2S:   gguf.TypeIQ4NL,
	gguf.TypeIQ3XXS: gguf.TypeIQ4NL,
	gguf.TypeIQ3S:   gguf.TypeIQ4NL,
	gguf.TypeIQ4XS:  gguf.TypeIQ4NL,
	gguf.TypeQ2_0:   gguf.TypeQ4_0,
	gguf.TypeQ2_K:   gguf.TypeQ4_0,
	gguf.TypeQ3_K:   gguf.TypeQ4_0,
	gguf.TypeTQ1_0:  gguf.TypeQ4_0,
	gguf.TypeTQ2_0:  gguf.TypeQ4_0,
	gguf.TypeQ4_K:   gguf.TypeQ5_0,
	gguf.TypeQ5_K:   gguf.TypeQ5_1,
	gguf.TypeQ6_K:   gguf.TypeQ8_0,
}

// fit returns a type for the rows of t: want, its fallback, or F16.
func (r *recipe) fit(t *gguf.Tensor, want gguf.Type) (gguf.Type, error) {
	columns, block := t.Shape[0], blockLen(want)
	if columns%block == 0 {
		return want, nil
	}
	to, ok := fallbacks[want]
	switch {
	case !ok && block > 32:
		return 0, fault.Unsupported(r.path, quoteTensor(t.Name), "name another type with --tensor-type",
			"%d columns are not a multiple of %d, and there is no fallback for %s", columns, block, want)
	case !ok || columns%blockLen(to) != 0:
		return gguf.TypeF16, nil
	}
	return to, nil
}

// inOutputOrder returns tensors as llama-quantize orders them: by layer, those
// outside of layers first, then by name; or by place in their shard.
func inOutputOrder(tensors []*gguf.Tensor, keepSplit bool) []*gguf.Tensor {
	return slices.SortedStableFunc(slices.Values(tensors), func(a, b *gguf.Tensor) int {
		if keepSplit {
			return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Offset, b.Offset))
		}
		return cmp.Or(cmp.Compare(layerOrder(a.Name), layerOrder(b.Name)), strings.Compare(a.Name, b.Name))
	})
}

func layerOrder(name string) int64 {
	if layer, ok := layerOf(name); ok {
		return layer
	}
	return -1
}

// layerOf returns the number after "blk.".
func layerOf(name string) (layer int64, ok bool) {
	digits, found := strings.CutPrefix(name, "blk.")
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			break
		}
		ok = true
		layer = min(layer*10+int64(c-'0'), math.MaxInt32)
	}
	return layer, found && ok
}

func quoteTensor(name string) string { return fmt.Sprintf("tensor %q", name) }

// isBlock reports whether t stores elements in blocks with a common scale.
func isBlock(t gguf.Type) bool { return blockLen(t) > 1 }

// blockLen returns the elements of a block of t, which must have a known layout.
func blockLen(t gguf.Type) int64 {
	n, _, _ := t.Block()
	return int64(n)
}

// experts returns the matrices in a stack of them.
func experts(shape []int64) int64 {
	if len(shape) < 3 {
		return 1
	}
	return shape[2]
}

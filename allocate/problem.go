package allocate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/quantize"
)

// Key is the key of a file that tells how its types were chosen, in JSON.
const Key = "gguftool.allocate"

// keyRoom is how many bytes the value of Key may have.
const keyRoom = 512

// neutral is the file type that plans are made with before there is a choice.
const neutral = gguf.FileQ8_0

// mixtures are compared with what is chosen.
var mixtures = []gguf.FileType{
	gguf.FileQ2_K, gguf.FileQ3_K_M, gguf.FileIQ4XS, gguf.FileQ4_K_M, gguf.FileQ5_K_M, gguf.FileQ6_K, gguf.FileQ8_0,
}

// labels are the file types that a choice may be labelled with.
var labels = append([]gguf.FileType{
	gguf.FileIQ1S, gguf.FileIQ1M, gguf.FileIQ2XXS, gguf.FileIQ2XS, gguf.FileIQ2M, gguf.FileIQ3XXS,
}, mixtures...)

// NewProblem finds out which tensors of a model may be chosen a type for, and
// which types each of them may get: of types, if limited is set, else of its Front.
// What o says of types holds for the other tensors. measurable are the tensors of
// the evaluator; those that it cannot change get Q8_0 where they may.
func NewProblem(s *quantize.Source, o *quantize.Options, types []gguf.Type, limited bool, measurable []Tensor) (*Problem, error) {
	p := &Problem{Fixed: map[string]gguf.Type{}, source: s, options: *o, unmeasured: map[string]gguf.Type{}}
	first, err := p.plan(neutral, nil, "")
	if err != nil {
		return nil, err
	}
	changeable := make(map[string][]gguf.Type) // to these types
	for _, t := range measurable {
		changeable[t.Name] = t.Types
	}
	var at []int // tensors of the plan that are chosen
	for i, t := range first.Tensors {
		switch {
		case t.Choosable && len(changeable[t.Name]) > 0:
			at = append(at, i)
		case t.Choosable && t.From != t.To:
			p.unmeasured[t.Name] = t.To
		case t.From != t.To && slices.Contains(changeable[t.Name], t.To):
			p.Fixed[t.Name] = t.To
		}
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("%s has no tensor that a type can be chosen for", s.Path)
	}
	if p.Weights, err = p.weights(first, at, types, limited, changeable); err != nil {
		return nil, err
	}
	if err := p.sizeBase(); err != nil {
		return nil, err
	}
	return p, p.addMixtures(changeable)
}

// plan makes a plan with the given types, and with the text under Key.
func (p *Problem) plan(label gguf.FileType, types map[string]gguf.Type, key string) (*quantize.Plan, error) {
	o := p.options
	o.FileType = label
	o.Types = make(map[string]gguf.Type, len(types)+len(p.unmeasured))
	for name, t := range p.unmeasured {
		o.Types[name] = t
	}
	for name, t := range types {
		o.Types[name] = t
	}
	if key != "" {
		o.KVOverrides = append(slices.Clone(o.KVOverrides), quantize.KVOverride{Key: Key, Value: gguf.ValueOf(key)})
	}
	return p.source.Plan(&o)
}

// weights returns the tensors number at of the plan with what each may become.
func (p *Problem) weights(first *quantize.Plan, at []int, types []gguf.Type, limited bool, changeable map[string][]gguf.Type) ([]Weight, error) {
	weights := make([]Weight, len(at))
	weighted := make([]bool, len(at)) // by importance
	var refused error
	for _, to := range types {
		all := make(map[string]gguf.Type)
		elements, _, _ := to.Block()
		for _, i := range at {
			if t := &first.Tensors[i]; t.Shape[0]%int64(elements) == 0 {
				all[t.Name] = to
			}
		}
		plan, err := p.plan(neutral, all, "")
		if err != nil {
			return nil, err
		}
		for k, i := range at {
			t := &plan.Tensors[i]
			if t.To != to || t.From == to || !slices.Contains(changeable[t.Name], to) {
				continue
			}
			if err := plan.CheckTensor(i); err != nil {
				if n, _, _ := t.From.Block(); n > 1 {
					return nil, err // of what is quantized already, nothing can be made
				}
				refused = cmp.Or(refused, err)
				continue
			}
			weighted[k] = weighted[k] || len(p.options.Importance) > 0 && t.Unweighted == "" && elements > 1
			weights[k].Types = append(weights[k].Types, Candidate{Type: to, Bytes: p.padded(t.BytesAfter)})
		}
	}
	for k, i := range at {
		t := &first.Tensors[i]
		w := &weights[k]
		w.Tensor = t.Name
		if !limited {
			w.Types = onFront(w.Types, weighted[k])
		}
		source := Candidate{t.From, p.padded(t.BytesBefore), true}
		w.Types = slices.DeleteFunc(w.Types, func(c Candidate) bool { return c.Bytes >= source.Bytes })
		w.Types = append(w.Types, source)
		slices.SortStableFunc(w.Types, func(a, b Candidate) int { return cmp.Compare(a.Bytes, b.Bytes) })
	}
	if !slices.ContainsFunc(weights, func(w Weight) bool { return len(w.Types) > 1 }) {
		if refused == nil {
			refused = fmt.Errorf("no tensor of %s can become one of %s", p.source.Path, listed(types))
		}
		return nil, refused
	}
	return weights, nil
}

func onFront(all []Candidate, weighted bool) []Candidate {
	var types []gguf.Type
	for _, c := range all {
		types = append(types, c.Type)
	}
	front := Front(types, weighted)
	return slices.DeleteFunc(all, func(c Candidate) bool { return !slices.Contains(front, c.Type) })
}

func listed(types []gguf.Type) string {
	var all []string
	for _, t := range types {
		all = append(all, t.String())
	}
	return strings.Join(all, ", ")
}

// padded returns the bytes that a tensor of n bytes takes in a file.
func (p *Problem) padded(n int64) int64 {
	alignment := int64(gguf.DefaultAlignment)
	if a, ok := p.source.Metadata.Int(gguf.KeyAlignment); ok && a > 0 {
		alignment = a
	}
	return (n + alignment - 1) / alignment * alignment
}

// sizeBase computes the bytes of the file besides the weights.
func (p *Problem) sizeBase() error {
	smallest := make(map[string]gguf.Type)
	for _, w := range p.Weights {
		smallest[w.Tensor] = w.Types[0].Type
		p.Base -= w.Types[0].Bytes
	}
	plan, err := p.plan(neutral, smallest, strings.Repeat("x", keyRoom))
	if err != nil {
		return err
	}
	size, err := fileSize(plan)
	p.Base += size
	p.data = p.Base - (size - plan.Summary().BytesAfter)
	p.parameters = plan.Summary().Parameters
	return err
}

// fileSize returns the bytes of all files of a plan.
func fileSize(plan *quantize.Plan) (sum int64, err error) {
	sizes, err := plan.FileSizes()
	for _, n := range sizes {
		sum += n
	}
	return sum, err
}

func (p *Problem) addMixtures(changeable map[string][]gguf.Type) error {
	for _, t := range mixtures {
		plan, err := p.mixture(t)
		if err != nil {
			return err
		}
		if plan.Check() != nil {
			continue
		}
		m := Mixture{Name: t.String(), Types: map[string]gguf.Type{}}
		if m.Bytes, err = fileSize(plan); err != nil {
			return err
		}
		for _, x := range plan.Tensors {
			if x.From != x.To && slices.Contains(changeable[x.Name], x.To) {
				m.Types[x.Name] = x.To
			}
		}
		p.Mixtures = append(p.Mixtures, m)
	}
	return nil
}

// mixture makes the plan of a fixed type.
func (p *Problem) mixture(t gguf.FileType) (*quantize.Plan, error) {
	o := p.options
	o.FileType = t
	return p.source.Plan(&o)
}

// SizeLike returns the bytes of the file of a fixed type.
func (p *Problem) SizeLike(t gguf.FileType) (int64, error) {
	plan, err := p.mixture(t)
	if err != nil {
		return 0, err
	}
	return fileSize(plan)
}

// SizeOf returns the bytes of a file with so many bits for each of the model's
// weights, as the data of all its tensors has them.
func (p *Problem) SizeOf(bitsPerWeight float64) int64 {
	return p.Base - p.data + int64(bitsPerWeight/8*float64(p.parameters))
}

// Plan returns the plan of a choice. Its file type is the one whose file has the
// nearest size; key is the text under Key.
func (p *Problem) Plan(types map[string]gguf.Type, key string) (*quantize.Plan, error) {
	if len(key) > keyRoom {
		return nil, fmt.Errorf("the key %s would have %d bytes", Key, len(key))
	}
	plan, err := p.plan(neutral, types, key)
	if err != nil {
		return nil, err
	}
	size, err := fileSize(plan)
	if err != nil {
		return nil, err
	}
	label, err := p.nearest(size)
	if err != nil {
		return nil, err
	}
	return p.plan(label, types, key)
}

// nearest returns the file type whose file has the nearest size, the most usual of
// several.
func (p *Problem) nearest(size int64) (gguf.FileType, error) {
	best, distance := neutral, math.Inf(1)
	for _, t := range slices.Backward(labels) {
		plan, err := p.mixture(t)
		if err != nil {
			return 0, err
		}
		n, err := fileSize(plan)
		if err != nil {
			return 0, err
		}
		if d := math.Abs(math.Log(float64(n) / float64(size))); d < distance && plan.Check() == nil {
			best, distance = t, d
		}
	}
	return best, nil
}

// Recipe returns the choice as --tensor-type-file reads it, ours and that of
// llama-quantize: a line with a type for each tensor that either would quantize.
func Recipe(plan *quantize.Plan) string {
	var b strings.Builder
	for _, t := range plan.Tensors {
		if t.Choosable || t.From != t.To {
			b.WriteString(quantize.ExactOverride(t.Name, t.To).String() + "\n")
		}
	}
	return b.String()
}

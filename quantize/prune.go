package quantize

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// ParseLayers reads layers and ranges of them, separated by commas, as in
// "0,2,5-7". The result is sorted and has no layer twice.
func ParseLayers(s string) ([]int, error) {
	var layers []int
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
		if err != nil || err2 != nil || last < first {
			return nil, fmt.Errorf("%q is neither a layer nor a range of layers, as in 0,2,5-7", part)
		}
		for layer := first; layer <= last; layer++ {
			layers = append(layers, int(layer))
		}
	}
	slices.Sort(layers)
	return slices.Compact(layers), nil
}

// A pruning leaves layers out of a model and moves the others up. The nil
// pruning leaves out none.
type pruning struct {
	arch    string
	dropped []bool  // of each layer of the source
	moved   []int64 // of each layer of the source: its number in the output, if it is kept
	layers  int64   // of the output
	own     int64   // layers of the source without those at the end that predict further tokens
}

// newPruning checks that o.PruneLayers can be left out of s.
func newPruning(s *Source, o *Options) (*pruning, error) {
	if len(o.PruneLayers) == 0 {
		return nil, nil
	}
	h := hyperparameters{s.Metadata, o.KVOverrides}
	p := &pruning{arch: h.text(gguf.KeyArchitecture)}
	key := p.arch + ".block_count"
	blocks, ok := h.int(key)
	switch {
	case p.arch == "":
		return nil, fault.Unsupported(s.Path, "", "name it with --override-kv "+gguf.KeyArchitecture+"=str:NAME",
			"%s is missing, so that its layers cannot be pruned", gguf.KeyArchitecture)
	case !ok:
		return nil, fault.Unsupported(s.Path, "", "set it with --override-kv "+key+"=int:N",
			"%s is missing, so that its layers cannot be pruned", key)
	case blocks < 1 || blocks > math.MaxUint16:
		return nil, fault.Malformed(s.Path, key, "%d layers", blocks)
	}
	p.dropped = make([]bool, blocks)
	for _, layer := range o.PruneLayers {
		if layer < 0 || int64(layer) >= blocks {
			return nil, fmt.Errorf("layer %d cannot be pruned: %s has the layers 0 to %d", layer, s.Path, blocks-1)
		}
		p.dropped[layer] = true
	}
	for _, dropped := range p.dropped {
		p.moved = append(p.moved, p.layers)
		if !dropped {
			p.layers++
		}
	}
	if p.layers == 0 {
		return nil, fmt.Errorf("all %d layers of %s would be pruned; leave at least one", blocks, s.Path)
	}
	p.own = blocks
	if n, ok := h.int(p.arch + ".nextn_predict_layers"); ok && n > 0 && n <= blocks {
		p.own -= n
	}
	if err := p.checkNames(s); err != nil {
		return nil, err
	}
	return p, p.checkPatterns(s)
}

// checkNames refuses models of several stacks of layers, as encoder and decoder.
func (p *pruning) checkNames(s *Source) error {
	for _, t := range s.Tensors {
		if at := strings.Index(t.Name, "blk."); at > 0 {
			if _, _, ok := cutLayer(t.Name[at:]); ok {
				return fault.Unsupported(s.Path, quoteTensor(t.Name), "",
					"layers can only be pruned where they are named blk.0 and so on: which of several stacks of layers is meant cannot be told")
			}
		}
	}
	return nil
}

// cutLayer takes a name like "blk.7.attn_q.weight" apart.
func cutLayer(name string) (layer int64, rest string, ok bool) {
	numbered, isLayer := strings.CutPrefix(name, "blk.")
	digits, rest, dotted := strings.Cut(numbered, ".")
	n, err := strconv.ParseUint(digits, 10, 31)
	return int64(n), rest, isLayer && dotted && err == nil
}

// apply returns the tensors that are left with their new names, and those that
// they are in the source.
func (p *pruning) apply(tensors []*gguf.Tensor) (named, sources []*gguf.Tensor) {
	if p == nil {
		return tensors, tensors
	}
	for _, t := range tensors {
		layer, rest, ok := cutLayer(t.Name)
		moved := t
		switch blocks := int64(len(p.dropped)); {
		case !ok:
		case layer < blocks && p.dropped[layer]:
			continue
		default:
			to := layer - blocks + p.layers
			if layer < blocks {
				to = p.moved[layer]
			}
			copied := *t
			copied.Name = fmt.Sprintf("blk.%d.%s", to, rest)
			moved = &copied
		}
		named, sources = append(named, moved), append(sources, t)
	}
	return named, sources
}

// Keys, behind the architecture, that speak of layers by their number.
var (
	// leadingLayers count layers at the beginning that differ from the others.
	leadingLayers = []string{"leading_dense_block_count", "hash_layer_count"}
	// trailingLayers count layers at the end.
	trailingLayers = []string{"nextn_predict_layers", "attention.shared_kv_layers"}
	// layerPeriods say that layers of one kind return after so many.
	layerPeriods = []string{"interleave_moe_layer_step", "moe_every_n_layers", "full_attention_interval", "attention.sliding_window_pattern"}
	// fixedLayers tie weights to the number of their layer.
	fixedLayers = []string{"rescale_every_n_layers", "hrm.layers_per_stack", "ple.layers"}
	// notOfLayers are arrays that have an element for something else.
	notOfLayers = []string{"rope.dimension_sections", "ple.layer_multipliers", "target_layers",
		"adapters.token_ids_activate", "adapters.token_ids_substitute"}
)

// checkPatterns refuses what would make a layer one of another kind.
func (p *pruning) checkPatterns(s *Source) error {
	keeps := func(period int64) bool {
		for layer, to := range p.moved {
			if !p.dropped[layer] && (int64(layer)-to)%period != 0 {
				return false
			}
		}
		return true
	}
	for _, name := range layerPeriods {
		key := p.arch + "." + name
		_, listed := s.Metadata.Lookup(p.arch + ".attention.recurrent_layers")
		if name == "full_attention_interval" && listed {
			continue // the list counts
		}
		if period, ok := s.Metadata.Int(key); ok && period > 1 && !keeps(period) {
			return fault.Unsupported(s.Path, key, fmt.Sprintf("prune %d layers in a row, or a multiple of that", period),
				"layers of another kind return after %d, and with these layers pruned others would become that", period)
		}
	}
	for _, name := range fixedLayers {
		key := p.arch + "." + name
		if v, ok := s.Metadata.Lookup(key); ok && !keeps(math.MaxInt64) {
			if n, isInt := v.Int(); !isInt || n > 0 {
				return fault.Unsupported(s.Path, key, "prune layers at the end only", "it speaks of layers by their number, which pruning changes")
			}
		}
	}
	return nil
}

// trim corrects the keys that tell something of each layer. llama-quantize
// leaves them as they are, so that no program loads the output.
func (p *pruning) trim(md *gguf.Metadata) {
	if p == nil {
		return
	}
	blocks := int64(len(p.dropped))
	for key, v := range md.Clone().All() {
		name, ours := strings.CutPrefix(key, p.arch+".")
		if !ours && !strings.HasPrefix(key, "xielu.") || slices.Contains(notOfLayers, name) || slices.Contains(fixedLayers, name) {
			continue
		}
		if n := int64(v.Len()); n == blocks || n == p.own {
			md.Set(key, p.kept(v))
		}
	}
	reduce := func(name string, from func(n int64) (first, last int64)) {
		key := p.arch + "." + name
		n, ok := md.Int(key)
		if !ok || n < 1 || n > blocks {
			return
		}
		first, last := from(n)
		for layer := first; layer < last; layer++ {
			if p.dropped[layer] {
				n--
			}
		}
		v, _ := md.Lookup(key)
		md.Set(key, integerLike(v, n))
	}
	for _, name := range leadingLayers {
		reduce(name, func(n int64) (int64, int64) { return 0, n })
	}
	for _, name := range trailingLayers {
		reduce(name, func(n int64) (int64, int64) { return blocks - n, blocks })
	}
}

// kept returns an array with one element for each layer without those of
// dropped layers. Arrays of text are names of something else and stay.
func (p *pruning) kept(v gguf.Value) gguf.Value {
	switch a := v.Any().(type) {
	case []uint8:
		return gguf.ArrayOf(without(a, p.dropped))
	case []int8:
		return gguf.ArrayOf(without(a, p.dropped))
	case []uint16:
		return gguf.ArrayOf(without(a, p.dropped))
	case []int16:
		return gguf.ArrayOf(without(a, p.dropped))
	case []uint32:
		return gguf.ArrayOf(without(a, p.dropped))
	case []int32:
		return gguf.ArrayOf(without(a, p.dropped))
	case []uint64:
		return gguf.ArrayOf(without(a, p.dropped))
	case []int64:
		return gguf.ArrayOf(without(a, p.dropped))
	case []float32:
		return gguf.ArrayOf(without(a, p.dropped))
	case []float64:
		return gguf.ArrayOf(without(a, p.dropped))
	case []bool:
		return gguf.ArrayOf(without(a, p.dropped))
	}
	return v
}

// without returns the elements of a that are not dropped.
func without[T any](a []T, dropped []bool) []T {
	kept := []T{}
	for i, x := range a {
		if !dropped[i] {
			kept = append(kept, x)
		}
	}
	return kept
}

// integerLike returns n as a value of the type of v.
func integerLike(v gguf.Value, n int64) gguf.Value {
	switch v.Any().(type) {
	case uint8:
		return gguf.ValueOf(uint8(n))
	case int8:
		return gguf.ValueOf(int8(n))
	case uint16:
		return gguf.ValueOf(uint16(n))
	case int16:
		return gguf.ValueOf(int16(n))
	case int32:
		return gguf.ValueOf(int32(n))
	case uint64:
		return gguf.ValueOf(uint64(n))
	case int64:
		return gguf.ValueOf(n)
	}
	return gguf.ValueOf(uint32(n))
}

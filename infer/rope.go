package infer

import (
	"math"
	"sync"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A rotation says which elements of a head are a pair.
type rotation uint8

const (
	halves     rotation = iota // i and i + dims/2
	neighbours                 // 2i and 2i + 1
)

// A rope rotates pairs of a head's elements by angles that grow with the
// position of a token (https://arxiv.org/abs/2104.09864), so that products of
// queries and keys depend on how far apart they stand:
//
//	angle of pair i at position p = p·steps[i]
type rope struct {
	rotation  rotation
	dims      int       // elements that rotate, the first of a head
	base      float64   // before any scaling
	steps     []float64 // (dims/2)
	magnitude float64   // that cosines and sines are multiplied by
	stretch   *stretch  // or nil

	mu          sync.Mutex
	turns, long turns // of texts of any length, and of the last length that was stretched
}

// turns are cosines and sines, (positions, dims/2) each.
type turns struct {
	positions int
	cos, sin  []float32
}

// A stretch slows a rope down for texts that are longer than those a model was
// trained with, the more the longer they are ("dynamic NTK"): its base becomes
//
//	base·(factor·n/trained - (factor-1)) ^ (dims/(dims-2))
type stretch struct {
	factor  float64
	trained int // tokens
}

// stretchedSteps returns the steps for a text of n tokens.
func (r *rope) stretchedSteps(n int) []float64 {
	s := r.stretch
	grown := s.factor*float64(n)/float64(s.trained) - (s.factor - 1)
	return plainSteps(r.dims, r.base*math.Pow(grown, float64(r.dims)/float64(r.dims-2)))
}

// newRope returns a rope that is not scaled.
func newRope(r rotation, dims int, base float64) *rope {
	return &rope{rotation: r, dims: dims, base: base, magnitude: 1, steps: plainSteps(dims, base)}
}

// rope returns the rope that a file's rope.* keys describe.
func (p *params) rope(r rotation, headSize int, base float64) *rope {
	dims := p.sizeOr("rope.dimension_count", headSize)
	if dims > headSize || dims%2 != 0 {
		p.malformed("rope.dimension_count", "is %d for heads of %d elements; it must be even and not more", dims, headSize)
		return nil
	}
	t := newRope(r, dims, p.floatOr("rope.freq_base", base, 1, math.MaxFloat32))
	factor := p.floatOr("rope.scaling.factor", p.floatOr("rope.scale_linear", 1, 0, maxSize), 0, maxSize)
	if factor == 0 {
		factor = 1 // as it is understood
	}
	switch scaling := p.textOr("rope.scaling.type", "linear"); scaling {
	case "none":
	case "linear":
		for i := range t.steps {
			t.steps[i] /= factor
		}
	case "yarn":
		p.yarn(t, factor)
	default:
		p.unsupported("rope.scaling.type", "is %q; none, linear and yarn are supported", scaling)
	}
	return t
}

// keyDynamicFactor is written for checkpoints that ask for dynamic scaling, for
// which llama.cpp has no key.
const keyDynamicFactor = "gguftool.rope.scaling.dynamic_factor"

// stretch lets the rope of c be stretched to twice as many times the trained
// tokens as the factor of the file says, or the one that is the architecture's own
// where otherwise is not 0.
func (p *params) stretch(c *config, otherwise float64) {
	factor := otherwise
	if v, ok := p.md.Lookup(keyDynamicFactor); ok {
		if factor, ok = v.Float(); !ok || !(factor >= 1 && factor <= 1024) {
			p.fail(fault.Malformed(p.file, keyPart(keyDynamicFactor), "is %v, expected a float from 1 to 1024", v.Any()))
			return
		}
	}
	if factor == 0 || c.rope == nil || c.rope.dims <= 2 {
		return
	}
	c.rope.stretch = &stretch{factor: factor, trained: c.trained}
	c.stretched = min(int(2*factor*float64(c.trained)), maxSize)
}

// localRope returns the rope of layers with a window, which differs from that of
// the others in its base and is not scaled.
func (p *params) localRope(global *rope, base float64) *rope {
	if global == nil {
		return nil
	}
	return newRope(global.rotation, global.dims, p.floatOr("rope.freq_base_swa", base, 1, math.MaxFloat32))
}

func plainSteps(dims int, base float64) []float64 {
	steps := make([]float64, dims/2)
	for i := range steps {
		steps[i] = math.Pow(base, -2*float64(i)/float64(dims))
	}
	return steps
}

// yarn scales t as YaRN does (https://arxiv.org/abs/2309.00071): pairs that turn
// often within the original context keep their steps, those that turn less than
// once have them divided by factor, and those between are blended.
func (p *params) yarn(t *rope, factor float64) {
	context := float64(p.sizeOr("rope.scaling.original_context_length", p.size("context_length")))
	most := p.floatOr("rope.scaling.yarn_beta_fast", 32, 1e-6, maxSize)
	least := p.floatOr("rope.scaling.yarn_beta_slow", 1, 1e-6, maxSize)
	strength := p.floatOr("rope.scaling.yarn_ext_factor", 1, -1, 1)
	if strength < 0 {
		strength = 1
	}
	// pair returns which pair turns a number of times within the original context.
	pair := func(turns float64) float64 {
		return float64(t.dims) * math.Log(context/(turns*2*math.Pi)) / (2 * math.Log(t.base))
	}
	low := max(0, math.Floor(pair(most)))
	high := min(float64(t.dims-1), math.Ceil(pair(least)))
	for i := range t.steps {
		slow := min(max((float64(i)-low)/max(0.001, high-low), 0), 1)
		kept := (1 - slow) * strength
		t.steps[i] = t.steps[i]*kept + t.steps[i]/factor*(1-kept)
	}
	t.magnitude = p.floatOr("rope.scaling.yarn_attn_factor", 0.1*math.Log(max(1, factor))+1, 0, maxSize)
}

// divide divides the step of each pair, as files of Llama 3.1 and later have it
// in rope_freqs.weight.
func (r *rope) divide(factors []float32) {
	for i, f := range factors {
		r.steps[i] /= float64(f)
	}
}

// turnsOf returns the cosines and sines for texts of which the longest has the
// given number of tokens; one that is to be stretched must be alone.
func (r *rope) turnsOf(longest int) turns {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stretch; s != nil && longest > s.trained {
		if r.long.positions != longest {
			r.long = newTurns(r.stretchedSteps(longest), r.magnitude, longest)
		}
		return r.long
	}
	if r.turns.positions < longest {
		// Others may still read the old ones, which stay as they are.
		r.turns = newTurns(r.steps, r.magnitude, max(longest, 2*r.turns.positions))
	}
	return r.turns
}

func newTurns(steps []float64, magnitude float64, positions int) turns {
	half := len(steps)
	t := turns{positions, make([]float32, positions*half), make([]float32, positions*half)}
	for at := range positions {
		for i, step := range steps {
			s, c := math.Sincos(float64(at) * step)
			t.cos[at*half+i], t.sin[at*half+i] = float32(magnitude*c), float32(magnitude*s)
		}
	}
	return t
}

// rotate rotates one head by the angles of one position.
func (r *rope) rotate(head, cos, sin []float32) {
	if r.rotation == neighbours {
		vec.RopePairs(head[:r.dims], cos, sin)
	} else {
		vec.RopeHalves(head[:r.dims], cos, sin)
	}
}

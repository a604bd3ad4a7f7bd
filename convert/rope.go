package convert

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// ropeBases are the bases of the angles that transformers assumes for a family:
// theta, and for layers that see a window of the text local, 0 where all layers
// are alike.
type ropeBases struct{ theta, local float64 }

// A rope is what config.json says about rotary positions: how the angles of all
// layers, or of those that see the whole text, come about.
//
// Until transformers 5 the fields were rope_theta, rope_local_base_freq and an
// object rope_scaling; since then all is in rope_parameters, by kind of layer for
// families that have several.
type rope struct {
	kind         string // of scaling: default, linear, llama3, yarn, ...
	theta, local float32
	scaling      *config // the fields of the scaling
}

// Kinds of layers in rope_parameters.
const (
	fullAttention  = "full_attention"
	localAttention = "sliding_attention"
)

// readRope reads what c says, with what transformers assumes where it does not.
func (c *config) readRope(bases *ropeBases) (*rope, error) {
	whole, err := c.object("rope_parameters")
	if err != nil {
		return nil, err
	}
	full, local := whole, &config{file: c.file}
	if _, ok := whole.fields[fullAttention]; ok || bases.local != 0 {
		if full, err = whole.object(fullAttention); err != nil {
			return nil, err
		}
		if local, err = whole.object(localAttention); err != nil {
			return nil, err
		}
	}
	old, err := c.object("rope_scaling")
	if err != nil {
		return nil, err
	}
	if len(old.fields) > 0 {
		full = old
	}
	r := &rope{kind: "default", scaling: full}
	if r.theta, err = base(full, c, []string{"rope_theta", "rotary_emb_base"}, bases.theta); err != nil {
		return nil, err
	}
	if bases.local != 0 {
		if r.local, err = base(local, c, []string{"rope_local_base_freq"}, bases.local); err != nil {
			return nil, err
		}
	}
	if err := full.decode(full.find([]string{"rope_type", "type"}), &r.kind); err != nil {
		return nil, err
	}
	if f, err := full.number("partial_rotary_factor"); err == nil && f != 1 {
		return nil, fault.Unsupported(c.file, full.part("partial_rotary_factor"), "", "rotating a part of each head is not supported")
	}
	return r, r.complete(c)
}

// base returns the base of the angles: that of inner or of one of the fields of
// outer.
func base(inner, outer *config, fields []string, assumed float64) (float32, error) {
	if _, ok := inner.fields["rope_theta"]; ok {
		return inner.number("rope_theta")
	}
	if field := outer.find(fields); field != "" {
		return outer.number(field)
	}
	return float32(assumed), nil
}

// complete checks the kind of scaling, and sets the field for the context that the
// model had before it.
func (r *rope) complete(c *config) error {
	const original = "original_max_position_embeddings"
	switch r.kind = strings.ToLower(r.kind); r.kind {
	case "default":
		return nil
	case "linear", "dynamic", "llama3", "yarn":
	default:
		return fault.Unsupported(c.file, r.scaling.part(r.scaling.find([]string{"rope_type", "type"})),
			"supported are linear, llama3 and yarn", "rope scaling of the kind %q is not supported", r.kind)
	}
	if r.scaling.fields["factor"] == nil {
		return r.scaling.errorf("factor", "it is missing; %s scaling has one", r.kind)
	}
	if context := c.fields["max_position_embeddings"]; context != nil && r.scaling.fields[original] == nil {
		r.scaling.fields[original] = context
	}
	return nil
}

// Keys of rope, after the architecture.
const (
	keyRopeBase      = "rope.freq_base"
	keyRopeBaseLocal = "rope.freq_base_swa"
	keyScalingType   = "rope.scaling.type"
)

// scalingParameters are the keys that kinds of scaling have.
var scalingParameters = map[string][]parameter{
	"linear": {{"rope.scaling.factor", kindFloat, []string{"factor"}}},
	"yarn": {
		{"rope.scaling.factor", kindFloat, []string{"factor"}},
		{"rope.scaling.original_context_length", kindCount, []string{"original_max_position_embeddings"}},
		{"rope.scaling.yarn_ext_factor", kindFloat, []string{"extrapolation_factor"}},
		{"rope.scaling.yarn_attn_factor", kindFloat, []string{"attention_factor", "attn_factor"}},
		{"rope.scaling.yarn_beta_fast", kindFloat, []string{"beta_fast"}},
		{"rope.scaling.yarn_beta_slow", kindFloat, []string{"beta_slow"}},
	},
}

// setMetadata writes the keys. Llama 3's scaling is a tensor; see frequencies.
func (r *rope) setMetadata(md *gguf.Metadata, arch string) error {
	if parameters := scalingParameters[r.kind]; parameters != nil {
		md.Set(arch+"."+keyScalingType, gguf.ValueOf(r.kind))
		if err := r.scaling.setAll(md, arch, parameters); err != nil {
			return err
		}
	}
	md.Set(arch+"."+keyRopeBase, gguf.ValueOf(r.theta))
	if r.local != 0 {
		md.Set(arch+"."+keyRopeBaseLocal, gguf.ValueOf(r.local))
	}
	return nil
}

// keyDynamicFactor holds the factor of what transformers calls dynamic scaling, for
// which llama.cpp has no keys. In a text of n tokens, more than the model's context
// c, the base of the angles is multiplied by
//
//	(factor·n/c - (factor - 1)) ^ (d/(d-2))
//
// where d is the width of a head.
const keyDynamicFactor = "gguftool.rope.scaling.dynamic_factor"

// setExtras writes what llama.cpp's converter does not.
func (r *rope) setExtras(md *gguf.Metadata) error {
	if r.kind != "dynamic" {
		return nil
	}
	factor, err := r.scaling.number("factor")
	if err == nil {
		md.Set(keyDynamicFactor, gguf.ValueOf(factor))
	}
	return err
}

// note tells what of the scaling the keys do not say, or returns "".
func (r *rope) note(extras bool) string {
	switch {
	case r.kind == "dynamic" && !extras:
		return "rope is scaled in texts that are longer than the model's context (dynamic); the file does not say so (--extras)"
	case r.kind == "yarn" && (r.scaling.find([]string{"mscale", "mscale_all_dim"}) != "" || string(r.scaling.fields["truncate"]) == "false"):
		return "rope's scaling has fields (mscale, mscale_all_dim or truncate) that the file has no keys for"
	}
	return ""
}

// ropeFactors is the tensor of Llama 3's scaling: what to divide the frequency of
// each pair by.
const ropeFactors = "rope_freqs.weight"

// factors returns the tensor of Llama 3's scaling for heads of a size, or nil where
// there is none.
//
// Pairs that turn often within the context the model had before scaling stay as
// they are, pairs that turn seldom are slowed down by the factor, and between the
// two there is a ramp. The results are those of the float32 operations that
// torch does, one by one, a division of a number by a tensor being a reciprocal and
// a product.
func (r *rope) factors(c *config, headSize int64) (*checkpoint.Tensor, error) {
	if r.kind != "llama3" {
		return nil, nil
	}
	var factor, low, high, context float64
	for _, f := range []struct {
		to      *float64
		field   string
		assumed float64
	}{
		{&factor, "factor", 8}, {&low, "low_freq_factor", 1}, {&high, "high_freq_factor", 4},
		{&context, "original_max_position_embeddings", 8192},
	} {
		*f.to = f.assumed
		if _, ok := r.scaling.fields[f.field]; ok {
			if _, err := r.scaling.number(f.field); err != nil {
				return nil, err
			}
			if err := r.scaling.decode(f.field, f.to); err != nil {
				return nil, err
			}
		}
		if !(*f.to > 0) {
			return nil, r.scaling.errorf(f.field, "it is %g, want more than 0", *f.to)
		}
	}
	longest, shortest, span := float32(context/low), float32(context/high), float32(high-low)
	factors := make([]float32, (headSize+1)/2)
	for i := range factors {
		exponent := float32(2*i) / float32(headSize)
		power := float32(math.Pow(float64(r.theta), float64(exponent)))
		frequency := 1 / power
		wavelength := float32(1/frequency) * float32(2*math.Pi)
		switch {
		case wavelength < shortest:
			factors[i] = 1
		case wavelength > longest:
			factors[i] = float32(factor)
		default:
			turns := float32(float32(1/wavelength) * float32(context))
			smooth := (turns - float32(low)) / span
			slowed := float32((1-smooth)/float32(factor)) + smooth
			factors[i] = 1 / slowed
		}
	}
	return checkpoint.FromFloats(ropeFactors, c.file, factors), nil
}

// object returns the fields of the object at key, none where it is absent.
func (c *config) object(key string) (*config, error) {
	inner := &config{file: c.file, within: append(c.within[:len(c.within):len(c.within)], key), fields: map[string]json.RawMessage{}}
	if err := c.decode(key, &inner.fields); err != nil {
		return nil, err
	}
	inner.dropNulls()
	return inner, nil
}

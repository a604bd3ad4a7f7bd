package convert

import (
	"math"
	"strconv"

	"github.com/gguftool/gguftool/gguf"
)

// A parameter is a key of GGUF and the fields of a JSON file that may hold its
// value, the first that is there.
type parameter struct {
	key    string
	kind   kind
	fields []string
}

// A kind is the type of a parameter in GGUF and what values it may have.
type kind uint8

const (
	kindCount   kind = iota // u32, from 1
	kindInteger             // i32
	kindFloat               // f32
	kindNonzero             // f32, written only where it is not 0
	kindText                // string
	kindFalse               // bool, written only where it is false
)

// modelParameters are the keys that every text model may have, after the name
// of its architecture, in the order in which they are written: the sizes before
// those of rope, the others behind.
var modelParameters = []parameter{
	{"block_count", kindCount, []string{"n_layers", "num_hidden_layers", "n_layer", "num_layers"}},
	{"context_length", kindCount, []string{"max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"}},
	{"embedding_length", kindCount, []string{"hidden_size", "n_embd", "dim"}},
	{"feed_forward_length", kindCount, []string{"intermediate_size", "n_inner", "hidden_dim"}},
	{"attention.head_count", kindCount, headFields},
	{"attention.head_count_kv", kindCount, keyHeadFields},
	{"attention.causal", kindFalse, []string{"is_causal"}},
}

var otherParameters = []parameter{
	{"attention.layer_norm_rms_epsilon", kindFloat, []string{"rms_norm_eps", "norm_eps"}},
	{"attention.layer_norm_epsilon", kindFloat, []string{"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"}},
	{"attention.key_length", kindCount, headSizeFields},
	{"attention.value_length", kindCount, headSizeFields},
}

// samplingParameters are the fields of generation_config.json that are kept,
// after keySampling, in the order in which they are written.
var samplingParameters = []parameter{
	{"sequence", kindText, []string{"sequence"}},
	{"top_k", kindInteger, []string{"top_k"}},
	{"top_p", kindFloat, []string{"top_p"}},
	{"min_p", kindFloat, []string{"min_p"}},
	{"xtc_probability", kindFloat, []string{"xtc_probability"}},
	{"xtc_threshold", kindFloat, []string{"xtc_threshold"}},
	{"temp", kindFloat, []string{"temperature"}},
	{"penalty_last_n", kindInteger, []string{"penalty_last_n"}},
	{"penalty_repeat", kindFloat, []string{"penalty_repeat", "repetition_penalty"}},
	{"mirostat", kindInteger, []string{"mirostat"}},
	{"mirostat_tau", kindFloat, []string{"mirostat_tau"}},
	{"mirostat_eta", kindFloat, []string{"mirostat_eta"}},
}

// setAll writes the parameters that c has.
func (c *config) setAll(md *gguf.Metadata, prefix string, parameters []parameter) error {
	for _, p := range parameters {
		field := c.find(p.fields)
		if field == "" {
			continue
		}
		v, err := c.value(field, p.kind)
		if err != nil {
			return err
		}
		if v.Any() != nil {
			md.Set(prefix+"."+p.key, v)
		}
	}
	return nil
}

// value returns the value of a field, or the zero Value where none is written.
func (c *config) value(field string, k kind) (gguf.Value, error) {
	switch k {
	case kindCount:
		n, err := c.count(field)
		return gguf.ValueOf(n), err
	case kindInteger:
		n, err := strconv.ParseInt(string(c.fields[field]), 10, 32)
		if err != nil {
			return gguf.Value{}, c.errorf(field, "it is %s, want a whole number from %d to %d", excerpt(c.fields[field]), math.MinInt32, math.MaxInt32)
		}
		return gguf.ValueOf(int32(n)), nil
	case kindFloat, kindNonzero:
		f, err := c.number(field)
		if k == kindNonzero && f == 0 {
			return gguf.Value{}, err
		}
		return gguf.ValueOf(f), err
	case kindText:
		var s string
		if err := c.decode(field, &s); err != nil || s == "" {
			return gguf.Value{}, err
		}
		return gguf.ValueOf(s), nil
	default:
		var b bool
		if err := c.decode(field, &b); err != nil || b {
			return gguf.Value{}, err
		}
		return gguf.ValueOf(b), nil
	}
}

// setParameters writes the hyperparameters of a model; r is nil where positions
// have embeddings.
func (a *architecture) setParameters(md *gguf.Metadata, c *config, r *rope, fileType gguf.FileType) error {
	if a.layerNormEpsilon != 0 {
		md.Set(a.name+".attention.layer_norm_epsilon", gguf.ValueOf(a.layerNormEpsilon))
	}
	if err := c.setAll(md, a.name, modelParameters); err != nil {
		return err
	}
	if r != nil {
		if err := r.setMetadata(md, a.name); err != nil {
			return err
		}
	}
	if err := c.setAll(md, a.name, otherParameters); err != nil {
		return err
	}
	md.Set(gguf.KeyFileType, gguf.ValueOf(uint32(fileType)))
	return c.setAll(md, a.name, a.parameters)
}

// layerCount returns the number of layers.
func (c *config) layerCount() (uint32, error) {
	field := c.find(modelParameters[0].fields)
	n, err := c.count(field)
	if err == nil && n > maxLayers {
		err = c.errorf(field, "it is %d, more than %d", n, maxLayers)
	}
	return n, err
}

// maxLayers is far more than models have.
const maxLayers = 1 << 16

// headSize returns the width of a head's queries and keys.
func (c *config) headSize() (uint32, error) {
	if field := c.find(headSizeFields); field != "" {
		return c.count(field)
	}
	width, err := c.count(c.dimensionField(hiddenSize))
	if err != nil {
		return 0, err
	}
	heads, err := c.count(c.find(headFields))
	if err != nil {
		return 0, err
	}
	return width / heads, nil
}

// checkHeads refuses heads that cannot share what they have to share: the width,
// unless they have one of their own, and keys.
func (c *config) checkHeads() error {
	headsField, widthField := c.find(headFields), c.dimensionField(hiddenSize)
	heads, err := c.count(headsField)
	if err != nil {
		return err
	}
	width, err := c.count(widthField)
	if err != nil {
		return err
	}
	if c.find(headSizeFields) == "" && width%heads != 0 {
		return c.errorf(headsField, "%d heads cannot share %s", heads, c.describe(widthField))
	}
	keyHeadsField := c.find(keyHeadFields)
	if keyHeadsField == "" {
		return nil
	}
	keyHeads, err := c.count(keyHeadsField)
	if err == nil && heads%keyHeads != 0 {
		err = c.errorf(headsField, "%d heads cannot share %s", heads, c.describe(keyHeadsField))
	}
	return err
}

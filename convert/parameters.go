package convert

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
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
	kindText                // string
	kindFalse               // bool, written only where it is false
)

// modelParameters are the keys that every text model may have, after the name
// of its architecture, in the order in which they are written.
var modelParameters = []parameter{
	{"block_count", kindCount, []string{"n_layers", "num_hidden_layers", "n_layer", "num_layers"}},
	{"context_length", kindCount, []string{"max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"}},
	{"embedding_length", kindCount, []string{"hidden_size", "n_embd", "dim"}},
	{"feed_forward_length", kindCount, []string{"intermediate_size", "n_inner", "hidden_dim"}},
	{"attention.head_count", kindCount, []string{"num_attention_heads", "n_head", "n_heads"}},
	{"attention.head_count_kv", kindCount, []string{"num_key_value_heads", "n_kv_heads"}},
	{"attention.causal", kindFalse, []string{"is_causal"}},
	{"attention.layer_norm_rms_epsilon", kindFloat, []string{"rms_norm_eps", "norm_eps"}},
	{"attention.layer_norm_epsilon", kindFloat, []string{"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"}},
}

// samplingParameters are the fields of generation_config.json that are kept,
// after general.sampling, in the order in which they are written.
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
	case kindFloat:
		f, err := c.number(field)
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

// setSampling writes what generation_config.json recommends. As for llama.cpp's
// converter, a file that is no JSON counts as absent.
func setSampling(md *gguf.Metadata, dir string) error {
	c := &config{file: filepath.Join(dir, "generation_config.json")}
	data, err := jsonfile.Read(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.parse(data); err != nil {
		return nil
	}
	return c.setAll(md, "general.sampling", samplingParameters)
}

// setParameters writes the hyperparameters of a model.
func (a *architecture) setParameters(md *gguf.Metadata, c *config, fileType gguf.FileType) error {
	if a.layerNormEpsilon != 0 {
		md.Set(a.name+".attention.layer_norm_epsilon", gguf.ValueOf(a.layerNormEpsilon))
	}
	if err := c.setAll(md, a.name, modelParameters); err != nil {
		return err
	}
	md.Set(gguf.KeyFileType, gguf.ValueOf(uint32(fileType)))
	return nil
}

// checkHeads refuses a width that the attention heads cannot share.
func (c *config) checkHeads() error {
	widthField, headsField := c.find(dimensionKeys[hiddenSize]), c.find([]string{"num_attention_heads", "n_head", "n_heads"})
	width, err := c.count(widthField)
	if err != nil {
		return err
	}
	heads, err := c.count(headsField)
	if err != nil {
		return err
	}
	if width%heads != 0 {
		return c.errorf(headsField, "%d heads cannot share %s", heads, c.describe(widthField))
	}
	return nil
}

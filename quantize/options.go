package quantize

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// Options say what a model becomes. The zero value of every field but FileType
// leaves things to the recipe.
type Options struct {
	FileType gguf.FileType
	Copy     bool // change no tensor and keep the file type

	Pure              bool // no mixture: every tensor gets the base type
	LeaveOutputTensor bool // output.weight keeps its type
	AllowRequantize   bool // tensors that are quantized already may be quantized again
	NoFallback        bool // refuse tensors whose rows the wanted type cannot hold
	KeepSplit         bool // write as many shards as the input has

	// PruneLayers are layers to leave out, counted from 0. The others move up:
	// their tensors get new names, and keys with an element for each layer lose
	// those of the pruned ones. Importance is found by the names of the source.
	PruneLayers []int

	OutputTensorType   *gguf.Type // of output.weight, and of tied embeddings
	TokenEmbeddingType *gguf.Type // of token_embd.weight and per_layer_token_embd.weight
	Overrides          []Override // types of tensors by name; the first match counts

	// Types are those that were chosen for tensors, by their names in the output:
	// in place of the mixture, but after every other option about types. They may
	// be about position embeddings, which mixtures always keep.
	Types map[string]gguf.Type

	KVOverrides []KVOverride // keys to set in the output

	// Importance holds, for each weight by name, how much each of its columns
	// matters: row length values for a matrix, and as many for each expert of a
	// stack of experts. Empty means that there is none.
	Importance     map[string][]float32
	ImportanceInfo ImportanceInfo
}

// ImportanceInfo says where importance came from; the output's keys record it.
type ImportanceInfo struct {
	File     string   // as the user named it
	Datasets []string // texts it was measured on
	Chunks   int      // chunks of text it was measured on; 0: unknown
}

// An Override gives tensors another type than the mixture would. It counts only
// when the file type is a quantized one, and shape fallbacks still apply.
type Override struct {
	Pattern string // ECMAScript regular expression, found anywhere in the tensor's name
	Type    gguf.Type
}

// ExactOverride returns the override that gives t to the tensor called name and to
// no other. Ours and llama-quantize read its pattern alike, but for position
// embeddings, which llama-quantize always keeps: here a pattern that is about
// nothing else changes them.
func ExactOverride(name string, t gguf.Type) Override {
	var b strings.Builder
	b.WriteByte('^')
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_':
			b.WriteRune(c)
		case c > ' ' && c < 0x7f && (c < 'A' || c > 'Z'):
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteByte('.') // a capital would be lower-cased, a blank end the pattern
		}
	}
	b.WriteByte('$')
	return Override{Pattern: b.String(), Type: t}
}

// String returns o as ParseOverride reads it.
func (o Override) String() string { return o.Pattern + "=" + strings.ToLower(o.Type.String()) }

// ParseOverride reads PATTERN=TYPE, as in "ffn_down=q6_k". The pattern is
// lower-cased, as llama-quantize does.
func ParseOverride(s string) (Override, error) {
	pattern, name, found := strings.Cut(s, "=")
	if !found || pattern == "" || name == "" {
		return Override{}, fmt.Errorf("tensor type %q is not of the form PATTERN=TYPE, as in ffn_down=q6_k", s)
	}
	t, err := gguf.ParseType(name)
	if err != nil {
		return Override{}, fmt.Errorf("tensor type %q: %w", s, err)
	}
	o := Override{Pattern: strings.ToLower(pattern), Type: t}
	if _, err := compilePattern(o.Pattern); err != nil {
		return Override{}, err
	}
	return o, nil
}

// ParseOverrides reads overrides that are separated by blanks or line ends, the
// contents of a file.
func ParseOverrides(text string) ([]Override, error) {
	var all []Override
	for _, field := range strings.Fields(text) {
		o, err := ParseOverride(field)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// A KVOverride sets a key of the output. An integer or string also counts as
// the model's own value when the recipe reads it, as in llama.block_count.
type KVOverride struct {
	Key   string
	Value gguf.Value // u32, f32, bool or string
}

// Longest key and string of an override, which llama-quantize keeps in arrays
// of 128 bytes.
const maxOverrideText = 127

// ParseKVOverride reads KEY=TYPE:VALUE, where TYPE is int, float, bool or str.
// Integers are stored as u32 of their absolute value, as llama-quantize does.
func ParseKVOverride(s string) (KVOverride, error) {
	key, typed, found := strings.Cut(s, "=")
	kind, text, typedOK := strings.Cut(typed, ":")
	if !found || !typedOK || key == "" {
		return KVOverride{}, fmt.Errorf("override %q is not of the form KEY=TYPE:VALUE, as in tokenizer.ggml.add_bos_token=bool:false", s)
	}
	if len(key) > maxOverrideText {
		return KVOverride{}, fmt.Errorf("override %q: the key has %d bytes; at most %d are allowed", s, len(key), maxOverrideText)
	}
	v, err := parseKVValue(kind, text)
	if err != nil {
		return KVOverride{}, fmt.Errorf("override %q: %w", s, err)
	}
	return KVOverride{Key: key, Value: v}, nil
}

func parseKVValue(kind, text string) (gguf.Value, error) {
	switch kind {
	case "int":
		n, err := strconv.ParseUint(strings.TrimLeft(text, "+-"), 10, 32)
		if err != nil || len(text)-len(strings.TrimLeft(text, "+-")) > 1 {
			return gguf.Value{}, fmt.Errorf("%q is no integer of up to 32 bits", text)
		}
		return gguf.ValueOf(uint32(n)), nil
	case "float":
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(float64(float32(x)), 0) || math.IsNaN(x) {
			return gguf.Value{}, fmt.Errorf("%q is no number that a 32-bit float can hold", text)
		}
		return gguf.ValueOf(float32(x)), nil
	case "bool":
		if text != "true" && text != "false" {
			return gguf.Value{}, fmt.Errorf("%q is neither true nor false", text)
		}
		return gguf.ValueOf(text == "true"), nil
	case "str":
		if len(text) > maxOverrideText {
			return gguf.Value{}, fmt.Errorf("the string has %d bytes; at most %d are allowed", len(text), maxOverrideText)
		}
		return gguf.ValueOf(text), nil
	}
	return gguf.Value{}, fmt.Errorf("type %q is none of int, float, bool, str", kind)
}

package modelfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// A ParameterKind is the type of a parameter's value.
type ParameterKind int

// The types, with how Ollama reads them: as strconv's ParseInt with base 10,
// ParseFloat with 32 bits and ParseBool do.
const (
	Int ParameterKind = iota
	Float
	Bool
	Texts // each instruction adds a text
)

func (k ParameterKind) String() string {
	return [...]string{"a whole number", "a number", "true or false", "a text"}[k]
}

// A ParameterInfo describes a parameter of Ollama's.
type ParameterInfo struct {
	Name     string
	Kind     ParameterKind
	Min, Max float64 // what makes sense, of Int and Float
	Ignored  bool    // taken, with a warning and without effect
	Newer    bool    // unknown to version 0.24
}

var none = math.Inf(1)

// Parameters are all that Ollama knows, those without effect last.
var Parameters = []ParameterInfo{
	{Name: "num_ctx", Min: 1, Max: math.MaxInt32},
	{Name: "num_batch", Min: 1, Max: math.MaxInt32},
	{Name: "num_gpu", Min: -1, Max: math.MaxInt32}, // -1 chooses
	{Name: "main_gpu", Min: 0, Max: math.MaxInt32},
	{Name: "use_mmap", Kind: Bool},
	{Name: "num_thread", Min: 0, Max: math.MaxInt32}, // 0 chooses
	{Name: "num_keep", Min: -1, Max: math.MaxInt32},  // -1 keeps the whole prompt
	{Name: "seed", Min: math.MinInt64, Max: math.MaxInt64},
	{Name: "num_predict", Min: -2, Max: math.MaxInt32}, // -1 without end, -2 to the end of the context
	{Name: "draft_num_predict", Min: 0, Max: math.MaxInt32, Newer: true},
	{Name: "top_k", Min: 0, Max: math.MaxInt32}, // 0 takes all
	{Name: "top_p", Kind: Float, Min: 0, Max: 1},
	{Name: "min_p", Kind: Float, Min: 0, Max: 1},
	{Name: "typical_p", Kind: Float, Min: 0, Max: 1},
	{Name: "repeat_last_n", Min: -1, Max: math.MaxInt32}, // -1 looks at the whole context
	{Name: "temperature", Kind: Float, Min: 0, Max: none},
	{Name: "repeat_penalty", Kind: Float, Min: 0, Max: none},
	{Name: "presence_penalty", Kind: Float, Min: -2, Max: 2},
	{Name: "frequency_penalty", Kind: Float, Min: -2, Max: 2},
	{Name: "stop", Kind: Texts},

	{Name: "penalize_newline", Kind: Bool, Ignored: true},
	{Name: "low_vram", Kind: Bool, Ignored: true},
	{Name: "f16_kv", Kind: Bool, Ignored: true},
	{Name: "logits_all", Kind: Bool, Ignored: true},
	{Name: "vocab_only", Kind: Bool, Ignored: true},
	{Name: "use_mlock", Kind: Bool, Ignored: true},
	{Name: "mirostat", Ignored: true},
	{Name: "mirostat_tau", Kind: Float, Ignored: true},
	{Name: "mirostat_eta", Kind: Float, Ignored: true},
}

// LookupParameter returns the parameter of that name, whose case matters.
func LookupParameter(name string) (*ParameterInfo, bool) {
	for i := range Parameters {
		if Parameters[i].Name == name {
			return &Parameters[i], true
		}
	}
	return nil, false
}

// Value reads the text of a parameter as Ollama does: to an int64, float32, bool
// or string.
func (p *ParameterInfo) Value(text string) (any, error) {
	var v any
	var err error
	switch p.Kind {
	case Int:
		v, err = strconv.ParseInt(text, 10, 64)
	case Float:
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		v = float32(f)
	case Bool:
		v, err = strconv.ParseBool(text)
	default:
		v = text
	}
	if err != nil {
		return nil, fmt.Errorf("%s is %v, not %s", p.Name, p.Kind, abbreviated(text))
	}
	return v, nil
}

// Settings returns the values of all parameters that have an effect, as they
// stand in a params layer: the last of those that are given several times, and
// all texts of stop. Errors say where.
func (f *File) Settings() (map[string]any, error) {
	all := map[string]any{}
	for i := range f.Instructions {
		in := &f.Instructions[i]
		if in.Keyword != Parameter {
			continue
		}
		p, ok := LookupParameter(in.Name)
		if !ok {
			return nil, fmt.Errorf("%v: unknown parameter %q; %s", in.NameAt, in.Name, didYouMean(in.Name, parameterNames()))
		}
		if p.Ignored {
			continue
		}
		v, err := p.Value(in.Value)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", in.ValueAt, err)
		}
		if text, ok := v.(string); ok {
			texts, _ := all[p.Name].([]string)
			v = append(texts, text)
		}
		all[p.Name] = v
	}
	return all, nil
}

func parameterNames() []string {
	var names []string
	for i := range Parameters {
		if !Parameters[i].Ignored {
			names = append(names, Parameters[i].Name)
		}
	}
	return names
}

// Version returns the version that a REQUIRES instruction asks for, without a
// leading v; ok is false when text is no semantic version.
func Version(text string) (version string, ok bool) {
	version = strings.TrimPrefix(text, "v")
	return version, semver.IsValid("v" + version)
}

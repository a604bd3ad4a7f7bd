package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// A quantization is what config.json says about the weights of a quantized model
// that can be converted: they are numbers of 8 bits, to be multiplied by scales.
type quantization struct {
	method string // "" where config.json says nothing
	blocks []int64
}

// scaledMethods are the values of quant_method whose weights are such numbers,
// with a function that returns "" for the variants that are, and otherwise what
// the variant is called.
var scaledMethods = map[string]func(q *quantizationConfig) string{
	"fp8":        func(*quantizationConfig) string { return "" },
	"fbgemm_fp8": func(*quantizationConfig) string { return "" },
	"modelopt": func(q *quantizationConfig) string {
		return unlessAmong(q.Algorithm, "FP8", "FP8_PER_CHANNEL_PER_TOKEN")
	},
	keyCompressed: func(q *quantizationConfig) string {
		return unlessAmong(q.Format, "float-quantized", "int-quantized", "naive-quantized", "dense")
	},
}

const keyCompressed = "compressed-tensors"

func unlessAmong(name string, known ...string) string {
	if slices.Contains(known, name) {
		return ""
	}
	return name
}

// methodNames are the usual names of other values of quant_method.
var methodNames = map[string]string{
	"gptq": "GPTQ", "awq": "AWQ", "bitsandbytes": "bitsandbytes", "quanto": "Quanto", "hqq": "HQQ", "mxfp4": "MXFP4",
	"eetq": "EETQ", "aqlm": "AQLM", "vptq": "VPTQ", "higgs": "HIGGS", "spqr": "SpQR", "torchao": "torchao", "bitnet": "BitNet",
	"quark": "Quark", "auto-round": "AutoRound", "fp_quant": "FP-Quant", "nvfp4": "NVFP4", "exl2": "EXL2", "exl3": "EXL3",
}

// A quantizationConfig is quantization_config of config.json, as far as it counts
// here.
type quantizationConfig struct {
	Method    string  `json:"quant_method"`
	Algorithm string  `json:"quant_algo"` // of modelopt
	Format    string  `json:"format"`     // of compressed-tensors
	Load4     bool    `json:"load_in_4bit"`
	Load8     bool    `json:"load_in_8bit"`
	Blocks    []int64 `json:"weight_block_size"`
	Groups    map[string]struct {
		Weights *struct {
			Blocks []int64 `json:"block_structure"`
		} `json:"weights"`
	} `json:"config_groups"`
}

// quantization returns how the weights are stored, or an UnsupportedError with
// the name of the format.
func (c *config) quantization(dir string) (*quantization, error) {
	const field = "quantization_config"
	raw, ok := c.fields[field]
	if !ok {
		return modelOpt(dir)
	}
	var q quantizationConfig
	if err := json.Unmarshal(raw, &q); err != nil {
		if raw[0] != '{' {
			return nil, c.errorf(field, "it is %s, want an object", excerpt(raw))
		}
		return nil, c.errorf(field, "it is %s: %v", excerpt(raw), err)
	}
	return q.quantization(c.file, strconv.Quote(field), raw)
}

// modelOpt returns what NVIDIA's ModelOpt says in a file of its own.
func modelOpt(dir string) (*quantization, error) {
	file := filepath.Join(dir, "hf_quant_config.json")
	data, err := jsonfile.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return new(quantization), nil
	}
	if err != nil {
		return nil, err
	}
	var content struct {
		Quantization quantizationConfig `json:"quantization"`
	}
	if err := jsonfile.Unmarshal(file, data, &content); err != nil {
		return nil, err
	}
	content.Quantization.Method = "modelopt"
	return content.Quantization.quantization(file, "", data)
}

// quantization sorts out what q, which is raw in a part of file, means.
func (q *quantizationConfig) quantization(file, part string, raw json.RawMessage) (*quantization, error) {
	variant, ok := scaledMethods[q.Method]
	if !ok {
		name := methodNames[q.Method]
		switch {
		case name != "":
		case q.Load4 || q.Load8:
			name = methodNames["bitsandbytes"]
		case q.Method != "":
			name = q.Method
		default:
			name = excerpt(raw)
		}
		return nil, quantizedBy(file, part, name)
	}
	if name := variant(q); name != "" {
		return nil, quantizedBy(file, part, q.Method+" "+name)
	}
	found := &quantization{method: q.Method, blocks: q.Blocks}
	for _, name := range slices.Sorted(maps.Keys(q.Groups)) {
		group := q.Groups[name]
		if group.Weights == nil || group.Weights.Blocks == nil {
			continue
		}
		if found.blocks != nil && !slices.Equal(found.blocks, group.Weights.Blocks) {
			return nil, fault.Unsupported(file, part, hintOriginal, "the weights have blocks of different sizes, %v and %v", found.blocks, group.Weights.Blocks)
		}
		found.blocks = group.Weights.Blocks
	}
	if slices.ContainsFunc(found.blocks, func(n int64) bool { return n < 1 }) || found.blocks != nil && len(found.blocks) == 0 {
		return nil, fault.Malformed(file, part, "the blocks of the weights have the sizes %v", found.blocks)
	}
	return found, nil
}

const hintOriginal = "convert the model that it was quantized from"

func quantizedBy(file, part, format string) error {
	return fault.Unsupported(file, part, hintOriginal, "the weights are already quantized (%s)", format)
}

// tensorFormats tells formats by the names of tensors: all of the endings occur.
var tensorFormats = []struct {
	format string
	ends   []string
}{
	{"GPTQ", []string{".qweight", ".g_idx"}},
	{"AWQ", []string{".qweight", ".qzeros"}},
	{"EETQ", []string{".qweight", ".weight_scales"}},
	{"GPTQ or AWQ", []string{".qweight"}},
	{"bitsandbytes", []string{".absmax"}},
	{"bitsandbytes", []string{".quant_map"}},
	{"bitsandbytes", []string{".SCB"}},
	{"compressed-tensors pack-quantized", []string{".weight_packed"}},
	{"compressed-tensors with zero points", []string{".weight_zero_point"}},
	{"NVFP4", []string{".weight_scale_2"}},
	{"NVFP4", []string{".weight_global_scale"}},
	{"MXFP4", []string{"_blocks", "_scales"}},
	{"Quanto", []string{".weight._data"}},
	{"HQQ", []string{".W_q"}},
	{"AQLM", []string{".codebooks", ".codes"}},
	{"EXL2", []string{".q_weight", ".q_scale"}},
}

// refuseQuantized refuses weights in a format that config.json does not tell of.
func refuseQuantized(weights *checkpoint.Checkpoint) error {
	// ending returns the first tensor whose name has an ending.
	ending := func(end string) *checkpoint.Tensor {
		for _, t := range weights.Tensors {
			if strings.HasSuffix(t.Name, end) {
				return t
			}
		}
		return nil
	}
	for _, f := range tensorFormats {
		if !slices.ContainsFunc(f.ends, func(end string) bool { return ending(end) == nil }) {
			t := ending(f.ends[0])
			return quantizedBy(t.File, tensorPart(t.Name), f.format)
		}
	}
	return nil
}

// applyScales multiplies weights of 8 bits by their scales.
func (b *builder) applyScales() error {
	float8 := slices.ContainsFunc(b.weights.Tensors, (*checkpoint.Tensor).IsFloat8)
	if b.quantization.method == "" && !float8 && !b.weights.HasScales() {
		return nil
	}
	before := len(b.weights.Tensors)
	unused, err := b.weights.ApplyScales(b.quantization.blocks, b.quantization.method != "")
	if err != nil {
		return err
	}
	for _, name := range unused {
		b.Dropped = append(b.Dropped, Dropped{name, "it scales what is computed in 8 bits, which numbers in full precision do without"})
	}
	if used := before - len(b.weights.Tensors) - len(unused); used > 0 {
		b.Notes = append(b.Notes, fmt.Sprintf("%d weights are stored in 8 bits and become their numbers times their scales", used))
	} else if float8 {
		b.Notes = append(b.Notes, "the weights are 8-bit floats without scales and are taken as they are")
	}
	return nil
}

// typeOf returns the type of the tensor called name that is made of source.
func (b *builder) typeOf(source *checkpoint.Tensor, name string, shape []int64) gguf.Type {
	if b.options.Float8AsQ8 && source.IsScaled() && source.IsFloat8() && len(shape) > 1 && !strings.HasSuffix(name, "_norm.weight") {
		if _, ok := gguf.TypeQ8_0.Size(shape[0]); ok {
			return gguf.TypeQ8_0
		}
		return gguf.TypeF16
	}
	return tensorType(name, shape, b.FileType)
}

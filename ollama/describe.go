package ollama

import (
	"fmt"
	"strconv"

	"github.com/gguftool/gguftool/gguf"
)

// A Description is what a manifest and a config say of a GGUF file.
type Description struct {
	MediaType    string // TypeModel, TypeProjector or TypeAdapter
	Architecture string // "unknown" where the file does not say
	FileType     string // as Ollama calls it: "unknown" for F32 and for the IQ formats
	Parameters   uint64 // number of weights
	ChatTemplate string // in Jinja; "" where there is none
}

const unknown = "unknown"

// Describe returns what Ollama takes a GGUF file for. A projector is also what
// llama.cpp marks as one (architecture clip, or type mmproj), which Ollama sees
// by its vision layers alone.
func Describe(f *gguf.File) *Description {
	d := &Description{MediaType: TypeModel, Architecture: unknown, FileType: unknown, ChatTemplate: f.Metadata.Text("tokenizer.chat_template")}
	if arch, ok := text(f.Metadata, gguf.KeyArchitecture); ok {
		d.Architecture = arch
	}
	for _, t := range f.Tensors {
		d.Parameters += uint64(t.Elements())
	}
	if t, ok := number(f.Metadata, gguf.KeyFileType); ok && t > 0 {
		d.FileType = fileTypeName(gguf.FileType(t))
	}
	layers, _ := number(f.Metadata, d.Architecture+".block_count")
	vision, _ := number(f.Metadata, d.Architecture+".vision.block_count")
	switch kind, _ := text(f.Metadata, "general.type"); {
	case kind == "adapter":
		d.MediaType = TypeAdapter
	case kind == "projector", kind == "mmproj", d.Architecture == "clip", layers == 0 && vision > 0:
		d.MediaType = TypeProjector
	}
	return d
}

// text and number read keys as Ollama does: of no other type than string and u32.
func text(md *gguf.Metadata, key string) (string, bool) {
	v, _ := md.Lookup(key)
	s, ok := v.Any().(string)
	return s, ok
}

func number(md *gguf.Metadata, key string) (uint32, bool) {
	v, _ := md.Lookup(key)
	n, ok := v.Any().(uint32)
	return n, ok
}

// fileTypeName returns what Ollama calls a file type. It has no names for those
// that it does not make itself, and takes 4, a number that llama.cpp no longer
// uses, for MXFP4.
func fileTypeName(t gguf.FileType) string {
	switch t {
	case 4:
		return "MXFP4"
	case gguf.FileF16, gguf.FileQ4_0, gguf.FileQ4_1, gguf.FileQ8_0, gguf.FileQ5_0, gguf.FileQ5_1, gguf.FileQ2_K, gguf.FileQ3_K_S,
		gguf.FileQ3_K_M, gguf.FileQ3_K_L, gguf.FileQ4_K_S, gguf.FileQ4_K_M, gguf.FileQ5_K_S, gguf.FileQ5_K_M, gguf.FileQ6_K, gguf.FileQ2_K_S, gguf.FileBF16:
		return t.String()
	}
	return unknown
}

// shortNumber writes a number of weights as Ollama does: 999, 22K, 22.57M, 7M,
// 7.6B.
func shortNumber(n uint64) string {
	const thousand, million, billion = 1e3, 1e6, 1e9
	switch x := float64(n); {
	case n >= billion && n%billion == 0:
		return fmt.Sprintf("%dB", n/billion)
	case n >= billion:
		return fmt.Sprintf("%.1fB", x/billion)
	case n >= million && n%million == 0:
		return fmt.Sprintf("%dM", n/million)
	case n >= million:
		return fmt.Sprintf("%.2fM", x/million)
	case n >= thousand:
		return fmt.Sprintf("%.0fK", x/thousand)
	}
	return strconv.FormatUint(n, 10)
}

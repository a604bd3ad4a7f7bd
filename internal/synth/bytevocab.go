package synth

import (
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A byteVocabulary is that of a BPE tokenizer of bytes, as GPT-2 has it: all
// bytes, then what is merged of them, then the tokens that begin and end a text.
type byteVocabulary struct {
	tokens []string
	merges []string
}

func newByteVocabulary() byteVocabulary {
	var v byteVocabulary
	seen := map[string]bool{}
	add := func(token string) bool {
		if seen[token] {
			return false
		}
		seen[token] = true
		v.tokens = append(v.tokens, token)
		return true
	}
	for b := range 256 {
		add(string(runeOfByte(b)))
	}
	// A word grows letter by letter, and takes the space before it at last.
	for _, w := range words {
		if strings.HasPrefix(w, "##") {
			continue
		}
		for n := 2; n <= len(w); n++ {
			if add(w[:n]) {
				v.merges = append(v.merges, w[:n-1]+" "+w[n-1:n])
			}
		}
	}
	for _, w := range words {
		if !strings.HasPrefix(w, "##") && add("Ġ"+w) {
			v.merges = append(v.merges, "Ġ "+w)
		}
	}
	add("<|begin|>")
	add("<|end|>")
	return v
}

// runeOfByte returns the character that stands for a byte: itself where it can be
// printed, and one from U+0100 on, counted over the others, where not.
func runeOfByte(b int) rune {
	printed := func(b int) bool { return b > ' ' && b < 0x7f || b > 0xa0 && b != 0xad }
	if printed(b) {
		return rune(b)
	}
	r := rune(0x100)
	for i := range b {
		if !printed(i) {
			r++
		}
	}
	return r
}

// setTokenizer adds the keys as llama.cpp's converter does. A text begins with a
// token of its own.
func (v byteVocabulary) setTokenizer(md *gguf.Metadata) {
	const normal, control = int32(1), int32(3)
	types := make([]int32, len(v.tokens))
	for i := range types {
		types[i] = normal
	}
	begin, end := len(types)-2, len(types)-1
	types[begin], types[end] = control, control
	md.Set("tokenizer.ggml.model", gguf.ValueOf("gpt2"))
	md.Set("tokenizer.ggml.pre", gguf.ValueOf("gpt-2"))
	md.Set("tokenizer.ggml.tokens", gguf.ArrayOf(v.tokens))
	md.Set("tokenizer.ggml.token_type", gguf.ArrayOf(types))
	md.Set("tokenizer.ggml.merges", gguf.ArrayOf(v.merges))
	md.Set("tokenizer.ggml.bos_token_id", gguf.ValueOf(uint32(begin)))
	md.Set("tokenizer.ggml.eos_token_id", gguf.ValueOf(uint32(end)))
	md.Set("tokenizer.ggml.add_bos_token", gguf.ValueOf(true))
}

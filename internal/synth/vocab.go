package synth

import (
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// Ids of the special tokens of Vocabulary.
const (
	idPad  = 0
	idUnk  = 1
	idCLS  = 2
	idSEP  = 3
	idMask = 4
)

var special = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

// words are the whole words and the continuations of Vocabulary.
var words = strings.Fields(`
	a an and are as at be but by for from has he her his i in is it not of on or she that the they this to was we were with you
	quick brown fox jump over lazy dog cat small large red green blue house river city book read write word paper
	embed text token model weight layer head query key value norm number one two three
	##s ##ed ##ing ##er ##est ##ly ##ness ##tion ##able ##ful ##less ##es ##en ##al ##ment ##ize ##ity`)

const (
	letters = "abcdefghijklmnopqrstuvwxyz0123456789äßéøαβγабв"
	marks   = `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~` + "`" + "…–。，你好世界中文"
)

// Vocabulary returns the WordPiece vocabulary of a BERT in the order of its ids:
// special tokens, letters at the start and inside of words, punctuation and a
// few ideographs, and some words and endings.
func Vocabulary() []string {
	v := append([]string{}, special...)
	for _, r := range letters {
		v = append(v, string(r), "##"+string(r))
	}
	for _, r := range marks {
		v = append(v, string(r))
	}
	seen := map[string]bool{}
	for _, t := range v {
		seen[t] = true
	}
	for _, w := range words {
		if !seen[w] {
			v = append(v, w)
		}
	}
	return v
}

// vocabulary returns n tokens: Vocabulary and fillers.
func vocabulary(n int) []string {
	v := Vocabulary()
	for i := len(v); i < n; i++ {
		v = append(v, fmt.Sprintf("[unused%d]", i-len(v)))
	}
	return v
}

// setTokenizer adds the tokenizer's keys as llama.cpp's converter does.
func setTokenizer(md *gguf.Metadata, tokens []string) {
	const normal, control = int32(1), int32(3)
	texts := make([]string, len(tokens))
	types := make([]int32, len(tokens))
	for i, t := range tokens {
		types[i] = normal
		if i < len(special) {
			texts[i], types[i] = t, control
		} else if inner, ok := strings.CutPrefix(t, "##"); ok {
			texts[i] = inner
		} else {
			// A word starts with the space before it.
			texts[i] = "\u2581" + t
		}
	}
	md.Set("tokenizer.ggml.token_type_count", gguf.ValueOf[uint32](2))
	md.Set("tokenizer.ggml.model", gguf.ValueOf("bert"))
	md.Set("tokenizer.ggml.pre", gguf.ValueOf("jina-v2-en"))
	md.Set("tokenizer.ggml.tokens", gguf.ArrayOf(texts))
	md.Set("tokenizer.ggml.token_type", gguf.ArrayOf(types))
	md.Set("tokenizer.ggml.bos_token_id", gguf.ValueOf[uint32](idCLS))
	md.Set("tokenizer.ggml.eos_token_id", gguf.ValueOf[uint32](idSEP))
	md.Set("tokenizer.ggml.unknown_token_id", gguf.ValueOf[uint32](idUnk))
	md.Set("tokenizer.ggml.seperator_token_id", gguf.ValueOf[uint32](idSEP))
	md.Set("tokenizer.ggml.padding_token_id", gguf.ValueOf[uint32](idPad))
	md.Set("tokenizer.ggml.mask_token_id", gguf.ValueOf[uint32](idMask))
	md.Set("tokenizer.ggml.add_bos_token", gguf.ValueOf(true))
	md.Set("tokenizer.ggml.add_eos_token", gguf.ValueOf(true))
	md.Set("tokenizer.ggml.add_sep_token", gguf.ValueOf(false))
	md.Set("tokenizer.ggml.normalizer.lowercase", gguf.ValueOf(true))
}

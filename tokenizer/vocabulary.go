package tokenizer

import (
	"iter"
	"strings"
	"unicode"

	"github.com/gguftool/gguftool/internal/fault"
)

// A tokenType is an element of tokenizer.ggml.token_type.
type tokenType int32

const (
	normalToken  tokenType = 1
	controlToken tokenType = 3
	userToken    tokenType = 4 // added to the tokenizer, but not special
	unusedToken  tokenType = 5 // an id without a token
)

// A vocabulary is the list of tokens by id, in the form of Hugging Face.
type vocabulary struct {
	tokens []string
	types  []tokenType
	ids    map[string]int32 // of all tokens but the unused
}

// newVocabulary returns the vocabulary of tokens, which must be different.
func newVocabulary(tokens []string, types []tokenType) (*vocabulary, error) {
	v := &vocabulary{tokens: tokens, types: types, ids: make(map[string]int32, len(tokens))}
	for i, token := range tokens {
		if types[i] == unusedToken {
			continue
		}
		if first, ok := v.ids[token]; ok {
			return nil, fault.Malformed("", "", "tokens %d and %d are both %q", first, i, token)
		}
		v.ids[token] = int32(i)
	}
	return v, nil
}

// added returns the ids of the added tokens in order.
func (v *vocabulary) added() []int32 {
	var ids []int32
	for i, t := range v.types {
		if t == controlToken || t == userToken {
			ids = append(ids, int32(i))
		}
	}
	return ids
}

// pieces yields the tokens that the model has, whose added tokens have flags.
func (v *vocabulary) pieces(flags []addedFlags) iter.Seq2[int32, string] {
	return func(yield func(int32, string) bool) {
		added := 0
		for i, token := range v.tokens {
			switch t := v.types[i]; {
			case t == controlToken || t == userToken:
				added++
				if flags[added-1]&alsoPiece == 0 {
					continue
				}
			case t == unusedToken:
				continue
			}
			if !yield(int32(i), token) {
				return
			}
		}
	}
}

// lastNormal returns the highest id of a normal token, or -1.
func (v *vocabulary) lastNormal() int32 {
	for i := len(v.types) - 1; i >= 0; i-- {
		if v.types[i] == normalToken {
			return int32(i)
		}
	}
	return -1
}

// looksCased reports whether more than one token in a hundred has an upper-case
// letter. About three in ten have one in the published cased vocabularies, and
// none or two in all in the uncased ones.
func (v *vocabulary) looksCased() bool {
	upper := 0
	for i, token := range v.tokens {
		if v.types[i] == normalToken && !isBracketed(token) && strings.IndexFunc(token, unicode.IsUpper) >= 0 {
			upper++
		}
	}
	return upper*100 > len(v.tokens)
}

// isBracketed reports whether token looks like "[unused1]".
func isBracketed(token string) bool {
	return len(token) > 2 && token[0] == '[' && token[len(token)-1] == ']'
}

// In a GGUF file a token that begins a word has a "phantom space" (U+2581)
// before it, a token that continues one has lost its "##", and control tokens
// are what they were:
//
//	the    ▁the
//	##ing  ing
//	[CLS]  [CLS]
const phantomSpace = "\u2581"

// phantomForm returns token as a GGUF file has it.
func phantomForm(token string, t tokenType) string {
	if t == controlToken {
		return token
	}
	if piece, ok := strings.CutPrefix(token, continuation); ok {
		return piece
	}
	return phantomSpace + token
}

// tokenForm undoes phantomForm. Some tokens that continue a word look as if they
// began one, like "##▁x"; continues says so.
func tokenForm(s string, t tokenType, continues bool) string {
	if t == controlToken {
		return s
	}
	if !continues {
		if token, ok := strings.CutPrefix(s, phantomSpace); ok {
			return token
		}
		if isBracketed(s) {
			return s // as Ollama writes "[unused1]"
		}
	}
	return continuation + s
}

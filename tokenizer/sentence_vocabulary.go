package tokenizer

import (
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A sentenceVocabulary is the vocabulary of a model of SentencePiece, in the form
// of Hugging Face: what llama.cpp calls unknown is a control token, and bytes are
// normal tokens.
type sentenceVocabulary struct {
	vocabulary // without ids
	stored     []tokenType
}

// isFiller reports whether token is what llama.cpp's converter writes for an id
// without a token.
func isFiller(token string) bool {
	digits, ok := strings.CutPrefix(token, "[PAD")
	if !ok {
		return false
	}
	digits, ok = strings.CutSuffix(digits, "]")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// newSentenceVocabulary returns the vocabulary of tokens as a GGUF file has them.
//
// Added tokens that are not special have spaces there where Hugging Face has
// phantom spaces, unless that is another token.
func newSentenceVocabulary(stored []string, types []tokenType) *sentenceVocabulary {
	v := &sentenceVocabulary{stored: types}
	v.tokens, v.types = append([]string(nil), stored...), make([]tokenType, len(stored))
	var spaced []int
	for i, token := range stored {
		t := normalToken
		if types != nil {
			t = types[i]
		}
		switch t {
		case unknownToken:
			t = controlToken
		case controlToken:
		case userToken:
			if strings.Contains(token, " ") {
				spaced = append(spaced, i)
			}
		case unusedToken:
			if !isFiller(token) {
				t = normalToken
			}
		default:
			t = normalToken
		}
		v.types[i] = t
	}
	if spaced == nil {
		return v
	}
	taken := make(map[string]bool, len(spaced))
	for _, i := range spaced {
		taken[strings.ReplaceAll(stored[i], " ", phantomSpace)] = false
	}
	for _, token := range stored {
		if _, ok := taken[token]; ok {
			taken[token] = true
		}
	}
	for _, i := range spaced {
		if token := strings.ReplaceAll(stored[i], " ", phantomSpace); !taken[token] {
			v.tokens[i], taken[token] = token, true
		}
	}
	return v
}

// override changes v by the keys of gguftool.
func (v *sentenceVocabulary) override(md *gguf.Metadata) error {
	var ids []int32
	if err := readIDs(md, keyOtherIDs, len(v.tokens), &ids); err != nil || ids == nil {
		return err
	}
	texts, ok := gguf.Array[string](md, keyOtherTokens)
	if !ok || len(texts) != len(ids) {
		return malformedKey(keyOtherTokens, "is no array of strings with one for each of the %d in %s", len(ids), keyOtherIDs)
	}
	for i, id := range ids {
		v.tokens[id] = texts[i]
		switch {
		case texts[i] == "":
			v.types[id] = unusedToken
		case v.types[id] == unusedToken:
			v.types[id] = controlToken
		}
	}
	return nil
}

// setOverrides writes the keys of gguftool that turn was, the vocabulary that the
// keys of llama.cpp stand for, into v.
func (v *sentenceVocabulary) setOverrides(md *gguf.Metadata, was *sentenceVocabulary) {
	var ids []int32
	var texts []string
	for i, token := range v.tokens {
		none, wasNone := v.types[i] == unusedToken, was.types[i] == unusedToken
		switch {
		case none && wasNone:
			continue
		case none:
			token = ""
		case !wasNone && token == was.tokens[i]:
			continue
		}
		ids, texts = append(ids, int32(i)), append(texts, token)
	}
	if ids != nil {
		md.Set(keyOtherIDs, gguf.ArrayOf(ids))
		md.Set(keyOtherTokens, gguf.ArrayOf(texts))
	}
}

// sentenceFlags returns the flags of the added tokens where no key says them. The
// mask of Unigram has those it has in XLM-RoBERTa.
func (v *sentenceVocabulary) sentenceFlags(mask int32) []addedFlags {
	flags := v.assumedFlags()
	for i, id := range v.added() {
		flags[i] &^= normalized
		if id == mask {
			flags[i] |= leftStrip | alsoPiece
		}
	}
	return flags
}

// flagsThatMatter returns flags of the added tokens for which those that was has
// may be written, where it makes no difference: a token that is cut out of all
// texts is in no word of the model, be it a piece or not.
func (v *sentenceVocabulary) flagsThatMatter(flags []addedFlags, was *sentenceSettings) []addedFlags {
	if was.weights != nil {
		return flags // its score may be the lowest
	}
	flags = slices.Clone(flags)
	for i, id := range v.added() {
		if flags[i]&^alsoPiece == 0 && !strings.ContainsAny(v.tokens[id], " "+phantomSpace) {
			flags[i] = was.flags[i]
		}
	}
	return flags
}

// mergeRule returns the way to order merges of equal scores: that of today if
// there are added tokens of white space, as there are in Gemma 2 and later, and
// otherwise the older one, of Llama 2, Mistral and the like.
func (v *sentenceVocabulary) mergeRule() string {
	for i, t := range v.types {
		if t == userToken && strings.Trim(v.tokens[i], "\n\t "+phantomSpace) == "" && v.tokens[i] != "" {
			return longestLeft
		}
	}
	return lowestIDs
}

// mergeScores returns the scores that order merges, of those of a file. Tokens
// that are not normal have none there worth the name; in the models of
// SentencePiece they have 0, the best. If all others are the same, lower ids come
// first: llama.cpp's converter writes no scores if there is only tokenizer.json.
func (v *sentenceVocabulary) mergeScores(stored []float32) []float32 {
	scores := append([]float32(nil), stored...)
	first, same := -1, true
	for i := range scores {
		if v.stored != nil && v.stored[i] != normalToken && v.stored[i] != unusedToken {
			scores[i] = 0
			continue
		}
		if first < 0 && v.types[i] == normalToken {
			first = i
		}
		same = same && (v.types[i] != normalToken || stored[i] == stored[first])
	}
	if same {
		for i := range scores {
			if v.stored == nil || v.stored[i] == normalToken {
				scores[i] = -float32(i) - 1
			}
		}
	}
	return scores
}

// table returns a table of the tokens that the model has, whose added tokens have
// flags. Of tokens that are the same, it has the first.
func (v *sentenceVocabulary) table(flags []addedFlags) *pieceTable {
	t := newPieceTable(v.tokens, len(v.tokens))
	for id, token := range v.pieces(flags) {
		if find(t, hashOf(token), token) < 0 {
			t.add(id)
		}
	}
	return t
}

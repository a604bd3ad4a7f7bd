package tokenizer

import (
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// BPE of characters can be stored as BPE of bytes is, with a list of merges and
// without scores. The value of tokenizer.ggml.pre tells the two apart: under these
// names texts have phantom spaces, and bytes have tokens such as <0x0A>.
//
// llama.cpp's converter stores Gemma 3 in this way where there is no
// tokenizer.model, and takes it for the model that has its vocabulary.
const (
	escapedPre      = "granite-embed-multi-311m"
	otherEscapedPre = "gemma4"
)

// isEscaped reports whether a file with a BPE has one of characters.
func isEscaped(md *gguf.Metadata) bool {
	return md.Text(keyModel) == bpeModel && (md.Text(keyPre) == escapedPre || md.Text(keyPre) == otherEscapedPre)
}

// storesEscaped reports whether llama.cpp's converter stores the tokenizer in this
// way if there is no tokenizer.model.
func (c *checkpoint) storesEscaped() bool {
	return slices.Contains([]string{"gemma3", "gemma3_text"}, c.modelType()) && c.tokenizer.Model.ByteFallback
}

// setEscaped writes the keys of such a file.
func (s *sentenceScheme) setEscaped(md *gguf.Metadata, v *Vocab) {
	md.Set(keyModel, gguf.ValueOf(bpeModel))
	md.Set(keyPre, gguf.ValueOf(v.pre))
	md.Set(keyTokens, gguf.ArrayOf(s.pieces.tokens))
	types := make([]int32, len(s.pieces.types))
	for i, t := range s.pieces.types {
		if types[i] = int32(t); t == bytesToken {
			types[i] = int32(normalToken)
		}
	}
	md.Set(keyTokenType, gguf.ArrayOf(types))
	if len(s.merges) > 0 {
		md.Set(keyMerges, gguf.ArrayOf(s.merges))
	}
	v.setSpecial(md)
	if isEscaped(md) { // otherwise the user has chosen what it is read as
		s.setOverrides(md, v)
	}
}

// unescapedTypes returns the types that types of such a file stand for.
func unescapedTypes(types []tokenType, tokens []string) []tokenType {
	types = slices.Clone(types)
	for i, token := range tokens {
		if len(types) > i && types[i] == normalToken && isByteToken(token) {
			types[i] = bytesToken
		}
	}
	return types
}

// escapedMerges returns merges as such a file has them.
func (h *hfPieces) escapedMerges() []string {
	merges := make([]string, len(h.merges))
	for i, m := range h.merges {
		merges[i] = h.tokens[m.left] + " " + h.tokens[m.right]
	}
	return merges
}

// readEscapedMerges reads the merges of the tokens of v. An added token that is
// made by one is a token of the model, too.
func (s *sentenceSettings) readEscapedMerges(md *gguf.Metadata, v *sentenceVocabulary) error {
	merges, ok := gguf.Array[string](md, keyMerges)
	if value, found := md.Lookup(keyMerges); found && !ok {
		return malformedKey(keyMerges, "is %s instead of an array of strings", value.Type())
	}
	table := newPieceTable(v.tokens, len(v.tokens))
	for id, token := range v.tokens {
		if find(table, hashOf(token), token) < 0 {
			table.add(int32(id))
		}
	}
	s.pairs = make([]int32, 0, 2*len(merges))
	used := make([]bool, len(v.tokens))
	for i, merge := range merges {
		left, right, ok := strings.Cut(merge, " ")
		l, r := find(table, hashOf(left), left), find(table, hashOf(right), right)
		id := table.pair(hashOf(left).then(hashOf(right)), left, right)
		if !ok || l < 0 || r < 0 || id < 0 {
			return malformedKey(keyMerges, "has %q at %d, which is no pair of tokens that spell a third", merge, i)
		}
		used[l], used[r], used[id] = true, true, true
		s.pairs = append(s.pairs, l, r)
	}
	for i, id := range v.added() {
		if used[id] {
			s.flags[i] |= alsoPiece
		}
	}
	return nil
}

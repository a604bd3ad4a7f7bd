package tokenizer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// storedPieces are the tokens as a GGUF file has them.
type storedPieces struct {
	tokens []string
	scores []float32
	types  []tokenType
}

// newStoredPieces returns n fillers.
func newStoredPieces(n int) storedPieces {
	p := storedPieces{tokens: make([]string, n), scores: make([]float32, n), types: make([]tokenType, n)}
	for i := range n {
		p.scores[i], p.types[i] = scoreOfFiller, unusedToken
	}
	return p
}

// name gives the fillers left their names.
func (p *storedPieces) name() {
	for i, t := range p.types {
		if t == unusedToken && p.tokens[i] == "" {
			p.tokens[i] = fmt.Sprintf("[PAD%d]", i)
		}
	}
}

// sentenceSize returns the number of ids: that in config.json, or n.
func (c *checkpoint) sentenceSize(n int, keys ...string) (int, error) {
	for _, key := range keys {
		value := c.modelValue(key)
		if value == nil {
			continue
		}
		size, ok := integer(value)
		if !ok || size <= 0 || size > int64(n)+maxPadding {
			return 0, c.malformed(fileModel, key, "is %v, but the tokenizer has %d tokens", value, n)
		}
		return int(size), nil
	}
	return n, nil
}

// storeSPM makes what a file has of BPE, as llama.cpp's converter does. With a
// model file, its scores count. Without it, a Llama has no scores worth the name
// there, Gemma 3 is stored with its merges, and all others are refused; then,
// scores order tokens as merges do.
func (c *checkpoint) storeSPM(v *Vocab, s *sentenceScheme, h *hfPieces, m *sentenceModel) error {
	kind := c.modelType()
	gemma := strings.HasPrefix(kind, "gemma")
	llama := c.options.Llama || slices.Contains(llamaTypes, kind)
	if on, ok := c.config["add_prefix_space"].(bool); ok && llama {
		s.firstSpace = &on
	}
	off := false
	if gemma {
		s.lastSpace = &off
	}
	var err error
	switch {
	case m != nil:
		var size int
		if size, err = c.sentenceSize(len(m.tokens), "vocab_size_per_layer_input", "vocab_size"); err != nil {
			return err
		}
		s.pieces = newStoredPieces(size)
		s.pieces.put(m)
		s.pieces.addByConfig(c, v)
	case llama && c.tokenizer.Model.ByteFallback && c.tokenizer.Decoder != nil && c.tokenizer.Decoder.Type == "Sequence":
		s.pieces = h.withoutScores()
		v.warn("there is no %s: like those of llama.cpp's converter, the scores say nothing about the order of merges, so llama.cpp finds other tokens than the model was trained with", fileSPM)
	default:
		highest := len(h.tokens)
		for id := range h.added {
			highest = max(highest, int(id)+1)
		}
		size, err := c.sentenceSize(highest, "vocab_size_per_layer_input", "vocab_size")
		if err != nil {
			return err
		}
		s.pieces = newStoredPieces(size)
		s.pieces.rank(h)
		if c.storesEscaped() {
			s.model, s.merges, s.lastSpace = bpeModel, h.escapedMerges(), nil
			if c.options.Pre == "" {
				v.pre = escapedPre
			}
			break
		}
		if s.firstSpace == nil && s.lastSpace == nil && !h.startsWithSpace(c.tokenizer) {
			s.lastSpace = &off
		}
	}
	s.pieces.name()
	return nil
}

// llamaTypes are the values of model_type that llama.cpp converts as a Llama.
var llamaTypes = []string{"llama", "mistral", "mixtral", "voxtral", "llava"}

// startsWithSpace reports whether the tokenizer puts a space before texts.
func (h *hfPieces) startsWithSpace(t *hfTokenizer) bool {
	for _, p := range t.Normalizer.sequence() {
		if p.Type == "Prepend" {
			return true
		}
	}
	for _, p := range t.PreTokenizer.sequence() {
		if p.Type == "Metaspace" {
			m, err := metaspacePart(&p)
			return err == nil && m.prepend != prependNever
		}
	}
	return false
}

// put puts the pieces of m in, as far as there is room.
func (p *storedPieces) put(m *sentenceModel) {
	copy(p.tokens, m.tokens)
	copy(p.scores, m.scores)
	for i := range min(len(p.types), len(m.types)) {
		switch t := m.types[i]; t {
		case unknownToken, controlToken, unusedToken, bytesToken:
			p.types[i] = t
		default: // user-defined ones, too
			p.types[i] = normalToken
		}
	}
}

// addByConfig puts the added tokens of added_tokens.json and of
// tokenizer_config.json in.
func (p *storedPieces) addByConfig(c *checkpoint, v *Vocab) {
	for _, token := range slices.Sorted(maps.Keys(c.added)) {
		if id := c.added[token]; id >= int64(len(p.tokens)) {
			v.warn("%s: the token %q is %d, but there are %d tokens; it is left out", fileAdded, token, id, len(p.tokens))
		} else if id >= 0 {
			p.tokens[id], p.scores[id], p.types[id] = token, scoreOfAdded, userToken
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.decoder.AddedTokens)) {
		a := c.decoder.AddedTokens[id]
		if id >= int64(len(p.tokens)) {
			v.warn("%s: the token %q is %d, but there are %d tokens; it is left out", fileConfig, a.Content, id, len(p.tokens))
		} else if id >= 0 {
			p.addOne(id, a.Content, a.Special)
		}
	}
}

// addOne puts an added token in.
func (p *storedPieces) addOne(id int64, token string, special bool) {
	p.types[id] = controlToken
	if !special && !looksSpecial(token) {
		p.types[id] = userToken
		token = strings.ReplaceAll(token, phantomSpace, " ")
	}
	p.tokens[id], p.scores[id] = token, scoreOfAdded
}

// withoutScores returns the tokens as llama.cpp's converter writes them without
// a model file.
func (h *hfPieces) withoutScores() storedPieces {
	size := len(h.tokens)
	for size < len(h.tokens)+len(h.added) && h.added[int64(size)].Content != "" {
		size++
	}
	p := newStoredPieces(size)
	for i := range size {
		token, t := "", normalToken
		if i < len(h.tokens) {
			token = h.tokens[i]
		}
		if token == "" {
			if token, t = h.added[int64(i)].Content, userToken; token == "" {
				continue
			}
		}
		if h.special[token] {
			t = controlToken
		}
		if _, ok := byteOf(token); ok && i < len(h.tokens) {
			t = bytesToken
		}
		p.tokens[i], p.scores[i], p.types[i] = token, scoreOfAdded, t
	}
	return p
}

// rank puts the tokens of h in, with scores that order them as the merges do.
func (p *storedPieces) rank(h *hfPieces) {
	for i := range min(len(p.tokens), len(h.tokens)) {
		if token := h.tokens[i]; token != "" {
			p.tokens[i], p.scores[i], p.types[i] = token, 0, normalToken
			if _, ok := byteOf(token); ok {
				p.types[i] = bytesToken
			}
		}
	}
	for id, a := range h.added {
		if id < int64(len(p.tokens)) {
			p.addOne(id, a.Content, a.Special)
		}
	}
	score := float32(0)
	ranked := make([]bool, len(p.tokens))
	for _, m := range h.merges {
		if id := m.id; int(id) < len(p.tokens) && p.types[id] == normalToken && !ranked[id] {
			p.scores[id], ranked[id] = score, true
			score--
		}
	}
}

// storeUnigram makes what a file has of Unigram, as llama.cpp's converter does.
func (c *checkpoint) storeUnigram(s *sentenceScheme, h *hfPieces, m *sentenceModel, file string) error {
	t5 := slices.Contains([]string{"t5", "mt5", "umt5"}, c.modelType())
	if !t5 {
		n := uint32(1)
		if value, ok := integer(c.model["type_vocab_size"]); ok && value >= 0 && value <= math.MaxUint32 {
			n = uint32(value)
		}
		s.typeCount = &n
	}
	if m == nil {
		return c.storeWeights(s, h)
	}
	s.addSpace, s.removeExtra, s.is.charsmap = m.addPrefix, m.removeExtra, m.charsmap
	size, err := c.sentenceSize(len(m.tokens), "vocab_size")
	if err != nil {
		return err
	}
	if !t5 {
		size = max(size, len(m.tokens))
	}
	p := newStoredPieces(size)
	p.put(m)
	p.name()
	switch {
	case t5:
		for _, token := range slices.Sorted(maps.Keys(c.added)) {
			if id := c.added[token]; 0 <= id && id < int64(size) {
				p.tokens[id], p.scores[id], p.types[id] = token, scoreOfAdded, userToken
			}
		}
	case file == fileXLMRoberta && size >= 4:
		// XLM-RoBERTa has other special tokens than its model file, one more.
		copy(p.tokens[4:], p.tokens[3:size-1])
		copy(p.scores[4:], p.scores[3:size-1])
		copy(p.types[4:], p.types[3:size-1])
		copy(p.tokens, []string{"<s>", "<pad>", "</s>", "<unk>"})
		copy(p.scores, []float32{0, 0, 0, 0})
		copy(p.types, []tokenType{controlToken, controlToken, controlToken, unknownToken})
	}
	s.pieces = p
	return nil
}

// storeWeights makes what a file has of Unigram without a model file.
func (c *checkpoint) storeWeights(s *sentenceScheme, h *hfPieces) error {
	s.addSpace = true
	if class, _ := c.config["tokenizer_class"].(string); class == "TokenizersBackend" || class == "PreTrainedTokenizerFast" {
		s.addSpace = false
	}
	if on, ok := c.config["add_prefix_space"].(bool); ok {
		s.addSpace = on
	}
	s.removeExtra, _ = c.config["clean_up_tokenization_spaces"].(bool)
	for _, p := range c.tokenizer.Normalizer.sequence() {
		if p.Type == "Precompiled" && s.is.charsmap == nil {
			var err error
			if s.is.charsmap, err = p.charsmap(); err != nil {
				return fault.InFile(err, c.path(fileTokenizer))
			}
		}
	}
	size, err := c.sentenceSize(len(h.tokens), "vocab_size")
	if err != nil {
		return err
	}
	p := newStoredPieces(max(size, len(h.tokens)))
	unknown := int64(defaultUnigrams)
	if id := c.tokenizer.Model.UnkID; id != nil {
		unknown = *id
	}
	if name := contentOf(c.config["unk_token"]); name != "" {
		for id, a := range h.added {
			if a.Content == name {
				unknown = id
			}
		}
	}
	for i, token := range h.tokens {
		t := normalToken
		_, added := h.added[int64(i)]
		switch {
		case int64(i) == unknown:
			t = unknownToken
		case h.special[token]:
			t = controlToken
		case added:
			t = userToken
		}
		p.tokens[i], p.scores[i], p.types[i] = token, float32(h.weights[i]), t
	}
	p.name()
	s.pieces = p
	return nil
}

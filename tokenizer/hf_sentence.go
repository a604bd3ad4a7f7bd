package tokenizer

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Model files of SentencePiece, by the names that models give them.
const (
	fileSPM         = "tokenizer.model"
	fileXLMRoberta  = "sentencepiece.bpe.model"
	fileUnigram     = "spiece.model"
	scoreOfAdded    = -1000 // as llama.cpp's converter writes it
	scoreOfFiller   = -10000
	defaultUnigrams = 3 // unk_id of XLM-RoBERTa
)

// A sentenceScheme is a tokenizer with a model of SentencePiece: BPE of
// characters or Unigram.
type sentenceScheme struct {
	model  string // of tokenizer.ggml.model
	pieces storedPieces
	typed  *sentenceVocabulary // of the Vocab
	is     sentenceSettings

	firstSpace, lastSpace *bool   // add_space_prefix before or after all other keys, as far as it is written
	typeCount             *uint32 // token_type_count, as far as it is written
	addSpace, removeExtra bool    // of Unigram

	merges []string // of BPE that is stored as BPE of bytes is
}

func (s *sentenceScheme) setMetadata(md *gguf.Metadata, v *Vocab) {
	if s.model == bpeModel {
		s.setEscaped(md, v)
		return
	}
	if s.firstSpace != nil {
		md.Set(keyAddSpacePrefix, gguf.ValueOf(*s.firstSpace))
	}
	md.Set(keyModel, gguf.ValueOf(s.model))
	md.Set(keyPre, gguf.ValueOf(v.pre))
	md.Set(keyTokens, gguf.ArrayOf(s.pieces.tokens))
	md.Set(keyScores, gguf.ArrayOf(s.pieces.scores))
	types := make([]int32, len(s.pieces.types))
	for i, t := range s.pieces.types {
		types[i] = int32(t)
	}
	md.Set(keyTokenType, gguf.ArrayOf(types))
	if s.model == unigramModel {
		md.Set(keyAddSpacePrefix, gguf.ValueOf(s.addSpace))
		if s.typeCount != nil {
			md.Set(keyTokenTypeCount, gguf.ValueOf(*s.typeCount))
		}
		md.Set(keyRemoveExtra, gguf.ValueOf(s.removeExtra))
		if len(s.is.charsmap) > 0 {
			md.Set(keyCharsmap, gguf.ArrayOf(s.is.charsmap))
		}
	}
	v.setSpecial(md)
	if s.lastSpace != nil {
		md.Set(keyAddSpacePrefix, gguf.ValueOf(*s.lastSpace))
	}
	s.setOverrides(md, v)
}

// setOverrides writes the keys of gguftool.
func (s *sentenceScheme) setOverrides(md *gguf.Metadata, v *Vocab) {
	was := newSentenceVocabulary(s.pieces.tokens, s.pieces.types)
	u, err := understoodSentence(md, was)
	if err != nil {
		return // the keys are those above
	}
	s.typed.setOverrides(md, was)
	u.flags = s.typed.sentenceFlags(u.mask)
	u.weigh(s.typed)
	s.is.settings = v.settings
	if s.is.prefix == nil { // nothing but the model file says
		s.is.prefix, s.is.suffix = u.prefix, u.suffix
	}
	if err := s.is.setOverrides(md, u, s.typed); err != nil {
		v.warn("%v", err)
	}
}

// modelFile returns the model file of SentencePiece called name, or nil.
func (c *checkpoint) modelFile(name string) (*sentenceModel, error) {
	data, err := c.data(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeSentenceModel(data)
	return m, fault.InFile(err, c.path(name))
}

// hasSentenceModel reports whether there is a model file of SentencePiece.
func (c *checkpoint) hasSentenceModel() bool {
	return slices.ContainsFunc([]string{fileSPM, fileXLMRoberta, fileUnigram}, func(name string) bool {
		_, err := fs.Stat(c.files, name)
		return err == nil
	})
}

// modelValue returns a value of config.json, where that of the model for text
// counts.
func (c *checkpoint) modelValue(key string) any {
	if inner, ok := c.model["text_config"].(map[string]any); ok {
		if value, ok := inner[key]; ok {
			return value
		}
	}
	return c.model[key]
}

// modelType is the model_type of config.json.
func (c *checkpoint) modelType() string {
	s, _ := c.modelValue("model_type").(string)
	return s
}

// sentenceVocab makes the vocabulary from the model files of SentencePiece and
// from a tokenizer.json with BPE of characters or Unigram, as far as they are
// there.
func (c *checkpoint) sentenceVocab() (*Vocab, error) {
	spm, err := c.modelFile(fileSPM)
	if err != nil {
		return nil, err
	}
	unigram := c.tokenizer != nil && c.tokenizer.Model.Type == "Unigram"
	file, model := fileSPM, spm
	if c.tokenizer == nil || unigram {
		for _, name := range []string{fileXLMRoberta, fileUnigram} {
			if model == nil {
				if file = name; true {
					if model, err = c.modelFile(name); err != nil {
						return nil, err
					}
				}
			}
		}
		if c.tokenizer == nil {
			unigram = model != nil && model.kind == unigramKind
		}
	}
	switch {
	case model == nil:
	case unigram && model.kind != unigramKind, !unigram && model.kind != bpeKind:
		return nil, c.unsupported(file, "model_type", "the models of SentencePiece that can be converted are BPE and Unigram",
			"is %d, and the tokenizer of %s is of another kind", model.kind, fileTokenizer)
	}
	h, err := c.readPieces()
	if err != nil {
		return nil, err
	}
	s := &sentenceScheme{model: spmModel}
	v := &Vocab{scheme: s, pre: "default"}
	if c.tokenizer != nil {
		v.listed = len(c.tokenizer.AddedTokens)
		for _, token := range h.tokens {
			if token != "" {
				v.listed++
			}
		}
	}
	if c.options.Pre != "" {
		v.pre = c.options.Pre
	}
	if unigram {
		s.model = unigramModel
		err = c.storeUnigram(s, h, model, file)
	} else {
		err = c.storeSPM(v, s, h, model)
	}
	if err != nil {
		return nil, err
	}
	return c.finishSentence(v, s, h, model)
}

// finishSentence completes v with the tokenizer that Hugging Face has.
func (c *checkpoint) finishSentence(v *Vocab, s *sentenceScheme, h *hfPieces, m *sentenceModel) (*Vocab, error) {
	s.typed = newSentenceVocabulary(s.pieces.tokens, s.pieces.types)
	v.vocabulary = &s.typed.vocabulary
	if c.tokenizer != nil {
		v.settle(s.typed, h)
		v.normalizerKeys(c.tokenizer.Normalizer)
		if err := c.template(v, c.tokenizer.PostProcessor); err != nil {
			return nil, err
		}
	} else {
		v.flags = s.typed.sentenceFlags(-1)
	}
	if err := c.specialKeys(v); err != nil {
		return nil, err
	}
	if err := c.sentenceParts(v, s, h, m); err != nil {
		return nil, err
	}
	return v, nil
}

// settle makes the tokens of v those of h.
func (v *Vocab) settle(typed *sentenceVocabulary, h *hfPieces) {
	for i := range typed.tokens {
		a, added := h.added[int64(i)]
		token := a.Content
		if token == "" && i < len(h.tokens) {
			token = h.tokens[i]
		}
		switch {
		case token == "":
			typed.types[i] = unusedToken
			continue
		case added && typed.types[i] != userToken:
			typed.types[i] = controlToken
		}
		typed.tokens[i] = token
	}
	for _, id := range typed.added() {
		f := alsoPiece
		if a, ok := h.added[int64(id)]; ok {
			if f = a.flags(); a.alsoPiece {
				f |= alsoPiece
			}
		}
		v.flags = append(v.flags, f)
	}
}

// sentenceParts sets the settings of the tokenizer that Hugging Face has. Without
// tokenizer.json, they are those that transformers makes of the model file.
func (c *checkpoint) sentenceParts(v *Vocab, s *sentenceScheme, h *hfPieces, m *sentenceModel) error {
	is := &s.is
	is.unknown, is.fuseUnknown = -1, true
	for i, t := range s.pieces.types {
		is.byteFallback = is.byteFallback || t == bytesToken && isByteToken(s.pieces.tokens[i])
		if t == unknownToken && is.unknown < 0 {
			is.unknown = int32(i)
		}
	}
	if c.tokenizer == nil {
		if is.unknown < 0 {
			is.unknown = int32(slices.Index(m.types, unknownToken)) // an added token, too
		}
		if m.kind == unigramKind {
			is.parts(unigramParts(m.addPrefix, m.removeExtra))
			is.weights = make([]float64, len(s.pieces.scores))
			for i, score := range s.pieces.scores {
				is.weights[i] = scoreOf(score)
			}
			return nil
		}
		is.parts(spmParts(s.model != bpeModel && s.lastSpace == nil && (s.firstSpace == nil || *s.firstSpace)))
		is.mergeScores, is.rule = s.typed.mergeScores(s.pieces.scores), s.typed.mergeRule()
		return nil
	}
	t := c.tokenizer
	is.parts(t.Normalizer, t.PreTokenizer, t.Decoder)
	is.byteFallback = t.Model.ByteFallback
	if t.Model.Type == "Unigram" {
		is.unknown = -1
		if id := t.Model.UnkID; id != nil {
			if *id < 0 || *id >= int64(len(h.tokens)) {
				return c.malformed(fileTokenizer, "model.unk_id", "is %d of %d tokens", *id, len(h.tokens))
			}
			is.unknown = int32(*id)
		}
		is.weights = make([]float64, len(s.pieces.tokens))
		copy(is.weights, h.weights)
	} else {
		is.unknown = -1
		if name := t.Model.UnkToken; name != nil {
			if is.unknown = find(h.table, hashOf(*name), *name); is.unknown < 0 {
				return c.malformed(fileTokenizer, "model.unk_token", "is %q, which is not in the vocabulary", *name)
			}
		}
		is.fuseUnknown, is.ignoreMerges = t.Model.FuseUnk, t.Model.IgnoreMerges
		is.merges = h.merges
		if is.merges == nil {
			is.merges = []listedMerge{}
		}
		for _, p := range []*string{t.Model.ContinuingSubwordPrefix, t.Model.EndOfWordSuffix} {
			if p != nil && *p != "" {
				return c.unsupported(fileTokenizer, "model", "", "BPE of characters with a prefix or a suffix of its own, %q, is not known", *p)
			}
		}
	}
	if int(is.unknown) >= len(s.pieces.tokens) {
		return c.malformed(fileModel, "vocab_size", "is %d, but the unknown token has id %d", len(s.pieces.tokens), is.unknown)
	}
	if slices.ContainsFunc(is.merges, func(m listedMerge) bool { return int(max(m.left, m.right, m.id)) >= len(s.pieces.tokens) }) {
		return c.malformed(fileModel, "vocab_size", "is %d, but merges have other tokens", len(s.pieces.tokens))
	}
	if _, err := is.pipeline(); err != nil {
		return fault.InFile(err, c.path(fileTokenizer))
	}
	return nil
}

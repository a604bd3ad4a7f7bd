package tokenizer

import (
	"math"
	"strings"
	"unicode"
)

// A bertScheme is WordPiece with the normalizer and the pre-tokenizer of BERT.
type bertScheme struct {
	bertOptions
	maxWordRunes   int
	unknown        int32
	tokenTypeCount uint32
}

// wordPiece makes the vocabulary from a tokenizer.json with WordPiece.
func (c *checkpoint) wordPiece() (*Vocab, error) {
	t := c.tokenizer
	if err := c.checkBert(); err != nil {
		return nil, err
	}
	ids, err := c.vocabIDs()
	if err != nil {
		return nil, err
	}
	n := t.Normalizer
	s := &bertScheme{maxWordRunes: defaultMaxWordRunes}
	on := func(flag *bool) bool { return flag != nil && *flag }
	s.bertOptions = bertOptions{cleanText: on(n.CleanText), cjkWords: on(n.HandleChineseChars), stripAccents: on(n.Lowercase), lowercase: on(n.Lowercase)}
	if n.StripAccents != nil {
		s.stripAccents = *n.StripAccents
	}
	if m := t.Model.MaxInputCharsPerWord; m != nil {
		s.maxWordRunes = int(min(*m, maxMaxWordRunes))
	}
	v := &Vocab{scheme: s}
	if lower, ok := c.config["do_lower_case"].(bool); ok && lower != s.lowercase {
		v.warn("%s says do_lower_case is %t, %s says lowercase is %t; the latter counts", fileConfig, lower, fileTokenizer, s.lowercase)
	}
	unknown := ""
	if t.Model.UnkToken != nil {
		unknown = *t.Model.UnkToken
	}
	return c.finishBert(v, s, ids, unknown, t.PostProcessor)
}

// checkBert fails when a part of tokenizer.json is not BERT's.
func (c *checkpoint) checkBert() error {
	t := c.tokenizer
	switch {
	case t.Normalizer == nil:
		return c.notBert("normalizer", "there is none, where BERT has BertNormalizer")
	case t.Normalizer.Type != "BertNormalizer":
		return c.notBert("normalizer", "the type is %q, where BERT has BertNormalizer", t.Normalizer.Type)
	case t.PreTokenizer == nil:
		return c.notBert("pre_tokenizer", "there is none, where BERT has BertPreTokenizer")
	case t.PreTokenizer.Type != "BertPreTokenizer":
		return c.notBert("pre_tokenizer", "the type is %q, where BERT has BertPreTokenizer", t.PreTokenizer.Type)
	case t.Model.ContinuingSubwordPrefix != nil && *t.Model.ContinuingSubwordPrefix != continuation:
		return c.notBert("model", "the prefix of pieces inside words is %q, where BERT has %q", *t.Model.ContinuingSubwordPrefix, continuation)
	}
	return nil
}

func (c *checkpoint) notBert(part, format string, args ...any) error {
	return c.unsupported(fileTokenizer, part, "of the WordPiece tokenizers only those of BERT can be converted", format, args...)
}

// fromVocabFile makes the vocabulary from vocab.txt, as BertTokenizer does.
func (c *checkpoint) fromVocabFile(data []byte, err error) (*Vocab, error) {
	if err != nil {
		return nil, err
	}
	class, _ := c.config["tokenizer_class"].(string)
	switch strings.TrimSuffix(class, "Fast") {
	case "", "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer":
	default:
		return nil, c.unsupported(fileConfig, "tokenizer_class", onlyKinds, "%s is not %s and has no %s", class, "BertTokenizer", fileTokenizer)
	}
	ids := make(map[string]int64)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, line := range lines {
		ids[strings.TrimRightFunc(line, unicode.IsSpace)] = int64(i)
	}
	s := &bertScheme{maxWordRunes: defaultMaxWordRunes, bertOptions: bertOptions{cleanText: true, cjkWords: true, lowercase: true}}
	v := &Vocab{scheme: s}
	for key, option := range map[string]*bool{"do_lower_case": &s.lowercase, "tokenize_chinese_chars": &s.cjkWords} {
		if on, ok := c.config[key].(bool); ok {
			*option = on
		}
	}
	s.stripAccents = s.lowercase
	if strip, ok := c.config["strip_accents"].(bool); ok {
		s.stripAccents = strip
		v.stripKey = &strip
	}
	cls, sep := c.specialName("cls"), c.specialName("sep")
	for _, token := range []string{cls, sep} {
		if _, ok := ids[token]; !ok {
			return nil, c.malformed(fileVocab, "vocabulary", "the token %q is not in it", token)
		}
	}
	template := &hfPart{Type: "BertProcessing", CLS: tokenAndID(ids, cls), Sep: tokenAndID(ids, sep)}
	return c.finishBert(v, s, ids, c.specialName("unk"), template)
}

// finishBert completes v with the tokens in ids.
func (c *checkpoint) finishBert(v *Vocab, s *bertScheme, ids map[string]int64, unknown string, template *hfPart) (*Vocab, error) {
	if err := c.finish(v, ids, template); err != nil {
		return nil, err
	}
	var ok bool
	if s.unknown, ok = v.ids[unknown]; !ok {
		return nil, c.malformed(c.source(), "vocabulary", "the unknown token %q is not in it", unknown)
	}
	s.tokenTypeCount = 2 // of transformers' BertConfig
	if n, ok := integer(c.model["type_vocab_size"]); ok {
		if n < 0 || n > math.MaxUint32 {
			return nil, c.malformed(fileModel, "type_vocab_size", "is %d", n)
		}
		s.tokenTypeCount = uint32(n)
	}
	s.complete(v)
	if c.options.Pre != "" {
		v.pre = c.options.Pre
	} else {
		v.pre = v.recognizeBert(s)
	}
	return v, nil
}

// complete adds the keys that llama.cpp's converter leaves out although
// llama.cpp would then assume something that is not so: it has the ids of
// bert-base-uncased and lowers case unless told otherwise.
func (s *bertScheme) complete(v *Vocab) {
	assumed := func(role string, id uint32, ids ...int32) {
		if len(ids) == 1 && uint32(ids[0]) != id {
			v.special = v.special.with(role, uint32(ids[0]))
		}
	}
	named := func(token string) []int32 {
		if id, ok := v.ids[token]; ok {
			return []int32{id}
		}
		return nil
	}
	assumed("bos", 101, v.prefix...)
	assumed("unk", 100, s.unknown)
	assumed("sep", 102, v.suffix...)
	assumed("pad", 0, named("[PAD]")...)
	assumed("mask", 103, named("[MASK]")...)
	lower := s.lowercase
	if v.lowercaseKey == nil && (!lower || v.looksCased()) {
		v.lowercaseKey = &lower
	}
}

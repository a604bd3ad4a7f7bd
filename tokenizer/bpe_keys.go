package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// keyMerges is the key of llama.cpp for the merges of BPE: "left right".
const keyMerges = "tokenizer.ggml.merges"

// Keys of gguftool for BPE, written where a tokenizer differs from what is
// understood without them.
const (
	keyNormalizer   = "gguftool.tokenizer.normalizer"         // string, the part of tokenizer.json
	keyPreTokenizer = "gguftool.tokenizer.pre_tokenizer"      // string, the part of tokenizer.json
	keyIgnoreMerges = "gguftool.tokenizer.ignore_merges"      // bool
	keyModelUnknown = "gguftool.tokenizer.model_unk_token_id" // i32, stands for bytes without a token; negative: none
	keyFuseUnknown  = "gguftool.tokenizer.fuse_unk"           // bool, one for a row of such bytes
)

// A bpeScheme is BPE of bytes.
type bpeScheme struct {
	normalizer   *hfPart // nil: none
	preParts     *hfPart // of pre
	pre          *preTokenizer
	ignoreMerges bool
	unknown      int32 // negative: none
	fuseUnknown  bool
	merges       []string // "left right"

	// llama.cpp's converter has keys of its own for Llama.
	llama         bool
	addPrefixFlag *bool // add_prefix_space of tokenizer_config.json
	vocabSize     int64 // vocab_size of config.json, or 0
}

// structure describes s for a message.
func (s *bpeScheme) structure() string {
	return fmt.Sprintf("normalizer %s, pre_tokenizer %s, ignore_merges %t", jsonOf(s.normalizer), jsonOf(s.preParts), s.ignoreMerges)
}

// bpeFromGGUF reads a BPE of bytes. What tokenizer.ggml.pre does not say is in
// the keys of gguftool.
func bpeFromGGUF(md *gguf.Metadata) (*Tokenizer, error) {
	if isEscaped(md) {
		return sentenceFromGGUF(md)
	}
	tokens, err := readTokens(md)
	if err != nil {
		return nil, err
	}
	types, err := readTypes(md, len(tokens))
	if err != nil {
		return nil, err
	}
	if types == nil {
		types = make([]tokenType, len(tokens))
		for i := range types {
			types[i] = normalToken
		}
	}
	v, err := newKeyVocabulary(tokens, types)
	if err != nil {
		return nil, err
	}
	s, common, err := understoodBPE(md, v)
	if err != nil {
		return nil, err
	}
	if err := s.override(md, v); err != nil {
		return nil, err
	}
	if err := common.override(md, v); err != nil {
		return nil, err
	}
	if s.pre == nil {
		value, _ := md.Lookup(keyPre)
		return nil, fault.Unsupported("", "key "+keyPre, "", "the pre-tokenizer %v is not supported", value.Any())
	}
	n, err := newNormalizer(s.normalizer)
	if err != nil {
		return nil, fault.Unsupported("", "key "+keyNormalizer, "", "%v", err)
	}
	merges, ok := gguf.Array[string](md, keyMerges)
	if value, found := md.Lookup(keyMerges); found && !ok {
		return nil, malformedKey(keyMerges, "is %s instead of an array of strings", value.Type())
	}
	m := s.model(v)
	if err := m.addMerges(v, merges); err != nil {
		return nil, err
	}
	return newTokenizer(v, common, n, m, byteLevelDecoder{})
}

// model returns the model of s without merges.
func (s *bpeScheme) model(v *vocabulary) *byteBPE {
	m := &byteBPE{pre: s.pre, unknown: s.unknown, fuse: s.fuseUnknown}
	for b, letter := range byteAlphabet {
		m.bytes[b] = -1
		if id, ok := v.ids[string(letter)]; ok {
			m.bytes[b] = id
		}
	}
	if s.ignoreMerges {
		m.whole = make(map[string]int32, len(v.tokens))
		var buf []byte
		for i, token := range v.tokens {
			if v.types[i] != normalToken {
				continue
			}
			if spelt, ok := appendUnspelt(buf[:0], token); ok {
				m.whole[string(spelt)] = int32(i)
				buf = spelt
			}
		}
	}
	return m
}

// addMerges adds the merges of a list. Those of tokens that the vocabulary lacks
// can never apply, and are left out.
func (m *byteBPE) addMerges(v *vocabulary, merges []string) error {
	m.merges = newMergeTable(len(merges))
	var joined []byte
	for i, merge := range merges {
		left, right, ok := strings.Cut(merge, " ")
		if !ok {
			return malformedKey(keyMerges, "has %q at %d, which is no pair", merge, i)
		}
		l, okLeft := v.ids[left]
		r, okRight := v.ids[right]
		joined = append(append(joined[:0], left...), right...)
		if id, ok := v.ids[string(joined)]; ok && okLeft && okRight {
			m.merges.add(l, r, id)
		}
	}
	return nil
}

// mergesReachAll reports whether every token is what its bytes are merged to, so
// that it makes no difference whether words that are tokens are merged.
func (s *bpeScheme) mergesReachAll(v *vocabulary) bool {
	merging := *s
	merging.ignoreMerges = false
	m := merging.model(v)
	if m.addMerges(v, s.merges) != nil {
		return false
	}
	var word []byte
	var ids []int32
	state := new(byteState)
	for i, token := range v.tokens {
		if v.types[i] != normalToken {
			continue
		}
		spelt, ok := appendUnspelt(word[:0], token)
		if !ok {
			continue // in no text
		}
		word, ids = spelt, m.appendMerged(ids[:0], spelt, state)
		if len(ids) != 1 || ids[0] != int32(i) {
			return false
		}
	}
	return true
}

// addsBOS are the values of tokenizer.ggml.pre with which llama.cpp puts the
// start token before texts unless a key says otherwise.
const addsBOS = " llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano tekken chameleon "

// robertaPre is the name that stands for RoBERTa.
const robertaPre = "roberta-bpe"

// understoodBPE returns what the keys of llama.cpp stand for. Without a
// pre-tokenizer the value of tokenizer.ggml.pre is not known.
func understoodBPE(md *gguf.Metadata, v *vocabulary) (*bpeScheme, *settings, error) {
	ids, err := readSpecial(md, len(v.tokens))
	if err != nil {
		return nil, nil, err
	}
	pre := unknownPre
	if value, ok := md.Lookup(keyPre); ok {
		if pre, ok = value.Text(); !ok {
			return nil, nil, malformedKey(keyPre, "is %s instead of string", value.Type())
		}
	}
	s := &bpeScheme{unknown: -1}
	if p, ok := findBPEPre(pre); ok {
		s.normalizer, s.pre, s.ignoreMerges = p.normalizer(), mustPreTokenizer(p.parts()), p.ignoreMerges
	}
	common := &settings{prefix: []int32{}, suffix: []int32{}, flags: make([]addedFlags, len(v.added()))}
	if mask, ok := ids[keyMask]; ok && pre == robertaPre {
		for i, id := range v.added() {
			if id == mask { // it takes the white space before it in all of these models
				common.flags[i] = leftStrip
			}
		}
	}
	addBOS, addEOS := strings.Contains(addsBOS, " "+pre+" "), false
	if err := readBool(md, keyAddBOS, &addBOS); err != nil {
		return nil, nil, err
	}
	if err := readBool(md, keyAddEOS, &addEOS); err != nil {
		return nil, nil, err
	}
	if id, ok := ids[keyBOS]; ok && addBOS {
		common.prefix = append(common.prefix, id)
	}
	if id, ok := ids[keyEOS]; ok && addEOS {
		common.suffix = append(common.suffix, id)
	}
	return s, common, nil
}

// override changes s by the keys of gguftool.
func (s *bpeScheme) override(md *gguf.Metadata, v *vocabulary) error {
	if err := readPart(md, keyNormalizer, &s.normalizer); err != nil {
		return err
	}
	var parts *hfPart
	if err := readPart(md, keyPreTokenizer, &parts); err != nil {
		return err
	}
	if _, ok := md.Lookup(keyPreTokenizer); ok {
		pre, err := newPreTokenizer(parts.sequence())
		if err != nil {
			return fault.Unsupported("", "key "+keyPreTokenizer, "", "the pre-tokenizer cannot be used: %v", err)
		}
		s.pre = pre
	}
	if err := readBool(md, keyIgnoreMerges, &s.ignoreMerges); err != nil {
		return err
	}
	ids := make(map[string]int32)
	if err := readID(md, keyModelUnknown, len(v.tokens), ids); err != nil {
		return err
	}
	if id, ok := ids[keyModelUnknown]; ok {
		s.unknown = id
	}
	return readBool(md, keyFuseUnknown, &s.fuseUnknown)
}

// readPart decodes the part of a tokenizer.json at key, if there is one.
func readPart(md *gguf.Metadata, key string, part **hfPart) error {
	value, ok := md.Lookup(key)
	if !ok {
		return nil
	}
	text, ok := value.Text()
	if !ok {
		return malformedKey(key, "is %s instead of string", value.Type())
	}
	*part = nil
	if err := json.Unmarshal([]byte(text), part); err != nil {
		return malformedKey(key, "%v", err)
	}
	return nil
}

// graniteSize is the size of the vocabularies of Granite, for which llama.cpp's
// converter has every Llama of this size add no start token.
const graniteSize = 49152

// setMetadata writes the keys of BPE.
func (s *bpeScheme) setMetadata(md *gguf.Metadata, v *Vocab) {
	if s.llama && s.addPrefixFlag != nil {
		md.Set(keyAddSpacePrefix, gguf.ValueOf(*s.addPrefixFlag))
	}
	md.Set(keyModel, gguf.ValueOf(bpeModel))
	md.Set(keyPre, gguf.ValueOf(v.pre))
	md.Set(keyTokens, gguf.ArrayOf(v.tokens))
	v.setTypes(md)
	if len(s.merges) > 0 {
		md.Set(keyMerges, gguf.ArrayOf(s.merges))
	}
	v.setSpecial(md)
	if s.llama && s.vocabSize == graniteSize {
		md.Set(keyAddBOS, gguf.ValueOf(false))
	}
	was, common, err := understoodBPE(md, v.vocabulary)
	if err != nil {
		return // not with the keys above
	}
	if s.normalizer.form() != was.normalizer.form() {
		md.Set(keyNormalizer, gguf.ValueOf(jsonOf(s.normalizer)))
	}
	if was.pre == nil || !s.pre.equal(was.pre) {
		md.Set(keyPreTokenizer, gguf.ValueOf(jsonOf(s.preParts)))
	}
	if s.ignoreMerges != was.ignoreMerges && !s.mergesReachAll(v.vocabulary) {
		md.Set(keyIgnoreMerges, gguf.ValueOf(s.ignoreMerges))
	}
	if s.unknown >= 0 {
		md.Set(keyModelUnknown, gguf.ValueOf(s.unknown))
		if s.fuseUnknown {
			md.Set(keyFuseUnknown, gguf.ValueOf(true))
		}
	}
	v.setOverrides(md, common)
}

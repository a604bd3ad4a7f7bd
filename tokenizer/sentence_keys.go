package tokenizer

import (
	"errors"
	"reflect"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Values of tokenizer.ggml.model.
const (
	spmModel     = "llama" // BPE of characters
	unigramModel = "t5"
)

// Keys of llama.cpp for the models of SentencePiece.
const (
	keyScores      = "tokenizer.ggml.scores"
	keyRemoveExtra = "tokenizer.ggml.remove_extra_whitespaces"
	keyCharsmap    = "tokenizer.ggml.precompiled_charsmap"
)

// Keys of gguftool for these models, besides those of BPE of bytes. Precompiled in
// keyNormalizer has no rules: they are those of keyCharsmap.
const (
	keyDecoder      = "gguftool.tokenizer.decoder"       // string, the part of tokenizer.json
	keyByteFallback = "gguftool.tokenizer.byte_fallback" // bool
	keyMergeRule    = "gguftool.tokenizer.merge_rule"    // string, longestLeft or lowestIDs
	keyMergeList    = "gguftool.tokenizer.merge_list"    // [i32], the merges in order, two ids each
	keyPieceScores  = "gguftool.tokenizer.piece_scores"  // [f64], where those of llama.cpp are too short
	keyOtherIDs     = "gguftool.tokenizer.other_ids"     // [i32], tokens that read otherwise than in the list
	keyOtherTokens  = "gguftool.tokenizer.other_tokens"  // [string], how they read; "" for none
)

// sentenceSettings are the settings of a tokenizer with a model of SentencePiece.
type sentenceSettings struct {
	settings
	normalizer, preTokenizer, decoder *hfPart
	charsmap                          []byte // of a Precompiled without its own

	unknown      int32 // negative: there is none
	mask         int32 // negative: there is none, or it is not known that it is special
	byteFallback bool

	// of BPE
	fuseUnknown, ignoreMerges bool
	rule                      string
	mergeScores               []float32     // by id
	pairs                     []int32       // merges, two ids each
	merges                    []listedMerge // the same, as a checkpoint has them

	// of Unigram
	weights []float64 // by id
}

// Types that only models of SentencePiece have.
const (
	unknownToken tokenType = 2
	bytesToken   tokenType = 6
)

// understoodSentence returns the settings that the keys of llama.cpp stand for,
// for the tokens of v, one of which it may complete.
func understoodSentence(md *gguf.Metadata, v *sentenceVocabulary) (*sentenceSettings, error) {
	ids, err := readSpecial(md, len(v.tokens))
	if err != nil {
		return nil, err
	}
	s := &sentenceSettings{fuseUnknown: true}
	value, _ := md.Lookup(keyModel)
	model, _ := value.Text()
	unigram, escaped := model == unigramModel, model == bpeModel
	addBOS, addEOS, addSpace := !unigram, unigram, !escaped
	removeExtra := false
	for key, b := range map[string]*bool{keyAddBOS: &addBOS, keyAddEOS: &addEOS, keyAddSpacePrefix: &addSpace, keyRemoveExtra: &removeExtra} {
		if err := readBool(md, key, b); err != nil {
			return nil, err
		}
	}
	// Without keys, the ids are those of Llama 2 and T5, as they are in llama.cpp.
	special := func(key string, otherwise int32) int32 {
		if id, ok := ids[key]; ok {
			return id
		}
		if otherwise < int32(len(v.tokens)) {
			return otherwise
		}
		return -1
	}
	bos, eos, unknown := special(keyBOS, 1), special(keyEOS, 2), special(keyUnknown, 0)
	if unigram {
		bos, eos, unknown = special(keyBOS, -1), special(keyEOS, 1), special(keyUnknown, 2)
	}
	if _, ok := ids[keyUnknown]; !ok {
		if i := slices.Index(v.stored, unknownToken); i >= 0 {
			unknown = int32(i)
		} else if i := slices.Index(v.tokens, "<unk>"); i >= 0 {
			unknown = int32(i)
		}
	}
	s.unknown = unknown
	s.prefix, s.suffix = []int32{}, []int32{}
	if addBOS && bos >= 0 {
		s.prefix = append(s.prefix, bos)
	}
	if addEOS && eos >= 0 {
		s.suffix = append(s.suffix, eos)
	}
	for i, t := range v.stored {
		s.byteFallback = s.byteFallback || t == bytesToken && isByteToken(v.tokens[i])
	}
	s.mask = -1
	if mask, ok := ids[keyMask]; ok && unigram {
		s.mask = mask
		if v.types[mask] == unusedToken { // llama.cpp's converter has the id alone
			v.tokens[mask], v.types[mask] = maskToken, controlToken
		}
	}
	if unigram {
		s.parts(unigramParts(addSpace, removeExtra))
		if s.charsmap, err = readCharsmap(md); err != nil {
			return nil, err
		}
	} else {
		s.parts(spmParts(addSpace))
	}
	scores, err := readScores(md, len(v.tokens))
	if err != nil {
		return nil, err
	}
	if unigram {
		s.weights = make([]float64, len(scores))
		for i, score := range scores {
			s.weights[i] = scoreOf(score)
		}
		return s, nil
	}
	s.mergeScores, s.rule = v.mergeScores(scores), v.mergeRule()
	return s, nil
}

// weigh gives tokens that only gguftool's keys have the score that special tokens
// have in Unigram.
func (s *sentenceSettings) weigh(v *sentenceVocabulary) {
	for i := range s.weights {
		if v.stored != nil && v.stored[i] == unusedToken && v.types[i] == controlToken {
			s.weights[i] = 0
		}
	}
}

// readScores reads the scores of n tokens; they are 0 where there are none.
func readScores(md *gguf.Metadata, n int) ([]float32, error) {
	value, ok := md.Lookup(keyScores)
	if !ok {
		return make([]float32, n), nil
	}
	a, ok := gguf.Array[float32](md, keyScores)
	if !ok {
		return nil, malformedKey(keyScores, "is %s instead of an array of f32", value.Type())
	}
	if len(a) != n {
		return nil, malformedKey(keyScores, "has %d scores for %d tokens", len(a), n)
	}
	return a, nil
}

// readCharsmap reads the rules of a normalizer, which may be none.
func readCharsmap(md *gguf.Metadata) ([]byte, error) {
	value, ok := md.Lookup(keyCharsmap)
	if !ok {
		return nil, nil
	}
	if a, ok := gguf.Array[uint8](md, keyCharsmap); ok {
		return a, nil
	}
	signed, ok := gguf.Array[int8](md, keyCharsmap)
	if !ok {
		return nil, malformedKey(keyCharsmap, "is %s instead of an array of u8", value.Type())
	}
	data := make([]byte, len(signed))
	for i, b := range signed {
		data[i] = byte(b)
	}
	return data, nil
}

// maskToken is the mask of XLM-RoBERTa, which its model file does not have.
const maskToken = "<mask>"

// parts sets the parts of a pipeline.
func (s *sentenceSettings) parts(normalizer, preTokenizer, decoder *hfPart) {
	s.normalizer, s.preTokenizer, s.decoder = normalizer, preTokenizer, decoder
}

// spmParts returns the parts of the tokenizers of Llama 2, where texts begin with
// a phantom space, and of Gemma.
func spmParts(addSpace bool) (normalizer, preTokenizer, decoder *hfPart) {
	mark, blank := phantomSpace, " "
	marks := hfPart{Type: "Replace", Pattern: &hfPattern{String: &blank}, Content: &mark}
	blanks := hfPart{Type: "Replace", Pattern: &hfPattern{String: &mark}, Content: &blank}
	decoders := []hfPart{blanks, {Type: "ByteFallback"}, {Type: "Fuse"}}
	if !addSpace {
		return &marks, nil, &hfPart{Type: "Sequence", Decoders: decoders}
	}
	decoders = append(decoders, hfPart{Type: "Strip", Content: &blank, Start: 1})
	return &hfPart{Type: "Sequence", Normalizers: []hfPart{{Type: "Prepend", Prepend: &mark}, marks}}, nil,
		&hfPart{Type: "Sequence", Decoders: decoders}
}

// unigramParts returns the parts of the tokenizers of XLM-RoBERTa and T5.
func unigramParts(addSpace, removeExtra bool) (normalizer, preTokenizer, decoder *hfPart) {
	space := &hfPart{Type: "Metaspace", Replacement: phantomSpace, PrependScheme: "always"}
	if !addSpace {
		space.PrependScheme = "never"
	}
	pre := space
	if removeExtra {
		pre = &hfPart{Type: "Sequence", PreTokenizers: []hfPart{{Type: "WhitespaceSplit"}, *space}}
	}
	return &hfPart{Type: "Precompiled"}, pre, space
}

// override changes s, of the tokens of v, by the keys of gguftool.
func (s *sentenceSettings) override(md *gguf.Metadata, v *sentenceVocabulary) error {
	s.flags = v.sentenceFlags(s.mask)
	s.weigh(v)
	if err := s.settings.override(md, &v.vocabulary); err != nil {
		return err
	}
	for key, part := range map[string]**hfPart{keyNormalizer: &s.normalizer, keyPreTokenizer: &s.preTokenizer, keyDecoder: &s.decoder} {
		if err := readPart(md, key, part); err != nil {
			return err
		}
	}
	for key, b := range map[string]*bool{keyIgnoreMerges: &s.ignoreMerges, keyFuseUnknown: &s.fuseUnknown, keyByteFallback: &s.byteFallback} {
		if err := readBool(md, key, b); err != nil {
			return err
		}
	}
	if value, ok := md.Lookup(keyModelUnknown); ok {
		id, ok := value.Int()
		if !ok || id >= int64(len(v.tokens)) {
			return malformedKey(keyModelUnknown, "is %v in a vocabulary of %d tokens", value.Any(), len(v.tokens))
		}
		s.unknown = int32(max(id, -1))
	}
	if value, ok := md.Lookup(keyMergeRule); ok {
		rule, ok := value.Text()
		if !ok || rule != longestLeft && rule != lowestIDs {
			return malformedKey(keyMergeRule, "is %v instead of %q or %q", value.Any(), longestLeft, lowestIDs)
		}
		s.rule = rule
	}
	if err := readIDs(md, keyMergeList, len(v.tokens), &s.pairs); err != nil {
		return err
	}
	if len(s.pairs)%2 != 0 {
		return malformedKey(keyMergeList, "has %d ids, which are no pairs", len(s.pairs))
	}
	if value, ok := md.Lookup(keyPieceScores); ok {
		a, ok := gguf.Array[float64](md, keyPieceScores)
		if !ok || len(a) != len(v.tokens) {
			return malformedKey(keyPieceScores, "is %s of %d instead of an array of f64 with one for each of the %d tokens", value.Type(), value.Len(), len(v.tokens))
		}
		s.weights = a
	}
	return nil
}

// A pipeline is the parts of a tokenizer, made.
type pipeline struct {
	normalizer textSteps
	cutters    []wordCutter
	decoder    tokenSteps
}

// pipeline makes the parts that s says.
func (s *sentenceSettings) pipeline() (*pipeline, error) {
	normalizer, err := textParts(s.normalizer.withCharsmap(s.charsmap))
	if err != nil {
		return nil, err
	}
	cutters, err := cutterParts(s.preTokenizer, normalizer)
	if err != nil {
		return nil, err
	}
	decoder, err := tokenParts(s.decoder)
	return &pipeline{normalizer, cutters, decoder}, err
}

// setOverrides writes the keys of gguftool that turn was into s.
func (s *sentenceSettings) setOverrides(md *gguf.Metadata, was *sentenceSettings, v *sentenceVocabulary) error {
	rest := s.settings
	rest.flags = v.flagsThatMatter(s.flags, was)
	rest.setOverrides(md, &was.settings)
	is, err := s.pipeline()
	if err != nil {
		return err
	}
	wasPipeline, err := was.pipeline()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		key     string
		part    *hfPart
		is, was any
	}{
		{keyNormalizer, s.normalizer.withCharsmap(nil), is.normalizer, wasPipeline.normalizer},
		{keyPreTokenizer, s.preTokenizer, is.cutters, wasPipeline.cutters},
		{keyDecoder, s.decoder, is.decoder, wasPipeline.decoder},
	} {
		if !reflect.DeepEqual(part.is, part.was) {
			md.Set(part.key, gguf.ValueOf(jsonOf(part.part)))
		}
	}
	for _, b := range []struct {
		key     string
		is, was bool
	}{
		{keyIgnoreMerges, s.ignoreMerges, was.ignoreMerges},
		{keyFuseUnknown, s.fuseUnknown, was.fuseUnknown},
		{keyByteFallback, s.byteFallback, was.byteFallback},
	} {
		if b.is != b.was {
			md.Set(b.key, gguf.ValueOf(b.is))
		}
	}
	if s.unknown != was.unknown {
		md.Set(keyModelUnknown, gguf.ValueOf(s.unknown))
	}
	if s.weights != nil {
		for i, w := range s.weights {
			if v.types[i] != unusedToken && w != was.weights[i] {
				md.Set(keyPieceScores, gguf.ArrayOf(s.weights))
				break
			}
		}
		return nil
	}
	return s.setMerges(md, was, v)
}

// setMerges writes the keys of gguftool for the order of merges.
func (s *sentenceSettings) setMerges(md *gguf.Metadata, was *sentenceSettings, v *sentenceVocabulary) error {
	if md.Text(keyModel) == bpeModel {
		return nil // they are in a key of llama.cpp
	}
	if s.merges == nil {
		if s.rule != was.rule {
			md.Set(keyMergeRule, gguf.ValueOf(s.rule))
		}
		return nil
	}
	table := v.table(s.flags)
	pieces := make([]bool, len(v.tokens))
	for id := range v.pieces(s.flags) {
		pieces[id] = true
	}
	implied := !slices.ContainsFunc(s.merges, func(m listedMerge) bool { return !pieces[m.left] || !pieces[m.right] || !pieces[m.id] })
	for _, rule := range []string{was.rule, longestLeft, lowestIDs} {
		order, err := newScoreOrder(table, was.mergeScores, rule)
		if err != nil {
			return err
		}
		if implied && order.is(s.merges) {
			if rule != was.rule {
				md.Set(keyMergeRule, gguf.ValueOf(rule))
			}
			return nil
		}
	}
	pairs := make([]int32, 0, 2*len(s.merges))
	for _, m := range s.merges {
		pairs = append(pairs, m.left, m.right)
	}
	md.Set(keyMergeList, gguf.ArrayOf(pairs))
	return nil
}

// sentenceFromGGUF returns the tokenizer of a model of SentencePiece.
func sentenceFromGGUF(md *gguf.Metadata) (*Tokenizer, error) {
	stored, err := readTokens(md)
	if err != nil {
		return nil, err
	}
	types, err := readTypes(md, len(stored))
	if err != nil {
		return nil, err
	}
	if isEscaped(md) {
		types = unescapedTypes(types, stored)
	}
	v := newSentenceVocabulary(stored, types)
	s, err := understoodSentence(md, v)
	if err != nil {
		return nil, err
	}
	if err := v.override(md); err != nil {
		return nil, err
	}
	if err := s.override(md, v); err != nil {
		return nil, err
	}
	if isEscaped(md) {
		if err := s.readEscapedMerges(md, v); err != nil {
			return nil, err
		}
	}
	return newSentenceTokenizer(v, s)
}

// newSentenceTokenizer makes the tokenizer of the tokens of v.
func newSentenceTokenizer(v *sentenceVocabulary, s *sentenceSettings) (*Tokenizer, error) {
	p, err := s.pipeline()
	if err != nil {
		return nil, inKey(err, partCharsmap, keyCharsmap)
	}
	words, err := s.model(v)
	if err != nil {
		return nil, inKey(err, partMerges, keyMergeList)
	}
	return newTokenizer(&v.vocabulary, &s.settings, p.normalizer, &cutModel{p.cutters, words}, p.decoder)
}

// inKey says which key err is about if it is about part.
func inKey(err error, part, key string) error {
	if e, ok := errors.AsType[*fault.FormatError](err); ok && e.Part == part {
		e.Part = "key " + key
	}
	return err
}

// model makes the model of the tokens of v.
func (s *sentenceSettings) model(v *sentenceVocabulary) (wordModel, error) {
	if s.weights != nil {
		u, err := newUnigram(v.pieces(s.flags), s.weights, s.unknown, s.byteFallback)
		if err != nil {
			return nil, tooManyPrefixes(err)
		}
		return u, nil
	}
	table := v.table(s.flags)
	var order mergeOrder
	if s.pairs != nil {
		merges := make([]listedMerge, len(s.pairs)/2)
		for i := range merges {
			var err error
			if merges[i], err = table.listed(mergePair{s.pairs[2*i], s.pairs[2*i+1]}); err != nil {
				return nil, err
			}
		}
		order = newListOrder(merges)
	} else {
		var err error
		if order, err = newScoreOrder(table, s.mergeScores, s.rule); err != nil {
			return nil, err
		}
	}
	return newCharBPE(table, order, bpeOptions{
		unknown: s.unknown, fuseUnknown: s.fuseUnknown, byteFallback: s.byteFallback, ignoreMerges: s.ignoreMerges,
	}), nil
}

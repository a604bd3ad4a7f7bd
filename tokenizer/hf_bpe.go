package tokenizer

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// Files of BPE tokenizers without tokenizer.json.
const (
	fileVocabJSON = "vocab.json"
	fileMerges    = "merges.txt"
)

// byteBPE makes the vocabulary from a tokenizer with BPE of bytes.
func (c *checkpoint) byteBPE(t *hfTokenizer, file string) (*Vocab, error) {
	m := &t.Model
	refuse := func(part, format string, args ...any) error {
		return c.unsupported(file, part, "BPE of bytes is supported as GPT-2, Llama 3 and Qwen have it", format, args...)
	}
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, refuse("model.dropout", "is %v, which makes ids random", *m.Dropout)
	case m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != "":
		return nil, refuse("model.continuing_subword_prefix", "is %q", *m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != "":
		return nil, refuse("model.end_of_word_suffix", "is %q", *m.EndOfWordSuffix)
	}
	s := &bpeScheme{normalizer: t.Normalizer, preParts: t.PreTokenizer, ignoreMerges: m.IgnoreMerges, unknown: -1, llama: c.options.Llama}
	s.vocabSize, _ = integer(c.model["vocab_size"])
	if on, ok := c.config["add_prefix_space"].(bool); ok {
		s.addPrefixFlag = &on
	}
	var err error
	if s.pre, err = newPreTokenizer(t.PreTokenizer.sequence()); err != nil {
		return nil, refuse("pre_tokenizer", "%v", err)
	}
	if _, err := newNormalizer(t.Normalizer); err != nil {
		return nil, refuse("normalizer", "%v", err)
	}
	ids, err := decodeVocab(m.Vocab)
	if err != nil {
		return nil, c.malformedModel("vocab", err)
	}
	if ids == nil {
		return nil, c.malformed(file, "model.vocab", "is null")
	}
	if s.merges = m.mergeList; s.merges == nil {
		if s.merges, err = decodeMerges(m.Merges); err != nil {
			return nil, c.malformedModel("merges", err)
		}
	}
	v := &Vocab{scheme: s}
	if err := c.finish(v, ids, t.PostProcessor); err != nil {
		return nil, err
	}
	for i := range v.flags {
		v.flags[i] &^= alsoPiece // makes no difference: text has no added tokens left
	}
	v.searchRaw(t.Normalizer)
	if m.UnkToken != nil && *m.UnkToken != "" {
		id, ok := v.ids[*m.UnkToken]
		if !ok {
			return nil, c.malformed(file, "vocabulary", "the unknown token %q is not in it", *m.UnkToken)
		}
		for _, letter := range byteAlphabet {
			if _, ok := v.ids[string(letter)]; !ok {
				if m.ByteFallback {
					return nil, refuse("model.byte_fallback", "is true, and the vocabulary lacks the byte %q", letter)
				}
				s.unknown, s.fuseUnknown = id, m.FuseUnk
			}
		}
	}
	if v.pre = c.options.Pre; v.pre == "" {
		v.pre = s.recognize(v)
	}
	return v, nil
}

// searchRaw looks for added tokens in the text as it is where that finds what
// looking for them in normalized text finds, which is usual, and how files
// without the flags of added tokens are read.
func (v *Vocab) searchRaw(normalizer *hfPart) {
	var raw, later []string
	added := v.added()
	for i, id := range added {
		if v.flags[i]&^normalized != 0 {
			return // it takes part of the text around it, or depends on that
		}
		if v.flags[i]&normalized == 0 {
			raw = append(raw, v.tokens[id])
		} else {
			later = append(later, v.tokens[id])
		}
	}
	for _, token := range later {
		// NFC composes letters and these signs with the marks after them.
		if normalizer.form() != "" && strings.ContainsFunc(token, func(r rune) bool { return r >= 0x80 || strings.ContainsRune("<=>", r) || isASCIILetter(byte(r)) }) {
			return
		}
		for _, first := range raw {
			if overlap(token, first) || overlap(first, token) {
				return // what is looked for first makes a difference
			}
		}
	}
	for i := range added {
		v.flags[i] &^= normalized
	}
}

// overlap reports whether a is in b or ends as b begins.
func overlap(a, b string) bool {
	if strings.Contains(b, a) {
		return true
	}
	for n := 1; n < min(len(a), len(b)); n++ {
		if a[len(a)-n:] == b[:n] {
			return true
		}
	}
	return false
}

// fromVocabJSON makes the vocabulary from vocab.json and merges.txt, as the class
// of the tokenizer in transformers does.
func (c *checkpoint) fromVocabJSON(vocab []byte) (*Vocab, error) {
	merges, err := c.data(fileMerges)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.malformed(fileVocabJSON, "", "there is no %s with it", fileMerges)
	}
	if err != nil {
		return nil, err
	}
	ids, err := decodeVocab(vocab)
	if err != nil {
		return nil, fault.InFile(err, c.path(fileVocabJSON))
	}
	off := false
	addSpace, _ := c.config["add_prefix_space"].(bool)
	t := &hfTokenizer{PreTokenizer: &hfPart{Type: "ByteLevel", AddPrefixSpace: &addSpace}}
	t.Model.Vocab, t.Model.mergeList = vocab, readMerges(string(merges))
	class, _ := c.config["tokenizer_class"].(string)
	switch strings.TrimSuffix(class, "Fast") {
	case "", "GPT2Tokenizer", "CodeGenTokenizer":
	case "Qwen2Tokenizer":
		regex := namedPatterns["qwen2"]
		t.Normalizer = &hfPart{Type: "NFC"}
		t.PreTokenizer = &hfPart{Type: "Sequence", PreTokenizers: []hfPart{
			{Type: "Split", Pattern: &hfPattern{Regex: &regex}, Behavior: "Isolated"},
			{Type: "ByteLevel", AddPrefixSpace: &off, UseRegex: &off},
		}}
	case "RobertaTokenizer":
		t.PostProcessor = &hfPart{Type: "RobertaProcessing", CLS: tokenAndID(ids, "<s>"), Sep: tokenAndID(ids, "</s>")}
	default:
		return nil, c.unsupported(fileConfig, "tokenizer_class", "make a "+fileTokenizer+" with transformers", "%s has no %s", class, fileTokenizer)
	}
	v, err := c.byteBPE(t, fileVocabJSON)
	if err != nil {
		return nil, err
	}
	if on, _ := c.config["add_bos_token"].(bool); on && t.PostProcessor == nil {
		if id, ok := v.ids[c.specialName("bos")]; ok {
			v.prefix = []int32{id}
		}
	}
	return v, nil
}

// tokenAndID returns a token as a post-processor has it.
func tokenAndID(ids map[string]int64, token string) []any {
	if id, ok := ids[token]; ok {
		return []any{token, float64(id)}
	}
	return nil
}

// readMerges reads merges.txt: a pair of tokens on each line, after a line with
// the version.
func readMerges(text string) []string {
	merges := []string{}
	for i, line := range strings.Split(text, "\n") {
		if i == 0 && strings.HasPrefix(line, "#") {
			continue
		}
		if pair := strings.Fields(line); len(pair) == 2 {
			merges = append(merges, pair[0]+" "+pair[1])
		}
	}
	return merges
}

// decodeMerges decodes model.merges, a list of "left right" or of ["left",
// "right"], into the former. A space in a token, which no token of bytes has,
// becomes a letter, as it does in llama.cpp's converter.
func decodeMerges(data []byte) ([]string, error) {
	s := jsonScanner{data: string(data)}
	merges := make([]string, 0, len(data)/averageEntry)
	ok := s.array(func() bool {
		if s.peek() != '[' {
			merge, ok := s.text()
			merges = append(merges, merge)
			return ok
		}
		var pair [2]string
		n := 0
		ok := s.array(func() bool {
			token, ok := s.text()
			if !ok || n == len(pair) {
				return false
			}
			pair[n] = token
			n++
			return true
		})
		merges = append(merges, joinMerge(pair[0], pair[1]))
		return ok && n == len(pair)
	})
	if !ok || s.peek() != 0 {
		return slowMerges(data)
	}
	return merges, checkMerges(merges)
}

func joinMerge(left, right string) string {
	if strings.Contains(left, " ") || strings.Contains(right, " ") {
		spell := strings.NewReplacer(" ", "Ġ")
		left, right = spell.Replace(left), spell.Replace(right)
	}
	return left + " " + right
}

// slowMerges is decodeMerges for lists that are not as usual, or no lists.
func slowMerges(data []byte) ([]string, error) {
	var list []any
	if len(data) > 0 {
		if err := decodeJSON(data, &list); err != nil {
			return nil, err
		}
	}
	var merges []string
	for i, e := range list {
		if merge, ok := e.(string); ok {
			merges = append(merges, merge)
			continue
		}
		pair, _ := e.([]any)
		if len(pair) != 2 {
			return nil, fault.Malformed("", "", "has %v at %d, which is no pair", e, i)
		}
		left, okLeft := pair[0].(string)
		right, okRight := pair[1].(string)
		if !okLeft || !okRight {
			return nil, fault.Malformed("", "", "has %v at %d, which is no pair of tokens", e, i)
		}
		merges = append(merges, joinMerge(left, right))
	}
	return merges, checkMerges(merges)
}

func checkMerges(merges []string) error {
	for i, merge := range merges {
		if strings.Count(merge, " ") != 1 {
			return fault.Malformed("", "", "has %q at %d, which is no pair", merge, i)
		}
	}
	return nil
}

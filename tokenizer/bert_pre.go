package tokenizer

import "strings"

// A bertPre is a value of tokenizer.ggml.pre for WordPiece. llama.cpp's converter
// chooses it by a hash of the ids of one test text, so it depends on the
// vocabulary; a few tokens of that text tell the published vocabularies apart.
type bertPre struct {
	name string
	ids  map[string]int32
}

var bertPres = []bertPre{
	// bert-base-uncased, which most English models share. The hash of this
	// vocabulary is in the converter's list twice, as bert-bge and as jina-v2-en;
	// the second counts.
	{"jina-v2-en", map[string]int32{
		"[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "normal": 3671, "multiple": 3674, "##nated": 23854,
		"apple": 6207, "##щ": 29754, "`": 1036, "told": 2409, "sure": 2469, "tea": 5572,
	}},
	// bert-base-chinese, of bge-*-zh.
	{"bert-bge-large", map[string]int32{
		"[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "##rma": 13156, "##ple": 10383, "##cat": 10869,
		"我": 2769, "想": 2682, "apple": 8350, "天": 1921, "tea": 9686, "##ld": 8635,
	}},
}

// recognizeBert returns the value of tokenizer.ggml.pre for v.
func (v *Vocab) recognizeBert(s *bertScheme) string {
	var known []string
	for _, p := range bertPres {
		if p.is(s, v.vocabulary) {
			return p.name
		}
		known = append(known, p.name)
	}
	v.warn("the vocabulary is none that llama.cpp's converter knows (%s): %s is %q, which makes no difference for WordPiece",
		strings.Join(known, ", "), keyPre, unknownPre)
	return unknownPre
}

func (p *bertPre) is(s *bertScheme, v *vocabulary) bool {
	if s.bertOptions != (bertOptions{cleanText: true, cjkWords: true, stripAccents: true, lowercase: true}) {
		return false
	}
	for token, id := range p.ids {
		if got, ok := v.ids[token]; !ok || got != id {
			return false
		}
	}
	return true
}

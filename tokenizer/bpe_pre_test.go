package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

// A large vocabulary without numbers was made with digits apart, whatever is left
// of the pre-tokenizer in its file.
func TestLostDigits(t *testing.T) {
	v, err := newVocabulary([]string{"a", "b", "ab"}, []tokenType{normalToken, normalToken, normalToken})
	if err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat([]string{"a b"}, manyMerges)
	for _, c := range []struct {
		merges []string
		pre    string
	}{
		{many, "smollm"},
		{many[1:], "gpt-2"},
		{append(slices.Clone(many), "1 2"), "gpt-2"},
	} {
		s := &bpeScheme{pre: mustPreTokenizer((&bpePre{stages: "gpt2"}).parts()), merges: c.merges, unknown: -1}
		vocab := &Vocab{vocabulary: v, scheme: s}
		if got := s.recognize(vocab); got != c.pre {
			t.Errorf("%d merges give %q, want %q", len(c.merges), got, c.pre)
		}
		lost := c.pre == "smollm"
		if p, _ := findBPEPre(c.pre); !mustPreTokenizer(p.parts()).equal(s.pre) {
			t.Errorf("texts are not cut as %s does", c.pre)
		}
		if warned := strings.Contains(strings.Join(vocab.Warnings, ""), "seems lost"); warned != lost {
			t.Errorf("%s: warnings %q", c.pre, vocab.Warnings)
		}
	}
}

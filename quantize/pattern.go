package quantize

import (
	"fmt"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/gguftool/gguftool/gguf"
)

// patternTimeout bounds the backtracking of one pattern on one tensor's name.
const patternTimeout = time.Second

// A pattern is a compiled Override.
type pattern struct {
	Override
	re *regexp2.Regexp
}

// compilePattern compiles an ECMAScript pattern as C++'s std::regex reads it:
// with character classes such as [[:digit:]], which regexp2 has under RE2.
func compilePattern(text string) (*regexp2.Regexp, error) {
	re, err := regexp2.Compile(text, regexp2.ECMAScript|regexp2.RE2)
	if err != nil {
		return nil, fmt.Errorf("tensor type pattern %q: %w", text, err)
	}
	re.MatchTimeout = patternTimeout
	return re, nil
}

func compilePatterns(overrides []Override) ([]pattern, error) {
	patterns := make([]pattern, len(overrides))
	for i, o := range overrides {
		re, err := compilePattern(o.Pattern)
		if err != nil {
			return nil, err
		}
		patterns[i] = pattern{o, re}
	}
	return patterns, nil
}

// match returns the first of patterns that is found in the tensor's name, or nil.
func match(patterns []pattern, t *gguf.Tensor) (*pattern, error) {
	for i := range patterns {
		found, err := patterns[i].re.MatchString(t.Name)
		if err != nil {
			return nil, fmt.Errorf("tensor type pattern %q takes too long on %q; simplify it", patterns[i].Pattern, t.Name)
		}
		if found {
			return &patterns[i], nil
		}
	}
	return nil, nil
}

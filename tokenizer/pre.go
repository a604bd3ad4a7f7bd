package tokenizer

import (
	"fmt"
	"slices"

	"github.com/dlclark/regexp2"
)

// A span is a piece of a text, from start up to end.
type span struct{ start, end int }

// A splitter is a part of a pre-tokenizer that cuts text into pieces.
type splitter interface {
	// split appends the pieces of text to spans, in order.
	split(text []byte, spans []span) []span
}

// gpt2Pattern is what ByteLevel cuts text with.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// A preTokenizer is the chain of splitters that cuts text into words: each cuts
// the pieces of the one before.
type preTokenizer struct {
	stages []splitter
	forms  []string // what each stage is, the same for stages that do the same

	// addSpace is the stage that has a space put before its pieces, unless they
	// begin with one; len(stages) stands for the words, -1 for none.
	addSpace int

	// spelt is the first stage that sees bytes spelt in letters (byteAlphabet);
	// those before see text.
	spelt int
}

// newPreTokenizer makes the pre-tokenizer of a BPE of bytes from the parts of
// tokenizer.json.
func newPreTokenizer(parts []hfPart) (*preTokenizer, error) {
	p := &preTokenizer{addSpace: -1, spelt: -1}
	for i := range parts {
		if err := p.add(&parts[i]); err != nil {
			return nil, err
		}
	}
	if p.spelt < 0 {
		return nil, fmt.Errorf("it has no ByteLevel")
	}
	return p, nil
}

// equal reports whether p and q do the same.
func (p *preTokenizer) equal(q *preTokenizer) bool {
	return slices.Equal(p.forms, q.forms) && p.addSpace == q.addSpace && (p.spelt == q.spelt || p.spelt >= len(p.stages) && q.spelt >= len(q.stages))
}

func (p *preTokenizer) add(part *hfPart) error {
	var s splitter
	var form string
	var err error
	switch part.Type {
	case "ByteLevel":
		if p.spelt >= 0 {
			return fmt.Errorf("it has ByteLevel twice")
		}
		if isTrue(part.AddPrefixSpace) {
			p.addSpace = len(p.stages)
		}
		if isTrue(part.UseRegex) {
			isolated := hfPart{Pattern: &hfPattern{Regex: new(gpt2Pattern)}, Behavior: "Isolated"}
			if s, form, err = newSplit(&isolated); err == nil {
				p.stages, p.forms = append(p.stages, s), append(p.forms, form)
			}
		}
		p.spelt = len(p.stages)
		return err
	case "Split":
		s, form, err = newSplit(part)
	case "Digits":
		s, form = digitSplitter(part.IndividualDigits), fmt.Sprintf("Digits %t", part.IndividualDigits)
	case "Punctuation":
		switch part.Behavior {
		case "Isolated", "Contiguous", "":
		default:
			return fmt.Errorf("its Punctuation has the behavior %q", part.Behavior)
		}
		s, form = punctuationSplitter(part.Behavior == "Contiguous"), "Punctuation "+part.Behavior
	default:
		return fmt.Errorf("it has %s", part.Type)
	}
	p.stages, p.forms = append(p.stages, s), append(p.forms, form)
	return err
}

// newSplit makes the splitter of a Split, and says what it is.
func newSplit(part *hfPart) (splitter, string, error) {
	var regex string
	switch p := part.Pattern; {
	case p == nil || p.Regex == nil && p.String == nil:
		return nil, "", fmt.Errorf("its Split has no pattern")
	case p.Regex != nil:
		regex = *p.Regex
	default:
		regex = regexp2.Escape(*p.String)
	}
	isolated := part.Behavior == "Isolated"
	if w, ok := parseWordPattern(regex); ok && (isolated || part.Behavior == "Removed" && part.Invert) {
		// It leaves nothing between its matches, so there is nothing to remove.
		return &w, fmt.Sprintf("words %+v", w), nil
	}
	if isolated {
		if s := newRunSplitter(regex); s != nil {
			return s, "runs " + regex, nil
		}
		if regex == deepseekPattern {
			return deepseekSplitter{}, "DeepSeek", nil
		}
	}
	s, err := newRegexSplitter(regex, part.Behavior, part.Invert)
	return s, fmt.Sprintf("%s %t %s", part.Behavior, part.Invert, regex), err
}

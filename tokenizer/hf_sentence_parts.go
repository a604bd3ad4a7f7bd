package tokenizer

import (
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gguftool/gguftool/internal/fault"
)

// textParts makes the normalizers that p, which may be nil, consists of.
func textParts(p *hfPart) (textSteps, error) {
	var steps textSteps
	for _, part := range p.sequence() {
		step, err := textPart(&part)
		if err != nil {
			return nil, err
		}
		if step != nil {
			steps = append(steps, step)
		}
	}
	return steps, nil
}

func textPart(p *hfPart) (textStep, error) {
	switch p.Type {
	case "Prepend":
		if p.Prepend == nil {
			return nil, fault.Malformed("", p.Type, "has no prepend")
		}
		return prepend(*p.Prepend), nil
	case "Replace":
		return replacePart(p)
	case "Strip":
		return stripSpace{left: isTrue(p.StripLeft), right: isTrue(p.StripRight)}, nil
	case "Lowercase":
		return lowerText{}, nil
	case "Nmt":
		return nmtText{}, nil
	case "NFC":
		return composedText{}, nil
	case "NFD":
		return normalForm(norm.NFD), nil
	case "NFKC":
		return normalForm(norm.NFKC), nil
	case "NFKD":
		return normalForm(norm.NFKD), nil
	case "Precompiled":
		data, err := p.charsmap()
		if err != nil || len(data) == 0 {
			return nil, err
		}
		return newCharsmap(data)
	}
	return nil, fault.Unsupported("", "normalizer", "", "the normalizer %s is not known for this kind of tokenizer", p.Type)
}

// charsmap decodes the rules of Precompiled.
func (p *hfPart) charsmap() ([]byte, error) {
	if p.PrecompiledCharsmap == nil {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(*p.PrecompiledCharsmap)
	if err != nil {
		return nil, fault.Malformed("", partCharsmap, "%v", err)
	}
	return data, nil
}

// withCharsmap returns p, which may be nil, with other rules in each Precompiled:
// data, or none if it is empty.
func (p *hfPart) withCharsmap(data []byte) *hfPart {
	if p == nil {
		return nil
	}
	q := *p
	if q.Type == "Precompiled" && (len(data) == 0 || q.PrecompiledCharsmap == nil) {
		q.PrecompiledCharsmap = nil
		if len(data) > 0 {
			rules := base64.StdEncoding.EncodeToString(data)
			q.PrecompiledCharsmap = &rules
		}
	}
	q.Normalizers = slices.Clone(q.Normalizers)
	for i := range q.Normalizers {
		q.Normalizers[i] = *q.Normalizers[i].withCharsmap(data)
	}
	return &q
}

// patterns are the regular expressions that the normalizer Replace is known to
// have.
var patterns = map[string]replaceRuns{
	" {2,}": {of: ' ', least: 2},
	" +":    {of: ' ', least: 1},
}

func replacePart(p *hfPart) (textStep, error) {
	if p.Pattern == nil || p.Content == nil {
		return nil, fault.Malformed("", p.Type, "has no pattern or no content")
	}
	if len(*p.Content) > maxReplacement {
		return nil, fault.Unsupported("", p.Type, "", "replaces text by %d bytes, more than %d", len(*p.Content), maxReplacement)
	}
	if p.Pattern.String != nil {
		return replaceText{from: *p.Pattern.String, to: *p.Content}, nil
	}
	if p.Pattern.Regex == nil {
		return nil, fault.Malformed("", p.Type, "has a pattern that is neither String nor Regex")
	}
	r, ok := patterns[*p.Pattern.Regex]
	if !ok {
		return nil, fault.Unsupported("", p.Type, "", "the regular expression %q is not known", *p.Pattern.Regex)
	}
	r.to = *p.Content
	return r, nil
}

// cutterParts makes the pre-tokenizers that p, which may be nil, consists of, for
// text that the normalizers of steps leave. Those that do nothing are left out.
func cutterParts(p *hfPart, steps textSteps) ([]wordCutter, error) {
	var cutters []wordCutter
	for _, part := range p.sequence() {
		switch part.Type {
		case "Metaspace":
			m, err := metaspacePart(&part)
			if err != nil {
				return nil, err
			}
			cutters = append(cutters, m)
		case "WhitespaceSplit":
			cutters = append(cutters, whitespaceSplit{})
		case "Split":
			pattern := part.Pattern
			if pattern == nil || pattern.String == nil || *pattern.String == "" || part.Behavior != "MergedWithPrevious" || part.Invert {
				return nil, fault.Unsupported("", "pre_tokenizer", "", "only Split behind a string is known for this kind of tokenizer")
			}
			if len(cutters) == 0 && steps.remove(*pattern.String) {
				continue
			}
			cutters = append(cutters, splitAfter(*pattern.String))
		default:
			return nil, fault.Unsupported("", "pre_tokenizer", "", "the pre-tokenizer %s is not known for this kind of tokenizer", part.Type)
		}
	}
	return cutters, nil
}

// remove reports whether the last of s leaves no pattern in any text.
func (s textSteps) remove(pattern string) bool {
	if len(s) == 0 {
		return false
	}
	r, ok := s[len(s)-1].(replaceText)
	return ok && r.from == pattern && utf8.RuneCountInString(pattern) == 1 && r.to == phantomSpace && pattern != phantomSpace
}

func metaspacePart(p *hfPart) (metaspace, error) {
	if utf8.RuneCountInString(p.Replacement) != 1 {
		return metaspace{}, fault.Malformed("", p.Type, "has the replacement %q instead of one character", p.Replacement)
	}
	m := metaspace{mark: p.Replacement, whole: !isTrue(p.Split)}
	switch p.PrependScheme {
	case "always":
	case "first":
		m.prepend = prependFirst
	case "never":
		m.prepend = prependNever
	case "":
		if !isTrue(p.AddPrefixSpace) {
			m.prepend = prependNever
		}
	default:
		return metaspace{}, fault.Malformed("", p.Type, "has the prepend_scheme %q", p.PrependScheme)
	}
	return m, nil
}

// tokenParts makes the decoders that p, which may be nil, consists of.
func tokenParts(p *hfPart) (tokenSteps, error) {
	var steps tokenSteps
	for _, part := range p.sequence() {
		switch part.Type {
		case "Replace":
			if part.Pattern == nil || part.Pattern.String == nil || part.Content == nil {
				return nil, fault.Unsupported("", "decoder", "", "only Replace of a string is known")
			}
			steps = append(steps, replaceText{from: *part.Pattern.String, to: *part.Content})
		case "ByteFallback":
			steps = append(steps, byteRuns{})
		case "Fuse":
			steps = append(steps, fuse{})
		case "Strip":
			if part.Content == nil || utf8.RuneCountInString(*part.Content) != 1 {
				return nil, fault.Malformed("", "decoder", "Strip has no content of one character")
			}
			r, _ := utf8.DecodeRuneInString(*part.Content)
			steps = append(steps, stripRune{r: r, start: part.Start, stop: part.Stop})
		case "Metaspace":
			m, err := metaspacePart(&part)
			if err != nil {
				return nil, err
			}
			steps = append(steps, m)
		default:
			return nil, fault.Unsupported("", "decoder", "", "the decoder %s is not known for this kind of tokenizer", part.Type)
		}
	}
	return steps, nil
}

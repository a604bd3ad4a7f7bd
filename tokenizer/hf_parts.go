package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
)

// hfTokenizer is tokenizer.json.
type hfTokenizer struct {
	AddedTokens   []hfAddedToken `json:"added_tokens"`
	Normalizer    *hfPart        `json:"normalizer"`
	PreTokenizer  *hfPart        `json:"pre_tokenizer"`
	Model         hfModel        `json:"model"`
	PostProcessor *hfPart        `json:"post_processor"`
	Decoder       *hfPart        `json:"decoder"`
}

// An hfModel has the fields of all models; which it has depends on the type.
type hfModel struct {
	Type     string          `json:"type"`
	UnkToken *string         `json:"unk_token"`
	Vocab    json.RawMessage `json:"vocab"` // see decodeVocab

	// of WordPiece and BPE
	ContinuingSubwordPrefix *string `json:"continuing_subword_prefix"`

	// of WordPiece
	MaxInputCharsPerWord *uint64 `json:"max_input_chars_per_word"`

	// of BPE
	EndOfWordSuffix *string         `json:"end_of_word_suffix"`
	Dropout         *float64        `json:"dropout"`
	FuseUnk         bool            `json:"fuse_unk"`
	ByteFallback    bool            `json:"byte_fallback"` // of Unigram, too
	IgnoreMerges    bool            `json:"ignore_merges"`
	Merges          json.RawMessage `json:"merges"` // see decodeMerges
	mergeList       []string        // instead of Merges

	// of Unigram
	UnkID *int64 `json:"unk_id"`
}

// An hfPart is a normalizer, a pre-tokenizer, a post-processor or a decoder. It
// has the fields of all types of parts.
type hfPart struct {
	Type string `json:"type"`

	// of Sequence, by what it is a sequence of
	Normalizers   []hfPart `json:"normalizers,omitempty"`
	PreTokenizers []hfPart `json:"pretokenizers,omitempty"`
	Processors    []hfPart `json:"processors,omitempty"`
	Decoders      []hfPart `json:"decoders,omitempty"`

	// of BertNormalizer
	CleanText          *bool `json:"clean_text,omitempty"`
	HandleChineseChars *bool `json:"handle_chinese_chars,omitempty"`
	StripAccents       *bool `json:"strip_accents,omitempty"`
	Lowercase          *bool `json:"lowercase,omitempty"`

	// of Replace and Split
	Pattern  *hfPattern `json:"pattern,omitempty"`
	Content  *string    `json:"content,omitempty"`  // of Replace and the decoder Strip
	Behavior string     `json:"behavior,omitempty"` // of Split and Punctuation
	Invert   bool       `json:"invert,omitempty"`   // of Split

	// of Prepend (the normalizer)
	Prepend *string `json:"prepend,omitempty"`

	// of Precompiled: base64
	PrecompiledCharsmap *string `json:"precompiled_charsmap,omitempty"`

	// of the normalizer Strip
	StripLeft  *bool `json:"strip_left,omitempty"`
	StripRight *bool `json:"strip_right,omitempty"`

	// of the decoder Strip
	Start int64 `json:"start,omitempty"`
	Stop  int64 `json:"stop,omitempty"`

	// of Digits
	IndividualDigits bool `json:"individual_digits,omitempty"`

	// of ByteLevel
	AddPrefixSpace *bool `json:"add_prefix_space,omitempty"` // of Metaspace, before it had prepend_scheme, and RobertaProcessing, too
	UseRegex       *bool `json:"use_regex,omitempty"`
	TrimOffsets    *bool `json:"trim_offsets,omitempty"`

	// of Metaspace
	Replacement   string `json:"replacement,omitempty"`
	PrependScheme string `json:"prepend_scheme,omitempty"`
	Split         *bool  `json:"split,omitempty"`

	// of TemplateProcessing
	Single        []hfTemplatePiece `json:"single,omitempty"`
	Pair          []hfTemplatePiece `json:"pair,omitempty"`
	SpecialTokens map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens,omitempty"`

	// of BertProcessing and RobertaProcessing: token and id
	CLS []any `json:"cls,omitempty"`
	Sep []any `json:"sep,omitempty"`
}

// An hfPattern is a string or a regular expression.
type hfPattern struct {
	String *string `json:"String,omitempty"`
	Regex  *string `json:"Regex,omitempty"`
}

// An hfTemplatePiece is a special token or a text, A or B.
type hfTemplatePiece struct {
	SpecialToken struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// sequence returns the parts that p, which may be nil, consists of, in order.
func (p *hfPart) sequence() []hfPart {
	if p == nil {
		return nil
	}
	if p.Type != "Sequence" {
		return []hfPart{*p}
	}
	var parts []hfPart
	for _, list := range [][]hfPart{p.Normalizers, p.PreTokenizers, p.Processors, p.Decoders} {
		for i := range list {
			parts = append(parts, list[i].sequence()...)
		}
	}
	return parts
}

// form returns what p, which may be nil, does, as JSON: the same for parts that
// are written in different ways.
func (p *hfPart) form() string {
	list := p.sequence()
	if len(list) == 0 {
		return ""
	}
	return jsonOf(list)
}

// jsonOf returns v, which has nothing that JSON has not, as JSON.
func jsonOf(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ofBytes reports whether the tokens of a BPE spell bytes, as those of GPT-2 do,
// rather than characters.
func (t *hfTokenizer) ofBytes() bool {
	isByteLevel := func(p hfPart) bool { return p.Type == "ByteLevel" }
	return slices.ContainsFunc(t.PreTokenizer.sequence(), isByteLevel) || slices.ContainsFunc(t.Decoder.sequence(), isByteLevel) ||
		slices.ContainsFunc(t.Normalizer.sequence(), isByteLevel)
}

// isTrue returns the value of a flag that is on unless the file says otherwise.
func isTrue(flag *bool) bool { return flag == nil || *flag }

// An hfAddedToken is an added token in tokenizer.json, tokenizer_config.json or
// special_tokens_map.json.
type hfAddedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized *bool  `json:"normalized"`
	Special    bool   `json:"special"`

	alsoPiece bool // it is in the vocabulary of the model
}

func (a *hfAddedToken) flags() addedFlags {
	var f addedFlags
	set := func(flag addedFlags, on bool) {
		if on {
			f |= flag
		}
	}
	set(singleWord, a.SingleWord)
	set(leftStrip, a.LStrip)
	set(rightStrip, a.RStrip)
	if a.Normalized != nil {
		set(normalized, *a.Normalized)
	} else {
		set(normalized, !a.Special)
	}
	return f
}

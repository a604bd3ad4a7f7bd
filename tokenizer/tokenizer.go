package tokenizer

import "sync"

// A Tokenizer turns text into token ids. It may be used by several goroutines
// at once.
type Tokenizer struct {
	tokens []string // by id
	types  []tokenType

	raw            *addedSet  // added tokens looked for in the text as it is
	normalizer     normalizer // nil: text stays as it is
	normalized     *addedSet  // added tokens looked for in normalized text
	model          model
	prefix, suffix []int32 // the template
	decoder        decoder
}

// A normalizer rewrites text.
type normalizer interface {
	// append appends the normalized form of text to dst.
	append(dst []byte, text string) []byte
}

// A model turns text that is normalized and free of added tokens into ids: it
// is the pre-tokenizer and the model of the Hugging Face library, which meet in
// one loop over the words of a text.
type model interface {
	// append appends the ids of text to dst and does not keep text. begins says
	// that nothing stands before text: neither other text nor an added token.
	append(dst []int32, text []byte, begins bool) []int32
}

// A decoder turns tokens, in the form of Token, into text.
type decoder interface {
	decode(tokens []string) string
}

// Size returns the number of tokens; ids are smaller.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Token returns the token as Hugging Face prints it, for example with "##"
// before pieces that continue a word (WordPiece) or with "Ġ" for a space (BPE of
// bytes), and "" for an id that the tokenizer does not have.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Template returns the special tokens that Encode puts before and after a text.
// They must not be changed.
func (t *Tokenizer) Template() (prefix, suffix []int32) { return t.prefix, t.suffix }

// Decode returns the text that ids stand for, without special tokens if
// skipSpecial is true. Ids that the tokenizer does not have are left out.
//
// BPE of bytes gives back the text of Encode as far as the normalizer leaves it
// as it is; other tokenizers lose something, such as spaces. Bytes that are not
// UTF-8 become U+FFFD, as in Hugging Face's tokenizers.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.tokens) || skipSpecial && t.types[id] == controlToken {
			continue
		}
		tokens = append(tokens, t.tokens[id])
	}
	return t.decoder.decode(tokens)
}

// Encode returns the ids of text, between the special tokens of the model's
// template if special is true. Special tokens that are written out in text
// become what they are, as they do in Hugging Face's tokenizers.
func (t *Tokenizer) Encode(text string, special bool) []int32 {
	return t.AppendEncode([]int32{}, text, special)
}

// buffers holds normalized text between calls of AppendEncode.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKeptBuffer is the capacity beyond which a buffer is not kept, so that one
// long text does not hold memory for ever.
const maxKeptBuffer = 1 << 20

// AppendEncode is Encode that appends to dst.
func (t *Tokenizer) AppendEncode(dst []int32, text string, special bool) []int32 {
	buf := buffers.Get().(*[]byte)
	if special {
		dst = append(dst, t.prefix...)
	}
	begins := true
	for part, id := range t.raw.split(text) {
		if id >= 0 {
			dst = append(dst, id)
		} else {
			if t.normalizer != nil {
				*buf = t.normalizer.append((*buf)[:0], part)
			} else {
				*buf = append((*buf)[:0], part...)
			}
			dst = t.appendNormalized(dst, *buf, begins)
		}
		begins = false
	}
	if special {
		dst = append(dst, t.suffix...)
	}
	if cap(*buf) <= maxKeptBuffer {
		buffers.Put(buf)
	}
	return dst
}

func (t *Tokenizer) appendNormalized(dst []int32, text []byte, begins bool) []int32 {
	if t.normalized == nil {
		return t.model.append(dst, text, begins)
	}
	for part, id := range t.normalized.split(string(text)) {
		if id >= 0 {
			dst = append(dst, id)
		} else {
			dst = t.model.append(dst, []byte(part), begins)
		}
		begins = false
	}
	return dst
}

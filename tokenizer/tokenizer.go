package tokenizer

import "sync"

// A Tokenizer turns text into token ids. It may be used by several goroutines
// at once.
type Tokenizer struct {
	tokens []string // by id

	raw            *addedSet // added tokens looked for in the text as it is
	normalizer     *bertNormalizer
	normalized     *addedSet // added tokens looked for in normalized text
	model          *wordPiece
	prefix, suffix []int32 // the template
}

// Size returns the number of tokens; ids are smaller.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Token returns the token as Hugging Face prints it, with "##" before pieces
// that continue a word, and "" for an id that the tokenizer does not have.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Template returns the special tokens that Encode puts before and after a text.
// They must not be changed.
func (t *Tokenizer) Template() (prefix, suffix []int32) { return t.prefix, t.suffix }

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
	for part, id := range t.raw.split(text) {
		if id >= 0 {
			dst = append(dst, id)
			continue
		}
		*buf = t.normalizer.append((*buf)[:0], part)
		dst = t.appendNormalized(dst, *buf)
	}
	if special {
		dst = append(dst, t.suffix...)
	}
	if cap(*buf) <= maxKeptBuffer {
		buffers.Put(buf)
	}
	return dst
}

func (t *Tokenizer) appendNormalized(dst []int32, text []byte) []int32 {
	if t.normalized == nil {
		return t.appendWords(dst, text)
	}
	for part, id := range t.normalized.split(string(text)) {
		if id >= 0 {
			dst = append(dst, id)
		} else {
			dst = t.appendWords(dst, []byte(part))
		}
	}
	return dst
}

func (t *Tokenizer) appendWords(dst []int32, text []byte) []int32 {
	for start, end := nextWord(text, 0); start < len(text); start, end = nextWord(text, end) {
		dst = t.model.append(dst, text[start:end])
	}
	return dst
}

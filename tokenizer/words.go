package tokenizer

import "unicode/utf8"

// nextWord returns the bounds of the first word of text at or after at, as
// BertPreTokenizer cuts it: words end at white space, and every punctuation
// character is a word. start is len(text) when there is none.
func nextWord(text []byte, at int) (start, end int) {
	for at < len(text) {
		c, size := classAt(text, at)
		if c&punct != 0 {
			return at, at + size
		}
		if c&space == 0 {
			break
		}
		at += size
	}
	for end = at; end < len(text); {
		c, size := classAt(text, end)
		if c&(punct|space) != 0 {
			break
		}
		end += size
	}
	return at, end
}

func classAt(text []byte, at int) (class, int) {
	if b := text[at]; b < utf8.RuneSelf {
		return classes[0][b], 1
	}
	r, size := utf8.DecodeRune(text[at:])
	return classes.of(r), size
}

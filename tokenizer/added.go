package tokenizer

import (
	"iter"
	"unicode/utf8"
)

// An addedToken is cut out of a text wherever it stands, before the text is cut
// into words: before normalization or, if it is normalized itself, after.
type addedToken struct {
	id      int32
	content string
	flags   addedFlags
}

// addedFlags are the properties of an added token. Their values are stored in
// GGUF files.
type addedFlags uint8

const (
	singleWord addedFlags = 1 << iota // only where no word character adjoins
	leftStrip                         // takes the white space before it
	rightStrip                        // takes the white space after it
	normalized                        // is looked for in normalized text
	alsoPiece                         // is in the vocabulary of the model too
)

// An addedSet finds added tokens in a text. A nil set has none.
type addedSet struct {
	trie   *trie
	flags  map[int32]addedFlags
	starts [256]bool // bytes that tokens begin with
}

// add puts token into the set, looked for as content.
func (a *addedSet) add(content string, token addedToken) error {
	if content == "" {
		return nil
	}
	a.flags[token.id] = token.flags
	a.starts[content[0]] = true
	return a.trie.insert(1, content, token.id)
}

func newAddedSet() *addedSet {
	return &addedSet{trie: newTrie(1), flags: make(map[int32]addedFlags)}
}

// split yields the pieces of text in order: added tokens with their ids, and
// what is between them with a negative id.
//
// Of tokens that overlap, the leftmost and then the longest counts, even when
// its surroundings rule it out afterwards.
func (a *addedSet) split(text string) iter.Seq2[string, int32] {
	return func(yield func(string, int32) bool) {
		done := 0 // end of what was yielded
		for at := 0; a != nil && at < len(text); {
			if !a.starts[text[at]] {
				at++
				continue
			}
			id, n := longest(a.trie, 1, text[at:])
			if id < 0 {
				at++
				continue
			}
			start, end := at, at+n
			at = end
			flags := a.flags[id]
			if flags&singleWord != 0 && (wordBefore(text[:start]) || wordAfter(text[end:])) {
				continue
			}
			if flags&leftStrip != 0 {
				start = done + len(trimRightSpace(text[done:max(start, done)]))
			}
			if flags&rightStrip != 0 {
				end = len(text) - len(trimLeftSpace(text[end:]))
			}
			if done < start && !yield(text[done:start], -1) {
				return
			}
			if !yield(text[start:end], id) {
				return
			}
			done = end
		}
		if done < len(text) {
			yield(text[done:], -1)
		}
	}
}

func wordBefore(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func wordAfter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}

func trimRightSpace(s string) string {
	for len(s) > 0 {
		r, size := utf8.DecodeLastRuneInString(s)
		if classes.of(r)&space == 0 {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

func trimLeftSpace(s string) string {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if classes.of(r)&space == 0 {
			break
		}
		s = s[size:]
	}
	return s
}

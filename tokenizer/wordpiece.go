package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// continuation is what the tokens begin with that stand inside words.
const continuation = "##"

// defaultMaxWordRunes is the length at which words become unknown, in every
// published BERT tokenizer.
const defaultMaxWordRunes = 100

// A wordPiece cuts the words of BertPreTokenizer into the longest tokens, from
// left to right.
type wordPiece struct {
	tokens       *trie // firstPiece and laterPiece are its roots
	unknown      int32
	maxWordRunes int
}

const (
	firstPiece = 1 + iota // tokens that begin a word
	laterPiece            // tokens that continue one, without "##"
)

// add makes token a piece that words are made of.
func (w *wordPiece) add(token string, id int32) error {
	root := uint32(firstPiece)
	if len(token) > len(continuation) && token[:len(continuation)] == continuation {
		// "##x" could also begin a word, if '#' were not a word of its own.
		root, token = laterPiece, token[len(continuation):]
	}
	if len(token) > w.maxWordRunes*utf8.UTFMax || !utf8.ValidString(token) {
		return nil // longer than any word, or in none
	}
	return w.tokens.insert(root, token, id)
}

func (w *wordPiece) append(dst []int32, text []byte, _ bool) []int32 {
	for start, end := nextWord(text, 0); start < len(text); start, end = nextWord(text, end) {
		dst = w.appendWord(dst, text[start:end])
	}
	return dst
}

// appendWord appends the ids of word: those of its pieces, or that of the
// unknown token where it is too long or no pieces make it up.
func (w *wordPiece) appendWord(dst []int32, word []byte) []int32 {
	if len(word) > w.maxWordRunes && utf8.RuneCount(word) > w.maxWordRunes {
		return append(dst, w.unknown)
	}
	begin, root := len(dst), uint32(firstPiece)
	for len(word) > 0 {
		id, n := longest(w.tokens, root, word)
		if id < 0 {
			return append(dst[:begin], w.unknown)
		}
		dst, word, root = append(dst, id), word[n:], laterPiece
	}
	return dst
}

// A wordPieceDecoder joins words with spaces, and takes those away that English
// has not.
type wordPieceDecoder struct{}

var unspaced = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",")

// shortened are looked for after unspaced, one after the other.
var shortened = [][2]string{{" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

func (wordPieceDecoder) decode(tokens []string) string {
	var b strings.Builder
	for i, token := range tokens {
		if piece, ok := strings.CutPrefix(token, continuation); ok && i > 0 {
			token = piece
		} else if i > 0 {
			token = " " + token
		}
		token = unspaced.Replace(token) // each token of its own: so does the library
		for _, c := range shortened {
			token = strings.ReplaceAll(token, c[0], c[1])
		}
		b.WriteString(token)
	}
	return b.String()
}

package tokenizer

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A jsonScanner reads JSON of a known shape: tokenizer.json has up to a million
// strings in two lists, for which encoding/json takes seconds. Its methods
// report whether there was what they look for; what is not is read again by
// encoding/json, which knows all of JSON and says what is wrong.
type jsonScanner struct {
	data string
	at   int
}

// next reports whether the next byte that is no white space is b, and skips it.
func (s *jsonScanner) next(b byte) bool {
	if s.peek() != b {
		return false
	}
	s.at++
	return true
}

// peek returns the next byte that is no white space, or 0 at the end.
func (s *jsonScanner) peek() byte {
	for ; s.at < len(s.data); s.at++ {
		switch b := s.data[s.at]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// quoted returns the next string with its quotes, as it is written.
func (s *jsonScanner) quoted() (string, bool) {
	if s.peek() != '"' {
		return "", false
	}
	start := s.at
	for i := start + 1; i < len(s.data); i++ {
		switch s.data[i] {
		case '"':
			s.at = i + 1
			return s.data[start:s.at], true
		case '\\':
			i++
		}
	}
	return "", false
}

// text returns the next string, which may be a part of the data.
func (s *jsonScanner) text() (string, bool) {
	q, ok := s.quoted()
	if !ok {
		return "", false
	}
	inner := q[1 : len(q)-1]
	plain, ascii := true, true
	for i := range len(inner) {
		b := inner[i]
		plain = plain && b != '\\' && b >= ' '
		ascii = ascii && b < utf8.RuneSelf
	}
	if plain && (ascii || utf8.ValidString(inner)) {
		return inner, true
	}
	var text string
	return text, json.Unmarshal([]byte(q), &text) == nil
}

// integer returns the next number, which must be a whole one.
func (s *jsonScanner) integer() (int64, bool) {
	s.peek()
	start := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || '0' <= s.data[s.at] && s.data[s.at] <= '9') {
		s.at++
	}
	digits := s.data[start:s.at]
	if len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// skip skips a value without looking at it closely.
func (s *jsonScanner) skip() bool {
	depth := 0
	for {
		switch s.peek() {
		case 0:
			return false
		case '"':
			if _, ok := s.quoted(); !ok {
				return false
			}
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':':
			s.at++
		default:
			for s.at < len(s.data) && strings.IndexByte(" \t\n\r,:]}\"{[", s.data[s.at]) < 0 {
				s.at++
			}
		}
		if depth <= 0 {
			return depth == 0
		}
	}
}

// object calls member for each member of the next value, which must be an
// object, with s at the value. member must move s beyond it.
func (s *jsonScanner) object(member func(name string) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		name, ok := s.text()
		if !ok || !s.next(':') || !member(name) {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// array calls element for each element of the next value, which must be an
// array, with s at the element. element must move s beyond it.
func (s *jsonScanner) array(element func() bool) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// decodeTokenizer decodes tokenizer.json. model.vocab and model.merges, nearly
// all of the file, are cut out before encoding/json sees it.
func decodeTokenizer(data []byte) (*hfTokenizer, error) {
	s := jsonScanner{data: string(data)}
	var rest, vocab, merges []byte
	done := 0
	cut := func(part *[]byte) bool {
		s.peek()
		start := s.at
		if !s.skip() {
			return false
		}
		*part = data[start:s.at]
		rest = append(append(rest, data[done:start]...), "null"...)
		done = s.at
		return true
	}
	ok := s.object(func(name string) bool {
		if name != "model" || s.peek() != '{' {
			return s.skip()
		}
		return s.object(func(name string) bool {
			switch name {
			case "vocab":
				return cut(&vocab)
			case "merges":
				return cut(&merges)
			}
			return s.skip()
		})
	})
	if ok {
		rest = append(rest, data[done:]...)
		t := new(hfTokenizer)
		if json.Unmarshal(rest, t) == nil {
			if vocab != nil {
				t.Model.Vocab = vocab
			}
			if merges != nil {
				t.Model.Merges = merges
			}
			return t, nil
		}
	}
	t := new(hfTokenizer)
	if err := decodeJSON(data, t); err != nil {
		return nil, err
	}
	return t, nil
}

// averageEntry is about how many bytes an entry of model.vocab has.
const averageEntry = 16

// decodeVocab decodes a model.vocab that is an object of tokens and ids, as
// WordPiece and BPE have it.
func decodeVocab(data []byte) (map[string]int64, error) {
	s := jsonScanner{data: string(data)}
	ids := make(map[string]int64, len(data)/averageEntry)
	ok := s.object(func(token string) bool {
		id, ok := s.integer()
		ids[token] = id
		return ok
	})
	if ok && s.peek() == 0 {
		return ids, nil
	}
	ids = nil
	return ids, decodeJSON(data, &ids)
}

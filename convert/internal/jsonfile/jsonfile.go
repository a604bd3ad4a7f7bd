// Package jsonfile reads the JSON files of a checkpoint with errors that say
// where in the file the problem is.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// MaxSize is the largest file that Read reads. The index of the largest models
// has a few megabytes.
const MaxSize = 100_000_000

// Read returns the content of the file at path. An error for a file that does
// not exist wraps fs.ErrNotExist.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	// A pipe or device could block or never end.
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fault.Malformed(path, "", "it has more than %d bytes", MaxSize)
	}
	return data, nil
}

// CheckUTF8 says where data, the content of file, is no UTF-8.
func CheckUTF8(file string, data []byte) error {
	if i := invalidUTF8(data); i >= 0 {
		e := fault.Malformed(file, "", "invalid UTF-8")
		e.Offset = int64(i)
		return e
	}
	return nil
}

// Unmarshal parses data, the content of file, into v.
func Unmarshal(file string, data []byte, v any) error {
	if err := CheckUTF8(file, data); err != nil {
		return err
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	e := fault.Malformed(file, "", "invalid JSON: %v", err)
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		e.Offset = s.Offset
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.Offset = t.Offset
		e.Problem = fmt.Sprintf("%s is a JSON %s, want %s", orRoot(t.Field), t.Value, kindName(t))
	}
	return e
}

func orRoot(field string) string {
	if field == "" {
		return "the value"
	}
	return field
}

func kindName(t *json.UnmarshalTypeError) string {
	switch t.Type.Kind().String() {
	case "map", "struct":
		return "object"
	case "slice", "array":
		return "array"
	}
	return t.Type.Kind().String()
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		if data[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// UniqueKeys checks that no object in data, which must be valid JSON, has the
// same key twice: parsers disagree about which of the two values counts.
func UniqueKeys(file string, data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // keys of each open object; nil for an array
	isKey := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Malformed(file, "", "invalid JSON: %v", err)
		}
		var top map[string]bool
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			isKey = len(open) > 0 && open[len(open)-1] != nil
			continue
		case string:
			if isKey {
				if top[token] {
					e := fault.Malformed(file, "", "the key %q appears twice", token)
					e.Offset = dec.InputOffset()
					return e
				}
				top[token] = true
				isKey = false
				continue
			}
		}
		isKey = top != nil
	}
}

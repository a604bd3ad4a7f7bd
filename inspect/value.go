package inspect

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gguftool/gguftool/gguf"
)

// unlimited is a width that everything fits in.
const unlimited = math.MaxInt

// typeText returns the type of v as text shows it, as in "u32" or "string[30522]".
func typeText(v gguf.Value) string {
	if v.Type() != gguf.ValueArray {
		return v.Type().String()
	}
	return fmt.Sprintf("%v[%d]", v.Elem(), v.Len())
}

// valueText returns v on one line of about width columns. A long string or array
// is cut, which an ellipsis shows.
func valueText(v gguf.Value, width int) string {
	if v.Type() != gguf.ValueArray {
		return scalarText(v.Any(), width)
	}
	itemWidth := width
	if width != unlimited {
		itemWidth = min(width, 32)
	}
	items := reflect.ValueOf(v.Any())
	var b strings.Builder
	b.WriteByte('[')
	for i := range items.Len() {
		item := elementText(items.Index(i).Interface(), itemWidth)
		if i > 0 {
			item = ", " + item
		}
		if i > 0 && width != unlimited && b.Len()+len(item)+len(", ...]") > width {
			b.WriteString(", " + ellipsis)
			break
		}
		b.WriteString(item)
	}
	b.WriteByte(']')
	return b.String()
}

func elementText(x any, width int) string {
	if v, ok := x.(gguf.Value); ok {
		return typeText(v) + " " + valueText(v, width)
	}
	return scalarText(x, width)
}

func scalarText(x any, width int) string {
	switch x := x.(type) {
	case string:
		return quotePrefix(x, width)
	case float32:
		return strconv.FormatFloat(float64(x), 'g', -1, 32)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(x)
}

// quotePrefix returns s as a quoted Go string, which is safe to print. When that
// takes more than width columns it is cut, and the size of s told if it is large.
func quotePrefix(s string, width int) string {
	if width == unlimited {
		return strconv.Quote(s)
	}
	rest := `"` + ellipsis
	if len(s) >= 1000 {
		rest += " (" + human(int64(len(s)), byteUnits) + ")"
	}
	quoted := []byte{'"'}
	cut := 1
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		char := strconv.Quote(s[i : i+size])
		quoted = append(quoted, char[1:len(char)-1]...)
		if len(quoted) >= width {
			return string(quoted[:cut]) + rest
		}
		if len(quoted)+len(rest) <= width {
			cut = len(quoted)
		}
		i += size
	}
	return string(quoted) + `"`
}

// shownInJSON is the number of elements that JSON holds of an array, unless it is
// asked for all.
const shownInJSON = 8

// jsonScalar and jsonArray are the two shapes of a metadata value. Key is absent
// in an array inside an array.
type jsonScalar struct {
	Key   *string `json:"key,omitempty"`
	Type  string  `json:"type"`
	Value any     `json:"value"`
}

type jsonArray struct {
	Key         *string `json:"key,omitempty"`
	Type        string  `json:"type"`
	ElementType string  `json:"element_type"`
	Length      int     `json:"length"`
	Values      []any   `json:"values"`
}

func jsonValue(key *string, v gguf.Value, full bool) any {
	if v.Type() != gguf.ValueArray {
		return jsonScalar{key, v.Type().String(), jsonElement(v.Any(), full)}
	}
	a := jsonArray{key, v.Type().String(), v.Elem().String(), v.Len(), []any{}}
	items := reflect.ValueOf(v.Any())
	for i := range a.Length {
		if i == shownInJSON && !full {
			break
		}
		a.Values = append(a.Values, jsonElement(items.Index(i).Interface(), full))
	}
	return a
}

// jsonElement returns x as encoding/json can write it without loss: JSON has no
// NaN, no infinities and no strings that are not UTF-8.
func jsonElement(x any, full bool) any {
	switch x := x.(type) {
	case gguf.Value:
		return jsonValue(nil, x, full)
	case float32:
		return jsonFloat(x, float64(x))
	case float64:
		return jsonFloat(x, x)
	case string:
		if !utf8.ValidString(x) {
			return map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(x))}
		}
	}
	return x
}

func jsonFloat(x any, f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return x
}

package inspect

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// elide cuts the middle out of s so that at most n characters remain.
func elide(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	head := (n - len(ellipsis)) / 2
	tail := n - len(ellipsis) - head
	return string(r[:head]) + ellipsis + string(r[len(r)-tail:])
}

const ellipsis = "..."

// escapeJSON replaces the characters of valid JSON that a terminal may act on
// by their \u escapes. encoding/json does that only below U+0020.
func escapeJSON(data []byte) []byte {
	var b bytes.Buffer
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r < utf8.RuneSelf && r != 0x7f || strconv.IsPrint(r) {
			b.Write(data[i : i+size])
		} else {
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		i += size
	}
	return b.Bytes()
}

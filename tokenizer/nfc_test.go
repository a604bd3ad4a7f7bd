package tokenizer

import (
	"strings"
	"testing"
)

// Normalization form C as the library has it (tokenizers 0.23.3), whose data is
// that of Unicode 10.
func TestNFC(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"abc", "abc"},
		{"e\u0301", "\u00e9"},
		{"<\u0338=\u0338", "\u226e\u2260"},
		{"\u212b\u2126", "\u00c5\u03a9"},
		{"\u0301", "\u0301"},
		{"a\u0327\u0301", "\u00e1\u0327"},
		{"a\u0301\u0327", "\u00e1\u0327"},
		{"q\u0307\u0323", "q\u0323\u0307"},
		{"\u1e9b\u0323", "\u1e9b\u0323"},
		{"\u3099\u304b\u3099", "\u3099\u304c"},
		{"\u0b47\u0b3e\u0300", "\u0b4b\u0300"},
		{"\u09c7\u0300\u09be", "\u09c7\u0300\u09be"}, // a mark keeps the parts of a vowel apart

		{"\u1100\u1161\u11a8", "\uac01"},
		{"\uac00\u11a8", "\uac01"},
		{"\uac01\u11a8", "\uac01\u11a8"},
		{"\u1100\u1161\u11a7", "\uac00\u11a7"},

		{"\u0344", "\u0308\u0301"}, // excluded from composition
		{"\u0340a\u0341", "\u0300\u00e1"},
		{"\u0958", "\u0915\u093c"},
		{"\ufb1d", "\u05d9\u05b4"},
		{"\U0001d15e", "\U0001d157\U0001d165"},
		{"\u0f73\u0f71", "\u0f71\u0f71\u0f72"}, // no mark, but made of marks

		{"\U000105d2\u0307", "\U000105d2\u0307"}, // of Unicode 16
		{"\U00011382\U000113c9", "\U00011382\U000113c9"},
		{"a\u0897\u0327\u0301", "a\u0897\u0327\u0301"},

		// More marks than x/text leaves together.
		{"a" + strings.Repeat("\u0301\u0327", 20), "\u00e1" + strings.Repeat("\u0327", 20) + strings.Repeat("\u0301", 19)},
	} {
		if got := string(nfc{}.append(nil, c.text)); got != c.want {
			t.Errorf("%+q is %+q, want %+q", c.text, got, c.want)
		}
		around := "x " + c.text + " y"
		if got := string(nfc{}.append([]byte("z"), around)); !strings.HasPrefix(c.text, "\u0301") && got != "zx "+c.want+" y" {
			t.Errorf("%+q is %+q, want %+q", around, got, "zx "+c.want+" y")
		}
	}
}

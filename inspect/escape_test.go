package inspect

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// text draws strings of all kinds, bytes that are not UTF-8 among them.
func text(t *rapid.T) string {
	if rapid.Bool().Draw(t, "bytes") {
		return string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
	}
	return rapid.String().Draw(t, "s")
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
}

func TestQuotePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Repeat(text(t), rapid.IntRange(1, 50).Draw(t, "times"))
		width := rapid.IntRange(24, 100).Draw(t, "width")
		shown := quotePrefix(s, width)
		if !printable(shown) || len(shown) > width {
			t.Fatalf("%q is shown in %d columns as %q", s, width, shown)
		}
		if back, err := strconv.Unquote(shown); err == nil && back == s {
			return
		}
		at := strings.LastIndex(shown, `"...`)
		if at < 0 || len(strconv.Quote(s)) <= width {
			t.Fatalf("%q is shown in %d columns as %s", s, width, shown)
		}
		back, err := strconv.Unquote(shown[:at+1])
		if err != nil || !strings.HasPrefix(s, back) {
			t.Fatalf("%q is shown as %s, which means %q (%v)", s, shown, back, err)
		}
		if size := shown[at+len(`"...`):]; (size != "") != (len(s) >= 1000) {
			t.Fatalf("%d bytes are shown as %s", len(s), shown)
		}
	})
}

func TestEscapeJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		data, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		escaped := escapeJSON(data)
		if !printable(string(escaped)) {
			t.Fatalf("%q is written as %q", s, escaped)
		}
		var back map[string]string
		if err := json.Unmarshal(escaped, &back); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{s: s}; !reflect.DeepEqual(back, want) {
			t.Fatalf("%s means %q, want %q", escaped, back, want)
		}
	})
}

func TestElide(t *testing.T) {
	for _, x := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 7, ""},
		{"1234567", 7, "1234567"},
		{"12345678", 7, "12...78"},
		{"12345678", 6, "1...78"},
		{"äöüäöüäö", 7, "äö...äö"},
	} {
		if got := elide(x.s, x.n); got != x.want {
			t.Errorf("elide(%q, %d) = %q, want %q", x.s, x.n, got, x.want)
		}
	}
}

func TestHuman(t *testing.T) {
	for n, want := range map[int64]string{
		0:             "0 bytes",
		999:           "999 bytes",
		1000:          "1.00 kB",
		9994:          "9.99 kB",
		9995:          "10.0 kB",
		99_949:        "99.9 kB",
		99_950:        "100 kB",
		999_499:       "999 kB",
		999_500:       "1.00 MB",
		1_072_419_256: "1.07 GB",
		1<<63 - 1:     "9.22 EB",
	} {
		if got := human(n, byteUnits); got != want {
			t.Errorf("human(%d) = %q, want %q", n, got, want)
		}
	}
}

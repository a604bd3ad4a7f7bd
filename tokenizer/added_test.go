package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Added tokens are cut out with the white space that they take.
func TestSplit(t *testing.T) {
	set := newAddedSet()
	for i, token := range []addedToken{
		{content: "<a>"}, {content: "<l>", flags: leftStrip}, {content: "<r>", flags: rightStrip}, {content: "<b>", flags: leftStrip | rightStrip},
		{content: "w", flags: singleWord}, {content: "<a>b"}, {content: " "}, {content: ""},
	} {
		token.id = int32(i)
		if err := set.add(token.content, token); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"x", "x"},
		{"<a>", "0:<a>"},
		{"x<a>y<a>", "x 0:<a> y 0:<a>"},
		{"<a><a>b<a>c", "0:<a> 5:<a>b 0:<a> c"},
		{"x\t\n<l>\ty", "x 1:\t\n<l> \ty"},
		{"x\t<r>\t\u3000\u00a0y", "x\t 2:<r>\t\u3000\u00a0 y"},
		{"\u2003<b>\u2003<b>\u2003", "3:\u2003<b>\u2003 3:<b>\u2003"},
		{"<r>\t<l>", "2:<r>\t 1:<l>"},
		{"<a>\t<l>", "0:<a> 1:\t<l>"},
		{"w", "4:w"},
		{"w-w", "4:w - 4:w"},
		{"ww", "ww"},
		{"aw wa", "aw 6:  wa"},
		{"w\u0301\n\u0301w\n_w\nw1\n中w", "w\u0301\n\u0301w\n_w\nw1\n中w"},
		{"\xffw\xff", "\xff 4:w \xff"},
		// The space was taken, and is found again: HF's tokenizers does so too.
		{"<r>  x", "2:<r>   6:  6:  x"},
	} {
		var pieces []string
		for piece, id := range set.split(c.text) {
			if id >= 0 {
				piece = fmt.Sprintf("%d:%s", id, piece)
			}
			pieces = append(pieces, piece)
		}
		if got := strings.Join(pieces, " "); got != c.want {
			t.Errorf("%q is cut into %q, want %q", c.text, got, c.want)
		}
		for stop := range pieces {
			n := 0
			for range set.split(c.text) {
				if n == stop {
					break
				}
				n++
			}
		}
	}
	var none *addedSet
	if got := slices.Collect(func(yield func(string) bool) { none.split("x")(func(s string, _ int32) bool { return yield(s) }) }); !slices.Equal(got, []string{"x"}) {
		t.Errorf("no added tokens: %q", got)
	}
}

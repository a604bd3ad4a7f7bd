package tokenizer

import (
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func TestLiteral(t *testing.T) {
	md := tiny()
	md.Set(keyTokenType, gguf.ArrayOf([]int32{3, 3, 3, 3, 4, 1, 1, 1}))
	tok, err := FromGGUF(md)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := tok.Literal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text            string
		special         bool
		parsed, spelled []int32
	}{
		{"fox[SEP]the", false, []int32{7, 3, 5}, []int32{7, 1, 1, 1, 5}},
		{"the[MASK]fox", true, []int32{2, 5, 4, 7, 3}, []int32{2, 5, 4, 7, 3}}, // added, but not special
		{"the fox", true, []int32{2, 5, 7, 3}, []int32{2, 5, 7, 3}},
	} {
		if got := tok.Encode(c.text, c.special); !slices.Equal(got, c.parsed) {
			t.Errorf("%q is %v, want %v", c.text, got, c.parsed)
		}
		if got := literal.Encode(c.text, c.special); !slices.Equal(got, c.spelled) {
			t.Errorf("%q is %v literally, want %v", c.text, got, c.spelled)
		}
	}
}

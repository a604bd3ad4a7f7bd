package fault

import (
	"errors"
	"testing"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&FormatError{File: "m.gguf", Part: `key "k"`, Offset: 7, Problem: "is empty", Hint: "write it again"}, `m.gguf: key "k": is empty (at byte 7); write it again`},
		{&FormatError{Part: "header", Offset: NoOffset, Problem: "is empty"}, "header: is empty"},
		{&FormatError{Problem: "is empty"}, "is empty (at byte 0)"},
		{Malformed("f", "", "%d is odd", 3), "f: 3 is odd"},
		{Unsupported("f", "p", "use another", "%s is new", "x"), "f: p: x is new; use another"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestInFile(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.Join(Malformed("", "p", "x")), "f: p: x"},
		{Unsupported("", "", "", "x"), "f: x"},
		{Malformed("own", "", "x"), "own: x"},
		{errors.New("x"), "x"},
	} {
		if got := InFile(c.err, "f"); got.Error() != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
	if InFile(nil, "f") != nil {
		t.Error("no error became one")
	}
}

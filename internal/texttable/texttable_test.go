package texttable

import (
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

func TestSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := text(t)
		shown := Safe(s)
		if !printable(shown) {
			t.Fatalf("%q is shown as %q", s, shown)
		}
		if shown == s {
			return
		}
		if back, err := strconv.Unquote(shown); err != nil || back != s {
			t.Fatalf("%q is shown as %s, which means %q (%v)", s, shown, back, err)
		}
	})
}

// TestTableKeepsCells checks that the table neither cuts nor wraps what it is given.
func TestTableKeepsCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) string { return Safe(text(t)) })
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 3, 3), 1, 5).Draw(t, "rows")
		x := New("left", "right>", "last")
		for _, r := range rows {
			x.Row(r...)
		}
		var b strings.Builder
		if err := x.Write(&b, "title"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if len(lines) != 4+len(rows) {
			t.Fatalf("%d rows make %d lines:\n%s", len(rows), len(lines), b.String())
		}
		for i, r := range rows {
			rest := lines[3+i]
			for _, c := range r {
				_, after, ok := strings.Cut(rest, c)
				if !ok {
					t.Fatalf("cell %q is missing from %q", c, lines[3+i])
				}
				rest = after
			}
		}
	})
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 99_950: "99,950", 1<<63 - 1: "9,223,372,036,854,775,807",
		-1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456",
	} {
		if got := Grouped(n); got != want {
			t.Errorf("Grouped(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestShape(t *testing.T) {
	if got := Shape([]int64{384, 30522}); got != "384 x 30522" {
		t.Errorf("Shape = %q", got)
	}
}

func TestNote(t *testing.T) {
	table := New("name", "size>")
	table.Row("a", "1")
	table.Note("a note that is longer than the row")
	table.Row("bb", "22")
	var b strings.Builder
	if err := table.Write(&b, "Title"); err != nil {
		t.Fatal(err)
	}
	want := "\nTitle\n  name  size\n  a        1\n      a note that is longer than the row\n  bb      22\n"
	if b.String() != want {
		t.Errorf("table is\n%s\nwant\n%s", b.String(), want)
	}
}

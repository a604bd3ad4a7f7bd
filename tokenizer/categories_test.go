package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
)

// Every rune has the category that it has in the library's regular expressions.
func TestCategories(t *testing.T) {
	want, err := os.ReadFile("testdata/categories.golden")
	if err != nil {
		t.Fatal(err)
	}
	const block = 4096
	lines := strings.Split(strings.TrimSpace(string(want)), "\n")
	if len(lines) != (unicode.MaxRune+1)/block {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var data [block]byte
		for j := range data {
			data[j] = byte(categories().of(rune(i*block + j)))
		}
		sum := sha256.Sum256(data[:])
		if got := fmt.Sprintf("%06X %x", i*block, sum[:8]); got != line {
			t.Errorf("categories of 4096 runes: %s, want %s", got, line)
		}
	}
	for b, c := range asciiCategories {
		if c != categories().of(rune(b)) {
			t.Errorf("category of %#x is %b, in the table %b", b, c, categories().of(rune(b)))
		}
	}
}

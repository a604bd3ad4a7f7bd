package tokenizer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"unicode/utf8"
)

// goldenOptions are the settings that testdata/codepoints.golden was made with.
var goldenOptions = []bertOptions{
	{cleanText: true, cjkWords: true, stripAccents: true, lowercase: true},
	{cleanText: true, cjkWords: true},
	{lowercase: true},
	{cjkWords: true, stripAccents: true},
}

// words normalizes text and cuts it into words.
func words(n *bertNormalizer, text string) []string {
	norm := n.append(nil, text)
	var out []string
	for start, end := nextWord(norm, 0); start < len(norm); start, end = nextWord(norm, end) {
		out = append(out, string(norm[start:end]))
	}
	return out
}

// Every code point of Unicode between two letters gives the words that
// Hugging Face's BertNormalizer and BertPreTokenizer give.
func TestEveryCodePoint(t *testing.T) {
	f, err := os.Open("testdata/codepoints.golden")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var norms []*bertNormalizer
	for _, o := range goldenOptions {
		norms = append(norms, newBertNormalizer(o))
	}
	sc := bufio.NewScanner(f)
	sc.Scan()
	var all []byte
	for r := range rune(utf8.MaxRune + 1) {
		if utf8.ValidRune(r) && isWord(r) {
			all = utf8.AppendRune(all, r)
		}
	}
	sum := sha256.Sum256(all)
	if got, want := "words  "+hex.EncodeToString(sum[:8]), sc.Text(); got != want {
		t.Errorf("word characters: %q, want %q", got, want)
	}
	blocks := 0
	for ; sc.Scan(); blocks++ {
		var first rune
		var want string
		if _, err := fmt.Sscanf(sc.Text(), "%X %s", &first, &want); err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for r := first; r < first+0x1000; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			for _, n := range norms {
				for i, w := range words(n, "a"+string(r)+"b") {
					if i > 0 {
						h.Write([]byte{0})
					}
					h.Write([]byte(w))
				}
				h.Write([]byte{'\n'})
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
			t.Errorf("code points from U+%04X: hash %s, want %s", first, got, want)
		}
	}
	if blocks != 0x110 {
		t.Errorf("%d blocks of code points, want %d", blocks, 0x110)
	}
}

// Marks are sorted as NFD sorts them, and only as far as it does.
func TestMarkSequences(t *testing.T) {
	f, err := os.Open("testdata/sequences.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var g struct {
			Text       string
			Normalized []string
		}
		if err := json.Unmarshal(sc.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		for i, o := range goldenOptions {
			if got := string(newBertNormalizer(o).append(nil, g.Text)); got != g.Normalized[i] {
				t.Errorf("%+q with %+v is %+q, want %+q", g.Text, o, got, g.Normalized[i])
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d sequences", n)
	}
}

package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestToken(t *testing.T) {
	tok, err := FromGGUF(tiny())
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for id := range int32(tok.Size()) {
		tokens = append(tokens, tok.Token(id))
	}
	if want := strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] the ##s fox"); !slices.Equal(tokens, want) {
		t.Errorf("tokens %q, want %q", tokens, want)
	}
	for _, id := range []int32{-1, 8, 1 << 30} {
		if got := tok.Token(id); got != "" {
			t.Errorf("token %d is %q, want none", id, got)
		}
	}
	prefix, suffix := tok.Template()
	if !slices.Equal(prefix, []int32{2}) || !slices.Equal(suffix, []int32{3}) {
		t.Errorf("template %v %v, want [2] [3]", prefix, suffix)
	}
}

// Every form that tokens have in files.
func TestTokenForms(t *testing.T) {
	for _, c := range []struct {
		token, stored string
		t             tokenType
		told          bool // needs continuation_tokens
	}{
		{"the", "▁the", normalToken, false},
		{"##s", "s", normalToken, false},
		{"[CLS]", "[CLS]", controlToken, false},
		{"▁x", "▁x", controlToken, false},
		{"##x", "##x", controlToken, false},
		{"new", "▁new", userToken, false},
		{"[unused1]", "▁[unused1]", normalToken, false},
		{"[PAD9]", "▁[PAD9]", unusedToken, false},
		{"▁", "▁▁", normalToken, false},
		{"", "▁", normalToken, false},
		{"##", "", normalToken, false},
		{"##▁x", "▁x", normalToken, true},
		{"##▁", "▁", normalToken, true},
		{"##[x]", "[x]", normalToken, true},
	} {
		if got := phantomForm(c.token, c.t); got != c.stored {
			t.Errorf("%q is stored as %q, want %q", c.token, got, c.stored)
		}
		if got := tokenForm(c.stored, c.t, false); (got != c.token) != c.told {
			t.Errorf("%q is read as %q", c.stored, got)
		}
		if got := tokenForm(c.stored, c.t, c.told); got != c.token {
			t.Errorf("%q is read as %q, want %q", c.stored, got, c.token)
		}
	}
	if got := tokenForm("[unused1]", normalToken, false); got != "[unused1]" {
		t.Errorf("Ollama's [unused1] is read as %q", got)
	}
}

func TestEncodeNothing(t *testing.T) {
	tok, err := FromGGUF(tiny())
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode("", false); got == nil || len(got) != 0 {
		t.Errorf("no text is %#v, want an empty slice", got)
	}
	if got := tok.AppendEncode([]int32{9}, "the", true); !slices.Equal(got, []int32{9, 2, 5, 3}) {
		t.Errorf("appended: %v", got)
	}
}

// A byte outside valid UTF-8 is as good as U+FFFD.
func TestEncodeInvalidUTF8(t *testing.T) {
	for _, name := range goldenTokenizers {
		tok := loadGolden(t, name)
		for _, s := range []string{
			"\xff", "a\xffb", "\xc3", "caf\xc3", "\xe4\xb8", "a\xe4\xb8b", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "[MASK\xff]", "\xff[MASK]\xfe",
			"foobar\xff", "\u302e\xff\u1b44", strings.Repeat("\xff", 150),
		} {
			var valid strings.Builder
			for _, r := range s {
				valid.WriteRune(r)
			}
			if got, want := tok.Encode(s, true), tok.Encode(valid.String(), true); !slices.Equal(got, want) {
				t.Errorf("%s: %q is %v, want %v", name, s, got, want)
			}
		}
	}
}

// Time grows with the length of the text, whatever it holds: quadratic time
// would take hours here.
func TestEncodeLong(t *testing.T) {
	const size = 1 << 20
	minilm, unusual := loadGolden(t, "minilm"), loadGolden(t, "unusual")
	for _, s := range []string{"a", "é", "[", "[MASK", "[MASK]", "\u302e\u1b44", "\u0301", "\xff", " ", "foobar", "foobar ", "e", "<X> ", "aab", "中"} {
		text := strings.Repeat(s, size/len(s))
		for _, tok := range []*Tokenizer{minilm, unusual} {
			for _, id := range tok.Encode(text, true) {
				if id < 0 || int(id) >= tok.Size() {
					t.Fatalf("%q...: id %d of %d", s, id, tok.Size())
				}
			}
		}
	}
}

func TestEncodeConcurrently(t *testing.T) {
	tok := loadGolden(t, "cased")
	texts := readTexts(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, g := range texts {
				if got := tok.Encode(g.text, true); !slices.Equal(got, g.ids["cased"]) {
					t.Errorf("%q is %v, want %v", g.text, got, g.ids["cased"])
				}
			}
		})
	}
	wg.Wait()
}

func FuzzEncode(f *testing.F) {
	for _, g := range readTexts(f) {
		f.Add(g.text)
	}
	f.Add("a\xffb\xe4\xb8")
	minilm, unusual := loadGolden(f, "minilm"), loadGolden(f, "unusual")
	f.Fuzz(func(t *testing.T, text string) {
		for _, id := range unusual.Encode(text, true) {
			if id < 0 || int(id) >= unusual.Size() {
				t.Fatalf("%q: id %d of %d", text, id, unusual.Size())
			}
		}

		ids := minilm.Encode(text, false)
		joined := new(strings.Builder)
		for _, id := range ids {
			joined.WriteString(strings.TrimPrefix(minilm.Token(id), continuation))
		}
		// Tokens spell the normalized text, unless a word is unknown or a
		// special token was written out.
		if !strings.Contains(joined.String(), "[UNK]") && !strings.Contains(text, "[") {
			want := strings.ReplaceAll(string(minilm.normalizer.append(nil, text)), " ", "")
			if joined.String() != want {
				t.Errorf("%q: tokens spell %q, want %q", text, joined, want)
			}
		}
		prefix, suffix := minilm.Template()
		if got := minilm.Encode(text, true); !slices.Equal(got, slices.Concat(prefix, ids, suffix)) {
			t.Errorf("%q with special tokens is %v, without %v", text, got, ids)
		}
		// A space separates.
		cut := len(text) / 2
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		parts := slices.Concat(minilm.Encode(text[:cut], false), minilm.Encode(text[cut:], false))
		if got := minilm.Encode(text[:cut]+" "+text[cut:], false); !slices.Equal(got, parts) {
			t.Errorf("%q and %q are %v, with a space between %v", text[:cut], text[cut:], parts, got)
		}
	})
}

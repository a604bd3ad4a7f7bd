package tokenizer

import (
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// benchTexts are 64 kB of each script in testdata/texts.jsonl that the name says.
func benchTexts(b *testing.B) map[string]string {
	english, other := new(strings.Builder), new(strings.Builder)
	for _, g := range readTexts(b) {
		if len(g.text) < 20 || len(g.text) > 500 {
			continue
		}
		to := english
		for _, r := range g.text {
			if r > 0x7F {
				to = other
			}
		}
		to.WriteString(g.text + " ")
	}
	fill := func(s string) string { return strings.Repeat(s, 1<<16/len(s)+1)[:1<<16] }
	return map[string]string{
		"english":  fill(english.String()),
		"other":    strings.ToValidUTF8(fill(other.String()), ""),
		"onelong":  strings.Repeat("a", 1<<16),
		"brackets": strings.Repeat("[", 1<<16),
		"marks":    strings.Repeat("\u302e\u1b44", 1<<16/6),
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := loadGolden(b, "minilm")
	for name, text := range benchTexts(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var ids []int32
			for b.Loop() {
				ids = tok.AppendEncode(ids[:0], text, true)
			}
		})
	}
}

func BenchmarkEncodeShort(b *testing.B) {
	tok := loadGolden(b, "minilm")
	b.ReportAllocs()
	var ids []int32
	for b.Loop() {
		ids = tok.AppendEncode(ids[:0], "a quick brown fox", true)
	}
}

func BenchmarkFromGGUF(b *testing.B) {
	var md gguf.Metadata
	readGolden(b, "minilm").SetMetadata(&md)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromGGUF(&md); err != nil {
			b.Fatal(err)
		}
	}
}

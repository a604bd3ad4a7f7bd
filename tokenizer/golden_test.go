package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// goldenTokenizers are the tokenizers of testdata/texts.jsonl.
var goldenTokenizers = []string{"minilm", "cased", "unusual", "chinese"}

// readGolden reads the checkpoint of one of them.
func readGolden(t testing.TB, name string) *Vocab {
	t.Helper()
	dir := t.TempDir()
	if name == "minilm" {
		f, err := os.Open("testdata/minilm-vocab.txt.gz")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		gz, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(gz)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, fileVocab, data)
	} else {
		data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, fileTokenizer, data)
	}
	v, err := ReadHF(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// throughKeys takes a tokenizer through the keys of a GGUF file.
func throughKeys(t testing.TB, v *Vocab) *Tokenizer {
	t.Helper()
	var md gguf.Metadata
	v.SetMetadata(&md)
	tok, err := FromGGUF(&md)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// loadGolden takes it through the keys of a GGUF file.
func loadGolden(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok := throughKeys(t, readGolden(t, name))
	return tok
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// goldenText is a line of testdata/texts.jsonl.
type goldenText struct {
	text string
	ids  map[string][]int32
}

func readTexts(t testing.TB) []goldenText {
	t.Helper()
	f, err := os.Open("testdata/texts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []goldenText
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(sc.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		g := goldenText{ids: make(map[string][]int32)}
		if err := json.Unmarshal(fields["text"], &g.text); err != nil {
			t.Fatal(err)
		}
		for _, name := range goldenTokenizers {
			var ids []int32
			if err := json.Unmarshal(fields[name], &ids); err != nil {
				t.Fatal(err)
			}
			g.ids[name] = ids
		}
		texts = append(texts, g)
	}
	return texts
}

// Texts have the ids that Hugging Face's tokenizers gives them.
func TestEncodeGolden(t *testing.T) {
	texts := readTexts(t)
	if len(texts) < 500 {
		t.Fatalf("only %d texts", len(texts))
	}
	for _, name := range goldenTokenizers {
		t.Run(name, func(t *testing.T) {
			tok := loadGolden(t, name)
			for _, g := range texts {
				want := g.ids[name]
				if got := tok.Encode(g.text, true); !slices.Equal(got, want) {
					t.Errorf("%q:\n got %v\nwant %v", g.text, got, want)
				}
				bare := want[1 : len(want)-1] // all four templates have one token at each end
				if got := tok.Encode(g.text, false); !slices.Equal(got, bare) {
					t.Errorf("%q without special tokens:\n got %v\nwant %v", g.text, got, bare)
				}
			}
		})
	}
}

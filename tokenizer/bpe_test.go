package tokenizer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A bpeVariant is an entry of testdata/bpe-variants.json.
type bpeVariant struct {
	name    string
	Pre     string         `json:"pre"`
	Changes map[string]any `json:"changes"`
	Model   map[string]any `json:"model"`
}

// readBPEVariants returns the variants in order, which is that of the sums.
func readBPEVariants(t testing.TB) []bpeVariant {
	t.Helper()
	data, err := os.ReadFile("testdata/bpe-variants.json")
	if err != nil {
		t.Fatal(err)
	}
	var variants []bpeVariant
	for line := range strings.Lines(string(data)) {
		name, rest, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ","), ":{")
		if !ok {
			continue
		}
		v := bpeVariant{name: strings.Trim(name, `"`)}
		if err := json.Unmarshal([]byte("{"+rest), &v); err != nil {
			t.Fatal(err)
		}
		variants = append(variants, v)
	}
	return variants
}

// tokenizerJSON returns the tokenizer.json of a variant.
func (v *bpeVariant) tokenizerJSON(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/bpe.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, v.Changes)
	model := all["model"].(map[string]any)
	maps.Copy(model, v.Model)
	if letters, ok := v.Model["lacking"].(string); ok {
		lacks := func(s any) bool { return strings.ContainsAny(s.(string), letters) }
		ids := make(map[int]string)
		for token, id := range model["vocab"].(map[string]any) {
			if !lacks(token) {
				ids[int(id.(float64))] = token
			}
		}
		vocab := make(map[string]any)
		for i, id := range slices.Sorted(maps.Keys(ids)) {
			vocab[ids[id]] = i
		}
		model["vocab"] = vocab
		model["merges"] = slices.DeleteFunc(model["merges"].([]any), func(m any) bool { return slices.ContainsFunc(m.([]any), lacks) })
		next := len(vocab)
		for _, a := range all["added_tokens"].([]any) {
			added := a.(map[string]any)
			id, ok := vocab[added["content"].(string)]
			if !ok {
				id = next
				next++
			}
			added["id"] = id
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return data
}

// load takes a variant through the keys of a GGUF file.
func (v *bpeVariant) load(t testing.TB) (*Vocab, *Tokenizer) {
	t.Helper()
	vocab, err := readHF("", fstest.MapFS{fileTokenizer: {Data: v.tokenizerJSON(t)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tok := throughKeys(t, vocab)
	return vocab, tok
}

// loadBPE loads the variant called name.
func loadBPE(t testing.TB, name string) *Tokenizer {
	t.Helper()
	for _, v := range readBPEVariants(t) {
		if v.name == name {
			_, tok := v.load(t)
			return tok
		}
	}
	t.Fatalf("no variant %q", name)
	return nil
}

// A bpeText is a line of testdata/bpe-texts.jsonl.
type bpeText struct {
	Text string `json:"text"`
	Sums string `json:"crc32"`
}

func readBPETexts(t testing.TB) []bpeText {
	t.Helper()
	f, err := os.Open("testdata/bpe-texts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []bpeText
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var g bpeText
		if err := json.Unmarshal(sc.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, g)
	}
	return texts
}

func sumOfIDs(ids []int32) string {
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ",")
	return fmt.Sprintf("%04x", crc32.ChecksumIEEE([]byte(text))&0xFFFF)
}

// Texts have the ids that Hugging Face's tokenizers gives them, whatever the
// structure of the tokenizer.
func TestBPEGolden(t *testing.T) {
	texts := readBPETexts(t)
	if len(texts) < 500 {
		t.Fatalf("only %d texts", len(texts))
	}
	for i, variant := range readBPEVariants(t) {
		t.Run(variant.name, func(t *testing.T) {
			vocab, tok := variant.load(t)
			if vocab.pre != variant.Pre {
				t.Errorf("the pre-tokenizer is called %s, want %s", vocab.pre, variant.Pre)
			}
			if unknown := vocab.pre == unknownPre; unknown != (len(vocab.Warnings) > 0) {
				t.Errorf("the pre-tokenizer is called %s, warnings are %q", vocab.pre, vocab.Warnings)
			}
			wrong := 0
			for _, g := range texts {
				ids := tok.Encode(g.Text, true)
				if want := strings.Fields(g.Sums)[i]; sumOfIDs(ids) != want && wrong < 5 {
					wrong++
					t.Errorf("%q is %v, which sum up to %s, want %s", g.Text, ids, sumOfIDs(ids), want)
				}
			}
		})
	}
}

// Without a normalizer text comes back, whatever it is.
func TestBPEDecode(t *testing.T) {
	for _, name := range []string{"gpt-2", "llama3", "gpt-4o", "deepseek-v3", "falcon", "superbpe"} {
		tok := loadBPE(t, name)
		for _, g := range readBPETexts(t) {
			if strings.Contains(g.Text, "<X>") || strings.Contains(g.Text, "wörd") {
				continue // the one takes the white space around it, the letters of the other are taken for bytes
			}
			if got := tok.Decode(tok.Encode(g.Text, false), false); got != g.Text {
				t.Errorf("%s: %q comes back as %q", name, g.Text, got)
			}
		}
	}
	tok := loadBPE(t, "llama3")
	id := func(token string) int32 {
		for i, s := range tok.tokens {
			if s == token {
				return int32(i)
			}
		}
		t.Fatalf("no token %q", token)
		return 0
	}
	ids := []int32{id("<|start|>"), id("ð"), id("Ł"), id("ĺ"), id("a"), -1, 1 << 20, id("ð"), id("<|tool|>"), id("â"), id("wörd")}
	if got, want := tok.Decode(ids, false), "<|start|>\ufffda\ufffd<|tool|>\ufffdw\ufffdrd"; got != want {
		t.Errorf("decoded %q, want %q", got, want)
	}
}

// Long words are merged in O(n log n), as short ones are.
func TestBPELongWords(t *testing.T) {
	tok := loadBPE(t, "gpt-2")
	m := tok.model.(*byteBPE)
	var s byteState
	for _, text := range []string{"a", "the", "ab", "aab", "internationalization", "日本語", "éa", "antidisestablishment"} {
		for _, n := range []int{maxShortWord - 1, maxShortWord, maxShortWord + 1, 200, 1000} {
			word := strings.Repeat(text, n/len(text)+1)[:n]
			var symbols []int32
			for i := range n {
				symbols = append(symbols, m.bytes[word[i]])
			}
			want := s.appendShort(nil, slices.Clone(symbols), m.merges)
			if got := s.long.append(nil, symbols, m.merges); !slices.Equal(got, want) {
				t.Errorf("%d bytes of %q: %v by the heap, %v by looking at all", n, text, got, want)
			}
		}
	}
	long := strings.Repeat("antidisestablishmentarianism", 1<<15)
	if got := tok.Decode(tok.Encode(long, false), false); got != long {
		t.Error("a word of a megabyte does not come back")
	}
}

// Bytes that are not UTF-8 count as U+FFFD.
func TestBPEInvalidUTF8(t *testing.T) {
	for _, name := range []string{"gpt-2", "qwen2", "falcon", "exaone-moe"} {
		tok := loadBPE(t, name)
		for _, s := range []string{"\xff", "a\xffb", "caf\xc3", "\xe4\xb8", "\xed\xa0\x80", "\xf4\x90\x80\x80", "e\xff\u0301", "<|tool\xff|>"} {
			valid := string(appendValid(nil, []byte(s)))
			if got, want := tok.Encode(s, false), tok.Encode(valid, false); !slices.Equal(got, want) {
				t.Errorf("%s: %q is %v, want %v", name, s, got, want)
			}
		}
	}
}

// Time grows with the length of the text, whatever it holds.
func TestBPELong(t *testing.T) {
	const size = 1 << 16
	for _, v := range readBPEVariants(t) {
		if !slices.Contains([]string{"gpt-2", "command-r", "qwen35", "gpt-4o", "deepseek-v3", "deepseek-coder", "falcon"}, v.name) {
			continue // the same, or of a regular expression engine
		}
		_, tok := v.load(t)
		for _, s := range []string{"a", "é", " ", "\n", "A", "aA", "Aa", "ªA", "\u0301", "e\u0323\u0301", "\u302e\u1b44", "1", "'", "'s", "!", "\x00", "中", "<|tool", "   ", "\xff"} {
			text := strings.Repeat(s, size/len(s))
			for _, id := range tok.Encode(text, true) {
				if id < 0 || int(id) >= tok.Size() {
					t.Fatalf("%s: %q...: id %d of %d", v.name, s, id, tok.Size())
				}
			}
		}
	}
}

// A checkpoint may have the tokenizer in files of its own.
func TestVocabJSON(t *testing.T) {
	v := readBPEVariants(t)[0]
	var file struct {
		Model struct {
			Vocab  map[string]int32 `json:"vocab"`
			Merges [][2]string      `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(v.tokenizerJSON(t), &file); err != nil {
		t.Fatal(err)
	}
	merges := "#version: 0.2\n"
	for _, m := range file.Model.Merges {
		merges += m[0] + " " + m[1] + "\n"
	}
	vocab, err := json.Marshal(file.Model.Vocab)
	if err != nil {
		t.Fatal(err)
	}
	read := func(config string) *Tokenizer {
		dir := t.TempDir()
		write(t, dir, fileVocabJSON, vocab)
		write(t, dir, fileMerges, []byte(merges))
		write(t, dir, fileConfig, []byte(config))
		v, err := ReadHF(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tok := throughKeys(t, v)
		return tok
	}
	gpt2, qwen2 := loadBPE(t, "gpt-2"), loadBPE(t, "qwen2")
	const plain = "The year 1984's studies, 12 \n\n of them"
	for _, c := range []struct {
		config, text string
		want         []int32
	}{
		{`{}`, plain, gpt2.Encode(plain, false)},
		{`{"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|start|>", "add_bos_token": true}`, "the", gpt2.Encode("<|start|>the", false)},
		{`{"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": true}`, "the", gpt2.Encode(" the", false)},
		{`{"tokenizer_class": "Qwen2Tokenizer"}`, "Ünder 12 \n\n x!\n", qwen2.Encode("Ünder 12 \n\n x!\n", false)},
	} {
		if got := read(c.config).Encode(c.text, true); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q is %v, want %v", c.config, c.text, got, c.want)
		}
	}
}

func TestWordPatternSpellings(t *testing.T) {
	words := func(p wordPattern, ok bool) any {
		if !ok {
			return "none"
		}
		return p
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{namedPatterns["llama3"], strings.Replace(namedPatterns["llama3"], contractionsFolded, contractionsFolded2, 1), true},
		{namedPatterns["llama3"], strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(namedPatterns["llama3"]), true},
		{namedPatterns["llama3"], strings.Replace(namedPatterns["llama3"], contractionsFolded, contractionsASCII, 1), false},
		{namedPatterns["llama3"], namedPatterns["qwen2"], false},
		{namedPatterns["gpt4o"], namedPatterns["tekken"], false},
	} {
		a, b := words(parseWordPattern(c.a)), words(parseWordPattern(c.b))
		if (a == b) != c.same || a == "none" || b == "none" {
			t.Errorf("%s and %s are\n%+v and\n%+v", c.a, c.b, a, b)
		}
	}
	for _, regex := range []string{
		"", `\p{L}+`, namedPatterns["llama3"] + `|x`, strings.TrimSuffix(namedPatterns["llama3"], `|\s+`), namedPatterns["exaone-moe"], namedPatterns["jais2"],
		strings.Replace(namedPatterns["llama3"], `|\p{N}{1,3}`, ``, 1), strings.Replace(namedPatterns["gpt2"], ` ?\p{N}+`, `\p{N}`, 1),
		strings.Replace(namedPatterns["llama3"], `|\s*[\r\n]+`, ``, 1), strings.Replace(namedPatterns["gpt4o"], contractionsFolded, contractionsASCII, 1),
	} {
		if p, ok := parseWordPattern(regex); ok {
			t.Errorf("%s is taken for %+v", regex, p)
		}
	}
}

// Every name has a structure that a tokenizer can be made of, and is written for
// it, or another name is that means the same to llama.cpp.
func TestBPEPreNames(t *testing.T) {
	seen := make(map[string]bool)
	for i := range bpePres {
		p := &bpePres[i]
		for _, stage := range strings.Fields(p.stages) {
			if _, ok := namedPatterns[stage]; !ok && !slices.Contains([]string{"Digits", "Numbers", "Punctuation", "ByteLevel"}, stage) {
				t.Errorf("%s: no pattern is called %s", p.names, stage)
			}
		}
		pre, err := newPreTokenizer(p.parts())
		if err != nil {
			t.Errorf("%s: %v", p.names, err)
			continue
		}
		for _, name := range strings.Fields(p.names) {
			key := fmt.Sprintf("%s %t", name, p.ignoreMerges)
			if seen[key] {
				t.Errorf("%s is there twice", name)
			}
			seen[key] = true
		}
		s := &bpeScheme{normalizer: p.normalizer(), pre: pre, ignoreMerges: p.ignoreMerges}
		v := &Vocab{vocabulary: &vocabulary{ids: map[string]int32{p.token: 0}}}
		name := s.recognize(v)
		found, ok := findBPEPre(name)
		if !ok || !found.is(s) && found.ignoreMerges == p.ignoreMerges {
			t.Errorf("%s is written as %s", p.names, name)
		}
	}
}

func TestTranslated(t *testing.T) {
	for regex, want := range map[string]string{
		`a?+b`:                   `(?>a?)b`,
		`[^\r\n\p{L}]?+\p{L}++`:  `(?>[^\r\n\p{L}]?)(?>\p{L}+)`,
		`(ab|c)*+d`:              `(?>(ab|c)*)d`,
		`x{1,2}+`:                `(?:x{1,2})+`,
		`a+?b+`:                  `a+?b+`,
		`[a+]+\]+`:               `[a+]+\]+`,
		`(?=(\d{3})+(?!\d))`:     `(?=(\d{3})+(?!\d))`,
		`é?+`:                    `(?>é?)`,
		`\`:                      `\`,
		`(?i:'s|t)|\p{L`:         `(?i:'s|t)|\p{L`,
		`((a)b)++(c)*+.++`:       `(?>((a)b)+)(?>(c)*)(?>.+)`,
		"[^\n]+|(?:\\s[^\\]])?+": "[^\n]+|(?>(?:\\s[^\\]])?)",
		` ?[^(\s|[.,!?]x)]+`:     ` ?[^(\s|.,!?x)]+`,
		`[[`:                     "a set does not end",
		`a[`:                     "a set does not end",
		`[]a]`:                   "an empty set is not supported",
		`[a[^b]]`:                `sets with "[^" are not supported`,
		`[a-z&&[^b]]`:            `sets with "&&" are not supported`,
		`[[:alpha:]]`:            `sets with "[:" are not supported`,
		`[a-z-[b]]`:              `sets with "-[" are not supported`,
	} {
		got, err := translated(regex)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s is written %s, want %s", regex, got, want)
		}
	}
}

func FuzzBPE(f *testing.F) {
	for _, g := range readBPETexts(f) {
		f.Add(g.Text)
	}
	f.Add("a\xffb\xe4\xb8")
	var toks []*Tokenizer
	for _, name := range []string{"gpt-2", "llama3", "qwen2", "qwen35", "gpt-4o", "tekken", "deepseek-v3", "deepseek-coder", "falcon"} {
		toks = append(toks, loadBPE(f, name))
	}
	f.Fuzz(func(t *testing.T, text string) {
		valid := string(appendValid(nil, []byte(text)))
		for _, tok := range toks {
			ids := tok.Encode(text, false)
			for _, id := range ids {
				if id < 0 || int(id) >= tok.Size() {
					t.Fatalf("%q: id %d of %d", text, id, tok.Size())
				}
			}
			want, got := valid, tok.Decode(ids, false)
			if tok.normalizer != nil { // which an added token passes by
				want, got = string(tok.normalizer.append(nil, want)), string(tok.normalizer.append(nil, got))
			}
			if got != want && !strings.Contains(text, "<X>") && !strings.Contains(text, "wörd") {
				t.Errorf("%q comes back as %q", want, got)
			}
		}
	})
}

func BenchmarkBPE(b *testing.B) {
	for _, name := range []string{"gpt-2", "llama3", "qwen2", "gpt-4o"} {
		tok := loadBPE(b, name)
		for script, text := range benchTexts(b) {
			b.Run(name+"/"+script, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				var ids []int32
				for b.Loop() {
					ids = tok.AppendEncode(ids[:0], text, true)
				}
			})
		}
	}
}

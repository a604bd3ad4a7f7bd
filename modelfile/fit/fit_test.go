package fit_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/modelfile/fit"
)

// metadata returns that of a small decoder with a vocabulary of five tokens.
func metadata(template string) *gguf.Metadata {
	md := new(gguf.Metadata)
	for _, kv := range []struct {
		key   string
		value gguf.Value
	}{
		{"general.architecture", gguf.ValueOf("llama")},
		{"general.name", gguf.ValueOf("Test")},
		{"general.file_type", gguf.ValueOf(uint32(15))},
		{"llama.context_length", gguf.ValueOf(uint32(131072))},
		{"llama.block_count", gguf.ValueOf(uint32(32))},
		{"llama.embedding_length", gguf.ValueOf(uint32(4096))},
		{"llama.attention.head_count", gguf.ValueOf(uint32(32))},
		{"llama.attention.head_count_kv", gguf.ValueOf(uint32(8))},
		{"tokenizer.ggml.model", gguf.ValueOf("none")},
		{"tokenizer.ggml.tokens", gguf.ArrayOf([]string{"<|im_start|>", "<|im_end|>", "<|eos|>", "a", "<s>"})},
		{"tokenizer.ggml.token_type", gguf.ArrayOf([]int32{3, 3, 3, 1, 3})},
		{"tokenizer.ggml.bos_token_id", gguf.ValueOf(uint32(4))},
		{"tokenizer.ggml.eos_token_id", gguf.ValueOf(uint32(2))},
		{"tokenizer.ggml.add_bos_token", gguf.ValueOf(true)},
	} {
		md.Set(kv.key, kv.value)
	}
	if template != "" {
		md.Set("tokenizer.chat_template", gguf.ValueOf(template))
	}
	return md
}

// made returns the text for a model, which is a valid Modelfile.
func made(t *testing.T, md *gguf.Metadata, o fit.Options) (string, *fit.Fitted) {
	t.Helper()
	o.From = "./model.gguf"
	f, err := fit.Model(&gguf.File{Metadata: md}, &o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := modelfile.Format(f.File)
	if err != nil {
		t.Fatal(err)
	}
	back, err := modelfile.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if p := modelfile.Check(back); len(p) > 0 {
		t.Errorf("%v in\n%s", p, text)
	}
	return string(text), f
}

const chatML = "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nBe a test.<|im_end|>\n' }}{% endif %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

func TestDecoder(t *testing.T) {
	md := metadata(chatML)
	md.Set("general.license", gguf.ValueOf("apache-2.0"))
	md.Set("general.license.link", gguf.ValueOf("https://example.org/licence"))
	md.Set("general.sampling.temp", gguf.ValueOf(float32(0.6)))
	md.Set("general.sampling.top_k", gguf.ValueOf(int32(20)))
	md.Set("general.sampling.top_p", gguf.ValueOf(float32(7)))
	text, f := made(t, md, fit.Options{})
	const want = `# Test (llama, Q4_K_M), written by gguftool modelfile init.
FROM ./model.gguf

# The model takes up to 131072 tokens. What it keeps of each takes 128.0 kB, so that this context takes 1.0 GB.
PARAMETER num_ctx 8192
PARAMETER num_batch 512

# As the model's authors recommend.
PARAMETER temperature 0.6
PARAMETER top_k 20
# The file recommends top_p "7", which Ollama does not take.

# TEMPLATE gives the prompts of the model's own template (ChatML), as several conversations showed. Tools are not part of it.
TEMPLATE """{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "system" }}<|im_start|>system
{{ .Content }}<|im_end|>
{{ end }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ end }}
{{- if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}{{ if not $last }}<|im_end|>
{{ end }}{{ end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ end }}
{{- end }}"""

# What the model's template says where there is no system message.
SYSTEM Be a test.

# What ends an answer.
PARAMETER stop "<|im_end|>"
PARAMETER stop "<|im_start|>"
PARAMETER stop "<|eos|>"

# As the metadata has it; the text of the licence belongs here.
LICENSE """apache-2.0
https://example.org/licence"""
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if f.Template != fit.TemplateRecognized || f.Family != "ChatML" || len(f.Notes) != 1 {
		t.Errorf("got %+v", f)
	}
}

func TestUnknownTemplate(t *testing.T) {
	text, f := made(t, metadata("{% for m in messages %}{{ m.content|upper }}{% endfor %}"), fit.Options{Context: 1000})
	if f.Template != fit.TemplateUnknown || strings.Contains(text, "\nTEMPLATE") || !strings.Contains(text, "# The chat template is unknown: ") {
		t.Errorf("%s is written as\n%s", f.Template, text)
	}
	if len(f.Notes) != 1 || !strings.HasPrefix(f.Notes[0], "The chat template is unknown: ") {
		t.Errorf("notes: %q", f.Notes)
	}
	if !strings.Contains(text, "PARAMETER num_ctx 1000\n") || !strings.Contains(text, "PARAMETER stop \"<|eos|>\"\n") {
		t.Errorf("got\n%s", text)
	}
	// What a Modelfile cannot hold cannot be recognized.
	text, f = made(t, metadata("{% for m in messages %}{{ '\u200b' ~ m.role ~ m.content }}{% endfor %}assistant"), fit.Options{})
	if f.Template != fit.TemplateUnknown || !strings.Contains(text, "characters that no Modelfile can hold") {
		t.Errorf("%s is written as\n%s", f.Template, text)
	}
}

func TestNoTemplate(t *testing.T) {
	text, f := made(t, metadata(""), fit.Options{Threads: 3})
	if f.Template != fit.TemplateNone || strings.Contains(text, "\nTEMPLATE") || !strings.Contains(text, "no chat template") || !strings.Contains(text, "PARAMETER num_thread 3\n") {
		t.Errorf("%s is written as\n%s", f.Template, text)
	}
}

// Turns that are marked by text that is no token end an answer too.
func TestStops(t *testing.T) {
	text, _ := made(t, metadata("{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + '<|eos|>' }}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"), fit.Options{})
	if !strings.Contains(text, "stop \"<|eos|>\"\nPARAMETER stop \"[INST]\"\n") || strings.Count(text, "<|eos|>") != 2 {
		t.Errorf("got\n%s", text)
	}
}

func TestEncoder(t *testing.T) {
	md := new(gguf.Metadata)
	md.Set("general.architecture", gguf.ValueOf("bert"))
	md.Set("bert.context_length", gguf.ValueOf(uint32(512)))
	md.Set("bert.attention.causal", gguf.ValueOf(false))
	md.Set("gguftool.prompt.names", gguf.ArrayOf([]string{"query", "document"}))
	md.Set("gguftool.prompt.texts", gguf.ArrayOf([]string{"query: \n", ""}))
	md.Set("gguftool.prompt.default", gguf.ValueOf("query"))
	md.Set("tokenizer.chat_template", gguf.ValueOf("{{ messages }}"))
	text, f := made(t, md, fit.Options{Tuned: &fit.Tuned{Threads: 2, ThreadRuns: []fit.Run{{1, 1234.4}, {2, 2000}}}})
	const want = `# A model (bert), written by gguftool modelfile init.
FROM ./model.gguf

# The model takes texts of up to 512 tokens.
PARAMETER num_ctx 512
# A text is computed at once, so that a batch holds the longest.
PARAMETER num_batch 512

# The model expects a prompt in front of texts, which Ollama does not add:
# query (default): "query: \n"
# document: ""

# Chosen by what gguftool itself measured on this machine, in tokens per second by num_thread:
# 1: 1234, 2: 2000
PARAMETER num_thread 2
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if f.Template != fit.TemplateNone {
		t.Errorf("the template is %s", f.Template)
	}
	md.Set("bert.pooling_type", gguf.ValueOf(uint32(4)))
	if _, f := made(t, md, fit.Options{}); len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "ranks") {
		t.Errorf("notes: %q", f.Notes)
	}
}

func TestContext(t *testing.T) {
	for _, c := range []struct {
		length any
		option int
		want   string
	}{
		{uint32(131072), 0, "num_ctx 8192"},
		{uint32(4096), 0, "num_ctx 4096"},
		{uint32(1000), 0, "num_ctx 1000"},
		{uint32(131072), 77, "num_ctx 77"},
		{uint32(0), 0, "num_batch 512"},
		{int64(math.MaxInt64), 0, "num_batch 512"},
		{"long", 0, "num_batch 512"},
	} {
		md := metadata("")
		switch n := c.length.(type) {
		case uint32:
			md.Set("llama.context_length", gguf.ValueOf(n))
		case int64:
			md.Set("llama.context_length", gguf.ValueOf(n))
		case string:
			md.Set("llama.context_length", gguf.ValueOf(n))
		}
		text, _ := made(t, md, fit.Options{Context: c.option})
		if !strings.Contains(text, "PARAMETER "+c.want+"\n") {
			t.Errorf("%v, %d: want %s in\n%s", c.length, c.option, c.want, text)
		}
	}
}

// Metadata of the wrong type or with absurd values makes a valid Modelfile.
func TestHostileMetadata(t *testing.T) {
	values := []gguf.Value{
		gguf.ValueOf("\x00\u200b\n\"\"\"\nFROM evil\n"), gguf.ValueOf(""), gguf.ValueOf(int64(math.MinInt64)), gguf.ValueOf(uint64(math.MaxUint64)),
		gguf.ValueOf(math.NaN()), gguf.ValueOf(float32(math.Inf(1))), gguf.ValueOf(true), gguf.ArrayOf([]string{"\"\"\"\n\"\"\"\n", "\xff"}), gguf.ArrayOf([]int32{-1}),
		gguf.ValueOf("{{ '\x00' }}"), gguf.ValueOf(strings.Repeat("{% for x in messages %}", 1000)), gguf.ValueOf(uint32(1 << 31)),
	}
	var keys []string
	for key := range metadata("x").All() {
		keys = append(keys, key)
	}
	keys = append(keys, "general.license", "general.license.name", "general.sampling.temp", "general.sampling.top_k", "general.sampling.min_p",
		"general.sampling.penalty_last_n", "llama.pooling_type", "llama.attention.causal", "llama.attention.key_length", "tokenizer.ggml.eot_token_id")
	for _, key := range keys {
		for _, v := range values {
			md := metadata(chatML)
			md.Set(key, v)
			text, _ := made(t, md, fit.Options{})
			if strings.Contains(text, "\nFROM evil") && !strings.Contains(text, "LICENSE \"") {
				t.Errorf("%s = %v becomes an instruction in\n%s", key, v.Any(), text)
			}
		}
	}
}

func TestTune(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decoder.gguf")
	if err := (synth.Decoder{Layers: 1, Width: 64, Heads: 4, KVHeads: 2, Words: true}).Model().WriteGGUF(path, nil); err != nil {
		t.Fatal(err)
	}
	tuned, err := fit.Tune(t.Context(), path, &fit.TuneOptions{Duration: time.Millisecond, Repetitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	has := func(runs []fit.Run, value int) bool {
		return slices.ContainsFunc(runs, func(r fit.Run) bool { return r.Value == value && r.TokensPerSecond > 0 })
	}
	if !has(tuned.ThreadRuns, tuned.Threads) || !has(tuned.BatchRuns, tuned.Batch) {
		t.Errorf("what was chosen was not measured: %+v", tuned)
	}
	path = filepath.Join(t.TempDir(), "encoder.gguf")
	if err := (synth.BERT{}).WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	if tuned, err = fit.Tune(t.Context(), path, &fit.TuneOptions{Duration: time.Millisecond, Repetitions: 1}); err != nil || tuned.Batch != 0 || !has(tuned.ThreadRuns, tuned.Threads) {
		t.Errorf("got %+v, %v", tuned, err)
	}
}

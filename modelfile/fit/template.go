package fit

import (
	"slices"
	"strings"

	"github.com/gguftool/gguftool/chattemplate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/tokenizer"
)

// controlToken is the type of tokens that are not text, in
// tokenizer.ggml.token_type.
const controlToken = 3

// A vocabulary is what templates need of the model's tokenizer.
type vocabulary struct {
	tokens   []string
	control  map[string]bool
	specials chattemplate.Tokens
	ends     []string // tokens that end a turn or a text
}

// readVocabulary reads what the metadata has; what it lacks stays empty.
func readVocabulary(md *gguf.Metadata) *vocabulary {
	v := &vocabulary{control: map[string]bool{}}
	v.tokens, _ = gguf.Array[string](md, "tokenizer.ggml.tokens")
	types, _ := gguf.Array[int32](md, "tokenizer.ggml.token_type")
	for i, t := range types {
		if t == controlToken && i < len(v.tokens) && len(v.tokens[i]) > 1 {
			v.control[v.tokens[i]] = true
		}
	}
	token := func(name string) string {
		id, ok := md.Int("tokenizer.ggml." + name + "_token_id")
		if !ok || id < 0 || id >= int64(len(v.tokens)) {
			return ""
		}
		return v.tokens[id]
	}
	v.specials = chattemplate.Tokens{BOS: token("bos"), EOS: token("eos"), Unknown: token("unknown"), Pad: token("padding")}
	for _, name := range []string{"eos", "eot", "eom"} {
		if t := token(name); t != "" && !slices.Contains(v.ends, t) {
			v.ends = append(v.ends, t)
		}
	}
	v.specials.AddsBOS = addsBOS(md)
	return v
}

// addsBOS reports whether texts begin with BOS without a template's help: as the
// tokenizer does, or where that is not known here, as the metadata says.
func addsBOS(md *gguf.Metadata) bool {
	bos, ok := md.Int("tokenizer.ggml.bos_token_id")
	if t, err := tokenizer.FromGGUF(md); err == nil {
		prefix, _ := t.Template()
		return ok && len(prefix) > 0 && int64(prefix[0]) == bos
	}
	if add, ok := md.Bool("tokenizer.ggml.add_bos_token"); ok {
		return add
	}
	return md.Text("tokenizer.ggml.model") == "llama"
}

// template writes TEMPLATE, SYSTEM and the stop texts.
func (w *writer) template() {
	source := w.md.Text("tokenizer.chat_template")
	vocab := readVocabulary(w.md)
	w.blank()
	if source == "" {
		w.note("The file has no chat template: the model continues texts, and Ollama passes on what it is given.")
		w.stops(vocab.ends)
		return
	}
	found, err := chattemplate.Recognize(source, vocab.specials)
	if err == nil && !(writable(modelfile.Template, found.Template) && writable(modelfile.System, found.System)) {
		err = &chattemplate.UnknownError{Reason: "it has characters that no Modelfile can hold"}
	}
	if err != nil {
		w.fitted.Template = TemplateUnknown
		w.note("%v. Without TEMPLATE, Ollama looks for a similar one among its own, or passes on what it is given.", capitalized(err))
		w.stops(vocab.ends)
		return
	}
	w.fitted.Template, w.fitted.Family = TemplateRecognized, found.Family
	family := ""
	if found.Family != "" {
		family = " (" + found.Family + ")"
	}
	w.comment("TEMPLATE gives the prompts of the model's own template%s, as several conversations showed. Tools are not part of it.", family)
	for _, n := range found.Notes {
		w.note("%s", n)
	}
	w.add(modelfile.Template, "", found.Template)
	if found.System != "" {
		w.blank()
		w.comment("What the model's template says where there is no system message.")
		w.add(modelfile.System, "", found.System)
	}
	w.stops(vocab.stops(found))
}

func capitalized(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// stops returns the texts that end an answer: control tokens between the
// model's turn and the next, tokens that end texts, and where turns are marked
// by plain text, that.
func (v *vocabulary) stops(found *chattemplate.Recognized) []string {
	between := found.AfterModel + found.BeforeUser
	var all []string
	for rest := between; rest != ""; {
		longest := ""
		for i := 2; i <= min(len(rest), 64); i++ {
			if v.control[rest[:i]] {
				longest = rest[:i]
			}
		}
		if longest != "" && !slices.Contains(all, longest) {
			all = append(all, longest)
		}
		rest = rest[max(1, len(longest)):]
	}
	mark := strings.TrimSpace(strings.ReplaceAll(found.BeforeUser, v.specials.BOS, ""))
	if strings.ContainsAny(mark, "[]<>#:|") && !v.hasControl(mark) && !slices.Contains(all, mark) {
		all = append(all, mark) // a lone word could be part of an answer
	}
	for _, t := range v.ends {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

func (v *vocabulary) hasControl(text string) bool {
	for i := range text {
		for n := i + 2; n <= min(len(text), i+64); n++ {
			if v.control[text[i:n]] {
				return true
			}
		}
	}
	return false
}

func (w *writer) stops(texts []string) {
	first := true
	for _, t := range texts {
		if t == "" || !writable(modelfile.License, t) {
			continue
		}
		if first {
			w.blank()
			w.comment("What ends an answer.")
		}
		first = false
		w.add(modelfile.Parameter, "stop", t)
	}
}

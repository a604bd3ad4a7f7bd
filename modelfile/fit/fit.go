// Package fit writes a Modelfile that suits a model: what its metadata says about
// context, sampling and licence, a template for Ollama where the model's own can
// be taken over, and where asked, settings that were measured on this machine.
package fit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/modelfile"
)

// Options say what is not in the model.
type Options struct {
	From    string // the model as FROM names it
	Context int    // num_ctx; 0 chooses
	Threads int    // num_thread; 0 leaves that to Ollama
	Tuned   *Tuned // what was measured, or nil
}

// A Fitted Modelfile and what there is to say about it.
type Fitted struct {
	File  *modelfile.File
	Notes []string // what the reader should know; the file has them as comments too

	// Template says how the model's chat template fared.
	Template TemplateStatus
	Family   string // of a template that was recognized, or ""
}

// A TemplateStatus says what became of a model's chat template.
type TemplateStatus string

const (
	TemplateNone       TemplateStatus = "none"       // the model has none
	TemplateRecognized TemplateStatus = "recognized" // TEMPLATE gives the same prompts
	TemplateUnknown    TemplateStatus = "unknown"    // no TEMPLATE is written
)

// A writer adds instructions with comments above them.
type writer struct {
	md     *gguf.Metadata
	opts   *Options
	fitted Fitted
	above  []string
}

// Model writes a Modelfile for an open model.
func Model(f *gguf.File, o *Options) (*Fitted, error) {
	w := &writer{md: f.Metadata, opts: o, fitted: Fitted{File: &modelfile.File{}, Template: TemplateNone}}
	w.comment("%s, written by gguftool modelfile init.", w.describe())
	if n := len(f.Shards); n > 1 {
		w.note("The model is in %d files, of which FROM names one. Ollama itself wants a single file, which gguftool inspect merge makes.", n)
	}
	w.add(modelfile.From, "", o.From)
	context := w.context()
	if n := int64(o.Context); context > 0 && n > context {
		w.blank()
		w.note("num_ctx %d is more than the %d tokens that the model was made for.", n, context)
	}
	if isEmbedding(f.Metadata) {
		if err := w.embedding(context); err != nil {
			return nil, err
		}
	} else {
		w.decoder(context)
	}
	w.threads()
	w.license()
	w.fitted.File.Below = w.above
	return &w.fitted, nil
}

// comment puts a line above the next instruction. What comes from a file may
// hold anything, so that only what can be seen is left.
func (w *writer) comment(format string, args ...any) {
	const most = 160
	words := strings.FieldsFunc(fmt.Sprintf(format, args...), unicode.IsSpace)
	line := "#"
	for _, word := range words {
		word = strings.Map(func(r rune) rune {
			if !strconv.IsPrint(r) {
				return -1
			}
			return r
		}, word)
		if len(line)+len(word) > most && line != "#" {
			w.above = append(w.above, line)
			line = "#"
		}
		line += " " + word
	}
	w.above = append(w.above, line)
}

// note makes a comment of what is also told otherwise.
func (w *writer) note(format string, args ...any) {
	w.fitted.Notes = append(w.fitted.Notes, fmt.Sprintf(format, args...))
	w.comment(format, args...)
}

// blank puts an empty line in front of the next comment or instruction.
func (w *writer) blank() {
	if len(w.fitted.File.Instructions) > 0 {
		w.above = append(w.above, "")
	}
}

func (w *writer) add(k modelfile.Keyword, name, value string) {
	w.fitted.File.Add(k, name, value).Above = w.above
	w.above = nil
}

func (w *writer) set(name string, n int64) {
	w.add(modelfile.Parameter, name, strconv.FormatInt(n, 10))
}

// describe names the model, its architecture and type.
func (w *writer) describe() string {
	name := w.md.Text("general.name")
	if name == "" {
		name = "A model"
	}
	kind := w.md.Architecture()
	if n, ok := w.md.Int("general.file_type"); ok && n >= 0 && n < 1<<16 {
		kind += ", " + gguf.FileType(n).String()
	}
	return fmt.Sprintf("%s (%s)", name, kind)
}

// isEmbedding reports whether the model makes vectors of texts: the file says
// how tokens are pooled, or that they look both ways.
func isEmbedding(md *gguf.Metadata) bool {
	arch := md.Architecture()
	if causal, ok := md.Bool(arch + ".attention.causal"); ok && !causal {
		return true
	}
	pooling, ok := md.Int(arch + ".pooling_type")
	return ok && pooling != 0
}

// context returns the tokens of the model's context, or 0.
func (w *writer) context() int64 {
	n, ok := w.md.Int(w.md.Architecture() + ".context_length")
	if !ok || n < 1 || n > 1<<31-1 {
		return 0
	}
	return n
}

// embedding writes the settings of a model that makes vectors.
func (w *writer) embedding(context int64) error {
	w.blank()
	if context == 0 {
		w.note("The file does not say how long texts may be, so that num_ctx is left to Ollama.")
		context = int64(w.opts.Context)
	} else {
		w.comment("The model takes texts of up to %d tokens.", context)
	}
	if w.opts.Context > 0 {
		context = int64(w.opts.Context)
	}
	if context > 0 {
		w.set("num_ctx", context)
		w.comment("A text is computed at once, so that a batch holds the longest.")
		w.set("num_batch", context)
	}
	if rank, _ := w.md.Int(w.md.Architecture() + ".pooling_type"); rank == 4 {
		w.note("The model ranks texts, which Ollama has no request for.")
	}
	prompts, err := embedding.PromptsOf(w.md)
	if err != nil {
		return err
	}
	if len(prompts.Names) > 0 {
		w.blank()
		w.comment("The model expects a prompt in front of texts, which Ollama does not add:")
		for i, name := range prompts.Names {
			is := ""
			if name == prompts.Default {
				is = " (default)"
			}
			w.comment("  %s%s: %s", name, is, strconv.Quote(prompts.Texts[i]))
		}
	}
	return nil
}

// decoder writes the settings of a model that predicts tokens.
func (w *writer) decoder(context int64) {
	w.blank()
	num, perToken := w.chooseContext(context)
	switch {
	case context > 0 && perToken > 0:
		w.comment("The model takes up to %d tokens. What it keeps of each takes %s, so that this context takes %s.", context, size(perToken), size(perToken*num))
	case context > 0:
		w.comment("The model takes up to %d tokens.", context)
	default:
		w.note("The file does not say how long its context is.")
	}
	if num > 0 {
		w.set("num_ctx", num)
	}
	batch := int64(512)
	if t := w.opts.Tuned; t != nil && t.Batch > 0 {
		batch = int64(t.Batch)
		w.tuned("num_batch", t.BatchRuns)
	}
	if num > 0 {
		batch = min(batch, num)
	}
	w.set("num_batch", batch)
	w.sampling()
	w.template()
}

// chooseContext returns num_ctx, and the bytes that the cache takes for a token
// at 16 bits, or 0 where that cannot be told. The largest power of two whose
// cache takes a gigabyte is chosen, and 2048 at least.
func (w *writer) chooseContext(context int64) (num, perToken int64) {
	const budget, least, unknown = 1 << 30, 2048, 8192
	perToken = w.cachePerToken()
	switch {
	case w.opts.Context > 0:
		return int64(w.opts.Context), perToken
	case context == 0:
		return 0, perToken
	case perToken == 0:
		return min(context, unknown), 0
	}
	num = least
	for num*2*perToken <= budget && num < context {
		num *= 2
	}
	return min(num, context), perToken
}

// cachePerToken returns the bytes of keys and values of a token, at 16 bits.
func (w *writer) cachePerToken() int64 {
	arch := w.md.Architecture()
	key := func(name string) int64 {
		n, _ := w.md.Int(arch + "." + name)
		if n < 0 || n > 1<<20 {
			return 0
		}
		return n
	}
	layers, heads, width := key("block_count"), key("attention.head_count"), key("embedding_length")
	kvHeads := key("attention.head_count_kv")
	if kvHeads == 0 {
		kvHeads = heads
	}
	if layers == 0 || layers > 1<<12 || kvHeads == 0 || kvHeads > 1<<12 || heads == 0 {
		return 0
	}
	keys, values := key("attention.key_length"), key("attention.value_length")
	if keys == 0 {
		keys = width / heads
	}
	if values == 0 {
		values = width / heads
	}
	return layers * kvHeads * (keys + values) * 2
}

func size(bytes int64) string {
	for _, u := range []struct {
		unit int64
		name string
	}{{1 << 30, "GB"}, {1 << 20, "MB"}, {1 << 10, "kB"}} {
		if bytes >= u.unit {
			return strconv.FormatFloat(float64(bytes)/float64(u.unit), 'f', 1, 64) + " " + u.name
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// sampling writes what the model's authors recommend.
func (w *writer) sampling() {
	first := true
	for _, p := range []struct{ key, name string }{
		{"temp", "temperature"}, {"top_k", "top_k"}, {"top_p", "top_p"}, {"min_p", "min_p"},
		{"penalty_repeat", "repeat_penalty"}, {"penalty_last_n", "repeat_last_n"},
	} {
		v, ok := w.md.Lookup("general.sampling." + p.key)
		if !ok {
			continue
		}
		text := ""
		if n, ok := v.Int(); ok {
			text = strconv.FormatInt(n, 10)
		} else if f, ok := v.Float(); ok {
			text = strconv.FormatFloat(f, 'g', -1, 32)
		}
		var one modelfile.File
		one.Add(modelfile.Parameter, p.name, text)
		one.Add(modelfile.From, "", "model") // which a file has
		if len(modelfile.Check(&one)) > 0 {
			w.note("The file recommends %s %q, which Ollama does not take.", p.name, text)
			continue
		}
		if first {
			w.blank()
			w.comment("As the model's authors recommend.")
		}
		first = false
		w.add(modelfile.Parameter, p.name, text)
	}
}

// threads writes num_thread where it was measured or asked for.
func (w *writer) threads() {
	switch t := w.opts.Tuned; {
	case w.opts.Threads > 0:
		w.blank()
		w.set("num_thread", int64(w.opts.Threads))
	case t != nil && t.Threads > 0:
		w.blank()
		w.tuned("num_thread", t.ThreadRuns)
		w.set("num_thread", int64(t.Threads))
	}
}

func (w *writer) tuned(name string, runs []Run) {
	w.comment("Chosen by what gguftool itself measured on this machine, in tokens per second by %s:", name)
	var parts []string
	for _, r := range runs {
		parts = append(parts, fmt.Sprintf("%d: %.0f", r.Value, r.TokensPerSecond))
	}
	w.comment("  %s", strings.Join(parts, ", "))
}

// license writes the licence that the metadata names.
func (w *writer) license() {
	var parts []string
	for _, key := range []string{"general.license", "general.license.name", "general.license.link"} {
		if v, ok := w.md.Lookup(key); ok {
			text, _ := v.Text()
			if list, ok := gguf.Array[string](w.md, key); ok {
				text = strings.Join(list, ", ")
			}
			if text = strings.TrimSpace(text); text != "" && !slices.Contains(parts, text) {
				parts = append(parts, text)
			}
		}
	}
	if text := strings.Join(parts, "\n"); text != "" && writable(modelfile.License, text) {
		w.blank()
		w.comment("As the metadata has it; the text of the licence belongs here.")
		w.add(modelfile.License, "", text)
	}
}

// writable reports whether a Modelfile can hold the value.
func writable(k modelfile.Keyword, value string) bool {
	var f modelfile.File
	f.Add(k, "", value)
	_, err := modelfile.Format(&f)
	return err == nil
}

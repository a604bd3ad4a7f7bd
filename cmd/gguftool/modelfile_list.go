package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/ollama"
)

type modelfileListOptions struct {
	store storeOptions
	json  bool
}

func newModelfileList() *cobra.Command {
	var o modelfileListOptions
	cmd := &cobra.Command{
		Use:     "list [PREFIX]",
		Aliases: []string{"ls"},
		Short:   "List the models in Ollama's store",
		Long: `List shows the models in the store, those that were made last first: the beginning
of the id, which is the digest of the manifest, the bytes of all blobs, and when the
manifest was written. With PREFIX it shows the models whose names begin with it.

What cannot be read is told on standard error, and the rest is listed.

` + storeHelp,
		Example: `  gguftool modelfile list
  gguftool modelfile list --json embed | jq -r '.models[].name'`,
		Args: between(0, 1, "perhaps the beginning of a name"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, strings.Join(args, "")) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileListOptions) run(cmd *cobra.Command, prefix string) error {
	s, err := o.store.open()
	if err != nil {
		return err
	}
	models, bad, err := s.Models(cmd.Context())
	if err != nil {
		return err
	}
	for _, b := range bad {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: not listed:", texttable.Safe(b.Err.Error()))
	}
	models = slices.DeleteFunc(models, func(m *ollama.Model) bool {
		return !strings.HasPrefix(strings.ToLower(m.Name.Short()), strings.ToLower(prefix))
	})
	if o.json {
		reports := []*modelReport{}
		for _, m := range models {
			reports = append(reports, newModelReport(s, m))
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		return enc.Encode(struct {
			Store  string         `json:"store"`
			Models []*modelReport `json:"models"`
		}{s.Dir, reports})
	}
	var b strings.Builder
	table := texttable.New("name", "id", "bytes>", "modified")
	for _, m := range models {
		table.Row(m.Name.Short(), m.ID[:12], texttable.Grouped(m.Manifest.Size()), m.Modified.Local().Format("2006-01-02 15:04"))
	}
	if err := table.Write(&b, ""); err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), strings.TrimLeft(b.String(), "\n"))
	return err
}

type modelfileShowOptions struct {
	store     storeOptions
	modelfile bool
	json      bool
}

func newModelfileShow() *cobra.Command {
	var o modelfileShowOptions
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a model in Ollama's store is made of",
		Long: `Show tells what a model in the store is: what its config says, its blobs, and its
parameters, template and other texts.

--modelfile prints a Modelfile from which 'gguftool modelfile create' and "ollama
create" make the model anew. Its FROM names the blob in the store.

` + storeHelp,
		Example: `  gguftool modelfile show embed:q4
  gguftool modelfile show --modelfile embed:q4 > Modelfile`,
		Args: exactly(1, "the name of a model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&o.modelfile, "modelfile", false, "print a Modelfile that makes the model")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileShowOptions) run(cmd *cobra.Command, args []string) error {
	if o.modelfile && o.json {
		return usagef("--modelfile and --json cannot be used together")
	}
	s, names, err := o.store.find(args...)
	if err != nil {
		return err
	}
	m, err := s.Read(names[0])
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if o.modelfile {
		f, err := s.Modelfile(m)
		if err != nil {
			return err
		}
		text, err := modelfile.Format(f)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	c, err := s.Contents(m)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(shownModel{newModelReport(s, m), c.Config, c.Template, c.System, c.Params, c.Messages, c.Licenses})
	}
	var b strings.Builder
	if err := writeModel(&b, s, m, c); err != nil {
		return err
	}
	_, err = fmt.Fprint(w, strings.TrimLeft(b.String(), "\n"))
	return err
}

// A shownModel is what show --json prints.
type shownModel struct {
	*modelReport
	Config     *ollama.Config   `json:"config"`
	Template   string           `json:"template,omitempty"`
	System     string           `json:"system,omitempty"`
	Parameters map[string]any   `json:"parameters,omitempty"`
	Messages   []ollama.Message `json:"messages,omitempty"`
	Licenses   []string         `json:"licenses,omitempty"`
}

func writeModel(b *strings.Builder, s *ollama.Store, m *ollama.Model, c *ollama.Contents) error {
	facts := texttable.New("fact", "value")
	for _, f := range [][2]string{
		{"name", m.Name.Short()},
		{"id", m.ID},
		{"modified", m.Modified.Local().Format("2006-01-02 15:04:05")},
		{"format", c.Config.ModelFormat},
		{"family", strings.Join(c.Config.ModelFamilies, ", ")},
		{"weights", c.Config.ModelType},
		{"type", typeOf(s, m, c.Config)},
		{"renderer", c.Config.Renderer},
		{"parser", c.Config.Parser},
		{"requires", c.Config.Requires},
		{"capabilities", strings.Join(c.Config.Capabilities, ", ")},
	} {
		if f[1] != "" {
			facts.Row(f[0], texttable.Safe(f[1]))
		}
	}
	if err := facts.Write(b, "Model"); err != nil {
		return err
	}
	blobs := texttable.New("kind", "digest", "bytes>")
	for _, l := range m.Manifest.Blobs() {
		kind := l.MediaType[strings.LastIndexByte(l.MediaType, '.')+1:]
		if l.MediaType == ollama.TypeConfig {
			kind = "config"
		}
		blobs.Row(texttable.Safe(kind), l.Digest.Hex(), texttable.Grouped(l.Size))
	}
	if err := blobs.Write(b, "Blobs"); err != nil {
		return err
	}
	if len(c.Params) > 0 {
		params := texttable.New("parameter", "value")
		for _, p := range c.Settings() {
			params.Row(texttable.Safe(p[0]), texttable.Safe(p[1]))
		}
		if err := params.Write(b, "Parameters"); err != nil {
			return err
		}
	}
	for _, text := range [][2]string{{"Template", c.Template}, {"System", c.System}} {
		if text[1] != "" {
			fmt.Fprintf(b, "\n%s\n%s\n", text[0], indented(text[1]))
		}
	}
	for _, message := range c.Messages {
		fmt.Fprintf(b, "\nMessage of %s\n%s\n", texttable.Safe(message.Role), indented(message.Content))
	}
	for i, text := range c.Licenses {
		first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
		if more {
			first += " ..."
		}
		fmt.Fprintf(b, "\nLicense %s\n%s\n", strconv.Itoa(i+1), indented(first))
	}
	return nil
}

// typeOf returns the type of a model, also of those that Ollama has no name for.
func typeOf(s *ollama.Store, m *ollama.Model, c *ollama.Config) string {
	layers := m.Manifest.Find(ollama.TypeModel)
	if c.FileType != "unknown" || len(layers) == 0 {
		return c.FileType
	}
	f, err := gguf.Open(s.BlobPath(layers[0].Digest))
	if err != nil {
		return c.FileType // which verify looks into
	}
	defer f.Close()
	t, ok := f.Metadata.Int(gguf.KeyFileType)
	if !ok {
		return c.FileType
	}
	return gguf.FileType(t).String() + ` ("unknown" to Ollama)`
}

// indented shows lines of others, which may hold what a terminal must not get.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if line = strings.TrimSuffix(line, "\r"); strings.TrimSpace(line) != "" {
			lead := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			line = "  " + strings.ReplaceAll(lead, "\t", "    ") + texttable.Safe(strings.TrimRight(line[len(lead):], " \t"))
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

package inspect

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/internal/texttable"
)

// Options change what WriteText prints. The zero value is for a terminal of 100
// columns.
type Options struct {
	Full  bool // names, strings and arrays whole, however long
	Width int  // columns to which long values are cut; 100 if 0
}

// maxName is the width to which names are cut, in the middle. Those of llama.cpp
// have at most 63 bytes and rarely more than 40.
const maxName = 48

// WriteText prints the report for people. It writes to w once.
func (r *Report) WriteText(w io.Writer, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	var b strings.Builder
	for _, section := range []func(*strings.Builder, Options) error{
		r.writeHeader, r.writeModel, r.writeKeys, r.writeTensors, r.writeTypes,
	} {
		if err := section(&b, o); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// name returns s as names are shown.
func (o Options) name(s string) string {
	if o.Full {
		return texttable.Safe(s)
	}
	return elide(texttable.Safe(s), maxName)
}

func (r *Report) writeHeader(b *strings.Builder, o Options) error {
	fmt.Fprintln(b, texttable.Safe(r.Path))
	fmt.Fprintf(b, "  GGUF version %d, %s-endian, aligned to %d bytes\n", r.Version, r.ByteOrder, r.Alignment)
	if len(r.Shards) == 1 {
		fmt.Fprintf(b, "  %s, tensor data from byte %s\n", exact(r.Size, byteUnits), texttable.Grouped(r.Shards[0].DataOffset))
		return nil
	}
	fmt.Fprintf(b, "  %s in %d files\n", exact(r.Size, byteUnits), len(r.Shards))
	t := texttable.New("file>", "name", "bytes>", "data from>", "tensors>")
	for i, s := range r.Shards {
		t.Row(strconv.Itoa(i+1), o.name(filepath.Base(s.Path)), texttable.Grouped(s.Size), texttable.Grouped(s.DataOffset), strconv.Itoa(s.Tensors))
	}
	return t.Write(b, "Files")
}

func (r *Report) writeModel(b *strings.Builder, o Options) error {
	t := texttable.New("", "")
	text := func(name, value string) {
		if value != "" {
			t.Row(name, o.name(value))
		}
	}
	number := func(name string, n int64) {
		if n != 0 {
			t.Row(name, texttable.Grouped(n))
		}
	}
	span := func(name string, s *Span) {
		if s != nil {
			t.Row(name, s.String())
		}
	}
	m := &r.Model
	text("architecture", m.Architecture)
	text("name", m.Name)
	if m.FileType != nil {
		t.Row("file type", m.FileType.Name)
	}
	number("layers", m.Layers)
	number("width", m.Width)
	span("feed-forward", m.FeedForward)
	span("heads", m.Heads)
	span("key-value heads", m.HeadsKV)
	number("context", m.Context)
	number("vocabulary", m.Vocabulary)
	text("tokenizer", m.Tokenizer)
	text("pooling", m.Pooling)
	t.Row("parameters", exact(r.Totals.Parameters, countUnits))
	if r.Totals.Parameters > 0 {
		t.Row("bits per weight", fmt.Sprintf("%.2f (matrices %.2f)", r.Totals.BitsPerWeight, r.Totals.MatrixBitsPerWeight))
	}
	return t.Write(b, "Model")
}

func (r *Report) writeKeys(b *strings.Builder, o Options) error {
	names, types := make([]string, len(r.Metadata)), make([]string, len(r.Metadata))
	var nameWidth, typeWidth int
	for i, k := range r.Metadata {
		names[i], types[i] = o.name(k.Name), typeText(k.Value)
		nameWidth = max(nameWidth, len(names[i]))
		typeWidth = max(typeWidth, len(types[i]))
	}
	width := unlimited
	if !o.Full {
		const narrowest = 24
		width = max(narrowest, o.Width-nameWidth-typeWidth-3*len(texttable.Gap))
	}
	t := texttable.New("key", "type", "value")
	for i, k := range r.Metadata {
		t.Row(names[i], types[i], valueText(k.Value, width))
	}
	return t.Write(b, fmt.Sprintf("Keys (%d)", len(r.Metadata)))
}

func (r *Report) writeTensors(b *strings.Builder, o Options) error {
	columns := []string{"tensor", "type", "shape", "bytes>", "at byte>"}
	if len(r.Shards) > 1 {
		columns = append(columns, "file>")
	}
	t := texttable.New(columns...)
	for _, x := range r.Tensors {
		cells := []string{o.name(x.Name), x.Type, texttable.Shape(x.Shape), texttable.Grouped(x.Size), texttable.Grouped(x.Offset)}
		if len(r.Shards) > 1 {
			cells = append(cells, strconv.Itoa(x.Shard+1))
		}
		t.Row(cells...)
	}
	return t.Write(b, fmt.Sprintf("Tensors (%d)", len(r.Tensors)))
}

func (r *Report) writeTypes(b *strings.Builder, _ Options) error {
	if len(r.Types) == 0 {
		return nil
	}
	t := texttable.New("type", "tensors>", "parameters>", "bytes>", "share>", "bits/weight>", "")
	for _, x := range r.Types {
		t.Row(x.Type, strconv.Itoa(x.Tensors), texttable.Grouped(x.Parameters), texttable.Grouped(x.Bytes),
			fmt.Sprintf("%.1f%%", 100*x.Share), fmt.Sprintf("%.2f", x.BitsPerWeight), x.note())
	}
	t.Row("total", strconv.Itoa(r.Totals.Tensors), texttable.Grouped(r.Totals.Parameters), texttable.Grouped(r.Totals.Bytes),
		"", fmt.Sprintf("%.2f", r.Totals.BitsPerWeight), "")
	return t.Write(b, "Types")
}

// note tells what is special about a type.
func (t TypeTotal) note() string {
	var notes []string
	if t.Project != "llama.cpp" {
		notes = append(notes, "of "+t.Project)
	}
	if t.Removed {
		notes = append(notes, "removed from llama.cpp")
	}
	if !t.Decodable {
		notes = append(notes, "not decodable here")
	}
	return strings.Join(notes, "; ")
}

var (
	byteUnits  = [...]string{" bytes", " kB", " MB", " GB", " TB", " PB", " EB"}
	countUnits = [...]string{"", " k", " M", " B", " T", " Qa", " Qi"}
)

// human returns n to three significant digits with a decimal unit.
func human(n int64, units [7]string) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + units[0]
	}
	x, unit := float64(n)/1000, 1
	for x >= 999.5 {
		x /= 1000
		unit++
	}
	digits := 2
	if x >= 9.995 {
		digits = 1
	}
	if x >= 99.95 {
		digits = 0
	}
	return strconv.FormatFloat(x, 'f', digits, 64) + units[unit]
}

// exact returns n to three digits, and exactly where that differs.
func exact(n int64, units [7]string) string {
	if n < 1000 {
		return human(n, units)
	}
	return fmt.Sprintf("%s (%s%s)", human(n, units), texttable.Grouped(n), units[0])
}

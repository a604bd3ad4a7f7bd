package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/internal/npy"
	"github.com/gguftool/gguftool/internal/texttable"
)

// A vectorFormat is a way to print vectors.
type vectorFormat string

// The formats.
const (
	formatText  vectorFormat = "text"
	formatTable vectorFormat = "table"
	formatJSON  vectorFormat = "json"
	formatJSONL vectorFormat = "jsonl"
	formatNPY   vectorFormat = "npy"
	formatF32   vectorFormat = "f32"
)

var vectorFormats = []vectorFormat{formatText, formatTable, formatJSON, formatJSONL, formatNPY, formatF32}

func (f vectorFormat) binary() bool { return f == formatNPY || f == formatF32 }

// vectorOptions say how vectors are printed.
type vectorOptions struct {
	outputOptions
	format     string
	json       bool
	outputType string
}

func (o *vectorOptions) addFlags(cmd *cobra.Command) {
	o.outputOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "`FORMAT` of the output: "+join(vectorFormats)+" (default: what the name of --output ends in, else text)")
	f.BoolVar(&o.json, "json", false, "print JSON, as --format json")
	f.StringVar(&o.outputType, "output-type", "f32", "`TYPE` of the numbers: f32, int8, binary or ubinary (bits, 8 to a byte)")
}

func join(formats []vectorFormat) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// parse returns what is asked for.
func (o *vectorOptions) parse(cmd *cobra.Command) (vectorFormat, embedding.Encoding, error) {
	encoding, err := embedding.ParseEncoding(o.outputType)
	if err != nil {
		return "", 0, usagef("--output-type: %w", err)
	}
	format := vectorFormat(o.format)
	switch {
	case format != "" && !slices.Contains(vectorFormats, format):
		return "", 0, usagef("--format: unknown format %q; choose one of %s", o.format, join(vectorFormats))
	case o.json && format != "" && format != formatJSON:
		return "", 0, usagef("--json and --format %s cannot be used together", format)
	case o.json:
		format = formatJSON
	case format == "":
		format = formatOf(o.path)
	}
	if format == formatF32 && encoding != embedding.Float32 {
		return "", 0, usagef("--format f32 is 32-bit floats; use --format npy for --output-type %s", encoding)
	}
	if format.binary() && !o.toFile() && isTerminal(cmd.OutOrStdout()) {
		return "", 0, usagef("--format %s is not for a terminal; write it to a file with -o, or into a pipe", format)
	}
	return format, encoding, nil
}

// formatOf returns the format that a file's name ends in, else text.
func formatOf(path string) vectorFormat {
	ext := vectorFormat(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	if ext == "ndjson" {
		return formatJSONL
	}
	if slices.Contains(vectorFormats, ext) {
		return ext
	}
	return formatText
}

// An embedded is a text and its vector.
type embedded struct {
	index  int
	tokens int
	text   string // without the prompt
	vector []float32
}

// A vectorWriter prints vectors. After close the output is complete.
type vectorWriter interface {
	write(e embedded) error
	close() error
}

// vectorHead is what all vectors of an output have in common.
type vectorHead struct {
	model      string // name of the file
	dimensions int
	prompt     string
	encoding   embedding.Encoding
}

func newVectorWriter(format vectorFormat, out *destination, head vectorHead) (vectorWriter, error) {
	switch format {
	case formatJSON:
		lw, err := newListWriter(out, "data", head.members()...)
		return &jsonVectors{lw, head.encoding}, err
	case formatJSONL:
		w := bufio.NewWriterSize(out, 1<<16)
		return &jsonLineVectors{w, json.NewEncoder(w), head.encoding}, nil
	case formatNPY:
		dst, err := out.correctable()
		if err != nil {
			return nil, err
		}
		w, err := npy.NewWriter(dst, npyType(head.encoding), head.encoding.Elements(head.dimensions))
		return &npyVectors{w: w, encoding: head.encoding}, err
	case formatF32:
		return &rawVectors{w: bufio.NewWriterSize(out, 1<<16), encoding: head.encoding}, nil
	case formatTable:
		return newTableVectors(bufio.NewWriterSize(out, 1<<16), head.encoding)
	}
	return &textVectors{w: bufio.NewWriterSize(out, 1<<16), encoding: head.encoding}, nil
}

// members returns the members of the JSON object in front of its list.
func (h vectorHead) members() []member {
	all := []member{{"model", h.model}, {"dimensions", h.dimensions}}
	if h.encoding != embedding.Float32 {
		all = append(all, member{"output_type", h.encoding.String()})
	}
	if h.prompt != "" {
		all = append(all, member{"prompt", h.prompt})
	}
	return all
}

func npyType(e embedding.Encoding) npy.Type {
	switch e {
	case embedding.Int8, embedding.Binary:
		return npy.Int8
	case embedding.UBinary:
		return npy.Uint8
	}
	return npy.Float32
}

// integers returns the numbers of a vector that is not stored as floats.
func integers(e embedding.Encoding, vector []float32) []int {
	stored := e.Append(nil, vector)
	numbers := make([]int, len(stored))
	for i, b := range stored {
		if e == embedding.UBinary {
			numbers[i] = int(b)
		} else {
			numbers[i] = int(int8(b))
		}
	}
	return numbers
}

// A jsonVector is the JSON of one text.
type jsonVector struct {
	Index     int      `json:"index"`
	Tokens    int      `json:"tokens"`
	Scale     *float32 `json:"scale,omitempty"`
	Embedding any      `json:"embedding"`
}

func newJSONVector(e embedded, encoding embedding.Encoding) jsonVector {
	v := jsonVector{Index: e.index, Tokens: e.tokens, Embedding: e.vector}
	if encoding != embedding.Float32 {
		v.Embedding = integers(encoding, e.vector)
	}
	if encoding == embedding.Int8 {
		scale := embedding.Scale(e.vector)
		v.Scale = &scale
	}
	return v
}

type jsonVectors struct {
	*listWriter
	encoding embedding.Encoding
}

func (w *jsonVectors) write(e embedded) error { return w.add(newJSONVector(e, w.encoding)) }

type jsonLineVectors struct {
	w        *bufio.Writer
	enc      *json.Encoder
	encoding embedding.Encoding
}

func (w *jsonLineVectors) write(e embedded) error { return w.enc.Encode(newJSONVector(e, w.encoding)) }
func (w *jsonLineVectors) close() error           { return w.w.Flush() }

type npyVectors struct {
	w        *npy.Writer
	encoding embedding.Encoding
	row      []byte
}

func (w *npyVectors) write(e embedded) error {
	w.row = w.encoding.Append(w.row[:0], e.vector)
	return w.w.WriteRow(w.row)
}

func (w *npyVectors) close() error { return w.w.Close() }

type rawVectors struct {
	w        *bufio.Writer
	encoding embedding.Encoding
	row      []byte
}

func (w *rawVectors) write(e embedded) error {
	w.row = w.encoding.Append(w.row[:0], e.vector)
	_, err := w.w.Write(w.row)
	return err
}

func (w *rawVectors) close() error { return w.w.Flush() }

// textVectors prints a vector as a line of numbers.
type textVectors struct {
	w        *bufio.Writer
	encoding embedding.Encoding
	line     []byte
}

func (w *textVectors) write(e embedded) error {
	w.line = w.line[:0]
	if w.encoding == embedding.Float32 {
		for _, x := range e.vector {
			w.line = append(strconv.AppendFloat(w.line, float64(x), 'g', -1, 32), ' ')
		}
	} else {
		for _, n := range integers(w.encoding, e.vector) {
			w.line = append(strconv.AppendInt(w.line, int64(n), 10), ' ')
		}
	}
	w.line[len(w.line)-1] = '\n'
	_, err := w.w.Write(w.line)
	return err
}

func (w *textVectors) close() error { return w.w.Flush() }

// tableVectors prints the first numbers of a vector beside its text. Columns
// have a fixed width, so that rows can be printed as they come.
type tableVectors struct {
	w        *bufio.Writer
	encoding embedding.Encoding
}

// tableNumbers and tableText are how many numbers of a vector and characters of
// a text a table has.
const (
	tableNumbers = 4
	tableText    = 40
)

func newTableVectors(w *bufio.Writer, encoding embedding.Encoding) (*tableVectors, error) {
	_, err := fmt.Fprintf(w, "  %6s  %6s  %-*s  %s\n", "index", "tokens", tableNumbers*10, "vector", "text")
	return &tableVectors{w, encoding}, err
}

func (w *tableVectors) write(e embedded) error {
	var numbers strings.Builder
	if w.encoding == embedding.Float32 {
		for _, x := range e.vector[:min(tableNumbers, len(e.vector))] {
			fmt.Fprintf(&numbers, "%9.5f", x)
		}
	} else {
		all := integers(w.encoding, e.vector)
		for _, n := range all[:min(tableNumbers, len(all))] {
			fmt.Fprintf(&numbers, "%9d", n)
		}
	}
	if w.encoding.Elements(len(e.vector)) > tableNumbers {
		numbers.WriteString(" ...")
	}
	_, err := fmt.Fprintf(w.w, "  %6d  %6d  %-*s  %s\n", e.index, e.tokens, tableNumbers*10, numbers.String(), abbreviated(e.text))
	return err
}

func (w *tableVectors) close() error { return w.w.Flush() }

// abbreviated returns the beginning of a text as it can be shown on a terminal.
func abbreviated(text string) string {
	// A character has at most 4 bytes.
	if runes := []rune(text[:min(len(text), 4*(tableText+1))]); len(runes) > tableText {
		return texttable.Safe(string(runes[:tableText-3]) + "...")
	}
	return texttable.Safe(text)
}

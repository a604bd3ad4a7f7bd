package inspect

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/quantize"
)

// TestFormatsPage checks that the tables of docs/formats.md are those of the code.
// With -update it writes them.
func TestFormatsPage(t *testing.T) {
	const path = "../docs/formats.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for name, table := range map[string]string{
		"tensor types": tensorTypeTable(),
		"named types":  namedTypeTable(),
		"file types":   fileTypeTable(t),
	} {
		begin, end := "<!-- table: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(page, begin)
		old, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no table between %q and %q", path, begin, end)
		}
		if old != table && !*update {
			t.Errorf("the table of %s in %s is not that of the code; run 'go test ./inspect -update'. Want:\n%s", name, path, table)
		}
		page = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// knownTypes returns every tensor type that has a name.
func knownTypes() (all []gguf.Type) {
	for t := range gguf.Type(1000) {
		if t.Project() != "" {
			all = append(all, t)
		}
	}
	return all
}

func tensorTypeTable() string {
	var b strings.Builder
	b.WriteString("| type | id | elements of a block | bytes of a block | bits per weight | read | written |\n|---|--:|--:|--:|--:|---|---|\n")
	for _, t := range knownTypes() {
		if elements, bytes, ok := t.Block(); ok {
			bits := fmt.Sprintf("%.4f", 8*float64(bytes)/float64(elements))
			bits = strings.TrimSuffix(strings.TrimRight(bits, "0"), ".")
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %s | %s |\n", t, t, elements, bytes, bits, yes(decodable(t)), yes(encodable(t)))
		}
	}
	return b.String()
}

func namedTypeTable() string {
	var b strings.Builder
	b.WriteString("| id | type | of |\n|--:|---|---|\n")
	for _, t := range knownTypes() {
		if _, _, ok := t.Block(); !ok {
			of := t.Project()
			if t.Removed() {
				of += ", removed"
			}
			fmt.Fprintf(&b, "| %d | %s | %s |\n", t, t, of)
		}
	}
	return b.String()
}

// fileTypeTable asks the quantizer what each file type makes of a matrix.
func fileTypeTable(t *testing.T) string {
	matrix := fixture{name: "matrix", shards: []shard{{
		metadata(),
		[]gguf.TensorInfo{{Name: "blk.0.ffn_up.weight", Type: gguf.TypeF32, Shape: []int64{256, 2}}},
	}}}.open(t)
	var b strings.Builder
	b.WriteString("| file type | id | base type | made |\n|---|--:|---|---|\n")
	for _, ft := range quantize.FileTypes() {
		plan, err := quantize.NewPlan(matrix, &quantize.Options{FileType: ft, Pure: true})
		if err != nil {
			t.Fatal(err)
		}
		base := plan.Tensors[0].To
		made := yes(encodable(base))
		if made != "" && plan.Check() != nil {
			made = "with importance"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", ft, ft, base, made)
	}
	return b.String()
}

// encodable reports whether rows can be quantized to t.
func encodable(t gguf.Type) bool {
	c, ok := block.Lookup(t)
	return ok && c.CanEncode()
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return ""
}

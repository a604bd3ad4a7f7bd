package quantize

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/block"
)

const (
	bytesPath = "testdata/bytes.txt"
	seed      = 7
)

// encodableTypes are the file types all of whose formats can be written.
var encodableTypes = []gguf.FileType{
	gguf.FileF32, gguf.FileF16, gguf.FileBF16, gguf.FileQ8_0, gguf.FileQ4_0, gguf.FileQ4_1, gguf.FileQ5_0, gguf.FileQ5_1,
	gguf.FileQ2_K, gguf.FileQ3_K_S, gguf.FileQ3_K_M, gguf.FileQ3_K_L, gguf.FileQ4_K_S, gguf.FileQ4_K_M,
	gguf.FileQ5_K_S, gguf.FileQ5_K_M, gguf.FileQ6_K,
	gguf.FileIQ3S, gguf.FileIQ3M, gguf.FileIQ4NL, gguf.FileIQ4XS, gguf.FileTQ1_0, gguf.FileTQ2_0, gguf.FileMXFP4MoE, gguf.FileQ1_0, gguf.FileQ2_0,
}

// importanceTypes are those that are refused without importance.
var importanceTypes = []gguf.FileType{
	gguf.FileIQ2XXS, gguf.FileIQ2XS, gguf.FileIQ2S, gguf.FileIQ2M, gguf.FileIQ3XXS, gguf.FileIQ3XS,
	gguf.FileIQ1S, gguf.FileIQ1M,
}

// A byteRun quantizes a model with options of llama-quantize.
type byteRun struct {
	model *testModel
	args  []string
	to    string // file type or COPY
}

func (r byteRun) title() string {
	return strings.Join(append([]string{r.model.name, r.to}, r.args...), " ")
}

// byteRuns pairs every file type with every model, and every option with one.
func byteRuns() []byteRun {
	encoder, decoder, mixed := encoderModel(), decoderModel(), mixedModel()
	var runs []byteRun
	add := func(m *testModel, to string, args ...string) { runs = append(runs, byteRun{m, args, to}) }
	for _, t := range encodableTypes {
		for _, m := range []*testModel{encoder, decoder} {
			add(m, t.String())
			add(m, t.String(), "--imatrix", "imatrix.gguf")
		}
		add(mixed, t.String(), "--allow-requantize", "--imatrix", "imatrix.gguf")
	}
	for _, t := range importanceTypes {
		for _, m := range []*testModel{encoder, decoder, mixed} {
			add(m, t.String(), "--allow-requantize", "--imatrix", "imatrix.gguf", "--tensor-type", "blk.2.attn_k=q3_k")
		}
	}
	for _, m := range []*testModel{encoder, decoder} {
		add(m, "Q2_K_S", "--imatrix", "imatrix.gguf", "--tensor-type", "blk.2.attn_k=q3_k")
		add(m, "COPY")
		add(m, "COPY", "--override-kv", "general.file_type=int:7")
		for _, args := range [][]string{
			{"--pure"},
			{"--leave-output-tensor"},
			{"--output-tensor-type", "q5_1"},
			{"--token-embedding-type", "f16"},
			{"--tensor-type", `blk\.[0-3]\.attn_v=q8_0`, "--tensor-type", "ffn_down=q3_k", "--pure"},
			{"--override-kv", "general.name=str:other", "--override-kv", "new.float=float:0.1", "--override-kv", "new.bool=bool:false",
				"--override-kv", "new.int=int:-5", "--override-kv", "new.bool=bool:true"},
			{"--imatrix", "imatrix.dat"},
			{"--imatrix", "imatrix.gguf", "--include-weights", "attn", "--include-weights", "blk.1"},
			{"--imatrix", "imatrix.gguf", "--exclude-weights", "ffn_down", "--override-kv", "last.key=str:"},
			{"--imatrix", "imatrix.gguf", "--include-weights", "nothing"},
			{"--keep-split"},
			{"--prune-layers", "0"},
			{"--prune-layers", "7,3", "--imatrix", "imatrix.gguf", "--tensor-type", "blk.3.attn_k=q8_0"},
			{"--prune-layers", "1,2,4,5,6", "--override-kv", "general.name=str:pruned", "--imatrix", "imatrix.gguf"},
			{"--prune-layers", "0,1,2,3,4,5,7", "--pure"},
		} {
			add(m, "Q4_K_M", args...)
		}
		add(m, "COPY", "--prune-layers", "2,6")
		add(m, "Q3_K_M", "--prune-layers", "0,2")
	}
	add(mixed, "F32", "--allow-requantize")
	add(mixed, "COPY")
	add(mixed, "Q4_K_S", "--allow-requantize", "--imatrix", "imatrix.gguf", "--prune-layers", "1")
	return append(runs, byteRun{decoder.splitReversed(), []string{"--keep-split", "--imatrix", "imatrix.gguf"}, "Q4_K_S"},
		byteRun{decoder.splitReversed(), nil, "Q4_K_S"},
		byteRun{decoder.splitReversed(), []string{"--keep-split", "--prune-layers", "0,5", "--imatrix", "imatrix.gguf"}, "Q5_K_M"})
}

func encoderModel() *testModel {
	m := newModel("bert", "bert", 8, 6, 6, 0).set("general.name", gguf.ValueOf("encoder")).
		set("bert.attention.causal", gguf.ValueOf(false)).
		set("general.file_type", gguf.ValueOf(uint32(0))).
		set("tokenizer.ggml.tokens", gguf.ArrayOf([]string{"a", "", "c"}))
	m.add([]int64{384, 9}, "token_embd.weight").add([]int64{384, 4}, "position_embd.weight", "token_types.weight").
		add(vector(384), "token_embd_norm.weight", "token_embd_norm.bias")
	m.layers(8, []int64{384, 2}, split("ffn_up.weight")...)
	return m.layers(8, []int64{512, 2}, "ffn_down.weight").layers(8, vector(5), "attn_q.bias")
}

func decoderModel() *testModel {
	m := newModel("llama", "llama", 8, 8, 2, 0).set("quantize.imatrix.file", gguf.ValueOf("old"))
	m.add([]int64{256, 9}, "output.weight", "token_embd.weight").add(vector(256), "output_norm.weight")
	return m.layers(8, []int64{256, 2}, split(gated()...)...).layers(8, vector(255), "attn_norm.weight")
}

// mixedModel has stacks of experts and sources of several types.
func mixedModel() *testModel {
	m := newModel("experts", "llama", 4, 8, 8, 3).set("general.quantization_version", gguf.ValueOf(uint32(2)))
	m.addType(gguf.TypeF16, []int64{256, 30}, "token_embd.weight")
	for i, t := range []gguf.Type{gguf.TypeF32, gguf.TypeF16, gguf.TypeBF16, gguf.TypeQ8_0} {
		for _, name := range split("ffn_gate_inp.weight") {
			m.addType(t, []int64{256, 2}, fmt.Sprintf("blk.%d.%s", i, name))
		}
		for _, name := range expert() {
			m.addType(t, []int64{256, 3, 3}, fmt.Sprintf("blk.%d.%s", i, name))
		}
	}
	return m.addType(gguf.TypeQ4_K, []int64{256, 3}, "blk.0.attn_kv_b.weight")
}

// splitReversed returns m in two shards, its tensors from last to first.
func (m *testModel) splitReversed() *testModel {
	r := *m
	r.name += "-00001-of-00002"
	r.tensors = slices.Clone(m.tensors)
	slices.Reverse(r.tensors)
	return &r
}

// writeData writes the model, or its two shards, with weights.
func (m *testModel) writeData(t *testing.T) {
	t.Helper()
	prefix, _, shards, ok := gguf.ParseShardPath(m.name + ".gguf")
	if !ok {
		writeGGUF(t, m.name+".gguf", m.metadata(), m.tensors, encodeWeights(t))
		return
	}
	cut := len(m.tensors) / 3
	for i, tensors := range [][]gguf.TensorInfo{m.tensors[:cut], m.tensors[cut:]} {
		md := new(gguf.Metadata)
		if i == 0 {
			md = m.metadata()
		}
		md.Set(gguf.KeySplitNo, gguf.ValueOf(uint16(i)))
		md.Set(gguf.KeySplitCount, gguf.ValueOf(uint16(shards)))
		md.Set(gguf.KeySplitTensors, gguf.ValueOf(int32(len(m.tensors))))
		writeGGUF(t, gguf.ShardPath(prefix, i, shards), md, tensors, encodeWeights(t))
	}
}

func encodeWeights(t *testing.T) func(info gguf.TensorInfo, size int64) []byte {
	return func(info gguf.TensorInfo, size int64) []byte {
		columns := int(info.Shape[0])
		rows := 1
		for _, d := range info.Shape[1:] {
			rows *= int(d)
		}
		weights := synth.Weights(seed, info.Name, rows*columns)
		if info.Type == gguf.TypeF32 {
			return must(binary.Append(nil, binary.LittleEndian, weights))
		}
		codec, ok := block.Lookup(info.Type)
		if !ok {
			t.Fatalf("no codec for %s", info.Type)
		}
		data, rowSize := make([]byte, size), int(size)/rows
		for i := range rows {
			if err := codec.EncodeRow(data[i*rowSize:][:rowSize], weights[i*columns:][:columns], nil); err != nil {
				t.Fatal(err)
			}
		}
		return data
	}
}

// writeImportance writes imatrix.gguf and imatrix.dat with measurements for
// most weights of m: attn_k has none in layer 2, the embeddings too few, and
// the second of several experts was never chosen.
func (m *testModel) writeImportance(t *testing.T) {
	t.Helper()
	var dat bytes.Buffer
	put := func(v any) { binary.Write(&dat, binary.LittleEndian, v) }
	text := func(s string) { put(int32(len(s))); dat.WriteString(s) }
	var infos []gguf.TensorInfo
	var data bytes.Buffer
	entries := 0
	var body bytes.Buffer
	for _, info := range m.tensors {
		if len(info.Shape) < 2 || info.Name == "blk.2.attn_k.weight" {
			continue
		}
		columns, n := info.Shape[0], experts(info.Shape)
		if info.Name == "token_embd.weight" {
			columns--
		}
		sums, counts := synth.Weights(seed+1, info.Name, int(columns*n)), make([]float32, n)
		for i := range sums {
			sums[i] *= sums[i]
		}
		for i := range counts {
			counts[i] = float32(1000 + i)
		}
		if n > 1 {
			counts[1] = 0
		}
		infos = append(infos,
			gguf.TensorInfo{Name: info.Name + ".in_sum2", Type: gguf.TypeF32, Shape: []int64{columns, n}},
			gguf.TensorInfo{Name: info.Name + ".counts", Type: gguf.TypeF32, Shape: []int64{1, n}})
		data.Write(must(binary.Append(nil, binary.LittleEndian, sums)))
		data.Write(must(binary.Append(nil, binary.LittleEndian, counts)))

		dat, body = body, dat
		text(info.Name)
		put([]int32{3, int32(len(sums))})
		put(sums)
		dat, body = body, dat
		entries++
	}
	put(int32(entries))
	dat.Write(body.Bytes())
	put(int32(17))
	text("wiki.train.raw")
	if err := os.WriteFile("imatrix.dat", dat.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}

	md := new(gguf.Metadata)
	md.Set("general.type", gguf.ValueOf("imatrix"))
	md.Set("imatrix.datasets", gguf.ArrayOf([]string{strings.Repeat("long name ", 20), "second"}))
	md.Set("imatrix.chunk_count", gguf.ValueOf(uint32(21)))
	md.Set("imatrix.chunk_size", gguf.ValueOf(uint32(512)))
	writeGGUF(t, "imatrix.gguf", md, infos, func(_ gguf.TensorInfo, size int64) []byte { return data.Next(int(size)) })
}

// options reads the options of r, with importance from a file.
func (r byteRun) options(t *testing.T) *Options {
	t.Helper()
	var plain, include, exclude []string
	var measured *imatrix.File
	var info ImportanceInfo
	for i := 0; i < len(r.args); i++ {
		switch r.args[i] {
		case "--imatrix":
			i++
			f, err := imatrix.Read(r.args[i])
			if err != nil {
				t.Fatal(err)
			}
			measured, info = f, ImportanceInfo{File: r.args[i], Datasets: f.Datasets, Chunks: f.Chunks}
		case "--include-weights":
			i++
			include = append(include, r.args[i])
		case "--exclude-weights":
			i++
			exclude = append(exclude, r.args[i])
		default:
			plain = append(plain, r.args[i])
		}
	}
	o := parseArgs(plain)
	if measured != nil {
		measured.Select(include, exclude)
		o.Importance, o.ImportanceInfo = measured.Importance(), info
	}
	var err error
	if o.FileType, o.Copy, err = ParseTarget(r.to); err != nil {
		t.Fatal(err)
	}
	return o
}

// enter changes to a new folder with the inputs of all runs of one model.
func enter(t *testing.T, m *testModel) {
	t.Helper()
	t.Chdir(t.TempDir())
	m.writeData(t)
	m.writeImportance(t)
}

// TestByteGoldens compares whole files with what llama-quantize wrote.
func TestByteGoldens(t *testing.T) {
	if *llamaQuantize != "" {
		writeByteGoldens(t)
	}
	goldens := readByteGoldens(t)
	eachModel(t, func(t *testing.T, m *testModel, runs []byteRun) {
		f, err := gguf.Open(m.name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i, r := range runs {
			t.Run(r.title(), func(t *testing.T) {
				p, err := NewPlan(f, r.options(t))
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Run(t.Context(), "out.gguf", &RunOptions{Threads: 1 + i%3, Overwrite: true}); err != nil {
					t.Fatal(err)
				}
				compareGolden(t, hashFiles(t, p.Outputs("out.gguf")), goldens[r.title()])
			})
		}
	})
}

// eachModel calls f for each model in a folder with its files.
func eachModel(t *testing.T, f func(t *testing.T, m *testModel, runs []byteRun)) {
	byName := map[string][]byteRun{}
	var names []string
	for _, r := range byteRuns() {
		if byName[r.model.name] == nil {
			names = append(names, r.model.name)
		}
		byName[r.model.name] = append(byName[r.model.name], r)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m := byName[name][0].model
			enter(t, m)
			f(t, m, byName[name])
		})
	}
}

// hashes are of all files of an output together, of everything before the
// data, and of the data of each tensor.
type hashes struct {
	all, head string
	tensors   []string
}

func (h hashes) String() string {
	return h.all + " " + h.head + " " + strings.Join(h.tensors, "")
}

const shortHash = 8 // hex digits

func hashFiles(t *testing.T, paths []string) hashes {
	t.Helper()
	all, head := sha256.New(), sha256.New()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	f, err := gguf.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := hashes{all: hex.EncodeToString(all.Sum(nil))}
	for _, s := range f.Shards {
		file, err := os.Open(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(head, file, s.DataAt)
		file.Close()
	}
	h.head = hex.EncodeToString(head.Sum(nil))[:shortHash]
	for _, x := range f.Tensors {
		sum := sha256.Sum256(f.Stored(x))
		h.tensors = append(h.tensors, hex.EncodeToString(sum[:])[:shortHash])
	}
	return h
}

// compareGolden says where the output differs.
func compareGolden(t *testing.T, got hashes, golden string) {
	t.Helper()
	if got.String() == golden {
		return
	}
	f := strings.Fields(golden)
	if len(f) != 3 {
		t.Fatalf("no golden; got %s", got)
	}
	if got.head != f[1] {
		t.Errorf("keys or tensor table differ")
	}
	for i, h := range got.tensors {
		if want := f[2][min(len(f[2]), i*shortHash):]; !strings.HasPrefix(want, h) {
			t.Errorf("tensor %d differs", i)
		}
	}
	t.Errorf("files differ")
}

func readByteGoldens(t *testing.T) map[string]string {
	data, err := os.ReadFile(bytesPath)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if title, golden, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			all[title] = golden
		}
	}
	return all
}

func writeByteGoldens(t *testing.T) {
	program, err := filepath.Abs(*llamaQuantize)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString("# SHA-256 of what llama-quantize writes for the models of the tests: all files together, and the first digits of that of\n" +
		"# everything before the data and of the data of each tensor. Made by go test -args -llama-quantize=PATH.\n")
	eachModel(t, func(t *testing.T, m *testModel, runs []byteRun) {
		for _, r := range runs {
			args := append(slices.Clone(r.args), m.name+".gguf", "out.gguf", r.to, "2")
			if output, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", r.title(), err, output)
			}
			paths := []string{"out.gguf"}
			if slices.Contains(r.args, "--keep-split") {
				if paths, err = filepath.Glob("out-*.gguf"); err != nil {
					t.Fatal(err)
				}
			}
			fmt.Fprintf(&out, "%s: %s\n", r.title(), hashFiles(t, paths))
			for _, path := range paths {
				os.Remove(path)
			}
		}
	})
	if err := os.WriteFile(bytesPath, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

package quantize

import (
	"fmt"
	"os"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// A testModel is a model with the names, keys and row lengths that recipes
// depend on and hardly any rows.
type testModel struct {
	name    string
	keys    []key
	tensors []gguf.TensorInfo
	imatrix bool       // also with importance
	args    [][]string // also with these options
}

type key struct {
	name  string
	value gguf.Value
}

// newModel returns a model of arch with keys that every architecture needs.
func newModel(name, arch string, layers, heads, headsKV, experts uint32) *testModel {
	m := &testModel{name: name}
	m.set("general.architecture", gguf.ValueOf(arch))
	m.set(arch+".context_length", gguf.ValueOf(uint32(512)))
	m.set(arch+".embedding_length", gguf.ValueOf(uint32(256)))
	m.set(arch+".block_count", gguf.ValueOf(layers))
	m.set(arch+".feed_forward_length", gguf.ValueOf(uint32(512)))
	m.set(arch+".attention.head_count", gguf.ValueOf(heads))
	m.set(arch+".attention.head_count_kv", gguf.ValueOf(headsKV))
	m.set(arch+".attention.layer_norm_rms_epsilon", gguf.ValueOf(float32(1e-5)))
	m.set(arch+".attention.layer_norm_epsilon", gguf.ValueOf(float32(1e-5)))
	if experts > 0 {
		m.set(arch+".expert_count", gguf.ValueOf(experts))
		m.set(arch+".expert_used_count", gguf.ValueOf(uint32(2)))
	}
	return m
}

func (m *testModel) set(name string, v gguf.Value) *testModel {
	m.keys = append(m.keys, key{name, v})
	return m
}

// add appends F32 tensors of a shape.
func (m *testModel) add(shape []int64, names ...string) *testModel {
	return m.addType(gguf.TypeF32, shape, names...)
}

func (m *testModel) addType(t gguf.Type, shape []int64, names ...string) *testModel {
	for _, n := range names {
		m.tensors = append(m.tensors, gguf.TensorInfo{Name: n, Type: t, Shape: shape})
	}
	return m
}

// layers appends tensors of a shape to each of n layers.
func (m *testModel) layers(n int, shape []int64, names ...string) *testModel {
	for i := range n {
		for _, name := range names {
			m.add(shape, fmt.Sprintf("blk.%d.%s", i, name))
		}
	}
	return m
}

// with adds options to compare under.
func (m *testModel) with(args ...string) *testModel {
	m.args = append(m.args, args)
	return m
}

func (m *testModel) weighted() *testModel {
	m.imatrix = true
	return m
}

func (m *testModel) metadata() *gguf.Metadata {
	md := new(gguf.Metadata)
	for _, k := range m.keys {
		md.Set(k.name, k.value)
	}
	return md
}

// file returns the model as gguf.Open would, without data.
func (m *testModel) file() *gguf.File {
	f := &gguf.File{Path: m.name + ".gguf", Metadata: m.metadata(), Shards: make([]gguf.Shard, 1)}
	for _, info := range m.tensors {
		t := &gguf.Tensor{Name: info.Name, Type: info.Type, Shape: info.Shape}
		t.Size, _ = t.Type.Size(t.Elements())
		f.Tensors = append(f.Tensors, t)
	}
	return f
}

// write writes the model with zeros for data.
func (m *testModel) write(t *testing.T, path string) {
	t.Helper()
	writeGGUF(t, path, m.metadata(), m.tensors, func(info gguf.TensorInfo, size int64) []byte { return make([]byte, size) })
}

func writeGGUF(t *testing.T, path string, md *gguf.Metadata, tensors []gguf.TensorInfo, data func(info gguf.TensorInfo, size int64) []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := gguf.NewWriter(f, md, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range tensors {
		n := int64(1)
		for _, d := range info.Shape {
			n *= d
		}
		size, _ := info.Type.Size(n)
		if _, err := w.Write(data(info, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// writeImatrix writes an importance file with one entry that no model has, so
// that there is importance but its sizes do not matter.
func writeImatrix(t *testing.T, path string) {
	md := new(gguf.Metadata)
	md.Set("general.type", gguf.ValueOf("imatrix"))
	md.Set("imatrix.datasets", gguf.ArrayOf([]string{"none"}))
	md.Set("imatrix.chunk_count", gguf.ValueOf(uint32(1)))
	md.Set("imatrix.chunk_size", gguf.ValueOf(uint32(512)))
	writeGGUF(t, path, md, []gguf.TensorInfo{
		{Name: "blk.0.attn_x.weight.counts", Type: gguf.TypeF32, Shape: []int64{1, 1}},
		{Name: "blk.0.attn_x.weight.in_sum2", Type: gguf.TypeF32, Shape: []int64{1, 1}},
	}, func(gguf.TensorInfo, int64) []byte { return []byte{0, 0, 0x80, 0x3f} })
}

// Shapes of two rows, which is all that a recipe looks at.
func cols(n int64) []int64           { return []int64{n, 2} }
func stack(n, experts int64) []int64 { return []int64{n, 2, experts} }
func vector(n int64) []int64         { return []int64{n} }
func split(attn ...string) []string {
	return append([]string{"attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight"}, attn...)
}
func gated(extra ...string) []string {
	return append([]string{"ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"}, extra...)
}
func fused(extra ...string) []string {
	return append([]string{"attn_qkv.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight"}, extra...)
}
func expert(extra ...string) []string {
	return append([]string{"ffn_gate_exps.weight", "ffn_up_exps.weight", "ffn_down_exps.weight"}, extra...)
}

func testModels() []*testModel {
	const rows256 = 256
	c, v := cols(rows256), vector(rows256)
	var all []*testModel
	model := func(m *testModel) *testModel { all = append(all, m); return m }

	// Dense decoders: with an output matrix and with tied embeddings, with and
	// without grouped queries, at depths that the fractions of layers divide
	// well and badly.
	model(newModel("llama", "llama", 24, 8, 8, 0)).weighted().
		add(c, "token_embd.weight", "output.weight").add(v, "output_norm.weight").
		layers(24, c, split(gated()...)...).layers(24, v, "attn_norm.weight", "ffn_norm.weight").
		with("--pure").
		with("--leave-output-tensor").
		with("--output-tensor-type", "q5_k").
		with("--output-tensor-type", "f16").
		with("--token-embedding-type", "q4_0").
		with("--token-embedding-type", "bf16", "--output-tensor-type", "q8_0", "--pure").
		with("--tensor-type", "attn_v=q8_0").
		with("--tensor-type", `blk\.[0-3]\.attn_v=q3_k`).
		with("--tensor-type", `blk\.(1|2\d)\.ffn_(up|down)\.weight=iq4_nl`, "--tensor-type", "ffn=q5_1").
		with("--tensor-type", "^OUTPUT=q4_0", "--tensor-type", "token_embd.weight$=f16").
		with("--tensor-type", `attn_[^kq]=Q6_K`, "--pure").
		with("--tensor-type", `[[:alpha:]]{3}\.1[[:digit:]]\..*v\.w=q2_k`).
		with("--tensor-type", `(\w)\1n_up=mxfp4`).
		with("--tensor-type", `^blk\.(?!1\d?\.)\d+\.ffn_down=tq2_0`).
		with("--override-kv", "llama.block_count=int:40", "--override-kv", "llama.attention.head_count_kv=int:2").
		with("--override-kv", "general.architecture=str:falcon", "--override-kv", "falcon.context_length=int:512",
			"--override-kv", "falcon.embedding_length=int:256", "--override-kv", "falcon.block_count=int:32",
			"--override-kv", "falcon.attention.layer_norm_epsilon=float:1e-5").
		with("--override-kv", "llama.block_count=float:40").
		with("--prune-layers", "0,1,5").
		with("--prune-layers", "3,4,6,7,8,9,10,11,12,13,23")
	model(newModel("llama-gqa-tied", "llama", 17, 32, 8, 0)).weighted().
		add(c, "token_embd.weight").add(v, "output_norm.weight", "rope_freqs.weight").
		layers(17, c, split(gated()...)...).
		with("--pure").
		with("--leave-output-tensor").
		with("--output-tensor-type", "q5_k").
		with("--output-tensor-type", "f16", "--pure").
		with("--token-embedding-type", "q2_k", "--output-tensor-type", "q5_k")
	model(newModel("llama-70b", "llama", 80, 64, 8, 0)).add(c, "token_embd.weight", "output.weight").
		layers(80, c, "attn_v.weight", "ffn_down.weight")
	model(newModel("llama-65b", "llama", 80, 64, 64, 0)).layers(80, c, "attn_v.weight")
	model(newModel("llama-embed-70b", "llama-embed", 80, 64, 8, 0)).layers(80, c, "attn_v.weight")
	model(newModel("qwen2-72b", "qwen2", 80, 64, 8, 0)).layers(80, c, "attn_v.weight")
	model(newModel("deci-70b", "deci", 80, 64, 64, 0)).layers(80, c, "attn_v.weight")
	model(newModel("olmo-70b", "olmo", 80, 64, 64, 0)).layers(80, c, "attn_v.weight")
	model(newModel("jais2-70b", "jais2", 68, 64, 64, 0)).layers(68, c, "attn_v.weight")
	model(newModel("qwen3", "qwen3", 28, 16, 8, 0)).weighted().add(c, "token_embd.weight").
		layers(28, c, split(gated()...)...).layers(28, vector(128), "attn_q_norm.weight", "attn_k_norm.weight")
	model(newModel("gemma", "gemma", 18, 8, 1, 0)).add(c, "token_embd.weight").layers(18, c, split(gated()...)...)

	// Fused and biased attention; architectures with rules of their own.
	model(newModel("falcon", "falcon", 32, 71, 1, 0)).weighted().add(c, "token_embd.weight", "output.weight").
		layers(32, c, fused()...).layers(32, v, "attn_norm.weight", "attn_norm.bias")
	model(newModel("falcon-tied", "falcon", 9, 8, 8, 0)).add(c, "token_embd.weight").layers(9, c, split(gated()...)...)
	model(newModel("gpt2", "gpt2", 12, 12, 12, 0)).weighted().
		add(cols(768), "token_embd.weight", "position_embd.weight", "output.weight").
		layers(12, cols(768), fused()...).layers(12, vector(768), "attn_qkv.bias", "ffn_up.bias")

	// Encoders.
	model(newModel("bert", "bert", 6, 12, 12, 0)).weighted().
		set("bert.attention.causal", gguf.ValueOf(false)).
		add(cols(384), "token_embd.weight", "position_embd.weight", "token_types.weight").
		add(vector(384), "token_embd_norm.weight", "token_embd_norm.bias").
		layers(6, cols(384), split("ffn_up.weight")...).layers(6, cols(1536), "ffn_down.weight").
		layers(6, vector(384), "attn_output_norm.weight", "layer_output_norm.bias").
		add(cols(384), "cls.weight", "cls.output.weight", "dense_2.weight").
		with("--pure").
		with("--tensor-type", "attn_v=q6_k", "--tensor-type", "attn_q=iq4_xs").
		with("--output-tensor-type", "q6_k")
	model(newModel("nomic-bert", "nomic-bert", 12, 12, 12, 0)).add(cols(768), "token_embd.weight").
		layers(12, cols(768), fused("ffn_gate.weight")...)

	// Experts.
	model(newModel("mixtral", "llama", 12, 32, 8, 8)).weighted().
		add(c, "token_embd.weight", "output.weight").layers(12, c, split("ffn_gate_inp.weight")...).
		layers(12, stack(rows256, 8), expert()...).
		with("--pure").
		with("--tensor-type", "exps=q3_k").
		with("--prune-layers", "2,3,11").
		with("--prune-layers", "1", "--tensor-type", "blk.3.ffn_up_exps=q3_k")
	model(newModel("mixtral-split", "llama", 10, 32, 32, 8)).add(c, "token_embd.weight").
		layers(10, c, split("ffn_down.0.weight", "ffn_down.1.weight", "ffn_gate.0.weight", "ffn_up.1.weight")...)
	model(newModel("qwen3moe", "qwen3moe", 16, 32, 4, 128)).add(c, "token_embd.weight", "output.weight").
		layers(16, c, split("ffn_gate_inp.weight")...).layers(16, stack(768, 4), expert()...)
	model(newModel("four-experts", "llama", 8, 8, 8, 4)).layers(8, c, split()...).layers(8, stack(rows256, 4), expert()...)
	model(newModel("experts-outside-layers", "llama", 4, 8, 8, 4)).layers(6, c, "attn_v.weight", "ffn_down.weight")
	model(newModel("experts-without-layers", "llama", 4, 8, 8, 4)).add(c, "ffn_up.weight", "attn_v.weight")
	model(deepseek2())
	model(bailingmoe3())
	model(glm5Next())

	// Layers that are counted in another way.
	model(newModel("nanbeige", "nanbeige", 8, 8, 8, 0)).set("nanbeige.num_loops", gguf.ValueOf(uint32(3))).
		layers(8, c, split(gated()...)...)
	model(graniteSwitch())
	model(newModel("nextn", "glm4moe", 9, 8, 8, 0).setExperts("glm4moe").setUint("glm4moe.nextn_predict_layers", 1)).
		layers(9, c, split(gated()...)...)
	model(newModel("llama-70b-nextn", "llama", 81, 64, 8, 0)).setUint("llama.nextn_predict_layers", 1).
		layers(81, c, "attn_v.weight")

	// What is never quantized.
	model(keptNames())

	// Rows that do not fit.
	model(oddRows())
	model(sources())
	model(clip())
	return all
}

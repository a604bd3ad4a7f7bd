package quantize

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

func TestParseLayers(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int
	}{
		{"3", []int{3}},
		{"5,0,2", []int{0, 2, 5}},
		{"1,1,0-2", []int{0, 1, 2}},
		{" 7 , 9 - 11 ", []int{7, 9, 10, 11}},
		{"4-4", []int{4}},
	} {
		if got, err := ParseLayers(c.text); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"", "a", "1,", "-1", "1-", "-", "5-3", "1-2-3", "0x1", "1.5", "99999999999", "0-99999999999"} {
		if got, err := ParseLayers(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// layered is a model with keys that have an element for each of its six layers,
// and some that only look so.
func layered() *testModel {
	m := newModel("layered", "llama", 6, 8, 2, 0)
	m.keys = slices.DeleteFunc(m.keys, func(k key) bool { return k.name == "llama.attention.head_count_kv" })
	m.set("llama.attention.head_count_kv", gguf.ArrayOf([]uint32{0, 1, 2, 3, 4, 5})).
		set("llama.feed_forward.floats", gguf.ArrayOf([]float32{0, 1, 2, 3, 4, 5})).
		set("llama.attention.sliding_window_pattern", gguf.ArrayOf([]bool{true, false, false, false, true, false})).
		set("llama.signed", gguf.ArrayOf([]int32{0, -1, -2, -3, -4, -5})).
		set("llama.without_predictors", gguf.ArrayOf([]uint8{0, 1, 2, 3, 4})).
		set("xielu.beta", gguf.ArrayOf([]float32{0, 1, 2, 3, 4, 5})).
		set("llama.classifier.output_labels", gguf.ArrayOf([]string{"a", "b", "c", "d", "e", "f"})).
		set("llama.rope.dimension_sections", gguf.ArrayOf([]int32{6, 5, 4, 3, 2, 1})).
		set("llama.short", gguf.ArrayOf([]int32{1, 2, 3, 4})).
		set("tokenizer.ggml.token_type", gguf.ArrayOf([]int32{1, 1, 1, 1, 1, 1})).
		setUint("llama.leading_dense_block_count", 2).
		setUint("llama.nextn_predict_layers", 1).
		set("llama.attention.shared_kv_layers", gguf.ValueOf(int32(3))).
		setUint("llama.interleave_moe_layer_step", 3)
	m.add(cols(256), "token_embd.weight")
	return m.layers(6, cols(256), "attn_v.weight", "ffn_up.weight")
}

// openLayered writes m and opens it.
func openLayered(t *testing.T, m *testModel) *gguf.File {
	t.Helper()
	t.Chdir(t.TempDir())
	m.writeData(t)
	f, err := gguf.Open(m.name + ".gguf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestPruneLayers looks at every key of a pruned model and at where its weights
// come from.
func TestPruneLayers(t *testing.T) {
	f := openLayered(t, layered())
	_, err := NewPlan(f, &Options{Copy: true, PruneLayers: []int{1, 2, 5}})
	if err == nil || !strings.Contains(err.Error(), "layers of another kind return after 3") {
		t.Errorf("a layer changes its kind: got %v", err)
	}
	o := &Options{Copy: true, PruneLayers: []int{0, 1, 2}}
	p, err := NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), "out.gguf", nil); err != nil {
		t.Fatal(err)
	}
	out, err := gguf.Open("out.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	want := map[string]any{
		"llama.block_count":                      uint32(3),
		"llama.attention.head_count":             uint32(8),
		"llama.attention.head_count_kv":          []uint32{3, 4, 5},
		"llama.feed_forward.floats":              []float32{3, 4, 5},
		"llama.attention.sliding_window_pattern": []bool{false, true, false},
		"llama.signed":                           []int32{-3, -4, -5},
		"llama.without_predictors":               []uint8{3, 4},
		"xielu.beta":                             []float32{3, 4, 5},
		"llama.classifier.output_labels":         []string{"a", "b", "c", "d", "e", "f"},
		"llama.rope.dimension_sections":          []int32{6, 5, 4, 3, 2, 1},
		"llama.short":                            []int32{1, 2, 3, 4},
		"tokenizer.ggml.token_type":              []int32{1, 1, 1, 1, 1, 1},
		"llama.leading_dense_block_count":        uint32(0),
		"llama.nextn_predict_layers":             uint32(1),
		"llama.attention.shared_kv_layers":       int32(3),
		"llama.interleave_moe_layer_step":        uint32(3),
	}
	for key, value := range want {
		if v, _ := out.Metadata.Lookup(key); !reflect.DeepEqual(v.Any(), value) {
			t.Errorf("%s is %v, want %v", key, v.Any(), value)
		}
	}
	if p.Pruned != 6 || len(out.Tensors) != 7 {
		t.Errorf("%d tensors are pruned, %d left", p.Pruned, len(out.Tensors))
	}
	for _, name := range []string{"token_embd.weight", "blk.%d.attn_v.weight", "blk.%d.ffn_up.weight"} {
		for i := range 3 {
			to, from := name, name
			if strings.Contains(name, "%") {
				to, from = fmt.Sprintf(name, i), fmt.Sprintf(name, i+3)
			}
			if x := out.Tensor(to); x == nil || string(out.Stored(x)) != string(f.Stored(f.Tensor(from))) {
				t.Errorf("%s is not %s of the input", to, from)
			}
		}
	}
	if n, _ := f.Metadata.Int("llama.block_count"); n != 6 {
		t.Errorf("the input has %d layers now", n)
	}
}

// TestPruneTrailing prunes layers that are counted from the end.
func TestPruneTrailing(t *testing.T) {
	f := openLayered(t, layered())
	if _, err := NewPlan(f, &Options{Copy: true, PruneLayers: []int{1, 4, 5}}); err == nil {
		t.Fatal("layers 2 and 3 change their kind")
	}
	p, err := NewPlan(f, &Options{Copy: true, PruneLayers: []int{4, 5}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"llama.leading_dense_block_count": 2, "llama.nextn_predict_layers": 0, "llama.attention.shared_kv_layers": 1} {
		if got, _ := p.Metadata.Int(key); got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	if a, _ := gguf.Array[uint8](p.Metadata, "llama.without_predictors"); !slices.Equal(a, []uint8{0, 1, 2, 3}) {
		t.Errorf("llama.without_predictors is %v", a)
	}
}

// TestPruneRefusals asks for what cannot be pruned.
func TestPruneRefusals(t *testing.T) {
	for _, c := range []struct {
		model  *testModel
		layers []int
		want   string
	}{
		{layered(), []int{6}, "layer 6 cannot be pruned: layered.gguf has the layers 0 to 5"},
		{layered(), []int{-1}, "layer -1 cannot be pruned"},
		{layered(), []int{0, 1, 2, 3, 4, 5}, "all 6 layers of layered.gguf would be pruned; leave at least one"},
		{layered().setUint("llama.rescale_every_n_layers", 6), []int{0, 1, 2}, "prune layers at the end only"},
		{layered().add(cols(256), "enc.blk.0.attn_q.weight"), []int{3}, "several stacks of layers"},
		{(&testModel{name: "bare"}).set("general.architecture", gguf.ValueOf("llama")).layers(2, cols(256), "attn_v.weight"), []int{0},
			"llama.block_count is missing, so that its layers cannot be pruned; set it with --override-kv llama.block_count=int:N"},
		{(&testModel{name: "none"}).layers(2, cols(256), "attn_v.weight"), []int{0}, "general.architecture is missing"},
		{(&testModel{name: "zero"}).set("general.architecture", gguf.ValueOf("a")).setUint("a.block_count", 0), []int{0}, "0 layers"},
	} {
		f := openLayered(t, c.model)
		if _, err := NewPlan(f, &Options{FileType: gguf.FileQ4_K_M, PruneLayers: c.layers}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: got %v, want %q", c.model.name, c.layers, err, c.want)
		}
	}
	f := openLayered(t, layered().setUint("llama.rescale_every_n_layers", 6))
	if _, err := NewPlan(f, &Options{Copy: true, PruneLayers: []int{3, 4, 5}}); err != nil {
		t.Errorf("no layer changes its number: %v", err)
	}
	_, err := NewPlan(f, &Options{Copy: true, PruneLayers: []int{0}})
	if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok {
		t.Errorf("got %T", err)
	}
}

// TestPrunedImportance reports importance of the wrong size by the name that the
// importance file knows.
func TestPrunedImportance(t *testing.T) {
	f := openLayered(t, layered())
	o := &Options{FileType: gguf.FileQ4_0, PruneLayers: []int{0, 1, 2}, Importance: map[string][]float32{"blk.4.attn_v.weight": {1}}}
	if _, err := NewPlan(f, o); err == nil || !strings.Contains(err.Error(), "importance of blk.4.attn_v.weight") {
		t.Errorf("got %v", err)
	}
	o.Importance = map[string][]float32{"blk.1.attn_v.weight": {1}} // of a layer that is pruned
	p, err := NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range p.Tensors {
		if x.importance != nil {
			t.Errorf("%s has importance", x.Name)
		}
	}
}

// TestPrunedShard keeps a shard that pruning leaves without tensors.
func TestPrunedShard(t *testing.T) {
	m := layered()
	t.Chdir(t.TempDir())
	m.name = "layered-00001-of-00002"
	slices.SortStableFunc(m.tensors, func(a, b gguf.TensorInfo) int { // a third of the tensors is in the first shard
		in := func(x gguf.TensorInfo) int {
			if strings.HasPrefix(x.Name, "blk.0.") || strings.HasPrefix(x.Name, "blk.1.") {
				return 0
			}
			return 1
		}
		return in(a) - in(b)
	})
	m.writeData(t)
	f, err := gguf.Open(m.name + ".gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := &Options{Copy: true, KeepSplit: true, PruneLayers: []int{0, 1, 2}}
	p, err := NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), "out", &RunOptions{Verify: true}); err != nil {
		t.Fatal(err)
	}
	out, err := gguf.Open("out-00002-of-00002.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if len(out.Tensors) != 7 || out.Tensors[0].Shard != 1 {
		t.Errorf("%d tensors are left, the first in shard %d", len(out.Tensors), out.Tensors[0].Shard)
	}
	if _, err := os.Stat("out-00001-of-00002.gguf"); err != nil {
		t.Error(err)
	}
}

// TestPruneTwice prunes in two steps and in one, which makes no difference.
func TestPruneTwice(t *testing.T) {
	m := layered()
	m.keys = slices.DeleteFunc(m.keys, func(k key) bool {
		// A period rules out most layers, and the short array has an element for each
		// layer when only four are left.
		return k.name == "llama.interleave_moe_layer_step" || k.name == "llama.short"
	})
	f := openLayered(t, m)
	run := func(f *gguf.File, out string, layers []int) string {
		p, err := NewPlan(f, &Options{Copy: true, PruneLayers: layers})
		if err != nil {
			t.Fatalf("%v: %v", layers, err)
		}
		if err := p.Run(t.Context(), out, &RunOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		return string(must(os.ReadFile(out)))
	}
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(rt, "order")
		all := order[:rapid.IntRange(2, 5).Draw(rt, "layers")]
		n := rapid.IntRange(1, len(all)-1).Draw(rt, "of these first")
		once := run(f, "once.gguf", all)
		run(f, "first.gguf", all[:n])
		half, err := gguf.Open("first.gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer half.Close()
		var second []int
		for _, layer := range all[n:] {
			to := layer
			for _, gone := range all[:n] {
				if gone < layer {
					to--
				}
			}
			second = append(second, to)
		}
		if twice := run(half, "twice.gguf", second); twice != once {
			rt.Fatalf("pruning %v and then %v gives another file than pruning %v", all[:n], second, all)
		}
	})
}

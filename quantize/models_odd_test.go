package quantize

import (
	"fmt"

	"github.com/gguftool/gguftool/gguf"
)

// Models with rules of their own, and tensors that no real model has together.

func (m *testModel) setUint(name string, v uint32) *testModel { return m.set(name, gguf.ValueOf(v)) }

// setExperts sets what loaders of compressed attention and experts ask for.
func (m *testModel) setExperts(arch string) *testModel {
	for _, name := range []string{"attention.q_lora_rank", "attention.kv_lora_rank", "attention.key_length_mla",
		"attention.value_length_mla", "expert_feed_forward_length", "expert_shared_count", "expert_gating_func"} {
		m.setUint(arch+"."+name, 1)
	}
	return m.setUint(arch+".leading_dense_block_count", 1)
}

func deepseek2() *testModel {
	c := cols(256)
	return newModel("deepseek2", "deepseek2", 6, 16, 16, 64).setExperts("deepseek2").weighted().
		add(c, "token_embd.weight", "output.weight").
		layers(6, c, "attn_q_a.weight", "attn_q_b.weight", "attn_kv_a_mqa.weight", "attn_kv_b.weight", "attn_output.weight").
		layers(6, stack(256, 16), "attn_k_b.weight", "attn_v_b.weight").
		layers(1, c, gated()...).
		layers(6, c, "ffn_gate_shexp.weight", "ffn_up_shexp.weight", "ffn_down_shexp.weight", "ffn_gate_inp.weight").
		layers(6, stack(256, 4), expert()...).
		layers(6, vector(64), "exp_probs_b.bias", "attn_q_a_norm.weight", "attn_kv_a_norm.weight")
}

func bailingmoe3() *testModel {
	m := newModel("bailingmoe3", "bailingmoe3", 4, 8, 8, 32).setExperts("bailingmoe3").
		setUint("bailingmoe3.ssm.conv_kernel", 4).setUint("bailingmoe3.kda.head_dim", 64).
		set("bailingmoe3.kda.gate_lower_bound", gguf.ValueOf(float32(-5)))
	return m.add(cols(256), "token_embd.weight", "output.weight").
		layers(4, cols(256), "attn_q_b.weight", "ssm_conv1d_q.weight", "ffn_gate_inp.weight", "attn_output.weight").
		layers(4, stack(256, 8), expert("attn_k_b.weight", "attn_v_b.weight")...)
}

func glm5Next() *testModel {
	m := newModel("glm5-next", "glm5-next", 5, 8, 8, 16).setExperts("glm5-next").
		setUint("glm5-next.nextn_predict_layers", 1).
		setUint("glm5-next.ssm.conv_kernel", 4).setUint("glm5-next.kda.head_dim", 64).
		setUint("glm5-next.attention.indexer.head_count", 4).setUint("glm5-next.attention.indexer.key_length", 64).
		setUint("glm5-next.attention.indexer.top_k", 64).setUint("glm5-next.attention.indexer.kpool", 4).
		setUint("glm5-next.hyper_connection.count", 4).setUint("glm5-next.hyper_connection.sinkhorn_iterations", 2).
		set("glm5-next.hyper_connection.epsilon", gguf.ValueOf(float32(1e-6)))
	return m.weighted().add(cols(256), "token_embd.weight", "output.weight").
		layers(5, cols(256), "hc_attn_fn.weight", "indexer.attn_q_b.weight", "indexer.attn_k.weight", "indexer.proj.weight",
			"indexer_compressor_gate.weight", "indexer_compressor_ape.weight", "ssm_f_a.weight", "ssm_f_b.weight",
			"ssm_g_a.weight", "ssm_g_b.weight", "ssm_beta.weight", "attn_kv_a_mqa.weight", "attn_q_a.weight", "attn_q_b.weight",
			"attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight", "ffn_down_shexp.weight", "nextn.eh_proj.weight").
		layers(5, stack(256, 4), expert("attn_k_b.weight", "attn_v_b.weight")...).
		with("--pure").
		with("--tensor-type", "attn_q_a=q4_k", "--tensor-type", "hc_=q4_k")
}

func graniteSwitch() *testModel {
	m := newModel("graniteswitch", "graniteswitch", 7, 8, 8, 0).
		set("graniteswitch.logit_scale", gguf.ValueOf(float32(1))).
		setUint("graniteswitch.adapters.count", 1).setUint("graniteswitch.adapters.lora_rank", 1).
		set("graniteswitch.adapters.token_ids_activate", gguf.ArrayOf([]int32{1})).
		set("graniteswitch.adapters.token_ids_substitute", gguf.ArrayOf([]int32{1}))
	return m.layers(7, cols(256), split(gated()...)...)
}

// keptNames has weights that every architecture keeps, and some that look like them.
func keptNames() *testModel {
	m := newModel("kept", "llama", 2, 8, 8, 0).add(cols(256), "token_embd.weight", "per_layer_token_embd.weight")
	for _, k := range keptWeights {
		m.add(cols(256), "blk.0.x"+k.part, k.part+".weight")
	}
	return m.add(cols(256), "position_embd.weight", "blk.0.position_embd", "token_types.weight", "blk.0.token_types.weight",
		"cls", "query", "weight", "x.weight.1", "blk.0.attn_q.bias", "blk.0.attn_q.lora_a", "rope_freqs").
		add([]int64{256, 1}, "row.weight").add([]int64{256, 1, 2}, "blk.1.expert.weight").
		add([]int64{256, 2, 1, 1}, "blk.1.conv.weight").
		with("--pure").
		with("--token-embedding-type", "q5_k").
		with("--token-embedding-type", "q5_k", "--tensor-type", "per_layer=q3_k").
		with("--token-embedding-type", "q5_k", "--tensor-type", "^token_embd=q3_k").
		with("--tensor-type", "norm|altup|row|cls=q4_0")
}

// oddRows has rows of many lengths in every role.
func oddRows() *testModel {
	m := newModel("odd-rows", "llama", 8, 8, 2, 0).weighted().add(cols(96), "token_embd.weight").add(cols(384), "output.weight")
	for i, n := range []int64{64, 96, 100, 128, 160, 192, 288, 384} {
		for _, name := range split(gated()...) {
			m.add(cols(n), fmt.Sprintf("blk.%d.%s", i, name))
		}
	}
	return m.
		with("--pure").
		with("--tensor-type", "attn_q=q6_k", "--tensor-type", "attn_k=iq2_xs", "--tensor-type", "ffn_up=f32", "--tensor-type", "ffn_down=bf16").
		with("--tensor-type", "blk.[13467].attn_q=q2_0", "--tensor-type", "attn_v=tq1_0")
}

// sources has tensors of other types than F32.
func sources() *testModel {
	c := cols(256)
	return newModel("sources", "llama", 8, 8, 2, 0).
		addType(gguf.TypeF16, c, "token_embd.weight").addType(gguf.TypeQ6_K, c, "output.weight").
		addType(gguf.TypeBF16, c, "blk.0.attn_v.weight", "blk.3.ffn_down.weight").
		addType(gguf.TypeQ8_0, c, "blk.1.attn_v.weight", "blk.4.ffn_down.weight").
		addType(gguf.TypeQ4_K, c, "blk.2.attn_v.weight", "blk.5.ffn_down.weight", "blk.5.attn_q.weight").
		addType(gguf.TypeI32, c, "blk.2.ffn_gate_tid2eid.weight").
		addType(gguf.TypeF16, vector(256), "blk.6.attn_norm.weight").
		addType(gguf.TypeIQ4XS, c, "blk.6.attn_v.weight", "blk.7.attn_v.weight").
		with("--allow-requantize")
}

// clip is an image encoder, whose hyperparameters nothing reads.
func clip() *testModel {
	m := &testModel{name: "clip"}
	m.set("general.architecture", gguf.ValueOf("clip"))
	return m.add(cols(256), "v.position_embd.weight", "v.patch_embd.weight", "mm.0.weight", "v.class_embd").
		add(cols(256), "v.blk.0.attn_q.weight", "v.blk.0.attn_out.weight", "v.blk.0.ffn_down.weight", "v.blk.1.ffn_up.weight", "a.rel_pos.weight").
		add([]int64{14, 14, 3, 8}, "v.conv.weight")
}

package quantize

import (
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A kept row names weights that stay in their source type, by a part of the
// name, and says why.
type kept struct{ part, why string }

// keptWeights are kept in every architecture. They are small, or a model that
// loses precision in them falls apart.
var keptWeights = []kept{
	{"_norm.weight", "normalization"},
	{"ffn_gate_inp.weight", "expert router"},
	{"ffn_gate_tid2eid.weight", "expert router"},
	{"altup", "small"},
	{"laurel", "small"},
	{"per_layer_model_proj", "small"},
	{"ssm_conv1d", "small convolution"},
	{"shortconv.conv.weight", "small convolution"},
	{"indexer.k_proj.weight", "small"},
	{"indexer.q_proj.weight", "small"},
	{"time_mix_first.weight", "small"},
	{"time_mix_w0.weight", "small"},
	{"time_mix_w1.weight", "small"},
	{"time_mix_w2.weight", "small"},
	{"time_mix_v0.weight", "small"},
	{"time_mix_v1.weight", "small"},
	{"time_mix_v2.weight", "small"},
	{"time_mix_a0.weight", "small"},
	{"time_mix_a1.weight", "small"},
	{"time_mix_a2.weight", "small"},
	{"time_mix_g1.weight", "small"},
	{"time_mix_g2.weight", "small"},
	{"time_mix_decay_w1.weight", "small"},
	{"time_mix_decay_w2.weight", "small"},
	{"time_mix_lerp_fused.weight", "small"},
	{"attn_rel_b.weight", "position bias"},
	{".position_embd", "position embeddings"},
	{"sam.pos_embd", "position embeddings"},
	{"sam.neck.", "image encoder"},
	{"sam.net_", "image encoder"},
	{".rel_pos", "position embeddings"},
	{".patch_embd", "patch embeddings"},
	{".patch_merger", "patch embeddings"},
	{"a.rvq.codebook", "audio codebook"},
	{"mm.a.code_embd", "audio codebook"},
}

// positionEmbedding is kept by rule alone: its rows are read like those of
// token_embd.weight, so readers take it in any type.
const positionEmbedding = "position_embd.weight"

// keepReason says why t must stay in its source type; "" lets it be quantized.
func (r *recipe) keepReason(t *gguf.Tensor) string {
	switch {
	case r.opts.Copy:
		return "copied"
	case t.Elements() == 0:
		return "empty"
	case len(t.Dimensions()) < 2:
		return "one-dimensional"
	case !namesWeight(t.Name):
		return "not a weight"
	case t.Name == "output.weight" && r.opts.LeaveOutputTensor:
		return "--leave-output-tensor"
	case t.Name == positionEmbedding:
		return "position embeddings"
	case t.Name == "token_types.weight":
		return "token types"
	}
	for _, k := range keptWeights {
		if strings.Contains(t.Name, k.part) {
			return k.why
		}
	}
	for _, part := range r.model.rules.kept {
		if strings.Contains(t.Name, part) {
			return "kept in " + r.model.arch
		}
	}
	return ""
}

// namesWeight reports whether name ends in "weight". llama-quantize compares
// the last place of "weight" with the place of the last six bytes, and for a
// name of five bytes both are -1.
func namesWeight(name string) bool {
	return strings.HasSuffix(name, "weight") || len(name) == len("weight")-1
}

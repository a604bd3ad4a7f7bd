#!/usr/bin/env python3
"""Makes families.json and families.f32: tiny models of every family by transformers in float64.

    golden_families.py OUT_DIR

families.json describes each model as a GGUF file: its keys, and its tensors but for their weights, which come from the
generator of golden.py. families.f32 holds little-endian float32, model by model: for a text of each length the final
states (length, width), then for a decoder the logits of the last token (vocabulary), and for an encoder the vector that
it gives (dimensions).

Made with transformers 5.23, torch 2.11.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import (
    Gemma3ForCausalLM, Gemma3TextConfig, Gemma3TextModel, LlamaConfig, LlamaForCausalLM, NomicBertConfig, NomicBertModel,
    Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)

from golden import values

VOCAB, CONTEXT, WIDTH, HEADS, KV, HEAD, HIDDEN = 96, 200, 32, 4, 2, 12, 40
TRAINED = 40  # of a model that is stretched
LENGTHS = [1, 7, 150]  # the last has several blocks of queries and chunks of keys, and is longer than windows


def ids(n):
    return torch.tensor([[(37 * i + 11 * n) % VOCAB for i in range(n)]])


class File:
    """The GGUF file of a model that is being filled in."""

    def __init__(self, arch, keys, permute=False, norm_offset=0):
        self.keys = {"general.architecture": arch} | {f"{arch}.{k}": v for k, v in keys.items()}
        self.tensors, self.permute, self.norm_offset = [], permute, norm_offset

    def tensor(self, parameter, name, spread, offset=0.0):
        shape = list(parameter.shape)
        self.tensors.append([name, shape[::-1]])
        x = values(name, shape, offset, spread).double()
        if self.permute and (".attn_q." in name or ".attn_k." in name):
            # Neighbours of the file are the halves of a checkpoint.
            x = x.reshape(-1, HEAD // 2, 2, *shape[1:]).transpose(1, 2).reshape(shape)
        if name.endswith("norm.weight"):
            x = x - self.norm_offset
        parameter.data = x

    def linear(self, module, name):
        self.tensor(module.weight, name + ".weight", 16 / module.weight.shape[1] if name.startswith("blk.") else 1)
        if module.bias is not None:
            self.tensor(module.bias, name + ".bias", 0.25)

    def norm(self, module, name):
        self.tensor(module.weight, name + ".weight", 0.25, 1)
        if getattr(module, "bias", None) is not None:
            self.tensor(module.bias, name + ".bias", 0.25)

    def layer(self, l, i, norms):
        b = f"blk.{i}."
        for part, name in {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}.items():
            self.linear(getattr(l.self_attn, part), b + name)
        for part, name in {"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}.items():
            self.linear(getattr(l.mlp, part), b + name)
        for part, name in {"q_norm": "attn_q_norm", "k_norm": "attn_k_norm"}.items():
            if hasattr(l.self_attn, part):
                self.norm(getattr(l.self_attn, part), b + name)
        for part, name in norms.items():
            self.norm(getattr(l, part), b + name)


LLAMA_NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
GEMMA_NORMS = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
}


def sizes(layers, kv=KV, head=HEAD, **more):
    return {
        "block_count": layers, "context_length": CONTEXT, "embedding_length": WIDTH, "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS, "attention.head_count_kv": kv, "attention.key_length": head, "attention.value_length": head,
    } | more


def config(kind, layers, **more):
    return kind(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, num_hidden_layers=layers, num_attention_heads=HEADS,
        num_key_value_heads=KV, head_dim=HEAD, intermediate_size=HIDDEN, rms_norm_eps=1e-6, pad_token_id=0, bos_token_id=1, eos_token_id=2, **more,
    )


def decoder(model, file, norms):
    core = model.model
    file.tensor(core.embed_tokens.weight, "token_embd.weight", 1)
    for i, l in enumerate(core.layers):
        file.layer(l, i, norms)
    file.norm(core.norm, "output_norm")
    if not model.config.tie_word_embeddings:
        file.linear(model.lm_head, "output")
    else:
        model.lm_head.weight = core.embed_tokens.weight
    model = model.double().eval()

    def outputs(n):
        states = core(ids(n)).last_hidden_state[0]
        logits = model(ids(n)).logits[0, -1]
        return states, logits

    return file, outputs


def llama(keys={}, **more):
    c = config(LlamaConfig, 2, **more)
    m = LlamaForCausalLM(c)
    f = File("llama", sizes(2, **{"attention.layer_norm_rms_epsilon": 1e-6}) | keys, permute=True)
    if c.rope_parameters["rope_type"] == "llama3":
        plain = 10000.0 ** (-torch.arange(0, HEAD, 2).double() / HEAD)
        f.factors = (plain / m.model.rotary_emb.inv_freq.double()).tolist()
    return decoder(m, f, LLAMA_NORMS)


def qwen2():
    f = File("qwen2", sizes(2, **{"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0}))
    c = config(Qwen2Config, 2, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, tie_word_embeddings=True)
    return decoder(Qwen2ForCausalLM(c), f, LLAMA_NORMS)


def qwen3():
    f = File("qwen3", sizes(2, **{"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0}))
    c = config(Qwen3Config, 2, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, tie_word_embeddings=True)
    return decoder(Qwen3ForCausalLM(c), f, LLAMA_NORMS)


def gemma_config(window, factor, **more):
    full = {"rope_type": "default", "rope_theta": 1000000.0}
    if factor != 1:
        full = {"rope_type": "linear", "factor": factor, "rope_theta": 1000000.0}
    return config(
        Gemma3TextConfig, 7, sliding_window=window, query_pre_attn_scalar=HEAD, tie_word_embeddings=True,
        rope_parameters={"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}, **more,
    )


def gemma_keys(window, factor=1):
    keys = {"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 1000000.0, "attention.sliding_window": window}
    if factor != 1:
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(factor)}
    return sizes(7, **keys)


def gemma3(factor=1):
    f = File("gemma3", gemma_keys(20, factor), norm_offset=1)
    return decoder(Gemma3ForCausalLM(gemma_config(20, factor)), f, GEMMA_NORMS)


def gemma_embedding():
    f = File("gemma-embedding", gemma_keys(20) | {
        "dense_2_feat_in": WIDTH, "dense_2_feat_out": 48, "dense_3_feat_in": 48, "dense_3_feat_out": WIDTH, "pooling_type": 1,
    }, norm_offset=1)
    m = Gemma3TextModel(gemma_config(20, 1, use_bidirectional_attention=True))
    f.tensor(m.embed_tokens.weight, "token_embd.weight", 1)
    for i, l in enumerate(m.layers):
        f.layer(l, i, GEMMA_NORMS)
    f.norm(m.norm, "output_norm")
    dense = torch.nn.Linear(WIDTH, 48, bias=False), torch.nn.Linear(48, WIDTH, bias=False)
    f.linear(dense[0], "dense_2")
    f.linear(dense[1], "dense_3")
    m = m.double().eval()

    def outputs(n):
        states = m(ids(n)).last_hidden_state[0]
        return states, dense[1].double()(dense[0].double()(states.mean(0)))

    return f, outputs


def nomic_bert(stretched=False):
    head = WIDTH // HEADS
    keys = sizes(2, kv=HEADS, head=head, **{"attention.layer_norm_epsilon": 1e-12, "rope.freq_base": 1000.0, "pooling_type": 1})
    f = File("nomic-bert", keys | {"attention.causal": False})
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1000.0}
    if stretched:
        f.keys["nomic-bert.context_length"] = TRAINED
    m = NomicBertModel(NomicBertConfig(
        rope_parameters=rope if stretched else None, max_position_embeddings=TRAINED if stretched else CONTEXT,
        vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS, intermediate_size=HIDDEN,
    ), add_pooling_layer=False)
    f.tensor(m.embeddings.word_embeddings.weight, "token_embd.weight", 1)
    f.tensor(m.embeddings.token_type_embeddings.weight, "token_types.weight", 1)
    f.norm(m.embeddings.LayerNorm, "token_embd_norm")
    for i, l in enumerate(m.layers):
        f.layer(l, i, {"post_attention_layernorm": "attn_output_norm", "post_mlp_layernorm": "layer_output_norm"})
    m = m.double().eval()

    def outputs(n):
        states = m(ids(n)).last_hidden_state[0]
        return states, states.mean(0)

    return f, outputs


def linear(**more):
    return {"rope_parameters": {"rope_theta": 10000.0} | more}


FAMILIES = {
    "llama": lambda: llama(tie_word_embeddings=False),
    "llama with biases": lambda: llama(tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
    "llama linear": lambda: llama(
        {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, tie_word_embeddings=True, **linear(rope_type="linear", factor=4.0)),
    "llama 3.1": lambda: llama(tie_word_embeddings=True, **linear(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)),
    "llama yarn": lambda: llama(
        {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 600}, tie_word_embeddings=True,
        **linear(rope_type="yarn", factor=4.0, original_max_position_embeddings=600)),
    "qwen2": qwen2,
    "qwen3": qwen3,
    "gemma3": gemma3,
    "gemma3 linear": lambda: gemma3(8.0),
    "gemma-embedding": gemma_embedding,
    "nomic-bert": nomic_bert,
    "nomic-bert stretched": lambda: nomic_bert(True),
}


def main(out):
    out, described, data = pathlib.Path(out), [], []
    for name, make in FAMILIES.items():
        file, outputs = make()
        described.append({
            "name": name, "vocab": VOCAB, "lengths": LENGTHS, "keys": file.keys, "tensors": file.tensors,
            "rope_factors": getattr(file, "factors", None),
        })
        with torch.no_grad():
            for n in LENGTHS:
                data += [x.double().numpy().ravel() for x in outputs(n)]
    (out / "families.json").write_text("[\n" + ",\n".join(json.dumps(d) for d in described) + "\n]\n")
    np.concatenate(data).astype("<f4").tofile(out / "families.f32")


if __name__ == "__main__":
    main(sys.argv[1])

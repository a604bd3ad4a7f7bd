#!/usr/bin/env python3
"""Makes bert.f32, the vectors of the tiny BERT of golden_test.go by transformers in float64.

    golden.py OUT.f32

The file holds little-endian float32 of shape (20, 3, 32): for a text of each
length from 1 to the limit, the mean of the final states, the first and the
last of them. Weights come from a generator that both sides spell out.

Made with transformers 5.23, torch 2.11.
"""
import sys

import numpy as np
import torch
from transformers import BertConfig, BertModel

VOCAB, CONTEXT, WIDTH, LAYERS, HEADS, HIDDEN = 512, 20, 32, 2, 4, 64
MASK = 2**64 - 1


def values(name, shape, offset, spread):
    """offset + spread·u, u from -1 to 1 by splitmix64, seeded by the FNV-1a hash of name."""
    state = 14695981039346656037
    for c in name.encode():
        state = (state ^ c) * 1099511628211 & MASK
    out = np.empty(int(np.prod(shape)), np.float64)
    for i in range(out.size):
        state = state + 0x9E3779B97F4A7C15 & MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        out[i] = offset + spread * (((z ^ z >> 31) >> 40) * 2.0**-23 - 1)
    return torch.from_numpy(out.astype(np.float32).reshape(shape))


def norm(module, name):
    module.weight.data = values(name + ".weight", [WIDTH], 1, 0.25)
    module.bias.data = values(name + ".bias", [WIDTH], 0, 0.25)


def linear(module, name, inputs, outputs):
    module.weight.data = values(name + ".weight", [outputs, inputs], 0, 16 / inputs)
    module.bias.data = values(name + ".bias", [outputs], 0, 0.25)


def model():
    m = BertModel(
        BertConfig(
            vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, num_hidden_layers=LAYERS,
            num_attention_heads=HEADS, intermediate_size=HIDDEN, type_vocab_size=2, layer_norm_eps=1e-12, hidden_act="gelu",
        ),
        add_pooling_layer=False,
    )
    e = m.embeddings
    e.word_embeddings.weight.data = values("token_embd.weight", [VOCAB, WIDTH], 0, 1)
    e.token_type_embeddings.weight.data = values("token_types.weight", [2, WIDTH], 0, 1)
    e.position_embeddings.weight.data = values("position_embd.weight", [CONTEXT, WIDTH], 0, 1)
    norm(e.LayerNorm, "token_embd_norm")
    for i, l in enumerate(m.encoder.layer):
        b = f"blk.{i}."
        linear(l.attention.self.query, b + "attn_q", WIDTH, WIDTH)
        linear(l.attention.self.key, b + "attn_k", WIDTH, WIDTH)
        linear(l.attention.self.value, b + "attn_v", WIDTH, WIDTH)
        linear(l.attention.output.dense, b + "attn_output", WIDTH, WIDTH)
        norm(l.attention.output.LayerNorm, b + "attn_output_norm")
        linear(l.intermediate.dense, b + "ffn_up", WIDTH, HIDDEN)
        linear(l.output.dense, b + "ffn_down", HIDDEN, WIDTH)
        norm(l.output.LayerNorm, b + "layer_output_norm")
    return m.double().eval()


def main(out):
    m = model()
    rows = []
    with torch.no_grad():
        for n in range(1, CONTEXT + 1):
            ids = torch.tensor([[(37 * i + 11 * n) % VOCAB for i in range(n)]])
            states = m(ids).last_hidden_state[0]
            rows += [states.mean(0), states[0], states[-1]]
    torch.stack(rows).numpy().astype("<f4").tofile(out)


if __name__ == "__main__":
    main(sys.argv[1])

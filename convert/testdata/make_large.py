"""Makes a BERT-shaped checkpoint of about 1 GB for measuring speed and memory.

usage: make_large.py SMALL_CHECKPOINT OUT_DIR [LAYERS]

The tokenizer and the layout come from a small checkpoint, such as
all-MiniLM-L6-v2; the weights are random, 1024 wide, float32.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
from safetensors.numpy import save_file

WIDTH, FEED_FORWARD, HEADS = 1024, 4096, 16


def main():
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    layers = int(sys.argv[3]) if len(sys.argv) > 3 else 19
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "data_config.json"))
    config = json.loads((source / "config.json").read_text())
    config.update(hidden_size=WIDTH, intermediate_size=FEED_FORWARD, num_attention_heads=HEADS, num_hidden_layers=layers)
    (out / "config.json").write_text(json.dumps(config, indent=2))

    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], WIDTH),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], WIDTH),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for layer in range(layers):
        for name, rows, columns in [
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", FEED_FORWARD, WIDTH),
            ("output.dense", WIDTH, FEED_FORWARD),
        ]:
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (rows, columns)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (rows,)
        for name in ["attention.output.LayerNorm", "output.LayerNorm"]:
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (WIDTH,)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (WIDTH,)

    random = np.random.default_rng(1)
    tensors = {name: random.standard_normal(shape, dtype=np.float32) * np.float32(0.02) for name, shape in shapes.items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    print(f"{(out / 'model.safetensors').stat().st_size} bytes in {out}")


main()

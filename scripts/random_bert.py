"""Writes a BERT-large checkpoint of random weights: random_bert.py CHECKPOINT OUT

335 million weights, 1.3 GB. The tokenizer is that of CHECKPOINT.
"""
import json
import os
import shutil
import sys

import torch
from transformers import BertConfig, BertModel


def main(source, dest):
    torch.manual_seed(1)
    config = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
    shutil.copytree(source, dest, ignore=shutil.ignore_patterns("model.safetensors", ".*"), dirs_exist_ok=True)
    pooling = f"{dest}/1_Pooling/config.json"
    with open(pooling, encoding="utf-8") as f:
        settings = json.load(f)
    with open(pooling, "w", encoding="utf-8") as f:
        json.dump(settings | {"word_embedding_dimension": config.hidden_size}, f)
    BertModel(config, add_pooling_layer=False).save_pretrained(dest)
    if not os.path.exists(f"{dest}/model.safetensors"):
        sys.exit(f"random_bert.py: {dest} holds no model.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: random_bert.py CHECKPOINT OUT")
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Compares the vectors of `gguftool embed` with those of sentence-transformers and llama.cpp.

    parity.py --gguftool BIN --checkpoint DIR --f32 FILE.gguf --text FILE [--step N]
              [--llama-embedding BIN] [--quantized FILE.gguf]

Texts are made of the words of the text file, one for each count of tokens from
2, which is the empty text, to the limit of the model (every Nth with --step N).
Fails where 1 - cosine is above its bar:

    1e-05  to sentence-transformers in float32, each text by itself
    1e-04  to llama-embedding on the same F32 file, whose GELU is a table
    1e-02  to llama-embedding on the same quantized file, which also rounds activations
"""
import argparse
import json
import subprocess
import sys
import tempfile

import numpy as np


def texts_of_every_length(words, counts, limit, step):
    """A text of each count of tokens: words in a row, filled up with words of one token."""
    single = next(w for w in words if counts[w] == 1)
    start = 0
    for tokens in range(2, limit + 1, step):
        text, left = [], tokens - 2
        while left > 0 and counts[words[start % len(words)]] <= left:
            w = words[start % len(words)]
            text.append(w)
            left -= counts[w]
            start += 1
        yield tokens, " ".join(text + [single] * left)


def ours(binary, model, path):
    out = subprocess.run([binary, "embed", model, "--json", "--input", path], check=True, stdout=subprocess.PIPE).stdout
    data = json.loads(out)["data"]
    return np.array([d["embedding"] for d in data]), [d["tokens"] for d in data]


def sentence_transformers(checkpoint, texts):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(checkpoint, device="cpu")
    model.max_seq_length = model[0].auto_model.config.max_position_embeddings
    return model.encode(texts, batch_size=1, normalize_embeddings=True)


def llama_embedding(binary, model, path, limit):
    out = subprocess.run(
        [binary, "-m", model, "-f", path, "--embd-normalize", "2", "--embd-output-format", "json", "-c", str(limit), "-b", str(limit), "-ub", str(limit)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ).stdout
    return np.array([d["embedding"] for d in json.loads(out)["data"]])


def compare(name, bar, got, want, tokens):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        print(f"{name}: {got.shape} vectors, not {want.shape}")
        return False
    distance = 1 - (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    worst = int(distance.argmax())
    ok = bool(distance[worst] <= bar)  # false for NaN
    print(f"{name}: {len(tokens)} texts, 1 - cosine at most {distance[worst]:.1e} ({tokens[worst]} tokens), "
          f"mean {distance.mean():.1e}, bar {bar:.0e}: {'ok' if ok else 'FAILED'}")
    return ok


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--gguftool", required=True)
    a.add_argument("--checkpoint", required=True)
    a.add_argument("--f32", required=True)
    a.add_argument("--text", required=True)
    a.add_argument("--step", type=int, default=1)
    a.add_argument("--llama-embedding")
    a.add_argument("--quantized")
    a = a.parse_args()

    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(a.checkpoint)
    limit = AutoConfig.from_pretrained(a.checkpoint).max_position_embeddings
    words = open(a.text, encoding="utf-8").read().split()[: limit * limit]
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    counts = {w: len(i) for w, i in zip(words, ids)}
    words = [w for w in words if counts[w] > 0]
    tokens, texts = zip(*texts_of_every_length(words, counts, limit, a.step))

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as f:
        f.write("".join(t + "\n" for t in texts))
        f.flush()
        vectors, seen = ours(a.gguftool, a.f32, f.name)
        if seen != list(tokens):
            sys.exit(f"gguftool sees {seen} tokens, transformers {list(tokens)}")
        ok = compare("sentence-transformers, f32", 1e-5, vectors, sentence_transformers(a.checkpoint, list(texts)), tokens)
    if a.llama_embedding:
        # llama-embedding drops empty lines.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as f:
            f.write("\n".join(texts[1:]))
            f.flush()
            ok &= compare("llama-embedding, F32", 1e-4, vectors[1:], llama_embedding(a.llama_embedding, a.f32, f.name, limit), tokens[1:])
            if a.quantized:
                mine, _ = ours(a.gguftool, a.quantized, f.name)
                ok &= compare("llama-embedding, quantized", 1e-2, mine, llama_embedding(a.llama_embedding, a.quantized, f.name, limit), tokens[1:])
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()

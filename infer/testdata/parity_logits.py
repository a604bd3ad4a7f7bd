#!/usr/bin/env python3
"""Compares the logits of a decoder with those of transformers, token by token.

    parity_logits.py --logits BIN --checkpoint DIR --f32 FILE.gguf --text FILE...

BIN is scripts/logits. Texts are pieces of the text files of 3 to 700 tokens, 20 in
all, whose lengths grow evenly on a logarithmic scale, with the special tokens that the
checkpoint's tokenizer adds; the longest leave the windows of layers that have one of
512. transformers computes in float32. Fails where at any position of any text the
cosine of the logits is below 0.99999 or another token has the largest one.
"""
import argparse
import json
import subprocess
import sys

import numpy as np

TEXTS, SHORTEST, LONGEST = 20, 3, 700
BAR = 0.99999


def pieces(tokenizer, files):
    """Lists of ids: pieces of the files in turn, each from where the last of its file ended."""
    sources = []
    for path in files:
        with open(path, encoding="utf-8") as f:
            sources.append(tokenizer(f.read(200_000), add_special_tokens=False)["input_ids"])
    first = tokenizer("", add_special_tokens=True)["input_ids"]
    ends = [0] * len(sources)
    for i in range(TEXTS):
        n = round(SHORTEST * (LONGEST / SHORTEST) ** (i / (TEXTS - 1)))
        source, at = sources[i % len(sources)], ends[i % len(sources)]
        ends[i % len(sources)] = at + n
        text = (first + source[at : at + n])[:n]
        if len(text) < n:
            sys.exit("the text files are too short")
        yield text


class Ours:
    def __init__(self, binary, model):
        self.process = subprocess.Popen([binary, "--precision", "f32", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def logits(self, ids, vocabulary):
        self.process.stdin.write(json.dumps(ids).encode() + b"\n")
        self.process.stdin.flush()
        size = 4 * len(ids) * vocabulary
        data = self.process.stdout.read(size)
        if len(data) != size:
            sys.exit(f"logits ended with exit code {self.process.wait()}")
        return np.frombuffer(data, "<f4").reshape(len(ids), vocabulary)

    def close(self):
        """The output must hold nothing that was not asked for."""
        self.process.stdin.close()
        rest = self.process.stdout.read()
        if self.process.wait() != 0 or rest:
            sys.exit(f"logits ended with exit code {self.process.returncode} and {len(rest)} bytes too many")


def compare(got, want):
    """Cosines, and the positions at which another token is first."""
    cosines = np.array([np.dot(g, w) / np.linalg.norm(g) / np.linalg.norm(w)
                        for g, w in ((g.astype(np.float64), w.astype(np.float64)) for g, w in zip(got, want))])
    return cosines, np.flatnonzero(got.argmax(1) != want.argmax(1))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--logits", required=True)
    a.add_argument("--checkpoint", required=True)
    a.add_argument("--f32", required=True)
    a.add_argument("--text", required=True, nargs="+")
    a = a.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(a.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(a.checkpoint, dtype=torch.float32).eval()
    ours = Ours(a.logits, a.f32)
    positions, worst, others = 0, (2.0, None), []
    for i, ids in enumerate(pieces(tokenizer, a.text)):
        with torch.inference_mode():
            want = model(torch.tensor([ids])).logits[0].float().numpy()
        got = ours.logits(ids, want.shape[1])
        cosines, differ = compare(got, want)
        positions += len(ids)
        at = int(np.nan_to_num(cosines, nan=-1).argmin())
        worst = min(worst, (float(np.nan_to_num(cosines, nan=-1)[at]), f"text {i}, position {at} of {len(ids)}"))
        for p in differ:
            top = np.sort(want[p])[-2:]
            others.append(f"text {i}, position {p}: {got[p].argmax()}, not {want[p].argmax()}, which leads by {top[1] - top[0]:.2g}")
    ours.close()
    ok = worst[0] >= BAR and not others
    print(f"logits: {TEXTS} texts, {positions} positions, 1 - cosine at most {1 - worst[0]:.1e} ({worst[1]}), bar {1 - BAR:.0e}; "
          f"another first token at {len(others)}: {'ok' if ok else 'FAILED'}")
    for line in others[:20]:
        print(" ", line)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()

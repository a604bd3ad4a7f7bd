"""What importance does to the vectors of encoders: bench_importance.py GGUFTOOL PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]

Importance is measured with gguftool imatrix over the first lines of the calibration texts. Each model is quantized to
each type without and with it; queries and corpus texts that are not among the calibration texts are embedded in f32
from the quantized files, and mean (1 - cosine) to the vectors of the F32 file is printed.
"""
import argparse
import json
import os
import pathlib
import subprocess

import numpy as np

KINDS = (
    "Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_L Q3_K_M Q3_K_S IQ3_M IQ3_S IQ3_XS IQ3_XXS "
    "Q2_K Q2_K_S IQ2_M IQ2_S IQ2_XS IQ2_XXS TQ2_0 TQ1_0 Q2_0 IQ1_M IQ1_S Q1_0"
).split()


def vectors(o, model, texts):
    out = o.work / "importance.npy"
    subprocess.run([o.gguftool, "embed", model, "--input", texts, "--precision", "f32", "-o", out, "--force", "--quiet"], check=True)
    return np.load(out).astype(np.float64)


def loss(a, b):
    return float(np.mean(1 - (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


def texts_of(path, n):
    with open(path, encoding="utf-8") as f:
        return [json.loads(next(f))["text"] for _ in range(n)]


def main():
    p = argparse.ArgumentParser(usage="bench_importance.py GGUFTOOL PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]")
    for place in ("gguftool", "peers", "checkpoints", "work"):
        p.add_argument(place, type=lambda s: pathlib.Path(os.path.abspath(s)))
    p.add_argument("--models", default="all-MiniLM-L6-v2,MiniLM-wide")
    p.add_argument("--kinds", default=",".join(KINDS), help="types, separated by commas")
    p.add_argument("--lines", type=int, default=1500, help="of the calibration texts")
    p.add_argument("--texts", type=int, default=400, help="queries, and as many corpus texts")
    o = p.parse_args()
    wordnet = o.checkpoints / "wordnet"
    held_out = o.work / "importance-texts.jsonl"
    with open(held_out, "w", encoding="utf-8") as f:
        for name in ("queries", "corpus"):
            for text in texts_of(wordnet / "beir" / f"{name}.jsonl", o.texts):
                f.write(json.dumps({"text": text}) + "\n")
    calibration = o.work / "importance-calibration.txt"
    with open(wordnet / "calibration.txt", encoding="utf-8") as f:
        calibration.write_text("".join(next(f) for _ in range(o.lines)), encoding="utf-8")
    for name in o.models.split(","):
        f32 = o.work / f"{name}-f32.gguf"
        if not f32.exists():
            subprocess.run([o.gguftool, "convert", "--quiet", o.checkpoints / name, "-o", f32], check=True)
        measured, quantized = o.work / f"{name}-importance.gguf", o.work / "importance-quantized.gguf"
        subprocess.run([o.gguftool, "imatrix", f32, "--text", calibration, "-o", measured, "--force", "--quiet"], check=True)
        want = vectors(o, f32, held_out)
        print(f"\n{name}: mean (1 - cosine)\n\n| type | without | with | less |\n|---|--:|--:|--:|")
        for kind in o.kinds.split(","):
            row = []
            for weights in ([], ["--imatrix", measured]):
                done = subprocess.run([o.gguftool, "quantize", kind, f32, quantized, "--force", "--quiet", *weights], capture_output=True, text=True)
                if done.returncode and "importance" not in done.stderr:
                    raise SystemExit(done.stderr)
                row.append(None if done.returncode else loss(want, vectors(o, quantized, held_out)))
            less = f"{100 * (1 - row[1] / row[0]):.0f} %" if None not in row else ""
            print(f"| {kind} | " + " | ".join("refused" if v is None else f"{v:.5f}" for v in row) + f" | {less} |", flush=True)


main()

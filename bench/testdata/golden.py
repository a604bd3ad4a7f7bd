#!/usr/bin/env python3
"""Makes golden.json: the perplexities that llama-perplexity finds for a small decoder.

    golden.py LLAMA_BIN_DIR              writes golden.json
    golden.py LLAMA_BIN_DIR --compare    tells whether it would come out the same but for rounding

The model is made by the test, `go test -run TestGolden -write-model FILE` in the folder
above, the text is text.txt. "ids" are those of llama-tokenize, without BOS. A case has
the perplexity after each chunk and the final one with its standard error, as they are
printed. Keys and values are cached in floats, as they are in 16 bits by default.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

CASES = [(32, True), (32, False), (15, True), (100, True)]


def perplexity(command):
    """What it prints. Now and then it ends before its log is written to the end."""
    for _ in range(10):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        final = re.search(r"PPL = ([\d.]+) \+/- ([\d.]+)", done.stdout + done.stderr)
        running = [float(v) for v in re.findall(r"\[\d+\]([\d.]+),", done.stdout)]
        if final and running and running[-1] == float(final.group(1)):
            return running, float(final.group(1)), float(final.group(2))
    sys.exit(f"no perplexity from {' '.join(command)}")


def same(a, b):
    """Whether two JSON values are the same, but for a relative 1e-4 in floats."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-4 * abs(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def main():
    programs, compare = sys.argv[1], sys.argv[2:] == ["--compare"]
    here = os.path.dirname(os.path.abspath(__file__))
    out = f"{here}/golden.json"
    text = f"{here}/text.txt"
    with tempfile.TemporaryDirectory() as work:
        model = f"{work}/model.gguf"
        subprocess.run([os.environ.get("GO", "go"), "test", "-run", "TestGolden", "-write-model", model], cwd=f"{here}/..", check=True, stdout=sys.stderr)
        ids = subprocess.run([f"{programs}/llama-tokenize", "-m", model, "-f", text, "--ids", "--no-bos", "--log-disable"],
                             check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        golden = {"ids": json.loads(ids), "cases": []}
        for size, bos in CASES:
            running, final, error = perplexity([f"{programs}/llama-perplexity", "-m", model, "-f", text, "-c", str(size), "-t", "1",
                                                "-ctk", "f32", "-ctv", "f32", "-fa", "off",
                                                "--override-kv", f"tokenizer.ggml.add_bos_token=bool:{str(bos).lower()}"])
            golden["cases"].append({"size": size, "bos": bos, "running": running, "perplexity": final, "standard_error": error})
    if compare:
        with open(out) as f:
            sys.exit(0 if same(golden, json.load(f)) else "golden.json comes out otherwise")
    with open(out, "w") as f:
        f.write('{"ids": ' + json.dumps(golden["ids"]) + ',\n"cases": [\n' + ",\n".join(map(json.dumps, golden["cases"])) + "\n]}\n")


main()

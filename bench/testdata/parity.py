#!/usr/bin/env python3
"""Compares the perplexity that `gguftool bench perplexity` finds with llama-perplexity's.

    parity.py --gguftool BIN --llama-perplexity BIN --text FILE [--chunks N] [--bar X] FILE.gguf...

Fails where the final figures, or those after any chunk, are further apart than the
bar, a thousandth unless said otherwise, or where the standard errors are further apart
than a hundredth.
"""
import argparse
import json
import re
import subprocess
import sys


def ours(a, model):
    command = [a.gguftool, "bench", "perplexity", model, "--text", a.text, "--json"] + (["--chunks", str(a.chunks)] if a.chunks else [])
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return report["running"], report["standard_error"]


def theirs(a, model):
    command = [a.llama_perplexity, "-m", model, "-f", a.text] + (["--chunks", str(a.chunks)] if a.chunks else [])
    for _ in range(3):  # it may end before its log is written to the end
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        final = re.search(r"PPL = ([\d.]+) \+/- ([\d.]+)", done.stdout + done.stderr)
        running = [float(v) for v in re.findall(r"\[\d+\]([\d.]+),", done.stdout)]
        if final and running and running[-1] == float(final.group(1)):
            return running, float(final.group(2))
    sys.exit(f"no perplexity from {' '.join(command)}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguftool", required=True)
    p.add_argument("--llama-perplexity", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--chunks", type=int)
    p.add_argument("--bar", type=float, default=1e-3)
    p.add_argument("models", nargs="+")
    a = p.parse_args()
    failed = False
    for model in a.models:
        (got, our_error), (want, their_error) = ours(a, model), theirs(a, model)
        apart = [abs(g / w - 1) for g, w in zip(got, want)]
        ok = len(got) == len(want) and max(apart) <= a.bar and abs(our_error / their_error - 1) <= 1e-2
        print(f"{model}: {got[-1]:.4f} +/- {our_error:.4f}, llama-perplexity {want[-1]:.4f} +/- {their_error:.4f}; "
              f"{len(got)} chunks, {apart[-1]:.1e} apart in the end, {max(apart):.1e} at most, bar {a.bar:.0e}: {'ok' if ok else 'FAILED'}", flush=True)
        failed |= not ok
    sys.exit(1 if failed else 0)


main()

"""Times gguftool quantize and llama-quantize in turn: bench_quantize.py GGUFTOOL PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]

Each row is a whole process, as a person starts it, two threads each, the input in
the page cache: the median of its wall times, what of the input it takes in a
second, and the ratio of the medians with its range over the rounds. The two
programs alternate, so that a machine that slows down slows both. Types that are
limited by memory and disks are to be seen beside cat, which copies the input.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

THREADS = "2"
NEED_IMPORTANCE = "IQ3_XS IQ3_XXS IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S Q2_K_S".split()
# The importance file leaves this weight out (make_inputs.py), which these types refuse.
LEFT_OUT = ["--tensor-type", "blk.1.attn_k.weight=q8_0"]
KINDS = (
    "F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_L Q3_K_M Q3_K_S IQ3_M IQ3_S IQ3_XS IQ3_XXS "
    "Q2_K Q2_K_S IQ2_M IQ2_S IQ2_XS IQ2_XXS Q2_0 TQ2_0 TQ1_0 IQ1_M IQ1_S Q1_0"
).split()


def seconds(command, fresh=None, **options):
    """Wall time of a command, which must succeed. The file fresh, its output, is removed before, as freeing it takes long."""
    if fresh:
        fresh.unlink(missing_ok=True)
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {command}")
    return time.monotonic() - start


def in_turn(contenders, rounds):
    """Times of each contender, which is a function, after one unmeasured call."""
    for c in contenders:
        c()
    return list(zip(*([c() for c in contenders] for _ in range(rounds))))


def models(names, gguftool, peers, checkpoints, work):
    """Yields (name, F32 file)."""
    for name in names:
        path = work / f"{name}-f32.gguf"
        if name == "SmolLM2-135M":
            packed = checkpoints / "SmolLM2-135M-Instruct.Q4_1.gguf"
            if not path.exists():
                seconds([peers / "llama.cpp/build/bin/llama-quantize", "--allow-requantize", packed, path, "F32", THREADS])
        elif not path.exists():
            seconds([gguftool, "convert", checkpoints / name, "-o", path])
        yield name, path


def table(o, name, path):
    python, theirs_bin = o.peers / "venv/bin/python", o.peers / "llama.cpp/build/bin/llama-quantize"
    inputs = o.work / f"{name}-inputs"
    inputs.mkdir(exist_ok=True)
    if not (inputs / "imatrix.gguf").exists():
        make = pathlib.Path(__file__).parent.parent / "quantize/testdata/make_inputs.py"
        seconds([python, make.absolute(), path.absolute()], cwd=inputs)
    size = path.stat().st_size
    ours_out, theirs_out = o.work / "ours.gguf", o.work / "theirs.gguf"
    print(f"\n{name}, {size / 1e6:.0f} MB of float32\n")
    print("| type | importance | gguftool | GB/s | llama-quantize | faster | range | bytes |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    (cat,) = in_turn([lambda: seconds(f"cat '{path}' > '{ours_out}'", shell=True)], o.rounds)
    print(f"| cat | | {statistics.median(cat):.3f} s | {size / statistics.median(cat) / 1e9:.2f} | | | | |", flush=True)
    for kind in o.kinds.split(","):
        for importance in ("no", "yes"):
            if importance not in o.importance.split(",") and not (importance == "yes" and kind in NEED_IMPORTANCE):
                continue
            if importance == "no" and kind in NEED_IMPORTANCE:
                continue
            weights = ["--imatrix", inputs / "imatrix.gguf"] if importance == "yes" else []
            if kind in NEED_IMPORTANCE:
                weights += LEFT_OUT
            ours, theirs = in_turn(
                [
                    lambda: seconds([o.gguftool, "quantize", kind, path, ours_out, "--quiet", "--threads", THREADS, *weights], fresh=ours_out),
                    lambda: seconds([theirs_bin, *weights, path, theirs_out, kind, THREADS], fresh=theirs_out),
                ],
                o.rounds,
            )
            a, b = statistics.median(ours), statistics.median(theirs)
            ratios = [t / u for u, t in zip(ours, theirs)]
            same = "equal" if subprocess.run(["cmp", "-s", ours_out, theirs_out]).returncode == 0 else "DIFFERENT"
            print(
                f"| {kind} | {importance} | {a:.3f} s | {size / a / 1e9:.2f} | {b:.3f} s | {b / a:.1f}x | {min(ratios):.1f}-{max(ratios):.1f} | {same} |",
                flush=True,
            )
    for f in (ours_out, theirs_out):
        f.unlink(missing_ok=True)


def main():
    p = argparse.ArgumentParser(usage="bench_quantize.py GGUFTOOL PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]")
    for place in ("gguftool", "peers", "checkpoints", "work"):
        p.add_argument(place, type=lambda s: pathlib.Path(os.path.abspath(s)))
    p.add_argument("--models", default="MiniLM-wide,SmolLM2-135M")
    p.add_argument("--kinds", default=",".join(KINDS), help="types, separated by commas")
    p.add_argument("--importance", default="no,yes", help="no, yes or both")
    p.add_argument("--rounds", type=int, default=5)
    o = p.parse_args()
    for name, path in models(o.models.split(","), o.gguftool, o.peers, o.checkpoints, o.work):
        table(o, name, path)


main()

"""Times the prefill of a decoder beside llama.cpp's.

    bench_prefill.py GGUFTOOL EMBEDBENCH PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]

Prefill is one pass over a text that gives the logits of the token that follows
it: the hidden states of all tokens, and the product with the vocabulary of the
last one alone, as llama-bench -p computes it. Both programs have two threads and
alternate, round by round. Columns:

    gguftool, llama.cpp   tokens/s: the median over the rounds of the median of a round
    ratio                 gguftool's to llama.cpp's, the median over the rounds, and
                          its range; "<" marks one below its bar of 3

The Q4_1 file is the one that is fetched; F32 and Q8_0 are made of it, and stay in
WORK_DIR. --precision is gguftool's for the quantized files. Other work on the
machine distorts all of it, llama.cpp the most.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from bench_programs import THREADS, Failed, Llama, Ours

NAME = "SmolLM2-135M-Instruct"
FILES = ("F32", "Q8_0", "Q4_1")
BAR = 3


def fail(message):
    sys.exit(f"bench_prefill.py: {message}")


def arguments():
    def files(text):
        chosen = [part for part in text.split(",") if part]
        for part in chosen:
            if part not in FILES:
                raise argparse.ArgumentTypeError(f"{part} is not one of {', '.join(FILES)}")
        return chosen

    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gguftool", "embedbench", "peers_dir", "models_dir", "work_dir"):
        a.add_argument(name)
    a.add_argument("--files", type=files, default=list(FILES), help=",".join(FILES))
    a.add_argument("--tokens", type=int, default=512, help="of the text")
    a.add_argument("--precision", default="auto", help="auto, f32 or int8")
    a.add_argument("--only", choices=("gguftool", "llama.cpp"), help="time this program alone")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=float, default=2, help="of each program in each round")
    a.add_argument("--quick", action="store_true", help="3 rounds of half a second")
    a.add_argument("--json", help="a file to write all figures to")
    o = a.parse_args()
    if o.quick:
        o.rounds, o.seconds = 3, 0.5
    if o.rounds < 1 or o.seconds <= 0 or o.tokens < 1:
        a.error("--rounds, --seconds and --tokens must be above 0")
    return o


def make(path, *command):
    """Makes a file on first use; it is renamed into place when complete."""
    if os.path.exists(path):
        return path
    print("making", path, file=sys.stderr)
    part = path + ".part"
    done = subprocess.run([*command[:-1], part, command[-1]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        fail(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
    os.rename(part, path)
    return path


def gguf(o, kind):
    original = f"{o.models_dir}/{NAME}.Q4_1.gguf"
    if not os.path.exists(original):
        fail(f"there is no model {original}; run scripts/fetch-models.sh")
    if kind == "Q4_1":
        return original
    quantize = f"{o.peers_dir}/llama.cpp/build/bin/llama-quantize"
    floats = make(f"{o.work_dir}/{NAME}-F32.gguf", quantize, "--allow-requantize", original, "F32")
    return floats if kind == "F32" else make(f"{o.work_dir}/{NAME}-{kind}.gguf", quantize, floats, kind)


def text_of(tokens):
    """Ids that differ; what they are makes no difference to the time."""
    return [10 + i * 7919 % 49000 for i in range(tokens)]


def measure(o, programs):
    """Median nanoseconds of each round, by program."""
    ids = text_of(o.tokens)
    rounds = {name: [] for name in programs}
    for program in programs.values():
        program.time_prefill(ids, 0.01)  # allocations, and how long one takes
    for r in range(o.rounds):
        for name in list(programs)[:: 1 if r % 2 == 0 else -1]:
            time.sleep(0.3)  # threads of the one before stop spinning
            rounds[name].append(statistics.median(programs[name].time_prefill(ids, o.seconds)))
    return rounds


def row(o, kind, rounds):
    rates = {name: [o.tokens / ns * 1e9 for ns in times] for name, times in rounds.items()}
    cells = [f"{kind:<8}"]
    for name in ("gguftool", "llama.cpp"):
        cells.append(f"{statistics.median(rates[name]):>12,.0f}" if name in rates else f"{'':>12}")
    if len(rates) == 2:
        ratios = [a / b for a, b in zip(rates["gguftool"], rates["llama.cpp"])]
        ratio = statistics.median(ratios)
        cells.append(f"{('<' if ratio < BAR else '') + format(ratio, '.2f') + 'x':>9}   {min(ratios):.2f} to {max(ratios):.2f}")
    else:
        (only,) = rates.values()
        cells.append(f"{'':>9}   {min(only):,.0f} to {max(only):,.0f} tokens/s")
    print("".join(cells), flush=True)


def main():
    o = arguments()
    os.makedirs(o.work_dir, exist_ok=True)
    llama_bench = f"{o.peers_dir}/llama.cpp/build/bin/llama-bench"
    for path in (o.embedbench, llama_bench):
        if not os.access(path, os.X_OK):
            fail(f"there is no program {path}; run scripts/bench.sh, which builds and fetches what is needed")
    print(f"{NAME}, prefill of {o.tokens} tokens, {THREADS} threads, {o.rounds} rounds: tokens/s")
    print(f"{'file':<8}{'gguftool':>12}{'llama.cpp':>12}{'ratio':>9}   range")
    found = {}
    for kind in o.files:
        path, programs = gguf(o, kind), {}
        if o.only != "llama.cpp":
            programs["gguftool"] = Ours(o.embedbench, path, "f32" if kind == "F32" else o.precision)
        if o.only != "gguftool":
            programs["llama.cpp"] = Llama(llama_bench, path)
        found[kind] = measure(o, programs)
        row(o, kind, found[kind])
        for program in programs.values():
            program.close()
    if o.json:
        with open(o.json, "w") as f:
            json.dump({"tokens": o.tokens, "threads": THREADS, "precision": o.precision, "ns": found}, f, indent=1)


try:
    main()
except Failed as e:
    fail(e)

"""Times embedding beside onnxruntime, torch and llama.cpp, and compares the vectors.

    bench_embed.py GGUFTOOL EMBEDBENCH PEERS_DIR MODELS_DIR WORK_DIR [OPTION...]

The programs alternate, round by round, so that a machine that slows down slows
all: a figure is the median over the rounds of the median time of a round. All
have two threads, get the same batch without padding, and compute the forward
pass and mean pooling. The second table has tokenization within the time; it
lacks llama.cpp, whose llama-bench times none.

Columns: f32 is gguftool on the F32 file; Q8_0 and so on gguftool with
--precision int8 on that file; ORT onnxruntime in f32 and with dynamic 8-bit
quantization; torch transformers' BertModel in f32; ll. llama.cpp on the same
file. A ratio says how many times as fast gguftool is; "<" marks one below its
bar. "spread" is the largest range of one program over the rounds, as a share of
its median. Other work on the machine distorts all of it, that of the peers most.
Derived files stay in WORK_DIR; remove it to make them anew.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

MODELS = {"minilm": "all-MiniLM-L6-v2", "wide": "MiniLM-wide"}
SHAPES = ("1x16", "1x128", "1x512", "32x128", "64x40")
FILES = ("f32", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0")
PEERS = ("onnxruntime", "torch", "llama.cpp")
PARTS = ("ids", "texts", "accuracy", "load")


def fail(message):
    sys.exit(f"bench_embed.py: {message}")


def arguments():
    def several(allowed):
        def parse(text):
            chosen = [part for part in text.split(",") if part]
            for part in chosen:
                if part not in allowed:
                    raise argparse.ArgumentTypeError(f"{part} is not one of {', '.join(allowed)}")
            return [name for name in allowed if name in chosen]

        return parse

    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gguftool", "embedbench", "peers_dir", "models_dir", "work_dir"):
        a.add_argument(name)
    a.add_argument("--parts", type=several(PARTS), default=list(PARTS), help=",".join(PARTS))
    a.add_argument("--models", type=several(tuple(MODELS)), default=list(MODELS), help=",".join(MODELS))
    a.add_argument("--shapes", type=several(SHAPES), default=list(SHAPES), help="TEXTSxTOKENS of " + ",".join(SHAPES))
    a.add_argument("--files", type=several(FILES), default=list(FILES), help=",".join(FILES))
    a.add_argument("--peers", type=several(PEERS), default=list(PEERS), help=",".join(PEERS) + '; "" means gguftool alone')
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=float, default=1, help="of each program in each round")
    a.add_argument("--quick", action="store_true", help="3 rounds of 0.2 seconds")
    a.add_argument("--texts", help="a file with a text on each line for the comparison of vectors; excerpts of the model's README otherwise")
    a.add_argument("--json", help="a file to write all figures to")
    o = a.parse_args()
    if o.quick:
        o.rounds, o.seconds = 3, 0.2
    if o.rounds < 1 or o.seconds <= 0:
        a.error("--rounds and --seconds must be above 0")
    return o


OPTIONS = arguments()
try:
    from bench_contenders import Onnx, Torch
    from bench_programs import THREADS, Failed, Llama, Ours

    import numpy as np
    import onnxruntime
    import tokenizers
    import torch
    import transformers
except ImportError as e:
    fail(f"{e}; scripts/fetch-peers.sh installs what is needed, and its venv/bin/python must run this")


class Work:
    """The derived files: made on first use, renamed into place when complete."""

    def __init__(self, o):
        self.o = o
        self.llama_bench = f"{o.peers_dir}/llama.cpp/build/bin/llama-bench"
        for path in [o.gguftool, o.embedbench] + [self.llama_bench] * ("llama.cpp" in o.peers):
            if not os.access(path, os.X_OK):
                fail(f"there is no program {path}; run scripts/bench.sh, which builds and fetches what is needed")
        for model in MODELS:
            if not os.path.exists(f"{self.checkpoint(model)}/model.safetensors"):
                fail(f"there is no model {self.checkpoint(model)}; run scripts/fetch-models.sh")
        os.makedirs(o.work_dir, exist_ok=True)

    def checkpoint(self, model):
        return f"{self.o.models_dir}/{MODELS[model]}"

    def make(self, path, *command):
        print("making", path, file=sys.stderr)
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            fail(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")

    def gguf(self, model, kind):
        path = f"{self.o.work_dir}/{model}-{kind}.gguf"
        if not os.path.exists(path):
            if kind == "f32":
                self.make(path, self.o.gguftool, "convert", self.checkpoint(model), "-o", path)
            else:
                self.make(path, self.o.gguftool, "quantize", kind, self.gguf(model, "f32"), path)
        return path

    def onnx(self, model, suffix):
        paths = [f"{self.o.work_dir}/{model}{s}.onnx" for s in ("", "-int8")]
        if not all(map(os.path.exists, paths)):
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "export_onnx.py")
            self.make(paths[0], sys.executable, script, self.checkpoint(model), *paths)
        return f"{self.o.work_dir}/{model}{suffix}.onnx"

    def large(self):
        """A BERT-large of random weights: 335 million."""
        path = f"{self.o.work_dir}/bert-large-f32.gguf"
        if not os.path.exists(path):
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "random_bert.py")
            folder = f"{self.o.work_dir}/bert-large"
            self.make(folder, sys.executable, script, self.checkpoint("minilm"), folder)
            self.make(path, self.o.gguftool, "convert", folder, "-o", path)
            shutil.rmtree(folder)
        return path

    def ours(self, model, kind, precision):
        return Ours(self.o.embedbench, self.gguf(model, kind), precision)

    def contenders(self, model):
        """All programs on a model, by the name of their column."""
        c = {kind: self.ours(model, kind, "f32" if kind == "f32" else "int8") for kind in self.o.files}
        if "onnxruntime" in self.o.peers:
            c["ORT f32"] = Onnx(self.checkpoint(model), self.onnx(model, ""))
            c["ORT int8"] = Onnx(self.checkpoint(model), self.onnx(model, "-int8"))
        if "torch" in self.o.peers:
            c["torch"] = Torch(self.checkpoint(model))
        if "llama.cpp" in self.o.peers:
            for kind in self.o.files:
                c[f"ll. {kind}"] = Llama(self.llama_bench, self.gguf(model, kind))
        return c


class Words:
    """Texts of the words of a file."""

    def __init__(self, path, tokenizer_file):
        with open(path, encoding="utf-8") as f:
            self.words = f.read().split()
        tok = tokenizers.Tokenizer.from_file(tokenizer_file)
        tok.no_truncation()
        tok.no_padding()
        self.encode = lambda text: tok.encode(text).ids
        self.counts = [len(self.encode(w)) - 2 for w in self.words]
        self.single = next(w for w, n in zip(self.words, self.counts) if n == 1)

    def batch(self, texts, tokens):
        """Different texts of exactly as many tokens, special ones included, and their ids."""
        made, at = [], 0
        for _ in range(texts):
            text, left = [], tokens - 2
            while self.counts[at % len(self.words)] <= left:
                text.append(self.words[at % len(self.words)])
                left -= self.counts[at % len(self.words)]
                at += 1
            made.append(" ".join(text + [self.single] * left))
        ids = [self.encode(text) for text in made]
        if any(len(i) != tokens for i in ids):
            fail(f"a text has not {tokens} tokens; does the tokenizer split words at more than spaces?")
        return made, ids

    def excerpts(self, count):
        """Texts of 3 to 60 words from all over the file."""
        rng = np.random.default_rng(1)
        starts, sizes = rng.integers(0, len(self.words) - 60, count), rng.integers(3, 61, count)
        return [" ".join(self.words[s : s + n]) for s, n in zip(starts, sizes)]


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def alternate(contenders, method, batch, rounds, seconds):
    """For each contender, the median nanoseconds of each round."""
    medians = {name: [] for name in contenders}
    for c in contenders.values():
        getattr(c, method)(batch, 0.01)  # allocations, and llama.cpp's choice of a batch
    for r in range(rounds):
        for name in list(contenders)[:: 1 if r % 2 == 0 else -1]:
            time.sleep(0.3)  # threads of the one before stop spinning
            medians[name].append(statistics.median(getattr(contenders[name], method)(batch, seconds)))
    return medians


def ratios(ns, texts, tokens):
    """Rows of (what, how many times as fast, bar or None) for one shape, from the nanoseconds of each column."""
    large = texts * tokens >= 2048
    out = []

    def add(what, ours, theirs, bar):
        theirs = [ns[name] for name in theirs if name in ns]
        if ours in ns and theirs:
            out.append((what, min(theirs) / ns[ours], bar))

    add("f32/peers", "f32", ("ORT f32", "torch"), 1.15 if large else 1)
    for kind in FILES[1:]:
        add(f"{kind}/ORT", kind, ("ORT int8",), 1.4 if large else 1)
    for kind, bar in zip(FILES, (2, 6, 4.5, 4.5, None)):
        add(f"{kind}/ll.", kind, (f"ll. {kind}",), bar)
    return out


class Table:
    """Prints lines as they come, in columns as wide as their headings need."""

    def __init__(self, *headings):
        self.widths = [max(9, len(h) + 2) for h in headings[1:]]
        self.add(*headings)

    def add(self, first, *cells):
        print(f"{first:<8}" + "".join(f"{c:>{w}}" for c, w in zip(cells, self.widths)), flush=True)


def speed_table(work, words, part, results):
    o = work.o
    method = {"ids": "time_ids", "texts": "time_texts"}[part]
    for model in o.models:
        contenders = work.contenders(model)
        if part == "texts":
            contenders = {name: c for name, c in contenders.items() if hasattr(c, method)}
        title = {"ids": "token ids given", "texts": "tokenization included"}[part]
        print(f"\n{MODELS[model]}, {title}: tokens/s")
        table = Table("shape", *contenders, "spread")
        found = {}
        for shape in o.shapes:
            texts, tokens = map(int, shape.split("x"))
            made, ids = words.batch(texts, tokens)
            same_function(contenders, made[:4])
            rounds = alternate(contenders, method, ids if part == "ids" else made, o.rounds, o.seconds)
            ns = {name: statistics.median(r) for name, r in rounds.items()}
            spread = max((max(r) - min(r)) / ns[name] for name, r in rounds.items())
            table.add(shape, *[f"{texts * tokens / t * 1e9:,.0f}" for t in ns.values()], f"{spread:.0%}")
            found[shape] = ns
            results[part, model, shape] = rounds
        for shape, ns in found.items():
            if shape.startswith("1x"):
                table.add(f"{shape} ms", *[f"{t / 1e6:.2f}" for t in ns.values()])
        for c in contenders.values():
            c.close()
        show_ratios(found, model, part)


def show_ratios(found, model, part):
    table = None
    for shape, ns in found.items():
        row = ratios(ns, *map(int, shape.split("x")))
        if not row:
            return
        if table is None:
            print(f"\n{MODELS[model]}: times as fast as the peers")
            table = Table("shape", *[what for what, _, _ in row])
        table.add(shape, *[f"{'<' if part == 'ids' and bar and x < bar else ''}{x:.2f}x" for _, x, bar in row])


def same_function(contenders, texts):
    """Fails where two programs that compute in f32 do not compute the same vectors."""
    exact = {name: contenders[name].vectors(texts) for name in ("f32", "ORT f32", "torch") if name in contenders}
    names = list(exact)
    for name in names[1:]:
        worst = cosines(exact[names[0]], exact[name]).min()
        if not worst > 0.9999:
            fail(f"the vectors of {names[0]} and {name} have a cosine of only {worst:.6f}")


def accuracy_table(work, texts, results):
    o = work.o
    print(f"\nCosine of vectors, {len(texts)} texts, one at a time")
    print(f"{'':<52}{'mean':>11}{'worst':>11}   bar")

    def row(what, a, b, bar, value):
        c = cosines(a, b)
        results["accuracy", what] = {"mean": c.mean(), "worst": c.min()}
        missed = " missed" if bar and not value(c) >= bar else ""
        print(f"{what:<52}{c.mean():>11.7f}{c.min():>11.7f}   {bar or ''}{missed}", flush=True)

    for model in o.models:
        reference = Torch(work.checkpoint(model)).vectors(texts)
        for kind in o.files:
            f32 = vectors_of(work.ours(model, kind, "f32"), texts)
            if kind == "f32":
                row(f"{model}: f32 to transformers f32", f32, reference, 0.999999, np.min)
            else:
                int8 = vectors_of(work.ours(model, kind, "int8"), texts)
                row(f"{model}: {kind} in int8 to {kind} in f32", int8, f32, 0.9999, np.mean)
        if "onnxruntime" in o.peers:
            for suffix, name in (("", "f32"), ("-int8", "int8")):
                got = Onnx(work.checkpoint(model), work.onnx(model, suffix)).vectors(texts)
                row(f"{model}: onnxruntime {name} to transformers f32", got, reference, None, None)


def vectors_of(ours, texts):
    try:
        return ours.vectors(texts)
    finally:
        ours.close()


def load_row(work, results):
    path = work.large()
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        while f.read(1 << 24):  # into the page cache
            pass
    times, peaks = [], []
    for _ in range(work.o.rounds):
        ours = Ours(work.o.embedbench, path, "f32")
        times.append(ours.load_ns / 1e9)
        peaks.append(ours.resident())
        ours.close()
    took = statistics.median(times)
    results["load", "bert-large"] = {"seconds": times, "bytes": size, "resident": peaks}
    print(f"\nLoading a BERT-large in F32, {size / 1e6:,.0f} MB, from the page cache")
    print(f"{took:.2f} s ({min(times):.2f} to {max(times):.2f}); bar: below 0.6{'' if took < 0.6 else ' missed'}")
    if None in peaks:
        print("resident memory: not measured, as this system has no /proc")
        return
    peak, anonymous = (max(p[i] for p in peaks) for i in (0, 1))
    print(f"{peak / size:.2f} of the file size resident at most, {anonymous / size:.2f} without pages of the file; bar: 1.2{'' if peak <= 1.2 * size else ' missed'}")


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (FileNotFoundError, StopIteration):
        return platform.processor()


def main(o):
    work, results = Work(o), {}
    minilm = work.checkpoint("minilm")
    words = Words(f"{minilm}/README.md", f"{minilm}/tokenizer.json")
    print(f"{processor()}, {THREADS} threads; onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, transformers {transformers.__version__}")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.7:
        print(f"bench_embed.py: the load average is {os.getloadavg()[0]:.1f}: figures taken beside other work mean little", file=sys.stderr)
    for part in o.parts:
        if part in ("ids", "texts"):
            speed_table(work, words, part, results)
        elif part == "accuracy":
            texts = words.excerpts(300)
            if o.texts:
                with open(o.texts, encoding="utf-8") as f:
                    texts = [t for t in f.read().splitlines() if t.strip()]
            accuracy_table(work, texts, results)
        else:
            load_row(work, results)
    if o.json:
        with open(o.json, "w") as f:
            json.dump({" ".join(key): value for key, value in results.items()}, f, indent=1)


try:
    main(OPTIONS)
except Failed as e:
    fail(e)

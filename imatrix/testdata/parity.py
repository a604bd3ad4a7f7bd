"""Compares importance with llama-imatrix.

  parity.py golden   LLAMA_IMATRIX                     the goldens are what golden.py makes now
  parity.py decoder  GGUFTOOL PEERS_BIN F32.gguf TEXT  sums, perplexity and files of a model that predicts tokens
  parity.py encoder  GGUFTOOL PEERS_BIN F32.gguf TEXT  llama-quantize takes what llama-imatrix cannot measure

llama-imatrix keeps keys and values of attention in 16 bits unless it is told otherwise, which alone moves single sums by
up to 2e-3; and of several windows that it computes together it leaves out rows that come last. It is told otherwise here,
and what it does by itself is printed for comparison.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

WITHIN = 1e-3  # relative, of every sum
WINDOWS = 4

failed = False


def check(holds, what):
    global failed
    print(("ok    " if holds else "FAIL  ") + what, flush=True)
    failed = failed or not holds


def run(*command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{p.stdout}{p.stderr}")
    return p.stdout + p.stderr


def tensors(path):
    return {t.name: np.array(t.data, dtype=np.float64).ravel() for t in gguf.GGUFReader(path).tensors}


def errors(ours, theirs):
    """Returns the relative errors of all sums that theirs has, or says what differs."""
    a, b = tensors(ours), tensors(theirs)
    check(set(a) == set(b), f"{len(b)} tensors have the same names")
    counts = [n for n in b if n.endswith(".counts")]
    check(all(np.array_equal(a[n], b[n]) for n in counts), "counts are the same")
    return np.concatenate([np.abs(a[n] - b[n]) / np.maximum(b[n], 1e-30) for n in b if n.endswith(".in_sum2")])


def perplexity(output):
    return re.search(r"Final estimate: PPL = (\S+) \+/- (\S+)", output).groups()


def golden(imatrix):
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as new:
        run(sys.executable, here / "golden.py", imatrix, new)
        old = here / "golden"
        names = sorted(p.name for p in old.iterdir())
        check(names == sorted(p.name for p in pathlib.Path(new).iterdir()), f"{len(names)} goldens")
        for name in names:
            check((old / name).read_bytes() == (pathlib.Path(new) / name).read_bytes(), name)


def decoder(gguftool, peers, model, text):
    imatrix = [peers / "llama-imatrix", "-m", model, "-f", text, "--chunks", WINDOWS, "-t", 2]
    exact = ["-b", 512, "-fa", "off", "-ctk", "f32", "-ctv", "f32"]
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder).joinpath
        mine = run(gguftool, "imatrix", model, "--text", text, "--chunks", WINDOWS, "-o", at("ours.gguf"))
        said = run(*imatrix, *exact, "-o", at("exact.gguf"))
        e = errors(at("ours.gguf"), at("exact.gguf"))
        check(e.max() <= WITHIN, f"sums are within {e.max():.2g}, median {np.median(e):.2g}, of those with 32-bit keys and values")
        (p, s), (q, r) = perplexity(mine), perplexity(said)
        check(abs(float(p) / float(q) - 1) < 1e-4, f"perplexity {p} +/- {s}, and theirs {q} +/- {r}")
        said = run(*imatrix, "-o", at("default.gguf"))
        e = errors(at("ours.gguf"), at("default.gguf"))
        print(f"      by itself llama-imatrix differs by {e.max():.2g}, median {np.median(e):.2g}; {(e > WITHIN).sum()} of {e.size} sums"
              f" by more than {WITHIN}; perplexity {perplexity(said)[0]}")

        # They read ours, and what they write of it is ours.
        for ours, theirs, form in (("ours.gguf", "again.gguf", "gguf"), ("ours.gguf", "again.dat", "dat")):
            run(peers / "llama-imatrix", "-m", model, "--in-file", at(ours), "-o", at(theirs), "--output-format", form)
        run(gguftool, "imatrix", model, "--text", text, "--chunks", WINDOWS, "--no-ppl", "-o", at("ours.dat"))
        check(at("again.gguf").read_bytes() == at("ours.gguf").read_bytes(), "llama-imatrix writes our file as it is")
        check(at("again.dat").read_bytes() == at("ours.dat").read_bytes(), "and its .dat is ours")
        files = [at(n) for n in ("ours.gguf", "default.gguf", "ours.dat")]
        quantized(gguftool, peers, model, folder, files, "Q4_K_M")


def quantized(gguftool, peers, model, folder, files, kind):
    """Both programs quantize with each file to the same bytes."""
    for f in files:
        out = [pathlib.Path(folder) / n for n in ("ours-q.gguf", "theirs-q.gguf")]
        run(gguftool, "quantize", kind, model, out[0], "--imatrix", f, "--force")
        run(peers / "llama-quantize", "--imatrix", f, model, out[1], kind)
        check(out[0].read_bytes() == out[1].read_bytes(), f"{kind} with {f.name} has the same bytes")


def encoder(gguftool, peers, model, text):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "encoder.gguf"
        run(gguftool, "imatrix", model, "--text", text, "--chunks", 200, "-o", out)
        sums = tensors(out)
        matrices = {t.name for t in gguf.GGUFReader(model).tensors if t.name.startswith("blk.") and len(t.shape) == 2}
        check({n.removesuffix(".in_sum2") for n in sums if n.endswith(".in_sum2")} == matrices, f"{len(matrices)} matrices are measured")
        check(all(np.isfinite(v).all() and (v > 0).any() for v in sums.values()), "sums are finite")
        quantized(gguftool, peers, model, folder, [out], "Q3_K_M")


def main():
    kind, *args = sys.argv[1:]
    if kind == "golden":
        golden(args[0])
    else:
        gguftool, peers, model, text = args
        {"decoder": decoder, "encoder": encoder}[kind](gguftool, pathlib.Path(peers), model, text)
    sys.exit(1 if failed else 0)


main()

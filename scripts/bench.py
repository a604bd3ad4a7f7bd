"""Times converting and embedding in turn with the reference programs: bench.py GGUFTOOL PEERS_DIR MODELS_DIR

Each row is a whole process, as a person starts it: the median of its wall times
in seconds, its peak memory, and the ratio of the medians. The two programs
alternate, so that a machine that slows down slows both.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
THREADS = "2"


def run(command):
    """Wall seconds and peak resident megabytes of a command, which must succeed."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"exit code {child.returncode}: {' '.join(command)}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def compare(what, ours, theirs, runs=RUNS):
    run(ours), run(theirs)  # warm the page cache
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    a, b = (statistics.median(p[i][0] for p in pairs) for i in (0, 1))
    ma, mb = (max(p[i][1] for p in pairs) for i in (0, 1))
    print(f"{what:<34} {a:9.2f} s {ma:7.0f} MB   {b:9.2f} s {mb:7.0f} MB   {b / a:6.2f}x", flush=True)


def main():
    gguftool, peers, models = sys.argv[1:]
    gguftool = os.path.abspath(gguftool)
    python, llama = f"{peers}/venv/bin/python", f"{peers}/llama.cpp"
    with tempfile.TemporaryDirectory() as work:
        f32 = {}
        print(f"{'':<34} {'gguftool':>22}   {'reference':>22}   faster")
        for model in ("all-MiniLM-L6-v2", "MiniLM-wide"):
            f32[model] = f"{work}/{model}.gguf"
            compare(
                f"convert {model}",
                [gguftool, "convert", f"{models}/{model}", "-o", f32[model], "--force", "--threads", THREADS],
                [python, f"{llama}/convert_hf_to_gguf.py", f"{models}/{model}", "--outtype", "f32", "--outfile", f"{work}/theirs.gguf"],
                runs=3,
            )
        texts = f"{work}/texts.txt"
        with open(texts, "w") as f:
            for i in range(64):
                f.write(" ".join(["the quick brown fox jumps over the lazy dog"] * 4) + f" {i}\n")
        compare(
            "embed 64 texts of 40 tokens",
            [gguftool, "embed", f32["all-MiniLM-L6-v2"], "--input", texts, "--threads", THREADS],
            [f"{llama}/build/bin/llama-embedding", "-m", f32["all-MiniLM-L6-v2"], "-f", texts, "-t", THREADS, "--embd-output-format", "raw"],
        )


main()

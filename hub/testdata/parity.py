"""Compares the cache with that of huggingface_hub, against a small hub on this machine: parity.py GGUFTOOL CHECKPOINT

What either program has fetched, the other must find, without a network too, and
gguftool must wait for a file that the other fetches. Needs Go, which builds the hub.
"""
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = "tiny-org/tiny-model"
FOLDER = "models--tiny-org--tiny-model"

# Runs in a process of its own, as huggingface_hub reads its environment once.
FETCH = """
import sys
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
for name in sys.argv[2:]:
    hf_hub_download(sys.argv[1], name)
print(snapshot_download(sys.argv[1]))
found = scan_cache_dir()
assert not found.warnings, found.warnings
assert [r.repo_id for r in found.repos] == [sys.argv[1]], found.repos
"""

# Holds the lock of a file until its input ends.
HOLD = """
import sys
from huggingface_hub.utils import WeakFileLock
with WeakFileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def main(gguftool, checkpoint):
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        subprocess.run(["go", "build", "-o", work / "serve", "./internal/hubtest/serve"], cwd=root, check=True)
        server = subprocess.Popen([work / "serve", MODEL, checkpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            address, commit = server.stdout.readline().split()
            compare(gguftool, checkpoint, work, address, commit)
        finally:
            server.communicate("")
    print("the caches of gguftool and huggingface_hub are the same")


def compare(gguftool, checkpoint, work, address, commit):
    def environment(cache, **more):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        return clean | {"HF_ENDPOINT": address, "HF_HUB_CACHE": str(cache), "HF_HOME": str(work / "home"), "HF_HUB_DISABLE_XET": "1",
                        "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | more

    def convert(source, out, env):
        subprocess.run([gguftool, "convert", "--quiet", source, "-o", out, "--force"], env=env, check=True)
        return out

    def fetch(env, *names):
        run = subprocess.run([sys.executable, "-c", FETCH, MODEL, *names], env=env, check=True, stdout=subprocess.PIPE, text=True)
        return Path(run.stdout.strip())

    def same(a, b):
        if not filecmp.cmp(a, b, shallow=False):
            sys.exit(f"{a} and {b} differ")

    named = work / Path(MODEL).name  # the name of the folder is that of the model
    named.symlink_to(Path(checkpoint).resolve())
    want = convert(named, work / "want.gguf", environment(work / "none"))

    # gguftool fetches, Python finds it.
    ours = work / "ours"
    same(convert("hf://" + MODEL, work / "ours.gguf", environment(ours)), want)
    snapshot = ours / FOLDER / "snapshots" / commit
    names = [p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if p.is_file()]
    if fetch(environment(ours, HF_HUB_OFFLINE="1"), *names).resolve() != snapshot.resolve():
        sys.exit("huggingface_hub uses another snapshot")
    before = {p: p.stat().st_mtime_ns for p in (ours / FOLDER / "blobs").iterdir()}
    fetch(environment(ours))
    if any(p.stat().st_mtime_ns != t for p, t in before.items()):
        sys.exit("huggingface_hub has fetched a file again")

    # Python fetches, gguftool finds it: with the listing that it keeps, and without.
    theirs = work / "theirs"
    fetch(environment(theirs))
    same(convert("hf://" + MODEL, work / "theirs.gguf", environment(theirs, HF_HUB_OFFLINE="1")), want)
    same(convert(f"hf://{MODEL}@{commit}", work / "theirs.gguf", environment(theirs, HF_ENDPOINT="http://localhost:1")), want)
    trees = [json.loads((ours / FOLDER / "trees" / (commit + end)).read_text()) for end in (".json", ".gguftool.json")]
    if trees[0] != trees[1]:
        sys.exit("the listings differ")

    def layout(cache):
        files = (p for p in cache.rglob("*") if not p.name.endswith(".gguftool.json"))
        return sorted((p.relative_to(cache).as_posix(), os.readlink(p) if p.is_symlink() else p.is_file() and p.stat().st_size) for p in files)

    if layout(ours) != layout(theirs):
        sys.exit(f"the caches differ: {set(layout(ours)) ^ set(layout(theirs))}")
    for tree in (theirs / FOLDER / "trees").iterdir():
        tree.unlink()
    same(convert("hf://" + MODEL, work / "theirs.gguf", environment(theirs, HF_HUB_OFFLINE="1")), want)

    # The locks are the same.
    waits = work / "waits"
    blob = max((ours / FOLDER / "blobs").iterdir(), key=lambda p: p.stat().st_size).name
    lock = waits / ".locks" / FOLDER / (blob + ".lock")
    lock.parent.mkdir(parents=True)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    tool = subprocess.Popen([gguftool, "convert", "hf://" + MODEL, "-o", work / "waits.gguf"], env=environment(waits), stderr=subprocess.PIPE, text=True)
    if "another program fetches" not in tool.stderr.readline() or tool.poll() is not None:
        sys.exit("gguftool does not wait for the lock of huggingface_hub")
    time.sleep(0.5)
    if (waits / FOLDER / "blobs" / blob).exists():
        sys.exit("gguftool fetches what huggingface_hub has locked")
    holder.communicate("")
    tool.communicate()
    same(work / "waits.gguf", want)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]), sys.argv[2])

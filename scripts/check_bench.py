"""Whether the figures of gguftool bench hold: check_bench.py GGUFTOOL [--model FILE] [--reruns N] [--seconds S]

outside  Whole processes are timed from outside: the wall clock around them, and processor time and memory as wait4
         tells them, which is what /usr/bin/time prints. They are compared with what the process reports of itself, and
         what more requests take from outside with what the report says they took.
reruns   N reports of the same are compared in all pairs, none of which may end with 5. As many of a program whose
         built-in model has a feed-forward width of 1792 instead of 1536, about 10 % more work of the same kind, are
         compared with one of them each, in turn, and have to end with 5.

Needs Go, for the second program. Without --model, the built-in model is measured.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def timed(args):
    """Runs args and returns what they printed, wall and processor seconds and bytes at most."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        child = subprocess.Popen(args, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"{' '.join(map(str, args))} ended with {child.returncode}")
        out.seek(0)
        scale = 1 if sys.platform == "darwin" else 1024
        return out.read(), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale


def outside(o):
    """Prints the differences between figures from inside and outside; returns whether they are within 3 %."""
    # One repetition, so that the model is not loaded again meanwhile.
    base = [o.gguftool, "bench", *o.model, "-o", "json", "-l", "64", "-b", "4", "-r", "1", "--loads", "1", "--warmup", "0s", "--roofline=false", "-q"]
    runs = []
    for duration in ("1ms", f"{o.seconds}s"):
        text, wall, cpu, peak = timed([*base, "-d", duration])
        runs.append((json.loads(text), wall, cpu, peak))
    (short, short_wall, short_cpu, _), (report, wall, cpu, peak) = runs
    process, case, first = report["process"], report["cases"][0], short["cases"][0]
    rows = [
        ("wall clock of the process, s", process["seconds"], wall),
        ("processor time of the process, s", process["cpu_seconds"], cpu),
        ("memory at most, MB", process["peak_bytes"] / 1e6, peak / 1e6),
        ("wall clock of the requests, s", case["seconds"] - first["seconds"], wall - short_wall),
        ("processor time of the requests, s", case["cpu_seconds"] - first["cpu_seconds"], cpu - short_cpu),
        ("tokens a second", case["tokens_per_second"]["median"], (case["tokens"] - first["tokens"]) / (wall - short_wall)),
    ]
    good = True
    for name, inside, other in rows:
        share = inside / other - 1 if other else 0
        good &= abs(share) < 0.03
        print(f"{name:36} inside {inside:10.3f}  outside {other:10.3f}  {100 * share:+.2f} %")
    return good


def reruns(o):
    """Prints how many alarms there were, and how many slowdowns were found; returns whether that is right."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = ROOT / "bench" / "synthetic.go"
        text, changes = re.subn(r"synthHidden(\s*)= 1536", r"synthHidden\1= 1792", source.read_text())
        if changes != 1:
            sys.exit(f"{source} has no width of 1536 that could be changed")
        (folder / "synthetic.go").write_text(text)
        (folder / "overlay.json").write_text(json.dumps({"Replace": {str(source): str(folder / "synthetic.go")}}))
        slow = folder / ("slow.exe" if os.name == "nt" else "slow")
        subprocess.run([os.environ.get("GO", "go"), "build", "-overlay", folder / "overlay.json", "-o", slow, "./cmd/gguftool"], cwd=ROOT, check=True)

        def report(program, name):
            path = folder / name
            path.write_bytes(subprocess.run([program, "bench", "-o", "json", "-q", *o.options], check=True, stdout=subprocess.PIPE).stdout)
            return path

        def alarm(old, new, figure=""):
            run = subprocess.run([o.gguftool, "bench", "compare", old, new], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if run.returncode not in (0, 5):
                sys.exit(run.stderr)
            if run.returncode:
                print("   ", run.stderr.strip())
            return run.returncode == 5 and figure in run.stderr

        same, planted = [], []
        for i in range(o.reruns):
            same.append(report(o.gguftool, f"same{i}.json"))
            planted.append(report(slow, f"planted{i}.json"))
            print(f"{i + 1} of {o.reruns} pairs of reports are measured", flush=True)
        print("the same program:")
        alarms = sum(alarm(a, b) for a in same for b in same if a is not b)
        print("the slower program, after the other:")
        found = sum(alarm(a, b, "tokens_per_") for a, b in zip(same, planted))
        pairs = sum(alarm(a, b, "tokens_per_") for a in same for b in planted) if o.all_pairs else None
    comparisons = o.reruns * (o.reruns - 1)
    print(f"alarms among the same: {alarms} of {comparisons}; slowdowns found: {found} of {o.reruns}" + (f", in all pairs {pairs} of {o.reruns**2}" if o.all_pairs else ""))
    return alarms == 0 and found >= 0.9 * o.reruns


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("gguftool", type=lambda s: pathlib.Path(s).resolve())
    p.add_argument("--model", type=lambda s: [str(pathlib.Path(s).resolve())], default=[], help="that is timed from outside")
    p.add_argument("--reruns", type=int, default=10, help="0 for none")
    p.add_argument("--seconds", type=int, default=20, help="of requests that are timed from outside; 0 for none")
    p.add_argument("--all-pairs", action="store_true", help="compare each report of the slower program with all others")
    p.add_argument("--options", type=str.split, default=[], help="further options of bench, in one argument")
    o = p.parse_args()
    good = True
    if o.seconds:
        good &= outside(o)
    if o.reruns:
        good &= reruns(o)
    sys.exit(0 if good else 1)


main()

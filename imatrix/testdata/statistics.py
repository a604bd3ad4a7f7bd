"""Makes the golden files of the statistics with llama-imatrix: statistics.py LLAMA_IMATRIX DIR

imatrix.gguf holds three layers with chosen and with random numbers: outliers, zeros, experts of which one or all saw
nothing, a layer that is wider than the one before, and a weight outside of layers. figures.txt is what llama-imatrix
--show-statistics prints of it, without the time in front of each line.
"""

import pathlib
import re
import subprocess
import sys

import gguf
import numpy as np

# Rows of the two tables, which have a header each. A weight that saw nothing has none.
TENSORS, LAYERS = 12, 3


def entries():
    rng = np.random.default_rng(7)
    for layer in range(3):
        for part, width in (("attn_q", 64), ("ffn_up", 64), ("ffn_down", 96)):
            sums = rng.standard_normal((1, width)) ** 2 * 10.0 ** (layer - 1) * 300
            if part == "ffn_down":
                sums[0, 5] *= 1000
                sums[0, 10:20] = 0
            yield f"blk.{layer}.{part}.weight", sums, [300]
        width = 32 if layer < 2 else 48
        counts = [[40, 0, 17], [5, 6, 7], [0, 0, 0]][layer]
        sums = rng.standard_normal((3, width)) ** 2 * np.array(counts).reshape(-1, 1)
        yield f"blk.{layer}.ffn_up_exps.weight", sums, counts
    yield "output.weight", np.full((1, 64), 3.0), [300]


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    w = gguf.GGUFWriter(folder / "imatrix.gguf", "", use_temp_file=False)
    w.kv_data[0].clear()
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["statistics.py"])
    w.add_uint32("imatrix.chunk_count", 0)
    w.add_uint32("imatrix.chunk_size", 512)
    for name, sums, counts in entries():
        w.add_tensor(name + ".in_sum2", sums.astype(np.float32))
        w.add_tensor(name + ".counts", np.array(counts, dtype=np.float32).reshape(-1, 1))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    (folder / "figures.txt").write_text(figures(program, folder))


def figures(program, folder):
    """What llama-imatrix prints. It may end before all of it is written, so it is asked until the last layer is there."""
    for _ in range(200):
        # The program asks for a model and does not open it.
        command = [program, "-m", "none", "--in-file", "imatrix.gguf", "--show-statistics"]
        p = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
        lines = [re.sub(r"^[\d.]+ [A-Z] ", "", line).rstrip() for line in p.stdout.splitlines()]
        lines = [line for line in lines if "\t" in line]
        if len(lines) == TENSORS + LAYERS + 2:
            return "\n".join(lines) + "\n"
    sys.exit("llama-imatrix does not print all of it")


main()

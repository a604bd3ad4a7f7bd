"""Makes the golden files of package imatrix with llama-imatrix: golden.py LLAMA_IMATRIX DIR

The inputs are small files with chosen numbers. What llama-imatrix makes of them, with
--in-file and without a model, is what Merge, WriteGGUF and WriteLegacy must make.
"""

import pathlib
import struct
import subprocess
import sys

import gguf
import numpy as np


def newer(path, datasets, chunk_size, entries):
    """Writes the newer format. entries are name -> (sums (matrices, columns), counts)."""
    w = gguf.GGUFWriter(path, "", use_temp_file=False)
    w.kv_data[0].clear()
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", datasets)
    w.add_uint32("imatrix.chunk_count", max(max(c) for _, c in entries.values()) // chunk_size)
    w.add_uint32("imatrix.chunk_size", chunk_size)
    for name, (sums, counts) in entries.items():
        w.add_tensor(name + ".in_sum2", np.array(sums, dtype=np.float32))
        w.add_tensor(name + ".counts", np.array(counts, dtype=np.float32).reshape(-1, 1))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def older(path, dataset, chunks, entries):
    """Writes the older format. entries are name -> (calls, values)."""
    with open(path, "wb") as f:
        f.write(struct.pack("<i", len(entries)))
        for name, (calls, values) in entries.items():
            f.write(struct.pack(f"<i{len(name)}sii", len(name), name.encode(), calls, len(values)))
            f.write(np.array(values, dtype=np.float32).tobytes())
        f.write(struct.pack(f"<ii{len(dataset)}s", chunks, len(dataset), dataset.encode()))


def numbers(seed, *shape):
    return np.random.default_rng(seed).gamma(0.3, 200, shape).astype(np.float32)


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    newer(folder / "a.gguf", ["first.txt"], 512, {
        "blk.10.attn_q.weight": (numbers(1, 1, 40), [1536]),
        "blk.2.attn_q.weight": (numbers(2, 1, 40), [1536]),
        "blk.2.ffn_down_exps.weight": (numbers(3, 3, 7), [1000, 0, 536]),
        "output.weight": (numbers(4, 1, 1), [1536]),
    })
    newer(folder / "b.gguf", ["second.txt", "third.txt"], 256, {
        "blk.2.attn_q.weight": (numbers(5, 1, 40), [700]),
        "blk.2.ffn_down_exps.weight": (numbers(6, 3, 7), [7, 0, 693]),
        "blk.3.attn_q.weight": (numbers(7, 1, 9), [0]),
    })
    older(folder / "old.dat", "old.txt", 5, {
        "blk.2.attn_q.weight": (5, numbers(8, 40)),
        "blk.4.attn_q.weight": (3, numbers(9, 11)),
    })
    for name, chunk, inputs in (
        ("a-again.gguf", 512, ["a.gguf"]),
        ("a.dat", 512, ["a.gguf"]),
        ("b.dat", 512, ["b.gguf"]),
        ("a+b.gguf", 512, ["a.gguf", "b.gguf"]),
        ("a+b-128.dat", 128, ["a.gguf", "b.gguf"]),
        ("old-64.gguf", 64, ["old.dat"]),
        ("old+a.gguf", 512, ["old.dat", "a.gguf"]),
        ("old+a.dat", 512, ["old.dat", "a.gguf"]),
    ):
        command = [program, "-m", "none", "-o", folder / name, "-c", str(chunk), "--output-format", name.rsplit(".")[-1]]
        for i in inputs:
            command += ["--in-file", folder / i]
        subprocess.run(command, check=True, capture_output=True)


main()

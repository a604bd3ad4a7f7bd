"""Makes a BERT sentence encoder twice as wide without changing its vectors.

    usage: widen.py CHECKPOINT OUT

K-quants need rows of a multiple of 256 elements, which small encoders lack. In
the wide model every feature x stands twice, as [x, x], so all its rows are
twice as long. A matrix W of the narrow model becomes

    | a W + N    (1-a) W - N |
    | b W + M    (1-b) W - M |

which maps [x, x] to [W x, W x] for any weights a, b (one per row) and any noise
N, M. Weights and noise are drawn so that the four quarters differ, and that
the values have outliers like those of a trained matrix: no quantizer gains
from the construction. Layer norms see the mean and variance they saw before,
and attention has twice as many heads of the same size, each head twice.

The result is the same for the same checkpoint. Needs numpy and safetensors.
"""

import json
import os
import shutil
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

NOISE = 0.15  # of the matrix's standard deviation


def halves(w, rng):
    """Returns the two columns of one row of quarters, which add up to w."""
    share = rng.uniform(0.4, 0.6, (len(w), 1)).astype(np.float32)
    noise = (NOISE * w.std() * rng.standard_t(5, w.shape)).astype(np.float32)
    left = share * w + noise
    return np.concatenate([left, w - left], axis=1)


def widen(name, t, rng):
    if not np.issubdtype(t.dtype, np.floating):
        return t  # position_ids
    if t.ndim == 1:
        return np.tile(t, 2)
    if name.rsplit(".", 2)[-2].endswith("_embeddings"):
        return np.tile(t, (1, 2))
    return np.concatenate([halves(t, rng), halves(t, rng)])


def edit(path, *doubled):
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    for key in doubled:
        config[key] *= 2
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)


def main(src, dest):
    rng = np.random.default_rng(20260101)
    narrow = load_file(os.path.join(src, "model.safetensors"))
    wide = {name: np.ascontiguousarray(widen(name, t, rng)) for name, t in sorted(narrow.items())}

    # Renamed in the end, so that the model is there completely or not at all.
    with tempfile.TemporaryDirectory(prefix=".widen.", dir=os.path.dirname(os.path.abspath(dest))) as tmp:
        out = os.path.join(tmp, "out")
        shutil.copytree(src, out, ignore=shutil.ignore_patterns("model.safetensors", ".*"))
        save_file(wide, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
        edit(os.path.join(out, "config.json"), "hidden_size", "intermediate_size", "num_attention_heads")
        edit(os.path.join(out, "1_Pooling", "config.json"), "word_embedding_dimension")
        os.rename(out, dest)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: widen.py CHECKPOINT OUT")
    main(*sys.argv[1:])

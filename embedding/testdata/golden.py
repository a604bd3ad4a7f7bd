"""Writes encodings.json: vectors, and what sentence-transformers' quantize_embeddings makes of them.

Made with sentence-transformers 6.2.0 and numpy."""
import json
import pathlib

import numpy as np
from sentence_transformers.util.quantization import quantize_embeddings

rng = np.random.default_rng(1)
cases = []
for rows, dimensions in [(1, 1), (2, 7), (3, 8), (2, 9), (2, 13), (4, 16), (2, 64), (2, 100)]:
    x = rng.standard_normal((rows, dimensions)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = 0.0
    x[rng.random(x.shape) < 0.1] = -0.0
    x[rng.random(x.shape) < 0.05] = 1e-45  # the smallest number above 0
    for row in x:
        cases.append({
            "vector": [float(v) for v in row],
            "binary": quantize_embeddings(row[None], "binary")[0].tolist(),
            "ubinary": quantize_embeddings(row[None], "ubinary")[0].tolist(),
        })
lines = ",\n".join(json.dumps(c) for c in cases)
(pathlib.Path(__file__).parent / "encodings.json").write_text(f"[\n{lines}\n]\n")

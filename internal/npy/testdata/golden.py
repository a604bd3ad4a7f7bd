"""Writes the matrices of TestGolden with numpy: number i of a matrix is i - 3, or i where it has no sign. Made with numpy 2.4."""
import pathlib

import numpy as np

for name, dtype, rows, columns in [
    ("f4", "<f4", 3, 4), ("i1", "|i1", 2, 3), ("u1", "|u1", 11, 1), ("empty", "<f4", 0, 384),
]:
    x = (np.arange(rows * columns) - (0 if dtype == "|u1" else 3)).astype(dtype).reshape(rows, columns)
    path = pathlib.Path(__file__).parent / f"{name}.npy"
    np.save(path, x)
    back = np.load(path)
    assert back.dtype == dtype and (back == x).all()

#!/usr/bin/env python3
"""Makes the goldens of package block with llama.cpp's library.

    make_goldens.py LIBGGML_BASE [MODEL_SAFETENSORS]

writes beside this file
  goldens.txt  a line for each format, family of inputs and kind of importance
  *.hex        one block of each format, taken apart byte by byte
  minilm.f32   only where the model is given, see cut_weights

LIBGGML_BASE is libggml-base.so of a release build without FMA, as distributed; it
prints a line to stderr for each row that it finds invalid.
Inputs are not stored: inputs_test.go makes the same numbers. Both sides use
integers, and single float32 operations that IEEE 754 rounds alike everywhere.
"""
import ctypes
import hashlib
import json
import math
import os
import pathlib
import pickle
import re
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
F32 = np.float32
ROWS = 4  # of each length
LENGTHS = [32, 96, 384, 256, 512, 768, 1024]

# name: (id, elements of a block, its bytes, places of its float16 numbers)
FORMATS = {
    "F32": (0, 1, 4, []),
    "F16": (1, 1, 2, [0]),
    "BF16": (30, 1, 2, []),
    "Q4_0": (2, 32, 18, [0]),
    "Q4_1": (3, 32, 20, [0, 2]),
    "Q5_0": (6, 32, 22, [0]),
    "Q5_1": (7, 32, 24, [0, 2]),
    "Q8_0": (8, 32, 34, [0]),
    "Q2_K": (10, 256, 84, [80, 82]),
    "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]),
    "Q5_K": (13, 256, 176, [0, 2]),
    "Q6_K": (14, 256, 210, [208]),
    "IQ2_XXS": (16, 256, 66, [0]),
    "IQ2_XS": (17, 256, 74, [0]),
    "IQ2_S": (22, 256, 82, [0]),
    "IQ3_XXS": (18, 256, 98, [0]),
    "IQ3_S": (21, 256, 110, [0]),
    "IQ4_NL": (20, 32, 18, [0]),
    "IQ4_XS": (23, 256, 136, [0]),
    "IQ1_S": (19, 256, 50, [0]),
    "IQ1_M": (29, 256, 56, [54]),  # the highest bits of one that lies scattered
    "TQ1_0": (34, 256, 54, [52]),
    "TQ2_0": (35, 256, 66, [64]),
    "MXFP4": (39, 32, 17, []),
    "NVFP4": (40, 64, 36, []),
    "Q1_0": (41, 128, 18, [0]),
    "Q2_0": (42, 64, 18, [0]),
}
WITHOUT_IMPORTANCE = ["F32", "F16", "BF16", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4", "Q1_0", "Q2_0"]
WITH_IMPORTANCE = ["IQ1_S", "IQ2_XXS", "IQ2_XS"]  # the reference ends the program without it
ENDING = [name for name in FORMATS if name[:3] in ("IQ1", "IQ2", "IQ3")]  # and where an error overflows

# Codebooks of the formats that have one (ggml-common.h).
CODEBOOKS = {
    "kvalues_iq4nl": np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], F32),
    "kvalues_fp4": np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], F32),
}

FAMILIES = [
    "normal", "uniform", "heavy", "tiny", "subnormal", "large", "vast", "zeros", "constant",
    "outlier", "sparse", "negative", "positive", "mixed", "integers", "real", "brink", "spread",
]
IMPORTANCES = ["none", "random", "heavy", "partial", "zero", "spike"]


# ---- inputs: the same in inputs_test.go ----

def draws(seed, n):
    """SplitMix64."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return z ^ z >> np.uint64(31)


def uniform(z):
    """24 bits as a number in [0, 1)."""
    return (z >> np.uint64(40)).astype(F32) * F32(2**-24)


def normal(z):
    """The sum of three 21-bit numbers: mean 0, variance 1, at most 3."""
    mask = np.uint64(2**21 - 1)
    total = (z & mask) + (z >> np.uint64(21) & mask) + (z >> np.uint64(42) & mask)
    return (total.astype(np.int64) - 3 * 2**20).astype(F32) * F32(2**-20)


def tail(z):
    """10 bits as a reciprocal in [1, 1024], half of them below 2."""
    return F32(1024) / ((z >> np.uint64(54)).astype(F32) + F32(1))


def power(e):
    return np.ldexp(F32(1), int(e)).astype(F32)


def make_row(family, row, n, weights):
    """Row 0 ≤ row < ROWS of length n; of "real", the next n weights."""
    seed = FAMILIES.index(family) << 32 | n << 8 | row
    first = draws(seed, n + 1)
    r, z = first[:1], first[1:]
    y = draws(seed | 1 << 40, n)
    k = int(r[0])
    x = normal(z)
    match family:
        case "normal":
            return x * (F32(1) + uniform(r)) * power(k % 16 - 12)
        case "uniform":
            return uniform(z) * F32(2) - F32(1)
        case "heavy":
            return x * tail(y)
        case "tiny":
            return x * power(-20 - k % 60)
        case "subnormal":
            return x * power(-100 - k % 50)
        case "large":
            return x * power(8 + k % 20)
        case "vast":
            return x * power(40 + k % 87)
        case "zeros":
            return np.where(z & np.uint64(1), F32(-0.0), F32(0))
        case "constant":
            return np.full(n, normal(r)[0], F32)
        case "outlier":
            x = x * power(-10)
            x[(k >> 32) % n] = normal(r)[0] * F32(128)
            return x
        case "sparse":
            return np.where(y % np.uint64(16) == 0, x, F32(0))
        case "negative":
            return -np.abs(x)
        case "positive":
            return np.abs(x)
        case "mixed":
            scale = np.array([power(-int(v % np.uint64(40))) for v in y[::16]], F32)
            return x * np.repeat(scale, 16)
        case "integers":
            return (z % np.uint64(16)).astype(F32) - F32(8)
        case "brink":  # of the magnitude that counts as zero
            return x * power(-50 + k % 4)
        case "spread":
            return x * np.array([power(int(v % np.uint64(96)) - 32) for v in y], F32)
        case "real":
            at = ROWS * sum(LENGTHS[: LENGTHS.index(n)]) + row * n
            return weights[at : at + n].copy()


def make_importance(kind, n):
    seed = IMPORTANCES.index(kind) << 48 | n
    first = draws(seed, n + 1)
    r, z = first[:1], first[1:]
    y = draws(seed | 1 << 40, n)
    match kind:
        case "random":
            return uniform(z)
        case "heavy":
            return tail(z) * tail(y)
        case "partial":
            return np.where(y & np.uint64(1), uniform(z), F32(0))
        case "zero":
            return np.zeros(n, F32)
        case "spike":
            w = np.zeros(n, F32)
            w[int(r[0]) % n] = 1
            return w


def make_bytes(name):
    """4096 bytes or more of random blocks, the float16 numbers below 2."""
    type_id, _, size, halfs = FORMATS[name]
    blocks = 4096 // size + 1
    raw = draws(type_id, blocks * size).astype(np.uint8).reshape(blocks, size)
    for h in halfs:
        raw[:, h + 1] &= 0xBF
    return raw.tobytes()


# ---- the reference ----

class Reference:
    def __init__(self, path):
        self.lib = lib = ctypes.CDLL(path)
        lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        lib.ggml_quantize_chunk.argtypes = [
            ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
            ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
        lib.ggml_validate_row_data.restype = ctypes.c_bool
        lib.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]

    def encode(self, name, x, importance):
        """The bytes, or None where the reference itself finds them invalid."""
        return self.encode_all(name, [x], importance)[0]

    def encode_all(self, name, rows, importance):
        """encode for each row. Where the reference would end the program, a child of
        this one ends in its place, and then there is a child for each row."""
        if name not in ENDING:
            return [self.encode_here(name, x, importance) for x in rows]
        if importance is None and name in WITH_IMPORTANCE:
            raise ValueError(name)
        self.lib.ggml_quantize_init(FORMATS[name][0])
        from_child, to_parent = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(to_parent, "wb") as f:
                pickle.dump([self.encode_here(name, x, importance) for x in rows], f)
            os._exit(0)
        os.close(to_parent)
        with os.fdopen(from_child, "rb") as f:
            data = f.read()
        _, status = os.waitpid(child, 0)
        if status == 0:
            return pickle.loads(data)
        if len(rows) == 1:
            return [None]
        return [self.encode(name, x, importance) for x in rows]

    def encode_here(self, name, x, importance):
        type_id, elements, size, _ = FORMATS[name]
        dst = np.zeros(len(x) // elements * size, np.uint8)
        self.lib.ggml_quantize_chunk(
            type_id, x.ctypes.data, dst.ctypes.data, 0, 1, len(x),
            None if importance is None else importance.ctypes.data)
        if not self.lib.ggml_validate_row_data(type_id, dst.ctypes.data, dst.nbytes):
            return None
        return dst.tobytes()

    def decode(self, name, data):
        if name == "F32":
            return np.frombuffer(data, F32)
        _, elements, size, _ = FORMATS[name]
        plain = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row"}
        function = getattr(self.lib, plain.get(name, "dequantize_row_" + name.lower().replace("_k", "_K")))
        x = np.zeros(len(data) // size * elements, F32)
        function(ctypes.c_char_p(data), ctypes.c_void_p(x.ctypes.data), ctypes.c_int64(len(x)))
        return x


def digest(h):
    return h.hexdigest()[:32]


def goldens(ref, weights):
    """format family importance refused-rows encoded decoded, the last two the
    first half of SHA-256 over all rows that are not refused. Refused are also rows
    for which the reference ends the program."""
    for name, (_, elements, _, _) in FORMATS.items():
        yield f"{name} bytes none 0 - {digest(hashlib.sha256(ref.decode(name, make_bytes(name)).tobytes()))}"
        for family in FAMILIES:
            for kind in IMPORTANCES:
                if kind == "none" and name in WITH_IMPORTANCE or kind != "none" and name in WITHOUT_IMPORTANCE:
                    continue
                encoded, decoded, refused = hashlib.sha256(), hashlib.sha256(), 0
                for n in LENGTHS:
                    if n % elements != 0:
                        continue
                    importance = None if kind == "none" else make_importance(kind, n)
                    for data in ref.encode_all(name, [make_row(family, row, n, weights) for row in range(ROWS)], importance):
                        if data is None:
                            refused += 1
                            continue
                        encoded.update(data)
                        decoded.update(ref.decode(name, data).tobytes())
                yield f"{name} {family} {kind} {refused} {digest(encoded)} {digest(decoded)}"


# ---- one block of each format, taken apart ----

def take_apart(name, data):
    """Yields (first, last, field, comment), and returns the values that the
    drawing in the format's Go file gives."""
    half = lambda at: np.frombuffer(data[at : at + 2], np.float16)[0].astype(F32)
    q = np.zeros(FORMATS[name][1], np.int64)

    def bits(at, count, field, width, places, shift=0, step=1):
        """Bytes whose group k of `width` bits, from the lowest, belongs to element places(l)[k]."""
        for first in range(0, count, 16):
            n = min(16, count - first)
            parts = []
            for k in range(len(places(0))):
                values = []
                for l in range(first, first + n):
                    v = data[at + l] >> (width * k) & (1 << width) - 1
                    q[places(l)[k]] |= v << shift
                    values.append(str(v))
                lo, hi = places(first)[k], places(first + n - 1)[k]
                what = "q" if shift == 0 else f"q>>{shift}"
                every = "" if step == 1 else f":{step}"
                parts.append(f"{what}[{lo}:{hi + 1}{every}]={' '.join(values)}")
            yield at + first, at + first + n - 1, f"{field}[{first}:{first + n}]", "; ".join(parts)

    def number(at, field):
        yield at, at + 1, field, f"float16 {half(at)}"

    match name:
        case "F32" | "F16" | "BF16":
            dtype = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[name]
            v = np.frombuffer(data, dtype)[0]
            if name == "BF16":
                v = np.array([int(v) << 16], np.uint32).view(F32)[0]
            yield 0, len(data) - 1, "x", f"{F32(v)}"
            return np.array([v], F32)
        case "Q8_0":
            yield from number(0, "d")
            v = np.frombuffer(data[2:], np.int8)
            for at in (0, 16):
                yield 2 + at, 17 + at, f"qs[{at}:{at + 16}]", f"q[{at}:{at + 16}]=" + " ".join(map(str, v[at : at + 16]))
            return half(0) * v.astype(F32)
        case "Q4_0" | "Q5_0":
            five = name == "Q5_0"
            yield from number(0, "d")
            if five:
                yield from fifth(data, 2, q)
            yield from bits(6 if five else 2, 16, "qs", 4, lambda l: (l, l + 16))
            return half(0) * (q - (16 if five else 8)).astype(F32)
        case "Q4_1" | "Q5_1":
            five = name == "Q5_1"
            yield from number(0, "d")
            yield from number(2, "m")
            if five:
                yield from fifth(data, 4, q)
            yield from bits(8 if five else 4, 16, "qs", 4, lambda l: (l, l + 16))
            return half(0) * q.astype(F32) + half(2)
        case "Q2_K":
            for j in range(16):
                yield j, j, f"scales[{j}]", f"scale={data[j] & 15} min={data[j] >> 4}"
            yield from bits(16, 64, "qs", 2, pairs)
            yield from number(80, "d")
            yield from number(82, "dmin")
            s = np.frombuffer(data[:16], np.uint8).repeat(16)
            return half(80) * (s & 15).astype(F32) * q.astype(F32) - half(82) * (s >> 4).astype(F32)
        case "Q3_K":
            yield from bits(0, 32, "hmask", 1, lambda l: [32 * j + l for j in range(8)], shift=2)
            yield from bits(32, 64, "qs", 2, pairs)
            s = np.zeros(16, np.int64)
            for j in range(8):
                s[j] |= data[96 + j] & 15
                s[j + 8] |= data[96 + j] >> 4
            for j in range(16):
                s[j] |= (data[104 + j % 4] >> 2 * (j // 4) & 3) << 4
            yield 96, 107, "scales[0:12]", "scales=" + " ".join(map(str, s))
            yield from number(108, "d")
            return half(108) * (s - 32).repeat(16).astype(F32) * (q - 4).astype(F32)
        case "Q4_K" | "Q5_K":
            five = name == "Q5_K"
            yield from number(0, "d")
            yield from number(2, "dmin")
            b = np.frombuffer(data[4:16], np.uint8).astype(np.int64)
            scales = np.concatenate([b[:4] & 63, b[8:] & 15 | b[:4] >> 6 << 4])
            mins = np.concatenate([b[4:8] & 63, b[8:] >> 4 | b[4:8] >> 6 << 4])
            yield 4, 15, "scales[0:12]", f"scales={' '.join(map(str, scales))}; mins={' '.join(map(str, mins))}"
            if five:
                yield from bits(16, 32, "qh", 1, lambda l: [32 * j + l for j in range(8)], shift=4)
            yield from bits(48 if five else 16, 128, "qs", 4, lambda l: (l // 32 * 64 + l % 32, l // 32 * 64 + l % 32 + 32))
            return (half(0) * scales.repeat(32).astype(F32) * q.astype(F32)
                    - half(2) * mins.repeat(32).astype(F32))
        case "Q6_K":
            yield from bits(0, 128, "ql", 4, lambda l: (l // 64 * 128 + l % 64, l // 64 * 128 + l % 64 + 64))
            yield from bits(128, 64, "qh", 2, pairs, shift=4)
            s = np.frombuffer(data[192:208], np.int8)
            yield 192, 207, "scales[0:16]", "scales=" + " ".join(map(str, s))
            yield from number(208, "d")
            return half(208) * s.repeat(16).astype(F32) * (q - 32).astype(F32)
        case "IQ4_NL":
            yield from number(0, "d")
            yield from bits(2, 16, "qs", 4, lambda l: (l, l + 16))
            return half(0) * CODEBOOKS["kvalues_iq4nl"][q]
        case "IQ4_XS":
            yield from number(0, "d")
            high = int.from_bytes(data[2:4], "little")
            s = np.array([data[4 + j // 2] >> 4 * (j % 2) & 15 | (high >> 2 * j & 3) << 4 for j in range(8)])
            yield 2, 3, "scalesh", "uint16, bits 2j and 2j+1 are scale[j]>>4: " + " ".join(map(str, s >> 4))
            yield 4, 7, "scalesl[0:4]", "scale&15=" + " ".join(map(str, s & 15)) + "; scale=" + " ".join(map(str, s))
            yield from bits(8, 128, "qs", 4, lambda l: (l // 16 * 32 + l % 16, l // 16 * 32 + l % 16 + 16))
            return half(0) * (s - 32).repeat(32).astype(F32) * CODEBOOKS["kvalues_iq4nl"][q]
        case "TQ1_0":
            for first, at, count, digits in [(0, 0, 32, 5), (160, 32, 16, 5), (240, 48, 4, 4)]:
                rest = np.frombuffer(data[at : at + count], np.uint8).astype(np.int64)
                for k in range(digits):
                    q[first + k * count : first + (k + 1) * count] = rest * 3 >> 8
                    rest = rest * 3 & 255
                for l in range(at, at + count, 16):
                    n = min(16, at + count - l)
                    starts = [first + k * count + l - at for k in range(digits)]
                    what = "; ".join(f"q[{e}:{e + n}]={' '.join(map(str, q[e : e + n]))}" for e in starts)
                    yield l, l + n - 1, f"qs[{l}:{l + n}]" if at < 48 else "qh[0:4]", "in base 3 " + what
            yield from number(52, "d")
            return half(52) * (q - 1).astype(F32)
        case "TQ2_0":
            yield from bits(0, 64, "qs", 2, pairs)
            yield from number(64, "d")
            return half(64) * (q - 1).astype(F32)
        case "MXFP4":
            yield 0, 0, "e", f"2^{data[0] - 128}"
            yield from bits(1, 16, "qs", 4, lambda l: (l, l + 16))
            return np.ldexp(CODEBOOKS["kvalues_fp4"][q], data[0] - 128)
        case "NVFP4":
            s = [math.ldexp(8 + (b & 7) if b >> 3 & 15 else 2 * (b & 7), (b >> 3 & 15) - 10) for b in data[:4]]
            yield 0, 3, "scales[0:4]", "float8 " + " ".join(map(str, s))
            yield from bits(4, 32, "qs", 4, lambda l: (l // 8 * 16 + l % 8, l // 8 * 16 + l % 8 + 8))
            return (np.array(s, F32) / 2).repeat(16) * CODEBOOKS["kvalues_fp4"][q]
        case "Q1_0":
            yield from number(0, "d")
            yield from bits(2, 16, "qs", 1, lambda l: [8 * l + k for k in range(8)], step=8)
            return half(0) * (2 * q - 1).astype(F32)
        case "Q2_0":
            yield from number(0, "d")
            yield from bits(2, 16, "qs", 2, lambda l: [4 * l + k for k in range(4)], step=4)
            return half(0) * (q - 1).astype(F32)
        case "IQ2_XXS":
            yield from number(0, "d")
            scales = []
            for j in range(8):
                at = 2 + 8 * j
                points, rest = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
                signs = [even(rest >> 7 * k) for k in range(4)]
                scales.append(rest >> 28)
                yield at, at + 3, f"points[{4 * j}:{4 * j + 4}]", " ".join(map(str, points))
                yield at + 4, at + 7, f"signs[{j}]", f"scale={rest >> 28}; signs={' '.join(f'{s:08b}' for s in signs)}"
                grid_values(q, 32 * j, "gridIQ2XXS", points, signs)
            return half(0) * (F32(0.5) + np.array(scales, F32)).repeat(32) * F32(0.25) * q.astype(F32)
        case "IQ2_XS":
            yield from number(0, "d")
            for k in range(32):
                v = int.from_bytes(data[2 + 2 * k : 4 + 2 * k], "little")
                yield 2 + 2 * k, 3 + 2 * k, f"qs[{k}]", f"point={v & 511}; signs={even(v >> 9):08b}"
                grid_values(q, 8 * k, "gridIQ2XS", [v & 511], [even(v >> 9)])
            scales = yield from nibbles(data, 66, 8)
            return half(0) * (F32(0.5) + scales).repeat(16) * F32(0.25) * q.astype(F32)
        case "IQ2_S":
            yield from number(0, "d")
            points, signs = list(data[2:34]), list(data[34:66])
            yield from plain(data, 2, 32, "qs", "points&255")
            yield 34, 65, "signs[0:32]", " ".join(f"{s:08b}" for s in signs)
            for j in range(8):
                high = [data[66 + j] >> 2 * k & 3 for k in range(4)]
                yield 66 + j, 66 + j, f"qh[{j}]", f"points[{4 * j}:{4 * j + 4}]>>8={' '.join(map(str, high))}"
                for k in range(4):
                    points[4 * j + k] |= high[k] << 8
            scales = yield from nibbles(data, 74, 8)
            grid_values(q, 0, "gridIQ2S", points, signs)
            return half(0) * (F32(0.5) + scales).repeat(16) * F32(0.25) * q.astype(F32)
        case "IQ3_XXS":
            yield from number(0, "d")
            yield from plain(data, 2, 64, "qs", "points")
            scales, signs = [], []
            for j in range(8):
                at = 66 + 4 * j
                rest = int.from_bytes(data[at : at + 4], "little")
                signs += [even(rest >> 7 * k) for k in range(4)]
                scales.append(rest >> 28)
                yield at, at + 3, f"signs[{j}]", f"scale={rest >> 28}; signs={' '.join(f'{s:08b}' for s in signs[-4:])}"
            grid_values(q, 0, "gridIQ3XXS", data[2:66], signs)
            return half(0) * (F32(0.5) + np.array(scales, F32)).repeat(32) * F32(0.5) * q.astype(F32)
        case "IQ3_S":
            yield from number(0, "d")
            points, signs = list(data[2:66]), list(data[74:106])
            yield from plain(data, 2, 64, "qs", "points&255")
            for j in range(8):
                high = [data[66 + j] >> k & 1 for k in range(8)]
                yield 66 + j, 66 + j, f"qh[{j}]", f"points[{8 * j}:{8 * j + 8}]>>8={' '.join(map(str, high))}"
                for k in range(8):
                    points[8 * j + k] |= high[k] << 8
            yield 74, 105, "signs[0:32]", " ".join(f"{s:08b}" for s in signs)
            scales = yield from nibbles(data, 106, 4)
            grid_values(q, 0, "gridIQ3S", points, signs)
            return half(0) * (F32(1) + F32(2) * scales).repeat(32) * q.astype(F32)
        case "IQ1_S":
            yield from number(0, "d")
            yield from plain(data, 2, 32, "qs", "points&255")
            points, scales, delta = list(data[2:34]), [], []
            for j in range(8):
                h = int.from_bytes(data[34 + 2 * j : 36 + 2 * j], "little")
                high = [h >> 3 * k & 7 for k in range(4)]
                for k in range(4):
                    points[4 * j + k] |= high[k] << 8
                scales.append(2 * (h >> 12 & 7) + 1)
                delta.append(-0.125 if h >> 15 else 0.125)
                what = f"points[{4 * j}:{4 * j + 4}]>>8={' '.join(map(str, high))}"
                yield 34 + 2 * j, 35 + 2 * j, f"qh[{j}]", f"{what}; scale={h >> 12 & 7}; delta={delta[-1]}"
            x = ternary_values(points) + np.array(delta, F32).repeat(32)
            return half(0) * np.array(scales, F32).repeat(32) * x
        case "IQ1_M":
            yield from plain(data, 0, 32, "qs", "points&255")
            points, delta = list(data[:32]), []
            for j in range(16):
                h = data[32 + j]
                points[2 * j] |= (h & 7) << 8
                points[2 * j + 1] |= (h >> 4 & 7) << 8
                delta += [-0.125 if h >> 3 & 1 else 0.125, -0.125 if h >> 7 else 0.125]
                what = f"points[{2 * j}:{2 * j + 2}]>>8={h & 7} {h >> 4 & 7}"
                yield 32 + j, 32 + j, f"qh[{j}]", f"{what}; delta={delta[-2]} {delta[-1]}"
            scales, d = [], 0
            for k in range(4):
                h = int.from_bytes(data[48 + 2 * k : 50 + 2 * k], "little")
                four = [h >> 3 * i & 7 for i in range(4)]
                scales += [2 * s + 1 for s in four]
                d |= h >> 12 << 4 * k
                what = f"scales[{4 * k}:{4 * k + 4}]={' '.join(map(str, four))}"
                yield 48 + 2 * k, 49 + 2 * k, f"scales[{k}]", f"{what}; bits {4 * k} to {4 * k + 3} of d={h >> 12:04b}"
            d = np.array([d], np.uint16).view(np.float16)[0].astype(F32)
            return d * np.array(scales, F32).repeat(16) * (ternary_values(points) + np.array(delta, F32).repeat(8))


def grid_codes(grid):
    text = (HERE.parent / "codebook_grids.go").read_text()
    text = text[text.index(f"var {grid} ") :]
    return [int(v, 16) for v in re.findall("0x[0-9a-f]+", text[: text.index("}")])]


def ternary_values(points):
    codes = grid_codes("gridIQ1S")
    return np.array([(codes[p] >> 2 * k & 3) - 1 for p in points for k in range(8)], F32)


def plain(data, at, count, field, what):
    for first in range(0, count, 16):
        part = data[at + first : at + first + 16]
        yield at + first, at + first + 15, f"{field}[{first}:{first + 16}]", f"{what}[{first}:{first + 16}]=" + " ".join(map(str, part))


def nibbles(data, at, count):
    s = [data[at + j // 2] >> 4 * (j % 2) & 15 for j in range(2 * count)]
    yield at, at + count - 1, f"scales[0:{count}]", "scales=" + " ".join(map(str, s))
    return np.array(s, F32)


def even(signs):
    """Seven signs, and an eighth so that an even number of them are set."""
    signs &= 127
    return signs | signs.bit_count() % 2 << 7


def grid_values(q, at, grid, points, signs):
    """Stores the values of points, whose signs are a byte for eight values."""
    width, values = (2, [8, 25, 43]) if grid.startswith("gridIQ2") else (3, [1, 3, 5, 7, 9, 11, 13, 15])
    if grid == "gridIQ3XXS":
        values = [4, 12, 20, 28, 36, 44, 52, 62]
    codes = grid_codes(grid)
    flat = [values[codes[p] >> width * k & (1 << width) - 1] for p in points for k in range(8 if width == 2 else 4)]
    for i, v in enumerate(flat):
        q[at + i] = -v if signs[i // 8] >> i % 8 & 1 else v


def pairs(l):
    return [l // 32 * 128 + l % 32 + 32 * k for k in range(4)]


def fifth(data, at, q):
    high = int.from_bytes(data[at : at + 4], "little")
    for i in range(32):
        q[i] |= (high >> i & 1) << 4
    yield at, at + 3, "qh", "uint32, bit i is q[i]>>4: " + " ".join(str(high >> i & 1) for i in range(32))


def drawing(ref, name):
    """A text of lines "first-last: field hex # comment", then the values."""
    elements = FORMATS[name][1]
    importance = np.ones(elements, F32) if name in WITH_IMPORTANCE else None
    data = ref.encode(name, make_row("normal", 0, 256, None)[:elements].copy(), importance)
    lines, values = [], None
    parts = take_apart(name, data)
    while True:
        try:
            first, last, field, comment = next(parts)
        except StopIteration as stop:
            values = stop.value
            break
        span = f"{first}-{last}" if last > first else f"{first}"
        lines.append(f"{span}: {field} {data[first : last + 1].hex()} # {comment}")
    if values.tobytes() != ref.decode(name, data).tobytes():
        sys.exit(f"the drawing of {name} is wrong")
    lines.append("# values")
    lines += ["x " + " ".join(map(repr, values[at : at + 16].tolist())) for at in range(0, elements, 16)]
    of = ", with equal importance" if name in WITH_IMPORTANCE else ""
    return "\n".join([f"# {name}: the start of the first row of family normal with length 256{of}"] + lines) + "\n"


def cut_weights(model):
    """Eight rows of 384 each from four tensors of all-MiniLM-L6-v2."""
    with open(model, "rb") as f:
        size = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(size))
        raw = f.read()
    rows = []
    for tensor in [
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.attention.self.query.weight",
        "encoder.layer.3.attention.output.dense.weight",
        "encoder.layer.5.intermediate.dense.weight",
    ]:
        begin, end = header[tensor]["data_offsets"]
        rows.append(np.frombuffer(raw[begin:end], F32).reshape(-1, 384)[100:108])
    np.concatenate(rows).tofile(HERE / "minilm.f32")


def main():
    os.environ["GGML_NO_BACKTRACE"] = "1"  # else a debugger writes pages for each child that ends
    if len(sys.argv) > 2:
        cut_weights(sys.argv[2])
    ref = Reference(sys.argv[1])
    weights = np.fromfile(HERE / "minilm.f32", F32)
    (HERE / "goldens.txt").write_text("".join(line + "\n" for line in goldens(ref, weights)))
    for name in FORMATS:
        (HERE / f"{name.lower()}.hex").write_text(drawing(ref, name))


main()

"""Writes the golden files of package gguf with gguf-py, the reference writer.

usage: golden.py LLAMA_CPP LLAMA_QUANTIZE OUT_DIR

LLAMA_CPP is a checkout of llama.cpp, LLAMA_QUANTIZE its llama-quantize program.
"""
import builtins
import hashlib
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

llama_cpp, llama_quantize, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
sys.path.insert(0, str(llama_cpp / "gguf-py"))

import numpy as np  # noqa: E402
import gguf  # noqa: E402
from gguf import GGMLQuantizationType as T, GGUFEndian, GGUFValueType as V  # noqa: E402
from gguf.scripts import gguf_convert_endian  # noqa: E402

rng = np.random.default_rng(1)

# key, type, element type, value
KEYS = [
    ("k.u8", V.UINT8, None, 200),
    ("k.i8", V.INT8, None, -100),
    ("k.u16", V.UINT16, None, 60000),
    ("k.i16", V.INT16, None, -30000),
    ("k.u32", V.UINT32, None, 4000000000),
    ("k.i32", V.INT32, None, -2000000000),
    ("k.u64", V.UINT64, None, 2**63 + 5),
    ("k.i64", V.INT64, None, -(2**62)),
    ("k.f32", V.FLOAT32, None, 0.15625),
    ("k.f64", V.FLOAT64, None, 1e300),
    ("k.true", V.BOOL, None, True),
    ("k.false", V.BOOL, None, False),
    ("k.text", V.STRING, None, "héllo, 世界"),
    ("a.u8", V.ARRAY, V.UINT8, [0, 1, 255]),
    ("a.i8", V.ARRAY, V.INT8, [-128, 127]),
    ("a.u16", V.ARRAY, V.UINT16, [65535, 1]),
    ("a.i16", V.ARRAY, V.INT16, [-32768, 32767]),
    ("a.u32", V.ARRAY, V.UINT32, [4294967295, 1]),
    ("a.i32", V.ARRAY, V.INT32, [-2147483648, 7]),
    ("a.u64", V.ARRAY, V.UINT64, [2**64 - 1]),
    ("a.i64", V.ARRAY, V.INT64, [-(2**63), 1, 2]),
    ("a.f32", V.ARRAY, V.FLOAT32, [0.5, -1.25]),
    ("a.f64", V.ARRAY, V.FLOAT64, [0.1]),
    ("a.bool", V.ARRAY, V.BOOL, [True, False, True]),
    ("a.text", V.ARRAY, V.STRING, ["", "a", "▁b", "世界"]),
]

PLAIN = [
    ("a.f32", rng.standard_normal((3, 5), dtype=np.float32)),
    ("b.f16", rng.standard_normal((2, 3, 4)).astype(np.float16)),
    ("c.f64", rng.standard_normal(7)),
    ("d.i8", np.arange(-3, 10, dtype=np.int8)),
    ("e.i16", np.arange(-3, 4, dtype=np.int16)),
    ("f.i32", np.arange(9, dtype=np.int32).reshape(1, 3, 1, 3)),
    ("g.i64", np.arange(2, dtype=np.int64)),
]

# Types that gguf-convert-endian knows; their bytes are arbitrary.
BLOCKS = [T.BF16, T.Q4_0, T.Q8_0, T.Q4_K, T.Q6_K, T.TQ2_0, T.MXFP4, T.NVFP4, T.Q1_0]


def add_keys(w):
    for key, t, e, v in KEYS:
        w.add_key_value(key, v, t, e)


def write(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def plain(name, order=GGUFEndian.LITTLE, alignment=None, **kw):
    w = gguf.GGUFWriter(out / name, "golden", endianess=order, **kw)
    add_keys(w)
    if alignment:
        w.add_custom_alignment(alignment)
    for n, a in PLAIN:
        w.add_tensor(n, a)
    write(w)


def digest(a):
    return hashlib.sha256(a.tobytes()).hexdigest()


out.mkdir(parents=True, exist_ok=True)
plain("plain.gguf")
plain("big-endian.gguf", order=GGUFEndian.BIG)
plain("align64.gguf", alignment=64)
plain("shard.gguf", split_max_tensors=3)

# gguf-py writes version 3 only; little-endian files of version 2 differ in the number.
v2 = bytearray((out / "plain.gguf").read_bytes())
v2[4:8] = struct.pack("<I", 2)
(out / "v2.gguf").write_bytes(v2)

w = gguf.GGUFWriter(out / "no-tensors.gguf", "golden")
add_keys(w)
write(w)

# A block file, and the same in the other byte order.
w = gguf.GGUFWriter(out / "blocks.gguf", "golden")
for t in BLOCKS:
    elements, size = gguf.GGML_QUANT_SIZES[t]
    blocks = 64 if elements == 1 else 2
    w.add_tensor(t.name.lower(), rng.integers(0, 256, (3, blocks * size), dtype=np.uint8), raw_dtype=t)
write(w)
shutil.copy(out / "blocks.gguf", out / "blocks-big-endian.gguf")
builtins.input = lambda _: "YES"
sys.argv = ["gguf-convert-endian", str(out / "blocks-big-endian.gguf"), "big"]
gguf_convert_endian.main()

# A small encoder as llama-quantize writes it.
w = gguf.GGUFWriter(out / "f32.gguf", "bert")
w.add_block_count(1)
w.add_context_length(8)
w.add_embedding_length(32)
w.add_feed_forward_length(64)
w.add_head_count(2)
w.add_layer_norm_eps(1e-12)
w.add_causal_attention(False)
w.add_file_type(0)
for name, shape in [
    ("token_embd.weight", (10, 32)), ("position_embd.weight", (8, 32)), ("token_embd_norm.weight", (32,)),
    ("blk.0.attn_q.weight", (32, 32)), ("blk.0.attn_q.bias", (32,)), ("blk.0.ffn_down.weight", (32, 64)),
]:
    w.add_tensor(name, rng.standard_normal(shape, dtype=np.float32))
write(w)
subprocess.run([llama_quantize, out / "f32.gguf", out / "quantized.gguf", "Q4_0"], check=True, capture_output=True)
(out / "f32.gguf").unlink()

(out / "golden.json").write_text(json.dumps({
    "keys": [{"key": "general.architecture", "type": "string", "value": "golden"}] + [
        {"key": k, "type": {"FLOAT32": "f32", "FLOAT64": "f64"}.get(t.name, t.name.lower().replace("uint", "u").replace("int", "i")),
         "value": v} for k, t, _, v in KEYS],
    "tensors": [{"name": n, "shape": list(reversed(a.shape)), "sha256": digest(a)} for n, a in PLAIN],
    "types": [{"id": int(t), "name": t.name, "elements": e, "bytes": b} for t, (e, b) in gguf.GGML_QUANT_SIZES.items()],
    "file_types": [{"id": int(t), "name": t.name.removeprefix("MOSTLY_").removeprefix("ALL_")} for t in gguf.LlamaFileType],
}, indent=1, ensure_ascii=False) + "\n")

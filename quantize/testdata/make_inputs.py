"""Makes what parity.sh needs of a model: make_inputs.py MODEL.gguf

imatrix.gguf, imatrix.dat   importance for all its weights but one, in both formats
split-*.gguf                the model in three shards

llama-imatrix cannot measure encoders, so the importance is random: squares of normal numbers, as activations have them.
"""
import struct
import sys

import gguf
import numpy as np

LEFT_OUT = "blk.1.attn_k.weight"

reader = gguf.GGUFReader(sys.argv[1])
random = np.random.default_rng(1)
matrices = {
    t.name: (int(t.shape[0]), int(np.prod(t.shape[2:])))
    for t in sorted(reader.tensors, key=lambda t: t.name)
    if len(t.shape) > 1 and t.name.endswith("weight") and t.name != LEFT_OUT
}

CHUNKS, CHUNK_SIZE = 25, 512
writer = gguf.GGUFWriter("imatrix.gguf", "")
writer.add_type("imatrix")
writer.add_array("imatrix.datasets", ["calibration.txt", "more.txt"])
writer.add_uint32("imatrix.chunk_count", CHUNKS)
writer.add_uint32("imatrix.chunk_size", CHUNK_SIZE)
legacy = struct.pack("<i", len(matrices))
for name, (columns, n) in matrices.items():
    rows = CHUNKS * CHUNK_SIZE
    sums = (random.standard_normal((n, columns)) ** 2 * rows * random.gamma(1, size=(n, columns))).astype(np.float32)
    writer.add_tensor(name + ".in_sum2", sums)
    writer.add_tensor(name + ".counts", np.full((n, 1), rows, np.float32))
    values = (sums / np.float32(rows) * np.float32(CHUNKS)).astype("<f4")
    legacy += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", CHUNKS, values.size) + values.tobytes()
legacy += struct.pack("<ii", CHUNKS, len("calibration.txt")) + b"calibration.txt"
with open("imatrix.dat", "wb") as f:
    f.write(legacy)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

shards = gguf.GGUFWriter("split.gguf", reader.get_field("general.architecture").contents(), split_max_tensors=-(-len(reader.tensors) // 3))
for field in reader.fields.values():
    if field.name.startswith("GGUF.") or field.name == "general.architecture":
        continue
    sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    shards.add_key_value(field.name, field.contents(), field.types[0], sub_type)
for t in reader.tensors:
    shards.add_tensor(t.name, t.data, raw_dtype=t.tensor_type)
shards.write_header_to_file()
shards.write_kv_data_to_file()
shards.write_tensors_to_file()
shards.close()

"""How far vectors moved: compare-embeddings.py A.json B.json TEXTS, files of `gguftool embed --json`."""
import json
import math
import sys


def vectors(path):
    with open(path) as f:
        return [item["embedding"] for item in json.load(f)["data"]]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


a, b = vectors(sys.argv[1]), vectors(sys.argv[2])
with open(sys.argv[3]) as f:
    texts = f.read().splitlines()
if not len(a) == len(b) == len(texts):
    sys.exit(f"{len(a)} and {len(b)} vectors for {len(texts)} texts")
print("cosine between the vectors of both files:")
cosines = [cosine(x, y) for x, y in zip(a, b)]
for c, text in zip(cosines, texts):
    print(f"  {c:.6f}  {text}")
print(f"  {sum(cosines) / len(cosines):.6f}  mean")

"""Compares gguftool's ids with those of Hugging Face `tokenizers`.

    python parity.py GGUFTOOL MODEL.gguf CHECKPOINT_DIR [MIXTURES]

MODEL.gguf is the checkpoint, converted. Every code point alone, between two
letters and after an accent, then MIXTURES (100000) random texts of words, marks,
special tokens and code points of all kinds; line ends aside, at which gguftool
parts its input. Prints the first differences and fails if there are any.
"""

import json
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer

BATCH = 200_000
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in (0x0A, 0x0D)]
MARKS = [c for c in POINTS if unicodedata.category(chr(c)) in ("Mn", "Mc", "Me")]
COMBINING = [c for c in POINTS if unicodedata.combining(chr(c)) and unicodedata.category(chr(c)) != "Mn"]
DECOMPOSED = [c for c in POINTS if unicodedata.decomposition(chr(c)) and not 0xAC00 <= c < 0xD7A4]
CONTROLS = "\x00\x01\t\x0b\x0c\x1c\x85\xa0\xad\u200b\u200d\u2028\u202e\u3000\ufeff\ufffd"


def single():
    for c in map(chr, POINTS):
        yield c
        yield "a" + c + "b"
        yield "e\u0301" + c


def mixtures(tokens, n):
    rnd = random.Random(1)
    words = [t for t in tokens if t.isalpha()]
    special = [t for t in tokens if t.startswith("[")] + ["[mask]", "[MASK", "MASK]", "[", "]", "##"]
    ranges = [(0x20, 0x7F), (0x80, 0x250), (0x250, 0x1000), (0x1000, 0x3000), (0x3000, 0xA000), (0xAC00, 0xD7A4), (0x1F300, 0x1FB00), (0x20000, 0x30000)]
    pools = [lambda a=a, b=b: chr(rnd.randrange(a, b)) for a, b in ranges] + [
        lambda: chr(rnd.choice(POINTS)), lambda: chr(rnd.choice(MARKS)), lambda: chr(rnd.choice(COMBINING)), lambda: chr(rnd.choice(DECOMPOSED)),
        lambda: chr(rnd.choice(COMBINING)) + chr(rnd.choice(MARKS)) + chr(rnd.choice(COMBINING)),
        lambda: rnd.choice(CONTROLS), lambda: " ", lambda: rnd.choice(special), lambda: rnd.choice(words) + " ", lambda: rnd.choice(words),
        lambda: rnd.choice(words).upper(), lambda: rnd.choice(words).title(), lambda: chr(rnd.choice(POINTS)) * rnd.randrange(1, 120),
    ]
    for _ in range(n):
        chosen = rnd.sample(pools, rnd.randrange(1, 6))
        yield "".join(rnd.choice(chosen)() for _ in range(rnd.randrange(1, 40)))


def batches(texts):
    batch = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def main(gguftool, model, checkpoint, mixed=100_000):
    hf = Tokenizer.from_file(str(Path(checkpoint, "tokenizer.json")))
    hf.no_truncation()
    hf.no_padding()
    total = different = 0
    for texts in (single(), mixtures(list(hf.get_vocab()), int(mixed))):
        for batch in batches(texts):
            with tempfile.NamedTemporaryFile("wb", suffix=".txt") as f:
                f.write("".join(t + "\n" for t in batch).encode())
                f.flush()
                run = subprocess.run([gguftool, "tokenize", model, "--json", "--input", f.name], stdout=subprocess.PIPE, check=True)
            ours = json.loads(run.stdout)["data"]
            assert len(ours) == len(batch), (len(ours), len(batch))
            for text, a, b in zip(batch, ours, hf.encode_batch(batch)):
                total += 1
                if a["ids"] != b.ids:
                    different += 1
                    if different <= 10:
                        print("%s\n  gguftool   %s\n  tokenizers %s" % (ascii(text), a["ids"], b.ids))
    print("%d texts, %d different" % (total, different))
    return different


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) != 0)

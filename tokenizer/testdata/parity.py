"""Compares gguftool's ids with those of Hugging Face `tokenizers`, and texts of ids.

    python parity.py GGUFTOOL MODEL.gguf CHECKPOINT_DIR [MIXTURES]

MODEL.gguf is the checkpoint, converted. Every code point alone, between two
letters and after an accent, then MIXTURES (100000) random texts of words, marks,
white space, numbers, contractions, special tokens and code points of all kinds.
Prints the first differences and fails if there are any.
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
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = {c: unicodedata.category(chr(c)) for c in POINTS}
MARKS = [c for c in POINTS if CATEGORIES[c] in ("Mn", "Mc", "Me")]
COMBINING = [c for c in POINTS if unicodedata.combining(chr(c))]
DECOMPOSED = [c for c in POINTS if unicodedata.decomposition(chr(c)) and not 0xAC00 <= c < 0xD7A4]
NUMBERS = [c for c in POINTS if CATEGORIES[c][0] == "N"]
UPPER = [c for c in POINTS if CATEGORIES[c] in ("Lu", "Lt")]
LOWER = [c for c in POINTS if CATEGORIES[c] == "Ll"]
CONTROLS = "\x00\x01\t\x0b\x0c\x1c\x85\xa0\xad\u200b\u200d\u2028\u202e\u3000\ufeff\ufffd"
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", " \n", " \n ", "\n ", "\u00a0", "\u3000", "\u2028", "\x0b", "\x85", "    \n\n   "]
ENDINGS = ["'s", "'S", "'t", "'T", "'re", "'RE", "'Re", "'ve", "'m", "'M", "'ll", "'lL", "'d", "'D", "'\u017f", "\u2019s", "'", "''", "'x", "'r", "'l"]
EMOJI = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "1️⃣", "😶‍🌫️", "🦙🦙"]
PUNCTUATION = "!?.,;:-_/\\|()[]{}<>\"'`~@#$%^&*+=…—“”‘’«»。，！？、"
BLOCKS = [
    (0x20, 0x7F), (0x80, 0x250), (0x250, 0x370), (0x370, 0x590), (0x590, 0x900), (0x900, 0x1000), (0x1000, 0x1200), (0x1200, 0x2000), (0x2000, 0x2C00), (0x2C00, 0x3000),
    (0x3000, 0x3400), (0x3400, 0xA000), (0xA000, 0xAC00), (0xAC00, 0xD7A4), (0xF900, 0x10000), (0x10000, 0x13000), (0x13000, 0x1D000), (0x1D000, 0x1F000), (0x1F000, 0x1FB00),
    (0x20000, 0x30000), (0xE0000, 0xE01F0),
]


def single():
    for c in map(chr, POINTS):
        yield c
        yield "a" + c + "b"
        yield "e\u0301" + c


def mixtures(hf, n):
    rnd = random.Random(1)
    words = [t.lstrip("Ġ▁") for t in hf.get_vocab() if t.lstrip("Ġ▁").isalpha()]
    special = [t.content for t in hf.get_added_tokens_decoder().values()]
    special = special[:40] + special[-40:] + ["[MASK]", "[mask]", "[MASK", "MASK]", "[", "]", "##"]

    def near(block):
        a, z = BLOCKS[block]
        at = rnd.randrange(a, z)
        return "".join(chr(min(max(at + rnd.randrange(-30, 30), a), z - 1)) for _ in range(rnd.randrange(1, 9)))

    pools = [lambda b=b: near(b) for b in range(len(BLOCKS))] + [
        lambda: chr(rnd.choice(POINTS)), lambda: chr(rnd.choice(MARKS)), lambda: chr(rnd.choice(COMBINING)), lambda: chr(rnd.choice(DECOMPOSED)),
        lambda: chr(rnd.choice(COMBINING)) + chr(rnd.choice(MARKS)) + chr(rnd.choice(COMBINING)), lambda: chr(rnd.choice(DECOMPOSED)) + chr(rnd.choice(COMBINING)) * 2,
        lambda: rnd.choice("aeoiunAEOcsCS") + chr(rnd.choice(COMBINING)) * rnd.randrange(1, 3), lambda: "".join(chr(rnd.randrange(0x1100, 0x1200)) for _ in range(4)),
        lambda: rnd.choice(CONTROLS), lambda: rnd.choice(SPACES), lambda: rnd.choice(SPACES) * rnd.randrange(1, 6), lambda: " ", lambda: rnd.choice(special), lambda: rnd.choice(special)[:-1],
        lambda: rnd.choice(words) + " ", lambda: rnd.choice(words), lambda: rnd.choice(words).upper(), lambda: rnd.choice(words).title(), lambda: rnd.choice(words) + rnd.choice(ENDINGS),
        lambda: rnd.choice(ENDINGS), lambda: str(rnd.randrange(10 ** rnd.randrange(1, 9))), lambda: "".join(chr(rnd.choice(NUMBERS)) for _ in range(rnd.randrange(1, 6))),
        lambda: "".join(rnd.choice(PUNCTUATION) for _ in range(rnd.randrange(1, 8))), lambda: rnd.choice(PUNCTUATION) * rnd.randrange(1, 12), lambda: rnd.choice(EMOJI),
        lambda: "".join(chr(rnd.choice(rnd.choice((UPPER, LOWER)))) for _ in range(rnd.randrange(1, 6))), lambda: chr(rnd.choice(POINTS)) * rnd.randrange(1, 120),
    ]
    for _ in range(n):
        chosen = rnd.sample(pools, rnd.randrange(1, 7))
        yield "".join(rnd.choice(chosen)() for _ in range(rnd.randrange(1, 30)))


def batches(texts):
    batch = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def tokenize(gguftool, model, texts, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.writelines(json.dumps(t) + "\n" for t in texts)
        f.flush()
        run = subprocess.run([gguftool, "tokenize", model, "--json", "--input", f.name, *options], stdout=subprocess.PIPE, check=True)
    items = json.loads(run.stdout)["data"]
    assert len(items) == len(texts), (len(items), len(texts))
    return items


def main(gguftool, model, checkpoint, mixed=100_000):
    hf = Tokenizer.from_file(str(Path(checkpoint, "tokenizer.json")))
    hf.no_truncation()
    hf.no_padding()
    total = different = 0
    for texts in (single(), mixtures(hf, int(mixed))):
        for batch in batches(texts):
            encoded = hf.encode_batch(batch)
            ours = tokenize(gguftool, model, batch)
            back = tokenize(gguftool, model, [" ".join(map(str, e.ids)) for e in encoded], "--decode")
            for text, a, b, e in zip(batch, ours, back, encoded):
                total += 1
                decoded = hf.decode(e.ids, skip_special_tokens=False)
                if a["ids"] != e.ids or b["text"] != decoded:
                    different += 1
                    if different <= 10:
                        what = "gguftool   %s\n  tokenizers %s" % ((a["ids"], e.ids) if a["ids"] != e.ids else (ascii(b["text"]), ascii(decoded)))
                        print("%s\n  %s" % (ascii(text), what))
    print("%d texts, %d different" % (total, different))
    return different


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) != 0)

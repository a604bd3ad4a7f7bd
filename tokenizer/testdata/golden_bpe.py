"""Writes BPE tokenizers and what Hugging Face `tokenizers` makes of texts with them.

    python golden_bpe.py WORDNET_CALIBRATION_TXT OUT_DIR

One small BPE of bytes is trained on WordNet and texts of many scripts. OUT_DIR
receives bpe.json, its tokenizer.json; bpe-variants.json, the parts in which
tokenizers of other structures differ from it and the value of tokenizer.ggml.pre
that is expected for each; and bpe-texts.jsonl, texts with the low 16 bits of
the CRC-32 of their ids with each variant. Needs tokenizers 0.23.3; nothing is downloaded.
"""

import copy
import json
import random
import sys
import zlib
from pathlib import Path

from golden import HANDMADE, WORLD
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CL = r"[^\r\n\p{L}\p{N}]?"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
OTHERS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
CASED = CL + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|" + CL + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s"
LLAMA3 = CONTRACTIONS + "|" + CL + r"\p{L}+|\p{N}{1,3}" + OTHERS + TAIL
QWEN2 = CONTRACTIONS + "|" + CL + r"\p{L}+|\p{N}" + OTHERS + TAIL
QWEN35 = CONTRACTIONS + "|" + CL + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL
GPT4O = CASED % (CONTRACTIONS + "?", CONTRACTIONS + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL
TEKKEN = CASED % ("", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
DEEPSEEK = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
EXAONE = CONTRACTIONS + "|" + CL + r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
POSSESSIVE = r"\p{Lu}?+\p{Ll}++|(?:ab|[cd]){1,2}+|[^\p{L}\s]*+|\s+"


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def byte_level(use_regex=False, add_prefix_space=False):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def digits(individual):
    return {"type": "Digits", "individual_digits": individual}


NFC = {"type": "NFC"}
PUNCTUATION = {"type": "Punctuation", "behavior": "Contiguous"}


def template(first=None, last=None):
    special = [{"SpecialToken": {"id": t, "type_id": 0}} for t in (first, last) if t]
    single = special[:1] * bool(first) + [{"Sequence": {"id": "A", "type_id": 0}}] + special[-1:] * bool(last)
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("<|endoftext|>", 0), ("<|start|>", 1)) if t in (first, last)}}


# name: (tokenizer.ggml.pre, changes to tokenizer.json, changes to its model)
VARIANTS = {
    "gpt-2": ("gpt-2", {}, {}),
    "digits": ("smollm", {"pre_tokenizer": sequence(digits(True), byte_level(True))}, {}),
    "command-r": ("command-r", {"normalizer": NFC, "pre_tokenizer": sequence(digits(True), byte_level(True))}, {}),
    "olmo": ("olmo", {"normalizer": NFC}, {}),
    "llama3": ("llama-bpe", {"pre_tokenizer": sequence(split(LLAMA3), byte_level()),
                             "post_processor": {"type": "Sequence", "processors": [byte_level(True, True), template(first="<|start|>")]}}, {"ignore_merges": True}),
    "cl100k": ("dbrx", {"pre_tokenizer": sequence(split(CL100K, "Removed", True), byte_level())}, {}),
    "qwen2": ("qwen2", {"normalizer": NFC, "pre_tokenizer": sequence(split(QWEN2), byte_level()), "post_processor": template(last="<|endoftext|>")}, {}),
    "qwen35": ("qwen35", {"normalizer": NFC, "pre_tokenizer": sequence(split(QWEN35), byte_level())}, {}),
    "gpt-4o": ("gpt-4o", {"pre_tokenizer": sequence(split(GPT4O), byte_level())}, {}),
    "tekken": ("tekken", {"pre_tokenizer": sequence(split(TEKKEN), byte_level())}, {"ignore_merges": True}),
    "deepseek-v3": ("deepseek-v3", {"normalizer": {"type": "Sequence", "normalizers": []},
                                    "pre_tokenizer": sequence(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), byte_level())}, {}),
    "deepseek-coder": ("deepseek-coder", {"pre_tokenizer": sequence(split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), digits(True), byte_level())}, {}),
    "falcon": ("falcon", {"pre_tokenizer": sequence(PUNCTUATION, byte_level(True), digits(False), split("[0-9][0-9][0-9]"))}, {}),
    "bloom": ("bloom", {"pre_tokenizer": sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level())}, {}),
    "superbpe": ("superbpe", {"pre_tokenizer": sequence(split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))"), byte_level())}, {}),
    "exaone-moe": ("exaone-moe", {"pre_tokenizer": sequence(split(EXAONE), byte_level())}, {}),
    "space before": ("default", {"pre_tokenizer": byte_level(True, True)}, {}),
    "space before words": ("default", {"pre_tokenizer": sequence(split(r"\d", "MergedWithNext"), byte_level(False, True))}, {}),
    "removed": ("default", {"pre_tokenizer": sequence(split(r"\s+", "Removed"), {"type": "Punctuation", "behavior": "Isolated"}, byte_level())}, {}),
    "merged": ("default", {"pre_tokenizer": sequence(split(r"[aeiou]", "MergedWithPrevious"), split("n", "Contiguous", True), byte_level())}, {}),
    "possessive": ("default", {"pre_tokenizer": sequence(split(POSSESSIVE), byte_level())}, {}),
    "string": ("default", {"pre_tokenizer": sequence({"type": "Split", "pattern": {"String": "."}, "behavior": "Isolated", "invert": False}, byte_level())}, {"ignore_merges": True}),
    "unknown": ("gpt-2", {}, {"unk_token": "<|unknown|>", "fuse_unk": True}),
    "missing": ("gpt-2", {}, {}),
}


def train(lines):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens(["<|endoftext|>", "<|start|>", "<|unknown|>"])
    trainer = trainers.BpeTrainer(vocab_size=1400, special_tokens=["<|endoftext|>", "<|start|>", "<|unknown|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    numbers = [" ".join(str(n * n) for n in range(k, k + 20)) for k in range(1, 400, 20)]
    t.train_from_iterator(lines + (WORLD + HANDMADE) * 3 + numbers, trainer)
    t.add_tokens([
        AddedToken("<X>", lstrip=True, rstrip=True, normalized=False), AddedToken("wörd", single_word=True, normalized=True),
        AddedToken("<|tool|>", normalized=False), AddedToken("   ", normalized=True), AddedToken("e\u0301", normalized=True),
    ])
    return json.loads(t.to_str())


def lacking(model):
    """The model without the bytes of a few letters, and what they are merged to."""
    gone = set("ÃÐà")
    vocab = {t: i for t, i in model["vocab"].items() if not gone & set(t)}
    merges = [m for m in model["merges"] if not gone & set(m[0] + m[1])]
    return {"vocab": {t: n for n, t in enumerate(vocab)}, "merges": merges}


def variant(base, name):
    _, changes, model = VARIANTS[name]
    t = copy.deepcopy(base)
    t |= changes
    t["model"] |= model
    if name in ("unknown", "missing"):
        t["model"] |= lacking(base["model"])
        ids = dict(t["model"]["vocab"])
        for a in t["added_tokens"]:
            a["id"] = ids.setdefault(a["content"], len(ids))
    return t


def mixtures(lines, n):
    rnd = random.Random(7)
    words = " ".join(lines).split()
    points = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    spaces = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u2028", "\x85"]
    ends = ["'s", "'S", "'t", "'RE", "'ve", "'M", "'ll", "'lL", "'D", "'\u017f", "\u2019s", "''", "'x", "'l"]
    pools = [
        lambda: rnd.choice(words) + " ", lambda: rnd.choice(words).upper(), lambda: rnd.choice(words).title() + rnd.choice(ends), lambda: rnd.choice(spaces) * rnd.randrange(1, 4),
        lambda: rnd.choice(ends), lambda: str(rnd.randrange(10 ** rnd.randrange(1, 9))), lambda: rnd.choice("!?./-<=>\"'`$+~…。、") * rnd.randrange(1, 5),
        lambda: chr(rnd.randrange(0x20, 0x7F)), lambda: chr(rnd.randrange(0x250)), lambda: "ae"[rnd.randrange(2)] + chr(rnd.randrange(0x300, 0x370)) * rnd.randrange(1, 3),
        lambda: chr(rnd.randrange(0x1000)), lambda: chr(rnd.randrange(0x900, 0xE00)) * 2, lambda: chr(rnd.randrange(0x3000, 0xA000)), lambda: chr(rnd.randrange(0xAC00, 0xD7A4)),
        lambda: chr(rnd.randrange(0x1100, 0x1200)), lambda: chr(rnd.choice(points)), lambda: rnd.choice(HANDMADE)[:20],
        lambda: rnd.choice(["<|endoftext|>", "<X>", " <X> ", "wörd", "awörd", "<|tool|>", "<|tool", "   ", "e\u0301", "é"]),
    ]
    for _ in range(n):
        chosen = rnd.sample(pools, rnd.randrange(1, 6))
        yield "".join(rnd.choice(chosen)() for _ in range(rnd.randrange(1, 16)))


def main(calibration, out):
    lines = calibration.read_text(encoding="utf-8").splitlines()
    base = train(lines[:2000])
    dump = lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False) + "\n"
    (out / "bpe.json").write_text(dump(base), encoding="utf-8")
    files = {}
    for name, (pre, changes, model) in VARIANTS.items():
        if name in ("unknown", "missing"):
            model = model | {"lacking": "ÃÐà"}
        files[name] = {"pre": pre, "changes": changes, "model": model}
    (out / "bpe-variants.json").write_text("{\n" + ",\n".join(json.dumps(k) + ":" + dump(v).strip() for k, v in files.items()) + "\n}\n", encoding="utf-8")
    tokenizers = {name: Tokenizer.from_str(json.dumps(variant(base, name))) for name in VARIANTS}
    texts = HANDMADE + WORLD + lines[:20] + list(mixtures(lines, 400))
    with open(out / "bpe-texts.jsonl", "w", encoding="ascii") as f:
        for text in dict.fromkeys(texts):
            sums = ["%04x" % (zlib.crc32(",".join(map(str, t.encode(text).ids)).encode()) & 0xFFFF) for t in tokenizers.values()]
            f.write(json.dumps({"text": text, "crc32": " ".join(sums)}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

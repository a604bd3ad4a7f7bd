"""Writes small checkpoints with models of SentencePiece, their keys and ids.

    python sentence.py LLAMA_CPP_DIR OUT_DIR

OUT_DIR receives

    sentence.txtar.gz the files of each checkpoint under its name, those that are not
                      text in base64, and NAME/want with a line for each tokenizer key
                      that llama.cpp's converter writes, or the end of its error
    sentence.jsonl.gz {"text": ..., "NAME": {"ids": [...], "decoded": ...}} with what
                      Hugging Face `tokenizers` makes of texts

Needs what checkpoints.py needs, tokenizers 0.23.3 and sentencepiece; nothing is
downloaded.
"""

import base64
import gzip
import io
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import checkpoints
import golden
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

TEXTS = golden.WORLD[:5] + ["It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.", "However little known the feelings or views of such a man may be on his first entering a neighbourhood"] + golden.CHINESE.split()[:1]
MARK = "▁"

# Rules as those of nmt_nfkc: of one character and several, to one and several.
RULES = {
    "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\u2028": " ", "\u200b": "", "\x01": "", "\x7f": "", "\u00ad": "",
    "ﬁ": "fi", "①": "1", "Ⅷ": "VIII", "㎏": "kg", "Ａ": "A", "Ｂ": "B", "Ｃ": "C", "～": "~", "¼": "1⁄4", "ª": "a", "\u212b": "\u00c5", "\u2126": "\u03a9",
    "e\u0301": "\u00e9", "E\u0301": "\u00c9", "A\u030a": "\u00c5", "\u304b\u3099": "\u304c", "\uff76\uff9e": "\u30ac", "\uff76": "\u30ab", "\u1100\u1161\u11a8": "\uac01", "\u1100\u1161": "\uac00",
    "\u05e7": "q", "©": "(c)", "\u0600": "#", "\u0915": "k", "\u0915\u093c": "\u0958", "\u0327": "", "…": "...",
}


def train(kind, size, **options):
    """A model file of SentencePiece."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as tmp:
        if options.pop("rules", False):
            tsv = Path(tmp, "rules.tsv")
            code = lambda s: " ".join("%X" % ord(c) for c in s)
            tsv.write_text("".join("%s\t%s\n" % (code(a), code(b)) for a, b in RULES.items()))
            options["normalization_rule_tsv"] = str(tsv)
        else:
            options["normalization_rule_name"] = "identity"
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS * 8), model_writer=out, model_type=kind, vocab_size=size, minloglevel=5, num_threads=1, hard_vocab_limit=False,
            character_coverage=0.98, **options,
        )
    m = proto(out.getvalue())
    m.normalizer_spec.ClearField("normalization_rule_tsv")  # a temporary name
    return m.SerializeToString(deterministic=True)


def proto(data):
    m = pb.ModelProto()
    m.ParseFromString(data)
    return m


def merges(m, newest):
    """The merges of a model with scores, as transformers makes them of it."""
    vocab = {p.piece: i for i, p in enumerate(m.pieces)}
    found = []
    for p in m.pieces:
        parts = [(p.piece[:i], p.piece[i:]) for i in range(1, len(p.piece))]
        parts = sorted((q for q in parts if q[0] in vocab and q[1] in vocab), key=lambda q: (vocab[q[0]], vocab[q[1]]))
        found += [(l, r, p.score) for l, r in parts]
    key = (lambda x: (x[2], len(x[0]), len(x[1]))) if newest else (lambda x: x[2])
    return [(l, r) for l, r, _ in sorted(found, key=key, reverse=True)]


def bpe(m, newest):
    t = Tokenizer(models.BPE({p.piece: i for i, p in enumerate(m.pieces)}, merges(m, newest), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", MARK)
    t.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    return t


def bos(t, token):
    id = t.token_to_id(token)
    t.post_processor = processors.TemplateProcessing(single=token + " $A", pair="%s $A %s $B" % (token, token), special_tokens=[(token, id)])


def llama(m, newest=True):
    t = bpe(m, newest)
    t.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    t.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    bos(t, "<s>")
    t.add_special_tokens([AddedToken(s, normalized=False) for s in ("<unk>", "<s>", "</s>")])
    t.add_special_tokens([AddedToken("[INST]", normalized=False)])
    t.add_tokens([AddedToken("a b", normalized=False), AddedToken("new word", single_word=True), AddedToken("<X>", lstrip=True, rstrip=True, normalized=False)])
    return t


def first(m):
    """As transformers makes it of a Llama that is not "legacy"."""
    t = llama(m)
    t.normalizer = None
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return t


def gemma(m):
    t = bpe(m, True)
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    bos(t, "<bos>")
    t.add_special_tokens([AddedToken(s, normalized=False) for s in ("<pad>", "<eos>", "<bos>", "<unk>")])
    t.add_tokens([AddedToken(p.piece, normalized=False) for p in m.pieces if p.type == 4])
    t.add_special_tokens([AddedToken("<image_soft_token>", normalized=False)])
    return t


def xlmr(m):
    pieces = [(s, 0.0) for s in ("<s>", "<pad>", "</s>", "<unk>")] + [(p.piece, p.score) for p in m.pieces[3:]] + [("<mask>", 0.0)]
    t = Tokenizer(models.Unigram(pieces, 3, False))
    t.normalizer = normalizers.Precompiled(bytes(m.normalizer_spec.precompiled_charsmap))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    t.add_special_tokens([AddedToken(s, normalized=False) for s in ("<s>", "<pad>", "</s>", "<unk>")] + [AddedToken("<mask>", lstrip=True, normalized=False)])
    return t


def t5(m):
    pieces = [(p.piece, p.score) for p in m.pieces] + [("<extra_id_%d>" % i, 0.0) for i in (1, 0)]
    t = Tokenizer(models.Unigram(pieces, 2, True))
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(False, True), normalizers.Replace(Regex(" {2,}"), MARK), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    t.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="always"), decoders.ByteFallback(), decoders.Fuse()])
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    t.add_special_tokens([AddedToken(s, normalized=False) for s in ("<pad>", "</s>", "<unk>")] + [AddedToken("<extra_id_%d>" % i) for i in (0, 1)])
    return t


def decoder_list(t):
    return {str(i): {k: getattr(a, k) for k in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")} for i, a in sorted(t.get_added_tokens_decoder().items())}


SIZES = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "intermediate_size": 8, "max_position_embeddings": 18, "rms_norm_eps": 1e-6,
    "head_dim": 8, "sliding_window": 8, "sliding_window_pattern": 6, "rope_theta": 10000.0,
}


def config(architecture, kind, **more):
    return {"architectures": [architecture], "model_type": kind} | SIZES | more


def cases():
    runs = [c * n for c in (MARK, "\n", "\t") for n in (2, 3, 4)]
    b = train("bpe", 460, byte_fallback=True, unk_id=0, bos_id=1, eos_id=2, remove_extra_whitespaces=False)
    g = train("bpe", 460, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", add_dummy_prefix=False, remove_extra_whitespaces=False, user_defined_symbols=runs + ["<table>"])
    x = train("unigram", 200, unk_id=0, bos_id=1, eos_id=2, rules=True)
    f = train("unigram", 440, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, byte_fallback=True)
    lt, gt, xt, ft = llama(proto(b)), gemma(proto(g)), xlmr(proto(x)), t5(proto(f))
    old, new = llama(proto(b), False), first(proto(b))
    n = lambda m: len(proto(m).pieces)

    lc = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False}
    lm = config("LlamaForCausalLM", "llama", vocab_size=n(b) + 4, bos_token_id=1, eos_token_id=2)
    gc = {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "add_bos_token": True}
    gm = config("Gemma3ForCausalLM", "gemma3_text", vocab_size=n(g), bos_token_id=2, eos_token_id=1, pad_token_id=0)
    xc = {"tokenizer_class": "XLMRobertaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": {"content": "<mask>", "lstrip": True, "__type": "AddedToken"}}
    xm = config("XLMRobertaModel", "xlm-roberta", vocab_size=n(x) + 2, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
    fc = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "additional_special_tokens": ["<extra_id_0>", "<extra_id_1>"]}
    fm = {
        "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "vocab_size": n(f) + 8, "d_model": 8, "d_ff": 8, "d_kv": 8, "num_layers": 1, "num_heads": 1, "n_positions": 16,
        "layer_norm_epsilon": 1e-6, "relative_attention_num_buckets": 32, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0,
    }
    listed = {"added_tokens_decoder": decoder_list(lt)}
    # name: (tokenizer or None, tokenizer_config.json or None, config.json, other files)
    return {
        "llama": (lt, lc | listed, lm, {"tokenizer.model": b}),
        "llama-old": (old, lc | listed | {"add_prefix_space": True}, lm, {"tokenizer.model": b}),
        "llama-first": (new, lc | listed | {"legacy": False}, lm, {"tokenizer.model": b}),
        "llama-model": (None, lc, lm | {"vocab_size": n(b)}, {"tokenizer.model": b, "added_tokens.json": {"<pad>": n(b), "<unk>": 0}}),
        "llama-json": (lt, lc | {"add_prefix_space": False}, lm, {}),
        "gemma": (gt, gc | {"added_tokens_decoder": decoder_list(gt)}, gm, {"tokenizer.model": g, "added_tokens.json": {"<image_soft_token>": n(g)}}),
        "gemma-model": (None, gc | {"added_tokens_decoder": decoder_list(gt)}, gm | {"vocab_size": n(g) + 5}, {"tokenizer.model": g}),
        "gemma-json": (gt, gc, gm | {"vocab_size": n(g) + 1}, {}),
        "xlmr": (xt, xc, xm, {"sentencepiece.bpe.model": x}),
        "xlmr-model": (None, None, xm, {"sentencepiece.bpe.model": x}),
        "xlmr-json": (xt, xc | {"clean_up_tokenization_spaces": True}, xm | {"vocab_size": n(x) + 7}, {}),
        "t5": (ft, fc, fm, {"spiece.model": f}),
        "t5-model": (None, fc, fm, {"spiece.model": f}),
    }


SPACES = [" ", "  ", "   ", "    ", "\n", "\n\n", "\n\n\n\n\n", "\t\t\t", "▁▁", "\r\n", "\u3000", "\u00a0"]
ODD = [
    "a b", "xa by", "new word", "a new word.", "newword new words", "<X>", "a <X> b", "  <X>", "[INST] hi [/INST]", "<s>hi</s>", "<table>", "<mask>", "a <mask> b", "a<mask>b", "<extra_id_0>", "x <EXTRA_ID_1>",
    "<image_soft_token>", "<unk>", "a<unk>b", "<unk", "<0x41>", "<0xE4><0xB8>", "▁", "▁a", " ▁ a", "a▁b", "a ▁▁ b", "ＡＢＣ ﬁne ①Ⅷ ㎏ ¼ª…", "e\u0301 E\u0301 A\u030aA e\u0301\u0301 e\u0301\u0327", "©\u200d©", "©\u0301 ©\u200da", "\u0600a \u0600\u0301",
    "ﬁ\u0301 ﬁ\u200d Ａ\u0301 Ａ\u0327\u0301", "क\u093c\u094dक\u0301", "ｶﾞ ｶ\u0301 か\u3099", "각 가\u11a8 \u1100\u1161\u11a8", "ק\u0301 \u05b0ק", "a\r\nb\rc\nd", "\x01a\x7fb\u00adc\u200bd", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab", "eeeeeeee" * 20,
]


def texts(tokenizers):
    rnd = random.Random(1)
    out = [t for t in golden.WORLD + golden.HANDMADE + ODD if len(t) < 400]
    words = " ".join(golden.WORLD).split()
    tokens = sorted({k for t in tokenizers for k in t.get_vocab()})
    for _ in range(150):
        parts = []
        for _ in range(rnd.randrange(1, 9)):
            part = rnd.choice([rnd.choice(words), rnd.choice(tokens), rnd.choice(tokens).replace(MARK, " "), rnd.choice(ODD)[:12]])
            parts += [part, rnd.choice(SPACES + ["", " ", " "])]
        out.append("".join(parts))
    return list(dict.fromkeys(out))


def main(llama_cpp, out):
    archive = ["Checkpoints with models of SentencePiece, and the tokenizer keys that llama.cpp's converter writes for them.\n", "Written by sentence.py.\n"]
    table = cases()
    with tempfile.TemporaryDirectory() as tmp:
        for name, (tok, tok_config, model, others) in table.items():
            folder = Path(tmp, name)
            folder.mkdir()
            files = {"tokenizer.json": tok and json.loads(tok.to_str()), "tokenizer_config.json": tok_config, "config.json": model, **others}
            for file, content in files.items():
                if content is None:
                    continue
                if isinstance(content, bytes):
                    (folder / file).write_bytes(content)
                    archive.append("-- %s/%s.base64 --\n%s" % (name, file, base64.encodebytes(content).decode()))
                    continue
                content = json.dumps(content, ensure_ascii=False) + "\n"
                (folder / file).write_text(content, encoding="utf-8")
                archive.append("-- %s/%s --\n%s" % (name, file, content))
            run = subprocess.run([sys.executable, "-c", checkpoints.CONVERT.replace('return "default"', "raise"), str(llama_cpp), str(folder)], capture_output=True, text=True)
            gguf = Path(str(folder) + ".gguf")
            want = checkpoints.keys(llama_cpp, str(gguf)) if run.returncode == 0 else "error: %s\n" % run.stderr.strip().split("\n")[-1]
            archive.append("-- %s/want --\n%s" % (name, want))
    (out / "sentence.txtar.gz").write_bytes(gzip.compress("".join(archive).encode(), mtime=0))
    tokenizers = {name: tok for name, (tok, *_) in table.items() if tok and name not in ("llama-json", "gemma-json", "xlmr-json")}
    lines = []
    for text in texts(tokenizers.values()):
        line = {"text": text}
        for name, t in tokenizers.items():
            ids = t.encode(text, add_special_tokens=False).ids
            line[name] = {"ids": ids, "decoded": t.decode(ids, skip_special_tokens=False)}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    (out / "sentence.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

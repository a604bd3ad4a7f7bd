"""Writes small checkpoints and the tokenizer keys that llama.cpp gives them.

    python checkpoints.py LLAMA_CPP_DIR OUT_FILE

OUT_FILE is a txtar archive: the files of each checkpoint under its name, and
NAME/want with a line for each tokenizer key in the order of the GGUF file: name,
type, value as JSON. Needs transformers 5.23 and what convert_hf_to_gguf.py needs;
nothing is downloaded. The converter refuses vocabularies that it does not know;
here it calls them "default", as gguftool does.
"""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "qu", "##ick", "##s", "fox", "Fox", "é", "[unused1]", "▁", "##▁x", "."]
VOCAB = {t: i for i, t in enumerate(TOKENS)}
NAMES = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
CONFIG = {"do_lower_case": True, **NAMES, "tokenizer_class": "BertTokenizer"}
MODEL = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": len(TOKENS), "type_vocab_size": 2, "pad_token_id": 0, "hidden_size": 8,
    "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "max_position_embeddings": 16,
}


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | flags


def special(token):
    return {"SpecialToken": {"id": token, "type_id": 0}}


A, B = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
CLS, SEP, MASK = special("[CLS]"), special("[SEP]"), special("[MASK]")


def template(single, pair):
    ids = {t: {"id": t, "ids": [VOCAB[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]", "[MASK]", "the")}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": ids}


TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [added(t, VOCAB[t]) for t in TOKENS[:5]],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": template([CLS, A, SEP], [CLS, A, SEP, B, SEP]),
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": VOCAB},
}
VOCAB_TXT = "".join(t + "\n" for t in TOKENS)


def tokenizer(**changes):
    t = copy.deepcopy(TOKENIZER)
    for path, value in changes.items():
        *folders, name = path.split("__")
        where = t
        for f in folders:
            where = where[f]
        where[name] = value
    return t


def without(d, *keys):
    return {k: v for k, v in d.items() if k not in keys}


MORE = [added("[ENT]", 16), added("new word", 17, normalized=True, special=False), added("<|x|>", 18, normalized=True, special=False), added("a▁b", 19, special=False)]
OBJECTS = {k: {"content": v, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "__type": "AddedToken"} for k, v in NAMES.items()}

# name: (tokenizer.json, tokenizer_config.json, changes to config.json, other files)
CASES = {
    "plain": (TOKENIZER, CONFIG, {}, {}),
    "cased": (tokenizer(normalizer__lowercase=False), CONFIG | {"do_lower_case": False}, {}, {}),
    "accents-kept": (tokenizer(normalizer__strip_accents=False), CONFIG | {"strip_accents": False}, {}, {}),
    "accents-stripped": (tokenizer(normalizer__strip_accents=True, normalizer__lowercase=False), CONFIG | {"do_lower_case": False, "strip_accents": True}, {}, {}),
    "names-as-objects": (TOKENIZER, CONFIG | OBJECTS, {}, {}),
    "no-config": (TOKENIZER, None, {}, {}),
    "empty-config": (TOKENIZER, {}, {}, {}),
    "no-names": (TOKENIZER, without(CONFIG, *NAMES), {}, {}),
    "vocab-file": (None, CONFIG, {}, {"vocab.txt": VOCAB_TXT}),
    "vocab-file-cased": (None, CONFIG | {"do_lower_case": False}, {}, {"vocab.txt": VOCAB_TXT}),
    "vocab-file-alone": (None, None, {}, {"vocab.txt": VOCAB_TXT}),
    "vocab-file-blanks": (None, CONFIG, {"vocab_size": 19}, {"vocab.txt": VOCAB_TXT.replace("fox\n", "fox \n") + "\u2028\n\u3000\nfox\n"}),
    "padded": (TOKENIZER, CONFIG, {"vocab_size": 20, "type_vocab_size": 1}, {}),
    "model-ids": (TOKENIZER, without(CONFIG, "pad_token", "mask_token"), {"bos_token_id": 5, "eos_token_id": 6, "mask_token_id": 99, "pad_token_id": 0}, {}),
    "added": (tokenizer(added_tokens=TOKENIZER["added_tokens"] + MORE), CONFIG | {"additional_special_tokens": ["[ENT]"]}, {"vocab_size": 20}, {}),
    "added-decoder": (
        tokenizer(added_tokens=TOKENIZER["added_tokens"] + MORE),
        CONFIG | {"added_tokens_decoder": {str(a["id"]): without(a, "id") for a in TOKENIZER["added_tokens"] + MORE}}, {"vocab_size": 20}, {},
    ),
    "added-flags": (tokenizer(added_tokens=TOKENIZER["added_tokens"][:4] + [added("[MASK]", 4, lstrip=True)]), CONFIG, {}, {}),
    "special-by-name": (tokenizer(added_tokens=TOKENIZER["added_tokens"][:4]), CONFIG | {"extra_special_tokens": ["fox"]}, {}, {}),
    "special-map": (tokenizer(added_tokens=TOKENIZER["added_tokens"][:4]), CONFIG, {}, {"special_tokens_map.json": {"additional_special_tokens": ["the"]}}),
    "old-added-file": (None, CONFIG, {"vocab_size": 18}, {"vocab.txt": VOCAB_TXT, "added_tokens.json": {"alpha": 16, "beta gamma": 17}}),
    "fast-class": (tokenizer(added_tokens=TOKENIZER["added_tokens"][:4]), {"tokenizer_class": "PreTrainedTokenizerFast"}, {}, {}),
    "other-bos": (TOKENIZER, CONFIG | {"bos_token": "[MASK]"}, {}, {}),
    "other-end": (tokenizer(post_processor=template([CLS, A, MASK], [CLS, A, SEP, B, MASK])), CONFIG, {}, {}),
    "no-end": (tokenizer(post_processor=template([CLS, A], [CLS, A, SEP, B])), CONFIG, {}, {}),
    "no-end-two": (tokenizer(post_processor=template([CLS, A], [CLS, A, MASK, SEP, B])), CONFIG, {}, {}),
    "other-start": (tokenizer(post_processor=template([MASK, A, SEP], [MASK, A, SEP, B, SEP])), CONFIG, {}, {}),
    "other-start-no-names": (tokenizer(post_processor=template([MASK, A, SEP], [MASK, A, SEP, B, SEP])), without(CONFIG, *NAMES), {}, {}),
    "bare-template": (tokenizer(post_processor=template([A], [A, B])), CONFIG, {}, {}),
    "no-template": (tokenizer(post_processor=None), CONFIG, {}, {}),
    "bert-processing": (tokenizer(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}), CONFIG, {}, {}),
    "config-adds": (TOKENIZER, CONFIG | {"add_bos_token": False, "add_mask_token": True, "add_sep_token": True, "eot_token": "the"}, {}, {}),
    "vocab-file-adds": (None, CONFIG | {"add_bos_token": True, "add_eos_token": False}, {}, {"vocab.txt": VOCAB_TXT}),
    "no-cleaning": (tokenizer(normalizer__clean_text=False, normalizer__handle_chinese_chars=False, model__max_input_chars_per_word=7), CONFIG, {}, {}),
}

CONVERT = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
from conversion import base
known = base.TextModel.get_vocab_base_pre
def pre(self, tokenizer):
    try:
        return known(self, tokenizer)
    except NotImplementedError:
        return "default"
base.TextModel.get_vocab_base_pre = pre
import convert_hf_to_gguf
for folder in sys.argv[2:]:
    sys.argv[1:] = [folder, "--vocab-only", "--outfile", folder + ".gguf"]
    convert_hf_to_gguf.main()
"""


def keys(llama, path):
    sys.path.insert(0, str(llama / "gguf-py"))
    from gguf import GGUFReader, GGUFValueType

    names = {GGUFValueType.UINT32: "u32", GGUFValueType.STRING: "string", GGUFValueType.BOOL: "bool", GGUFValueType.INT32: "i32", GGUFValueType.ARRAY: "array", GGUFValueType.FLOAT32: "f32", GGUFValueType.UINT8: "u8"}
    lines = []
    for key, field in GGUFReader(path).fields.items():
        if key.startswith("tokenizer."):
            kind = " ".join(names[t] for t in field.types)
            value = json.dumps(field.contents(), ensure_ascii=False)
            if kind == "array f32":
                value = "[%s]" % ", ".join("%.8e" % f for f in field.contents())
            lines.append("%s %s %s\n" % (key, kind, value))
    return "".join(lines)


def main(llama, out):
    archive = ["Checkpoints, and the tokenizer keys that llama.cpp's converter writes for them.\n", "Written by checkpoints.py.\n"]
    with tempfile.TemporaryDirectory() as tmp:
        for name, (tok, config, model, others) in CASES.items():
            folder = Path(tmp, name)
            folder.mkdir()
            files = {"tokenizer.json": tok, "tokenizer_config.json": config, "config.json": MODEL | model, **others}
            for file, content in files.items():
                if content is None:
                    continue
                if not isinstance(content, str):
                    content = json.dumps(content, ensure_ascii=False) + "\n"
                (folder / file).write_text(content, encoding="utf-8")
                archive.append("-- %s/%s --\n%s" % (name, file, content))
            subprocess.run([sys.executable, "-c", CONVERT, str(llama), str(folder)], check=True)
            archive.append("-- %s/want --\n%s" % (name, keys(llama, str(folder) + ".gguf")))
    out.write_text("".join(archive), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

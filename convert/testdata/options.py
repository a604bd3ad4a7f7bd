"""Makes options.json: what llama.cpp's converter makes of small checkpoints with
its options, and of chat templates and other files beside a checkpoint.

usage: options.py LLAMA_CPP_DIR

The checkpoints are those of golden.py, which must have made them before, with
some files more.
"""

import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

import golden
from golden import HERE, convert_hf_to_gguf, gguf, value_text

BERT = "all-MiniLM-L6-v2"
TOKENIZER = json.loads((HERE / "checkpoints" / BERT / "tokenizer_config.json").read_text())
CONFIG = json.loads((HERE / "checkpoints" / BERT / "config.json").read_text())


def tokenizer(**fields):
    return json.dumps(TOKENIZER | fields)


TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}\n"

OVERRIDES = {
    "general.sampling.sequence": "penalties;temperature", "general.sampling.top_k": 20, "general.sampling.top_p": 1,
    "general.sampling.min_p": 0.05, "general.sampling.xtc_probability": 0.1, "general.sampling.xtc_threshold": 0.2,
    "general.sampling.temp": 0.7, "general.sampling.penalty_last_n": -1, "general.sampling.penalty_repeat": 1.1,
    "general.sampling.mirostat": 2, "general.sampling.mirostat_tau": 5.5, "general.sampling.mirostat_eta": 0.1,
    "general.name": "A Name", "general.author": "An Author", "general.version": "v9", "general.organization": "Org",
    "general.finetune": "tuned", "general.basename": "Base", "general.description": "Über\n\"this\"",
    "general.quantized_by": "nobody", "general.size_label": "1K",
    "general.license": "no effect", "general.license.name": "Own License", "general.license.link": "https://l",
    "general.url": "https://u", "general.doi": "10.1/2", "general.uuid": "00000000-0000-0000-0000-000000000000",
    "general.repo_url": "https://r", "general.source.url": "https://su", "general.source.doi": "10.3/4",
    "general.source.uuid": "11111111-0000-0000-0000-000000000000", "general.source.repo_url": "https://sr",
    "general.base_models": [{"name": "One", "repo_url": "https://one", "doi": "1", "extra": 5}, {}, {"author": "x", "url": None}],
    "general.datasets": [{"name": "Set", "organization": "o", "description": "d", "uuid": "u", "version": "1"}],
    "general.tags": ["a", "b"], "general.languages": ["de"], "general.unheard_of": {"x": 1},
}

# By name: arguments, and optionally files that the checkpoint has besides (null
# for those that it lacks), an override file, and another checkpoint.
CASES = {
    "template as a text": {"files": {"tokenizer_config.json": tokenizer(chat_template=TEMPLATE)}},
    "named templates": {"files": {"tokenizer_config.json": tokenizer(chat_template=[
        {"name": "tool-use.v2 ü", "template": "tools"}, {"name": "default", "template": TEMPLATE},
        {"name": "none", "template": None}])}},
    "named template without a default": {"files": {"tokenizer_config.json": tokenizer(chat_template=[{"name": "rag", "template": "r"}])}},
    "no named templates": {"files": {"tokenizer_config.json": tokenizer(chat_template=[])}},
    "empty template": {"files": {"tokenizer_config.json": tokenizer(chat_template="")}},
    "template that is an object": {"files": {"tokenizer_config.json": tokenizer(chat_template={"default": "x"})}},
    "template file": {"files": {"chat_template.jinja": "\ufeffa\r\nb\rc\n", "chat_template.json": '{"chat_template": "json"}'}},
    "template files": {"files": {"chat_template.jinja": TEMPLATE, "additional_chat_templates/tool.use-2.jinja": "tools\n",
                                 "additional_chat_templates/notes.txt": "none"}},
    "additional templates alone": {"files": {"additional_chat_templates/a.jinja": "a"}},
    "template as JSON": {"files": {"chat_template.json": json.dumps({"chat_template": [{"name": "x", "template": "y"}]})}},
    "template in two places": {"files": {"tokenizer_config.json": tokenizer(chat_template="config"), "chat_template.jinja": "file"}},
    "template that is null": {"files": {"tokenizer_config.json": tokenizer(chat_template=None), "chat_template.jinja": "file"}},

    "all keys replaced": {"metadata": OVERRIDES},
    "all keys left out": {"metadata": dict.fromkeys(OVERRIDES), "args": ["--outtype", "q8_0"]},
    "keys replaced by nothing": {"metadata": {"general.author": "", "general.tags": [], "general.datasets": [], "general.base_models": []}},
    "sampling replaced": {"checkpoint": "e5-base-v2", "metadata": {"general.sampling.top_k": 7, "general.sampling.temp": None,
                                                                   "general.license": "mit"}},
    "name": {"args": ["--model-name", "Some Name 3"]},
    "name and keys": {"args": ["--model-name", "Some Name"], "metadata": {"general.name": "Other", "general.basename": None}},
    "sampling in full": {"files": {"generation_config.json": json.dumps({
        "sequence": "x", "top_k": 1, "top_p": 0.5, "min_p": 0.25, "xtc_probability": 0, "xtc_threshold": 0.125, "temperature": 2,
        "penalty_last_n": 64, "penalty_repeat": 1.5, "repetition_penalty": 3, "mirostat": 1, "mirostat_tau": 5, "mirostat_eta": None})}},
    "sampling that is no JSON": {"files": {"generation_config.json": "{"}},

    "vocabulary": {"args": ["--vocab-only"]},
    "vocabulary without weights": {"args": ["--vocab-only", "--outtype", "f16"], "files": {"model.safetensors": None}},
    "vocabulary of any type": {"checkpoint": "e5-base-v2", "args": ["--vocab-only", "--outtype", "auto"]},
    "vocabulary of a quantized model": {"args": ["--vocab-only"],
                                        "files": {"config.json": json.dumps(CONFIG | {"quantization_config": {"quant_method": "awq"}})}},

    "7 tensors": {"args": ["--split-max-tensors", "7"]},
    "7 tensors by name": {"args": ["--split-max-tensors", "7", "--outtype", "q8_0"], "out": "part-{ftype}.{OUTTYPE}.gguf"},
    "all tensors": {"args": ["--split-max-tensors", "1000"]},
    "7 tensors behind the keys": {"args": ["--split-max-tensors", "7", "--no-tensor-first-split"]},
    "all tensors behind the keys": {"args": ["--no-tensor-first-split"]},
    "10 kilobytes": {"args": ["--split-max-size", "10K", "--outtype", "f16"]},
    "8192 bytes": {"args": ["--split-max-size", "8192"], "out": "x.gguf"},
    "8191 bytes": {"args": ["--split-max-size", "8191"], "out": "x.gguf"},
    "a gigabyte": {"args": ["--split-max-size", "1G"], "out": "x.gguf"},
    "3 tensors and 6 kilobytes": {"args": ["--split-max-tensors", "3", "--split-max-size", "6K"], "checkpoint": "Odd-Width-1.5b"},
    "FP8 by blocks as Q8_0": {"checkpoint": "fp8-block", "args": ["--fp8-as-q8", "--outtype", "auto"]},
    "FP8 by rows as Q8_0": {"checkpoint": "fp8-channel", "args": ["--fp8-as-q8"]},
    "FP8 by tensor as Q8_0": {"checkpoint": "fp8-tensor", "args": ["--fp8-as-q8"]},
    "integers by rows as Q8_0": {"checkpoint": "int8-channel", "args": ["--fp8-as-q8", "--outtype", "bf16"]},
    "type in the name": {"args": ["--outtype", "auto"], "out": "{ftype}-{FTYPE}-{outtype}.gguf"},
}


def result(case, scratch):
    checkpoint = case.get("checkpoint", BERT)
    dir = scratch / checkpoint
    shutil.copytree(HERE / "checkpoints" / checkpoint, dir)
    for name, content in case.get("files", {}).items():
        path = dir / name
        path.unlink(missing_ok=True)
        if content is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode())
    out = scratch / "out"
    out.mkdir()
    args = case.get("args", [])
    if "metadata" in case:
        path = scratch / "override.json"
        path.write_text(json.dumps(case["metadata"]))
        args = args + ["--metadata", str(path)]
    if "--outtype" not in args:
        args = args + ["--outtype", "f32"]
    sys.argv = ["convert_hf_to_gguf.py", str(dir), "--outfile", str(out / case.get("out", "")), *args]
    convert_hf_to_gguf.main()
    files = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(out.iterdir())}
    reader = gguf.GGUFReader(out / next(iter(files)))
    keys = [f"{k} {value_text(f)}" for k, f in reader.fields.items()
            if k.startswith(("general.", "split.", "tokenizer.chat_template"))]
    del reader
    shutil.rmtree(dir)
    shutil.rmtree(out)
    return case | {"outputs": files, "keys": keys}


def main():
    with tempfile.TemporaryDirectory() as scratch:
        results = {name: result(case, pathlib.Path(scratch)) for name, case in CASES.items()}
    golden.write_lines(HERE / "options.json", results)


main()

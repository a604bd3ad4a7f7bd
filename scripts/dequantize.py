"""Makes a Hugging Face checkpoint in float32 of a decoder's GGUF file.

usage: dequantize.py MODEL.gguf OUT_DIR

transformers reads the file and its vocabulary. OUT_DIR appears last, whole.
"""

import pathlib
import shutil
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    path, out = (pathlib.Path(p).resolve() for p in sys.argv[1:])
    where = dict(pretrained_model_name_or_path=path.parent, gguf_file=path.name)
    read = AutoModelForCausalLM.from_pretrained(dtype=torch.float32, **where)
    # A model that was read from such a file cannot be saved; one with its weights can.
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config
    model = type(read)(read.config).to(torch.float32)
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=".dequantize.", dir=out.parent))
    try:
        model.save_pretrained(scratch / out.name)
        AutoTokenizer.from_pretrained(**where).save_pretrained(scratch / out.name)
        (scratch / out.name).rename(out)
    finally:
        shutil.rmtree(scratch)


main()

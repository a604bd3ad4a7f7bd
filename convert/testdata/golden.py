"""Makes the small checkpoints under checkpoints/ and what llama.cpp's converter
makes of them, golden.json; also golden values of gguf-py's rules for names, of
PyYAML's types and of numpy's conversions.

usage: golden.py LLAMA_CPP_DIR

It needs the Python packages that convert_hf_to_gguf.py needs. The checkpoints
have too few tokens for the converter to recognize their tokenizer, so it is
told the name that gguftool gives to tokenizers it does not know.
"""

import hashlib
import json
import pathlib
import shutil
import struct
import sys
import tempfile

LLAMA_CPP = pathlib.Path(sys.argv[1]).resolve()
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py")]

import gguf  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import convert_hf_to_gguf  # noqa: E402
from conversion.base import TextModel  # noqa: E402
from conversion.gemma import EmbeddingGemma  # noqa: E402

PRE = {}  # the pre-tokenizers of some checkpoints
TextModel.get_vocab_base_pre = lambda self, tokenizer: PRE.get(self.dir_model.name, "default")

HERE = pathlib.Path(__file__).resolve().parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = SPECIAL + list("abcdehilmnorst019,.") + ["##" + c for c in "adeghinorsty1"] + ["the", "##ing", "é"]
OUTTYPES = ["f32", "f16", "bf16", "q8_0", "auto"]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_json(path, value):
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def config(architecture, **fields):
    return {
        "architectures": [architecture], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 32,
        "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "max_position_embeddings": 24,
        "type_vocab_size": 2, "vocab_size": len(TOKENS), "layer_norm_eps": 1e-12, "pad_token_id": 0,
    } | fields


def write_tokenizer(dir, tokenizer_class="BertTokenizer"):
    token = lambda t, i: {"SpecialToken": {"id": t, "type_id": i}}  # noqa: E731
    text = lambda t, i: {"Sequence": {"id": t, "type_id": i}}  # noqa: E731
    write_json(dir / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, t in enumerate(SPECIAL)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]", 0), text("A", 0), token("[SEP]", 0)],
            "pair": [token("[CLS]", 0), text("A", 0), token("[SEP]", 0), text("B", 1), token("[SEP]", 1)],
            "special_tokens": {t: {"id": t, "ids": [TOKENS.index(t)], "tokens": [t]} for t in ["[CLS]", "[SEP]"]},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {t: i for i, t in enumerate(TOKENS)}},
    })
    roles = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    write_json(dir / "tokenizer_config.json", roles | {
        "do_lower_case": True, "tokenizer_class": tokenizer_class, "model_max_length": 24})


def write_modules(dir, pooling, more=()):
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), *more]
    write_json(dir / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
        for i, (path, kind) in enumerate(modules)])
    write_json(dir / "1_Pooling" / "config.json", pooling)


def old_pooling(mode):
    return {"word_embedding_dimension": 32} | {
        "pooling_mode_" + m: m == mode for m in ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"]}


def weights(c, seed, dtype=torch.float32):
    """Returns the tensors of a BertModel."""
    hidden, ff = c["hidden_size"], c["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (c["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (c["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (c["type_vocab_size"], hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
        "pooler.dense.weight": (hidden, hidden),
        "pooler.dense.bias": (hidden,),
    }
    for layer in range(c["num_hidden_layers"]):
        for name, rows, columns in [
            ("attention.self.query", hidden, hidden), ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden), ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", ff, hidden), ("output.dense", hidden, ff),
        ]:
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (rows, columns)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (rows,)
        for name in ["attention.output.LayerNorm", "output.LayerNorm"]:
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (hidden,)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (hidden,)
    return random_tensors(shapes, seed, dtype)


def random_tensors(shapes, seed, dtype=torch.float32):
    random = np.random.default_rng(seed)
    return {name: torch.from_numpy(random.standard_normal(shape, dtype=np.float32) * np.float32(0.05)).to(dtype)
            for name, shape in shapes.items()}


def save(dir, tensors, name="model.safetensors"):
    save_file(tensors, dir / name, metadata={"format": "pt"})


def save_sharded(dir, tensors, write_part, pattern):
    names = list(tensors)
    half = len(names) // 2
    where = {}
    for i, part in enumerate([names[:half], names[half:]]):
        file = pattern.format(i + 1, 2)
        write_part({n: tensors[n] for n in part}, dir / file)
        where |= dict.fromkeys(part, file)
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    index = pattern.format(0, 0).replace("-00000-of-00000", "") + ".index.json"
    write_json(dir / index, {"metadata": {"total_size": size}, "weight_map": where})


def minilm(dir):
    c = config("BertModel", _name_or_path="nreimers/MiniLM-L6-H384-uncased", num_hidden_layers=2,
               position_embedding_type="absolute", gradient_checkpointing=False)
    write_json(dir / "config.json", c)
    tensors = weights(c, 1)
    tensors["embeddings.position_ids"] = torch.arange(24).reshape(1, 24)
    save(dir, tensors)
    write_modules(dir, old_pooling("mean_tokens"), [("2_Normalize", "Normalize")])
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 16, "do_lower_case": False})
    write(dir / "README.md", """---
language: en
license: apache-2.0
library_name: sentence-transformers
tags:
- sentence-transformers
- feature-extraction
datasets:
- s2orc
- flax-sentence-embeddings/stackexchange_xml
- ms_marco
- embedding-data/QQP
pipeline_tag: sentence-similarity
---

# all-MiniLM-L6-v2
""")


def bge(dir):
    c = config("BertModel", _name_or_path="/root/.cache/torch/sentence_transformers/BAAI_bge-small-en/",
               id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})
    write_json(dir / "config.json", c)
    save(dir, weights(c, 2))
    write_modules(dir, old_pooling("cls_token"), [("2_Normalize", "Normalize")])
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": True})
    write(dir / "README.md", """---
tags:
- sentence-transformers
- feature-extraction
- mteb
model-index:
- name: bge-small-en-v1.5
  results:
  - task:
      type: Classification
    dataset:
      type: mteb/amazon_counterfactual
      name: MTEB AmazonCounterfactualClassification (en)
      config: en
      revision: e8379541af4e31359cca9fbcf4b00f2671dba205
    metrics:
    - type: accuracy
      value: 73.79104477611939
license: mit
language:
- en
- no
---

<h1 align="center">FlagEmbedding</h1>
""")


def mxbai(dir):
    c = config("BertModel", torch_dtype="float16", use_cache=False, transformers_version="4.37.0")
    write_json(dir / "config.json", c)
    save(dir, weights(c, 3, torch.float16))
    write_modules(dir, {"embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": True})
    write_json(dir / "config_sentence_transformers.json", {
        "prompts": {"query": "Represent this sentence for searching relevant passages: ", "passage": ""},
        "default_prompt_name": None, "similarity_fn_name": "cosine"})
    write(dir / "README.md", "---\r\ntags:\r\n- mteb\r\n- transformers.js\r\nlicense: apache-2.0\r\nlanguage:\r\n- en\r\n"
          "pipeline_tag: feature-extraction\r\nbase_model: google-bert/bert-large-uncased\r\n---\r\n# x\r\n")


def e5_sharded(dir):
    c = config("BertModel", _name_or_path="tmp/", num_hidden_layers=2, layer_norm_eps=1e-5)
    write_json(dir / "config.json", c)
    save_sharded(dir, weights(c, 4, torch.bfloat16), lambda t, path: save_file(t, path, metadata={"format": "pt"}),
                 "model-{:05d}-of-{:05d}.safetensors")
    write_json(dir / "generation_config.json", {
        "temperature": 0.6, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1, "_from_model_config": True})
    write(dir / "README.md", """---
name: Embeddings "E5" — base
version: v2
organization: intfloat
description: >
  Text embeddings,
  folded over two lines
model_creator: Microsoft
model_type: bert
license: other
license_name: my-license
license_link: https://example.org/license
doi: "10.1000/182"
base_models:
- https://huggingface.co/bert/base-110M-v3
- https://example.org/some/where
- plain-name
- {name: From a table, version: "1", repo_url: https://example.org/x, other: 1}
- 12
dataset: https://huggingface.co/wiki/text-100k
languages: [de, "no", fr]
language: en
tags: embeddings
extra: 2024-01-31
---
""")


def pytorch(dir):
    c = config("BertForMaskedLM")
    write_json(dir / "config.json", c)
    tensors = {"bert." + n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
               for n, t in weights(c, 5).items()}
    # A transposed view, as some tools leave it, and a shared storage.
    query = "bert.encoder.layer.0.attention.self.query.weight"
    tensors[query] = tensors[query].t()
    both = torch.cat([tensors.pop(f"bert.encoder.layer.0.attention.self.{n}.bias") for n in ["key", "value"]])
    tensors["bert.encoder.layer.0.attention.self.key.bias"] = both[:32]
    tensors["bert.encoder.layer.0.attention.self.value.bias"] = both[32:]
    tensors["cls.predictions.bias"] = torch.zeros(len(TOKENS))
    tensors["cls.predictions.transform.dense.weight"] = torch.ones(32, 32)
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.seq_relationship.weight"] = torch.ones(2, 32)
    tensors["bert.embeddings.position_ids"] = torch.arange(24).reshape(1, 24)
    module = torch.nn.Module()
    state = module.state_dict()
    state.update(tensors)
    torch.save(state, dir / "pytorch_model.bin")


def pytorch_sharded(dir):
    c = config("BertModel", num_hidden_layers=2)
    write_json(dir / "config.json", c)
    save_sharded(dir, weights(c, 6, torch.float16), torch.save, "pytorch_model-{:05d}-of-{:05d}.bin")
    write(dir / "README.md", "# No front matter\n")


def reranker(dir):
    c = config("BertForSequenceClassification", id2label={"0": "negative", "10": "neutral", "2": "positive"},
               label2id={"negative": 0, "neutral": 10, "positive": 2})
    write_json(dir / "config.json", c)
    tensors = {"bert." + n: t for n, t in weights(c, 7).items()}
    save(dir, tensors | random_tensors({"classifier.weight": (3, 32), "classifier.bias": (3,)}, 8))


def two_classes(dir):
    c = config("BertForSequenceClassification")
    write_json(dir / "config.json", c)
    tensors = {"bert." + n: t for n, t in weights(c, 9).items()}
    save(dir, tensors | random_tensors({"classifier.weight": (2, 32), "classifier.bias": (2,)}, 10))


def odd_width(dir):
    c = config("BertModel", hidden_size=24, intermediate_size=96, num_labels=3)
    write_json(dir / "config.json", c)
    tensors = weights(c, 11)
    tensors["encoder.layer.0.output.dense.bias"] = tensors["encoder.layer.0.output.dense.bias"].double() / 3
    tensors["encoder.layer.0.output.LayerNorm.bias"] = torch.arange(-12, 12, dtype=torch.int64) * 16777217
    tensors["encoder.layer.0.output.LayerNorm.weight"] = torch.arange(24, dtype=torch.uint8)
    save(dir, tensors)
    write_modules(dir, old_pooling("mean_tokens"))


def non_finite(dir):
    c = config("BertModel")
    write_json(dir / "config.json", c)
    tensors = weights(c, 12)
    bits = [0x7F800001, 0x7FA00000, 0x7FC01234, 0xFF801FFF, 0x7F800000, 0xFF800000, 0x477FF000, 0x477FEFFF,
            0x33000000, 0x33000001, 0xB3000001, 0x7F7FFFFF, 0x80000000, 0x00000001, 0x387FE000, 0x387FEFFF]
    tensors["encoder.layer.0.attention.self.value.weight"][3, :16] = torch.tensor(
        np.array(bits, dtype=np.uint32).view(np.float32))
    save(dir, tensors)


def distilbert(dir):
    c = {"architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert", "activation": "gelu",
         "dim": 32, "hidden_dim": 64, "n_heads": 4, "n_layers": 1, "max_position_embeddings": 24,
         "vocab_size": len(TOKENS), "pad_token_id": 0, "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
         "label2id": {"NEGATIVE": 0, "POSITIVE": 1}}
    write_json(dir / "config.json", c)
    shapes = {
        "distilbert.embeddings.word_embeddings.weight": (len(TOKENS), 32),
        "distilbert.embeddings.position_embeddings.weight": (24, 32),
        "distilbert.embeddings.LayerNorm.weight": (32,),
        "distilbert.embeddings.LayerNorm.bias": (32,),
        "pre_classifier.weight": (32, 32), "pre_classifier.bias": (32,),
        "classifier.weight": (2, 32), "classifier.bias": (2,),
        "vocab_transform.weight": (32, 32), "vocab_transform.bias": (32,),
    }
    for name, rows, columns in [("attention.q_lin", 32, 32), ("attention.k_lin", 32, 32), ("attention.v_lin", 32, 32),
                                ("attention.out_lin", 32, 32), ("ffn.lin1", 64, 32), ("ffn.lin2", 32, 64)]:
        shapes[f"distilbert.transformer.layer.0.{name}.weight"] = (rows, columns)
        shapes[f"distilbert.transformer.layer.0.{name}.bias"] = (rows,)
    for name in ["sa_layer_norm", "output_layer_norm"]:
        shapes[f"distilbert.transformer.layer.0.{name}.weight"] = (32,)
        shapes[f"distilbert.transformer.layer.0.{name}.bias"] = (32,)
    save(dir, random_tensors(shapes, 13))


def quantized(dir, seed, method, quantize, keep=torch.float32):
    """Makes a BertModel with matrices of 8 bits: quantize returns the codes and
    more tensors by the end of their names."""
    c = config("BertModel", quantization_config=method)
    write_json(dir / "config.json", c)
    tensors = {}
    for name, t in weights(c, seed).items():
        if name.startswith("encoder") and t.dim() == 2:
            codes, more = quantize(t * 20, name)
            tensors[name] = codes
            tensors |= {name.removesuffix("weight") + end: x.contiguous() for end, x in more.items()}
        else:
            tensors[name] = t.to(keep)
    save(dir, tensors)


def fp8_block(dir):
    rows, columns = 24, 20  # which divide no dimension

    def quantize(t, name):
        random = np.random.default_rng(len(name))
        shape = [-(-t.shape[0] // rows), -(-t.shape[1] // columns)]
        scales = torch.from_numpy(random.random(shape, dtype=np.float32) / 100)
        return t.to(torch.float8_e4m3fn), {"weight_scale_inv": scales}

    quantized(dir, 14, {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                        "weight_block_size": [rows, columns]}, quantize)


def fp8_channel(dir):
    def quantize(t, name):
        if "query" in name:
            return t.to(torch.bfloat16), {}  # among the modules that are not converted
        scales = t.abs().amax(1, keepdim=True) / 448
        return (t / scales).to(torch.float8_e4m3fn), {"weight_scale": scales.to(torch.bfloat16)}

    group = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True}}
    quantized(dir, 15, {"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["query"],
                        "config_groups": {"group_0": group}}, quantize)


def fp8_tensor(dir):
    def quantize(t, name):
        more = {"weight_scale": torch.tensor([0.0123] if "key" in name else 0.0321), "input_scale": torch.tensor(0.5)}
        if "key" in name:
            more["k_scale"] = torch.tensor(0.25)
        return t.to(torch.float8_e5m2 if "dense" in name else torch.float8_e4m3fn), more

    quantized(dir, 16, {"quant_method": "modelopt", "quant_algo": "FP8"}, quantize, torch.float16)


def int8_channel(dir):
    def quantize(t, name):
        scales = t.abs().amax(1) / 127
        return (t / scales[:, None]).round().to(torch.int8), {"weight_scale": scales}

    group = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}}
    quantized(dir, 17, {"quant_method": "compressed-tensors", "format": "int-quantized",
                        "config_groups": {"group_0": group}}, quantize, torch.bfloat16)


def float8_codes(dir):
    """Has all codes, and scales that are no numbers."""
    scales = [1, -3.1, float("nan"), float("inf"), 1e-40, 1e38, -0.0, 0]

    def quantize(t, name):
        codes = torch.arange(t.numel(), dtype=torch.int64).to(torch.uint8).reshape(t.shape)
        rows = torch.tensor(scales).repeat(t.shape[0])[:t.shape[0]]
        return codes.view(torch.float8_e5m2 if "key" in name else torch.float8_e4m3fn), {"weight_scale": rows[:, None]}

    group = {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}
    quantized(dir, 18, {"quant_method": "compressed-tensors", "format": "naive-quantized", "config_groups": {"group_0": group}}, quantize)


# By the name of the folder, which the converter takes names from.
CHECKPOINTS = {
    "all-MiniLM-L6-v2": minilm,
    "bge-small-en-v1.5": bge,
    "mxbai-embed-large-v1": mxbai,
    "e5-base-v2": e5_sharded,
    "bert_base_uncased": pytorch,
    "gte-small-30K-instruct": pytorch_sharded,
    "ms-marco-MiniLM-L6-12x4M-chat": reranker,
    "two_classes": two_classes,
    "Odd-Width-1.5b": odd_width,
    "non-finite": non_finite,
    "distilbert-base-uncased-finetuned-sst-2-english": distilbert,
    "fp8-block": fp8_block,
    "fp8-channel": fp8_channel,
    "fp8-tensor": fp8_tensor,
    "int8-channel": int8_channel,
    "float8-codes": float8_codes,
}
NON_FINITE = ["non-finite", "float8-codes"]


def value_text(field):
    """Returns the type and value of a key as the tests print them."""
    types = [gguf.GGUFValueType(t).name.lower() for t in field.types]
    value = field.contents()
    if types[-1] == "float32":
        value = [struct.pack("<f", v).hex() for v in value] if types[0] == "array" else struct.pack("<f", value).hex()
    return " ".join(types) + " " + json.dumps(value, ensure_ascii=False)


def convert(dir, outtype, out, flags):
    sys.argv = ["convert_hf_to_gguf.py", str(dir), "--outtype", outtype, "--outfile", str(out), *flags]
    EmbeddingGemma.module_paths.clear()  # of the conversion before
    convert_hf_to_gguf.main()


def golden(dir, scratch, flags=()):
    result = {"files": {}}
    for outtype in OUTTYPES:
        if dir.name in NON_FINITE and outtype == "q8_0":
            continue  # gguf-py makes arbitrary bytes of what is not finite
        out = scratch / "out"
        out.mkdir()
        convert(dir, outtype, out, flags)
        (file,) = out.iterdir()
        reader = gguf.GGUFReader(file)
        if "keys" not in result:
            result["keys"] = [f"{k} {value_text(f)}" for k, f in reader.fields.items() if not k.startswith("GGUF.")]
            result["tensors"] = [f"{t.name} {'x'.join(str(d) for d in t.shape)}" for t in reader.tensors]
        result["files"][outtype] = {
            "name": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "tensors": [f"{t.tensor_type.name} {hashlib.sha256(t.data.tobytes()).hexdigest()[:8]}" for t in reader.tensors],
        }
        del reader
        shutil.rmtree(out)
    return result


NAMES = """
sentence-transformers/all-MiniLM-L6-v2 nreimers/MiniLM-L6-H384-uncased BAAI/bge-small-en-v1.5 BAAI/bge-m3 BAAI/bge-reranker-v2-m3
mixedbread-ai/mxbai-embed-large-v1 intfloat/e5-base-v2 intfloat/multilingual-e5-large-instruct thenlper/gte-small
Alibaba-NLP/gte-Qwen2-1.5B-instruct Qwen/Qwen3-Embedding-0.6B google/embeddinggemma-300m nomic-ai/nomic-embed-text-v1.5
cross-encoder/ms-marco-MiniLM-L6-v2 Snowflake/snowflake-arctic-embed-m-v2.0 google-bert/bert-base-uncased ibm-granite/granite-embedding-30m-english
mistralai/Mistral-7B-v0.1 mistralai/Mixtral-8x7B-Instruct-v0.1 meta-llama/Llama-2-7b-chat-hf bigscience/bloom-7b1 Qwen/Qwen1.5-MoE-A2.7B-Chat
NousResearch/Yarn-Mistral-7b-128k teknium/OpenHermes-2.5-Mistral-7B microsoft/Phi-3-mini-4k-instruct crestf411/daybreak-kunoichi-2dpo-7b
stabilityai/stablelm-2-1_6b-chat 01-ai/Yi-1.5-9B-Chat-16K TheBloke/Model-13B-Q4_K-GGUF org/model-fp16 org/model-bf16-v2 org/a--b- ./local ./
/x org/ model v2 v2-model 1.5 -x- small-model a-small a-small-7B-large a-7b-7B model-iter3-v4 x-1T x-0.5b1 ñandú-großes-modell-3b ß-ﬁne
don't-stop it's_a-test UPPER-lower-MiXed 3d-model a-chat-lora a-A3B-30B a-xl a-xxl-v1.2.3
""".split() + ["a sentence, not a name", "", "Two Words/third"]
PARAMETERS = [0, 22_700_000, 7_000_000_000]
SIZES = [1, 9, 99, 949, 950, 999, 1000, 9499, 9500, 9949, 9950, 99_499, 99_500, 999_999, 1_000_000, 1_000_001, 1_049_999,
         1_050_000, 9_500_000, 9_949_999, 22_565_376, 109_482_240, 999_500_000, 1_000_000_000, 1_000_000_001, 7_241_732_096,
         999_999_999_999, 1_000_000_000_001, 2_500_000_000_000]


def names():
    rows = []
    for parameters in PARAMETERS:
        for name in NAMES:
            full, organization, *rest = gguf.Metadata.get_model_id_components(name, parameters)
            title = gguf.Metadata.id_to_title
            rows.append([name, parameters, title(full), title(organization or ""), *[r or "" for r in rest]])
    return {"ids": rows, "sizes": [[n, gguf.size_label(n, n, 0, 0)] for n in SIZES],
            "experts": [[tensors, experts(tensors)] for tensors in EXPERTS]}


# Names and shapes of tensors, slowest dimension first.
EXPERTS = [
    {"token_embd.weight": [1000, 64], "blk.0.ffn_up_exps.weight": [8, 128, 64], "blk.0.ffn_down_exps.weight": [8, 64, 128]},
    {"a.weight": [300, 7], "blk.0.ffn_up_exps.weight": [6, 50, 30], "blk.0.ffn_up_exps.bias": [1, 6, 50], "blk.1.ffn_up_exps.weight": [3, 50, 30]},
    {"a.weight": [3000, 700], "blk.0.ffn_up_exps.bias": [6, 50], "blk.0.ffn_gate_inp.weight": [6, 50]},
    {"blk.0.ffn_up_exps.weight": [128, 300, 200]},
]


def experts(tensors):
    writer = gguf.GGUFWriter(None, "x")
    for name, shape in tensors.items():
        writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
    return gguf.size_label(*writer.get_total_parameter_count())


YAML = r"""
a: no
a: No
a: "no"
a: 'no'
a: NO
a: y
a: on
a: oFF
a: true
a: ~
a: null
a: Null
a: nuLL
a:
a: 0
a: -0
a: 00
a: 007
a: 08
a: 0o7
a: 0x1F
a: 0b101
a: 1_000
a: 1:30
a: 190:20:30
a: 12e3
a: 1.5e3
a: 1.5e+3
a: 0.0
a: -.5
a: .5
a: 5.
a: .inf
a: -.INF
a: .nan
a: .
a: 1.0.0
a: v1.5
a: 2024-01-31
a: 2024-1-31
a: 2024-01-31 10:11:12
a: 2024-01-31T10:11:12Z
a: a b
a: [x, 1, no, "no", [y]]
a: {b: 1, c: {d: e}}
a: !!str 5
a: &x y
a: "\u00e9\n\t"
a: 'it''s'
a: http://x.y/z#frag
a: x # comment
a: "x" # comment
a: - x
""".strip().split("\n") + [
    "a: |\n  x\n  y\n", "a: >\n  x\n  y\n\n  z\n", "a: >-\n  x\n  y\n", "a: |+\n  x\n\nb: 1\n", "a: x\n  y\n", 'a: "x\n  y"\n',
    "a:\n- x\n- no\n- yes\n", "a:\n  - x\n  -\n  - 1\n", "a: &x [1, 2]\nb: *x\n", "a: &x {p: 1}\nb:\n  <<: *x\n  q: 2\n",
    "a: 1\na: 2\n", "on: 1\n1: 2\na: 3\n", "# c\na: 1\n", "a: 1\n...\n", "- x\n", "x\n", "", "a: *nowhere\n", "a: [1\n", "a: b: c\n",
    "a: x\n b: y\n", "? k\n: v\n", "a: '''\n", "a: {b}\n", "a: [x,]\n", "a: %x\n", "a: @x\n", "\"a\": 1\n", "a : 1\n",
    "model-index:\n- name: x\n  results:\n  - task: {type: STS}\n    metrics:\n    - type: cos_sim_pearson\n      value: 88.1\na: 1\n",
]


def yaml_value(v):
    """Returns a value as the tests know it: what is no text is told by type."""
    if isinstance(v, dict):
        return {k: yaml_value(e) for k, e in v.items() if isinstance(k, str)}
    if isinstance(v, list):
        return [yaml_value(e) for e in v]
    if v is None or isinstance(v, str):
        return v
    return {"!": bool(v)}


def yamls():
    rows = []
    for text in YAML:
        try:
            value = yaml.safe_load(text.replace("- no\n", '- "no"\n') + "\n")
            rows.append([text, yaml_value(value) if isinstance(value, dict) else {}])
        except yaml.YAMLError:
            rows.append([text, "error"])
    return rows


def numbers():
    """Returns hashes over all upper halves of float32 with telling lower ones."""
    low = np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x1FFF, 0x2000, 0x7FFF, 0x8000, 0x8001, 0xEFFF, 0xF000, 0xFFFF], dtype=np.uint32)
    f32 = ((np.arange(1 << 16, dtype=np.uint32) << 16)[:, None] | low).view(np.float32)
    f16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    f8 = torch.arange(1 << 8, dtype=torch.uint8)
    sha = lambda a: hashlib.sha256(a.tobytes()).hexdigest()  # noqa: E731
    with np.errstate(all="ignore"):
        return {
            "low": low.tolist(),
            "f16": sha(gguf.quants.quantize(f32, gguf.GGMLQuantizationType.F16)),
            "bf16": sha(gguf.quants.quantize(f32, gguf.GGMLQuantizationType.BF16)),
            "f16 to f32": sha(f16.astype(np.float32)),
            "e4m3 to f32": sha(f8.view(torch.float8_e4m3fn).float().numpy()),
            "e5m2 to f32": sha(f8.view(torch.float8_e5m2).float().numpy()),
        }


def main():
    for name, make in CHECKPOINTS.items():
        dir = HERE / "checkpoints" / name
        shutil.rmtree(dir, ignore_errors=True)
        dir.mkdir(parents=True)
        write_tokenizer(dir, "DistilBertTokenizer" if make is distilbert else "BertTokenizer")
        make(dir)
    with tempfile.TemporaryDirectory() as scratch:
        goldens = {name: golden(HERE / "checkpoints" / name, pathlib.Path(scratch)) for name in CHECKPOINTS}
    write_lines(HERE / "golden.json", goldens)
    write_lines(HERE / "rules.json", {"names": names(), "yaml": yamls(), "numbers": numbers()})


def write_lines(path, value):
    """Writes a JSON object with one line for each of its values."""
    lines = [json.dumps(k) + ": " + json.dumps(v, ensure_ascii=False, separators=(",", ":")) for k, v in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

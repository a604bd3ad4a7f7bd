"""Makes the small checkpoints of rope encoders and decoders under checkpoints/,
what transformers computes with them, outputs/, and what llama.cpp's converter
makes of them, models.json.

usage: models.py LLAMA_CPP_DIR [NAME...]

It needs torch, transformers, tokenizers, sentencepiece and what
convert_hf_to_gguf.py needs. The weights are random and the vocabularies trained
on a few sentences, so that the files are small; the converter cannot recognize
such tokenizers by their hashes, and is told the name that goes with the
pattern.

A file under outputs/ has, for each of some texts, its ids and float32 numbers
in base64, little-endian: "states" [tokens][width] of a decoder after the final
norm and its "logits" [positions][vocabulary] at the positions "at"; of an
encoder "states" [tokens][width] and "embedding" [width], pooled, through the
dense modules and of length 1.
"""

import base64
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import typing

import numpy as np
import sentencepiece
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

import golden  # of this folder, which also says where llama.cpp is
from conversion.llama import LlamaModel
from golden import HERE, write_json

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.",
    "A river runs through the old town; its bridges are older than the houses beside it.",
    "In 1998 the library held 12345 books, of which 678 were never read.",
    "Le garçon préfère les pommes, l'été comme l'hiver. Straßen führen über Brücken.",
    "Над рекой стоит туман. 東京は夜の七時。 어디로 가세요?",
    "def area(r):\n    return 3.14159 * r ** 2  # of a circle\n\n\tprint(area(2))",
]
TEXTS = [
    "The quick dog runs over the old bridge.",
    "Les maisons, it's 1998 and 東京 is far;\n    don't mind the river!",
]
PLAIN_TEXTS = [
    "The dog is here, 1990.",
    "the mind at the others not nice; to 19 them are all red, and it is the end of it",
]
LLAMA3_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT = "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"


# Tokenizers.


def byte_level(dir, pattern, special, size=300, normalizer=None, first=None, last=None, ignore_merges=False, **config):
    """Writes a byte-level BPE tokenizer; special tokens follow the vocabulary."""
    t = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size - len(special), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    t.add_special_tokens(special)
    level = processors.ByteLevel(trim_offsets=False)
    if first or last:
        around = [f"{first}"] * bool(first) + ["$A"] + [f"{last}"] * bool(last)
        t.post_processor = processors.Sequence([level, processors.TemplateProcessing(
            single=around, pair=around + [a.replace("$A", "$B:1") for a in around],
            special_tokens=[(x, t.token_to_id(x)) for x in (first, last) if x])])
    else:
        t.post_processor = level
    t.save(str(dir / "tokenizer.json"), pretty=False)
    write_json(dir / "tokenizer_config.json", {
        "added_tokens_decoder": {
            str(t.token_to_id(x)): {"content": x, "lstrip": False, "normalized": False, "rstrip": False,
                                    "single_word": False, "special": True} for x in special},
        "model_max_length": 64, "tokenizer_class": "PreTrainedTokenizerFast"} | config)


def sentence_piece(dir, size=360, add_dummy_prefix=True, symbols=(), pieces=None, **config):
    """Writes a SentencePiece BPE model with byte fallback, and returns the number of tokens."""
    with contextlib.chdir(dir):  # the model has the paths of its files in it
        text = pathlib.Path("corpus.txt")
        text.write_text("\n".join(line.replace("\n", " ") for line in CORPUS))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix="tokenizer", model_type="bpe", vocab_size=size, byte_fallback=True,
            character_coverage=0.98, add_dummy_prefix=add_dummy_prefix, remove_extra_whitespaces=False, split_digits=True,
            normalization_rule_name="identity", allow_whitespace_only_pieces=True, hard_vocab_limit=False, num_threads=1,
            minloglevel=2, user_defined_symbols=list(symbols), **(pieces or {}))
        text.unlink()
        pathlib.Path("tokenizer.vocab").unlink()
    write_json(dir / "tokenizer_config.json", {"model_max_length": 64} | config)
    return len(sentencepiece.SentencePieceProcessor(str(dir / "tokenizer.model")))


def write_llama2_tokenizer(dir):
    token = lambda c: {"content": c, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}  # noqa: E731
    return sentence_piece(dir, add_bos_token=True, add_eos_token=False, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                          tokenizer_class="LlamaTokenizer", legacy=False,
                          added_tokens_decoder={str(i): token(c) for i, c in enumerate(["<unk>", "<s>", "</s>"])})


def write_gemma_tokenizer(dir, add_eos_token=False):
    return sentence_piece(
        dir, add_dummy_prefix=False, symbols=["<start_of_turn>", "<end_of_turn>", "\n\n"],
        pieces=dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>"),
        add_bos_token=True, add_eos_token=add_eos_token, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>",
        pad_token="<pad>", tokenizer_class="GemmaTokenizer")


def write_gemma_json(dir):
    """Writes a tokenizer.json as Gemma's, BPE of characters with byte fallback, and returns the number of tokens."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    escape = normalizers.Replace(" ", "\u2581")
    trained = tokenizers.Tokenizer(models.BPE())
    trained.normalizer = escape
    trained.train_from_iterator(CORPUS[:3], trainers.BpeTrainer(vocab_size=100, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    tokens = special + [f"<0x{i:02X}>" for i in range(256)] + sorted(model["vocab"], key=model["vocab"].get)
    t = tokenizers.Tokenizer(models.BPE(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[tuple(m) for m in model["merges"]],
        unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = escape
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.post_processor = processors.TemplateProcessing(
        single=["<bos>", "$A"], pair=["<bos>", "$A", "<bos>:1", "$B:1"], special_tokens=[("<bos>", 2)])
    t.add_special_tokens(special)
    t.save(str(dir / "tokenizer.json"), pretty=False)
    write_json(dir / "tokenizer_config.json", {
        "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
        "model_max_length": 64, "tokenizer_class": "PreTrainedTokenizerFast"})
    return len(tokens)


def write_llama3_tokenizer(dir):
    byte_level(dir, LLAMA3_PATTERN, ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"],
               ignore_merges=True, first="<|begin_of_text|>", bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>", chat_template=CHAT)


def write_qwen_tokenizer(dir, last=None, **config):
    byte_level(dir, QWEN2_PATTERN, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC(), last=last,
               **({"bos_token": None, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"} | config))


# Models.


def write_xlmr_tokenizer(dir):
    """Writes a Unigram as XLM-RoBERTa's, both as a model file and as tokenizer.json, and returns the number of tokens."""
    with tempfile.TemporaryDirectory() as tmp:
        rules = pathlib.Path(tmp, "rules.tsv")
        rules.write_text("".join("%X\t%X\n" % (a, b) for a, b in [(9, 32), (10, 32), (0xA0, 32), (0x3000, 32), (0xFF21, 0x41), (0x2026, 0x2E)]))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS * 20), model_prefix=str(dir / "sentencepiece.bpe"), model_type="unigram", vocab_size=260,
            hard_vocab_limit=False, normalization_rule_tsv=str(rules), unk_id=0, bos_id=1, eos_id=2, minloglevel=5, num_threads=1)
    (dir / "sentencepiece.bpe.vocab").unlink()
    path = dir / "sentencepiece.bpe.model"
    m = sentencepiece_model_pb2.ModelProto()
    m.ParseFromString(path.read_bytes())
    for field in ["normalization_rule_tsv"]:
        m.normalizer_spec.ClearField(field)
    m.trainer_spec.ClearField("model_prefix")
    path.write_bytes(m.SerializeToString(deterministic=True))
    pieces = [(s, 0.0) for s in ("<s>", "<pad>", "</s>", "<unk>")] + [(p.piece, p.score) for p in m.pieces[3:]] + [("<mask>", 0.0)]
    t = tokenizers.Tokenizer(models.Unigram(pieces, 3, False))
    t.normalizer = normalizers.Precompiled(bytes(m.normalizer_spec.precompiled_charsmap))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(
        single=["<s>", "$A", "</s>"], pair=["<s>", "$A", "</s>", "</s>", "$B", "</s>"], special_tokens=[("<s>", 0), ("</s>", 2)])
    t.add_special_tokens([tokenizers.AddedToken(s, normalized=False) for s in ("<s>", "<pad>", "</s>", "<unk>")]
                         + [tokenizers.AddedToken("<mask>", lstrip=True, normalized=False)])
    t.save(str(dir / "tokenizer.json"), pretty=False)
    write_json(dir / "tokenizer_config.json", {
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>",
        "mask_token": "<mask>", "model_max_length": 32, "tokenizer_class": "XLMRobertaTokenizer", "clean_up_tokenization_spaces": True})
    return len(pieces)


def write_roberta_tokenizer(dir):
    """Writes a byte-level BPE tokenizer as RoBERTa's, whose special tokens come first, and returns the number of tokens."""
    t = tokenizers.Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", tokenizers.AddedToken("<mask>", lstrip=True)]))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    t.save(str(dir / "tokenizer.json"), pretty=False)
    write_json(dir / "tokenizer_config.json", {
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>",
        "mask_token": "<mask>", "model_max_length": 32, "tokenizer_class": "RobertaTokenizer"})
    return t.get_vocab_size()


def fill(model, seed, shifted=False):
    """Gives a model weights that let every part of it show in its results."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            x = torch.from_numpy(random.standard_normal(tuple(p.shape), dtype=np.float32))
            if name.endswith("bias"):
                p.copy_(0.1 * x)
            elif p.dim() == 1:  # a norm, which Gemma stores less one
                p.copy_(0.1 * x if shifted else 1 + 0.1 * x)
            elif "embed" in name or "lm_head" in name:
                p.copy_(0.5 * x)
            else:
                p.copy_(x * 1.5 / p.shape[1] ** 0.5)
    return model


def save(model, dir, dtype, shard="1GB"):
    model.to(dtype).save_pretrained(dir, max_shard_size=shard)
    (dir / "generation_config.json").unlink(missing_ok=True)
    for file in dir.glob("*.safetensors"):
        file.chmod(0o644)


def edit_config(dir, remove=(), **fields):
    path = dir / "config.json"
    c = json.loads(path.read_text()) | fields
    write_json(path, {k: v for k, v in c.items() if k not in remove})


SMALL = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)


def llama2(dir):
    """Every head its own keys, biases everywhere, a head of its own, positions four times closer."""
    n = write_llama2_tokenizer(dir)
    c = transformers.LlamaConfig(**SMALL, vocab_size=n, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5,
                                 rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})
    save(fill(transformers.LlamaForCausalLM(c), 1), dir, torch.float16)
    # As configurations were before transformers 5.
    edit_config(dir, remove=["rope_parameters", "head_dim"], rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0})


def llama3(dir):
    """Two heads share keys, heads wider than the width has room for, Llama 3's scaling, in shards."""
    write_llama3_tokenizer(dir)
    c = transformers.LlamaConfig(
        **SMALL, vocab_size=300, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-5,
        bos_token_id=296, eos_token_id=[297, 299],
        rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32})
    save(fill(transformers.LlamaForCausalLM(c), 2), dir, torch.bfloat16, shard="40KB")
    write_json(dir / "generation_config.json", {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "eos_token_id": [297, 299]})


def llama_base(dir):
    """A model without a head, which has no prefix."""
    write_llama3_tokenizer(dir)
    c = transformers.LlamaConfig(**SMALL, vocab_size=300, num_key_value_heads=1)
    save(fill(transformers.LlamaModel(c), 3), dir, torch.bfloat16)


def mistral(dir):
    """YaRN with everything said."""
    n = write_llama2_tokenizer(dir)
    c = transformers.MistralConfig(
        **SMALL, vocab_size=n, num_key_value_heads=2, head_dim=16, sliding_window=None, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6, "original_max_position_embeddings": 16,
                         "beta_fast": 24.0, "beta_slow": 2.0, "attention_factor": 1.2})
    save(fill(transformers.MistralForCausalLM(c), 4), dir, torch.bfloat16)


def qwen2(dir):
    write_qwen_tokenizer(dir, chat_template=CHAT)
    c = transformers.Qwen2Config(**SMALL, vocab_size=300, num_key_value_heads=2, tie_word_embeddings=True, use_sliding_window=False,
                                 rope_parameters={"rope_type": "default", "rope_theta": 1e6}, bos_token_id=297, eos_token_id=297)
    save(fill(transformers.Qwen2ForCausalLM(c), 5), dir, torch.bfloat16)
    edit_config(dir, remove=["rope_parameters", "layer_types"], rope_theta=1000000.0)


def gte_qwen2(dir):
    """An embedding model of a Qwen2Model: the last token's state, the end token appended."""
    write_qwen_tokenizer(dir, last="<|endoftext|>")
    c = transformers.Qwen2Config(**SMALL, vocab_size=300, num_key_value_heads=2)
    save(fill(transformers.Qwen2Model(c), 6), dir, torch.float16)
    write_modules(dir, "lasttoken", [("2_Normalize", "Normalize")])


def qwen3(dir):
    """QK norms, a head of its own and YaRN as Qwen's model cards tell users to put it into the configuration."""
    write_qwen_tokenizer(dir, chat_template=CHAT)
    c = transformers.Qwen3Config(**SMALL, vocab_size=300, num_key_value_heads=2, head_dim=16, attention_bias=True,
                                 bos_token_id=297, eos_token_id=297)
    model = fill(transformers.Qwen3ForCausalLM(c), 7)
    save(model, dir, torch.bfloat16)
    edit_config(dir, remove=["rope_parameters", "layer_types"], rope_theta=1000000,
                rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16})


def qwen3_embedding(dir):
    """Names without the prefix under a class that has it, as in Qwen3-Embedding."""
    write_qwen_tokenizer(dir, last="<|endoftext|>")
    c = transformers.Qwen3Config(**SMALL, vocab_size=300, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True,
                                 rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    save(fill(transformers.Qwen3Model(c), 8), dir, torch.bfloat16)
    edit_config(dir, architectures=["Qwen3ForCausalLM"])
    write_modules(dir, "lasttoken", [("2_Normalize", "Normalize")])
    write_json(dir / "config_sentence_transformers.json", {
        "prompts": {"query": "Instruct: Find it\nQuery:", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"})


GEMMA = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1,
             head_dim=16, query_pre_attn_scalar=16, max_position_embeddings=64, sliding_window=8)


def gemma3(dir):
    """Windows in all layers but the sixth, another rope there, a soft cap, rows that no token has."""
    n = write_gemma_tokenizer(dir)
    c = transformers.Gemma3TextConfig(
        **GEMMA, vocab_size=n + 3, final_logit_softcapping=20.0,
        rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}})
    save(fill(transformers.Gemma3ForCausalLM(c), 9, shifted=True), dir, torch.bfloat16)
    edit_config(dir, remove=["rope_parameters", "layer_types"], rope_theta=1000000.0, rope_local_base_freq=10000.0,
                rope_scaling={"rope_type": "linear", "factor": 8.0}, sliding_window_pattern=6)


def gemma3_json(dir):
    """Without a tokenizer.model, and with rows beyond those that tokenizer.json has tokens for."""
    n = write_gemma_json(dir)
    c = transformers.Gemma3TextConfig(**GEMMA | {"num_hidden_layers": 1}, vocab_size=n + 9)
    save(fill(transformers.Gemma3ForCausalLM(c), 14, shifted=True), dir, torch.bfloat16)


def embedding_gemma(dir):
    """Both directions, mean pooling and two dense modules behind it."""
    n = write_gemma_tokenizer(dir, add_eos_token=True)
    c = transformers.Gemma3TextConfig(**GEMMA, vocab_size=n, use_bidirectional_attention=True)
    save(fill(transformers.Gemma3TextModel(c), 10, shifted=True), dir, torch.bfloat16)
    random = np.random.default_rng(11)
    for name, i, o in [("2_Dense", 32, 64), ("3_Dense", 64, 32)]:
        write_json(dir / name / "config.json", {
            "in_features": i, "out_features": o, "bias": False, "activation_function": "torch.nn.modules.linear.Identity"})
        save_file({"linear.weight": torch.from_numpy(random.standard_normal((o, i), dtype=np.float32) * np.float32(0.2))},
                  dir / name / "model.safetensors", metadata={"format": "pt"})
    write_modules(dir, "mean", [("2_Dense", "Dense"), ("3_Dense", "Dense"), ("4_Normalize", "Normalize")])
    write_json(dir / "config_sentence_transformers.json", {
        "prompts": {"query": "task: search result | query: ", "document": "title: none | text: "}, "default_prompt_name": None})


NOMIC = {
    "activation_function": "swiglu", "architectures": ["NomicBertModel"], "causal": False, "layer_norm_epsilon": 1e-12,
    "max_trained_positions": 2048, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "model_type": "nomic_bert", "n_embd": 32,
    "n_head": 4, "n_inner": 64, "n_layer": 2, "n_positions": 8192, "prenorm": False, "qkv_proj_bias": False,
    "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None, "type_vocab_size": 2, "use_rms_norm": False, "vocab_size": len(golden.TOKENS),
}


def nomic(dir):
    """Names and configuration are those of the model's own code, which transformers maps to its own."""
    golden.write_tokenizer(dir)
    c = transformers.NomicBertConfig(**nomic_sizes(NOMIC), rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    save(fill(transformers.NomicBertModel(c), 12), dir, torch.float32)
    write_json(dir / "config.json", NOMIC)
    write_modules(dir, "mean")
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 8192, "do_lower_case": False})


def nomic_long(dir):
    """The configuration as transformers writes it, and rope for texts longer than the context."""
    golden.write_tokenizer(dir)
    c = transformers.NomicBertConfig(**nomic_sizes(NOMIC), max_position_embeddings=32,
                                     rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1000.0})
    save(fill(transformers.NomicBertModel(c), 13), dir, torch.bfloat16)
    write_modules(dir, "mean")
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})


def xlm_roberta(dir):
    """Positions behind the padding's, and a tokenizer that is Unigram."""
    c = transformers.XLMRobertaConfig(
        vocab_size=write_xlmr_tokenizer(dir), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=98, type_vocab_size=1, layer_norm_eps=1e-5)
    save(fill(transformers.XLMRobertaModel(c), 14), dir, torch.float32)
    write_modules(dir, "mean")
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 96, "do_lower_case": False})


def roberta(dir):
    """Positions behind the padding's, and a tokenizer that is BPE of bytes."""
    c = transformers.RobertaConfig(
        vocab_size=write_roberta_tokenizer(dir), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=98, type_vocab_size=1, layer_norm_eps=1e-5)
    save(fill(transformers.RobertaModel(c), 15), dir, torch.bfloat16)
    write_modules(dir, "mean")
    write_json(dir / "sentence_bert_config.json", {"max_seq_length": 96, "do_lower_case": False})


def nomic_sizes(c):
    """Returns the sizes under the names of transformers' class."""
    return dict(vocab_size=c["vocab_size"], hidden_size=c["n_embd"], num_hidden_layers=c["n_layer"],
                num_attention_heads=c["n_head"], intermediate_size=c["n_inner"], type_vocab_size=c["type_vocab_size"])


def write_modules(dir, pooling, more=()):
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), *more]
    write_json(dir / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
        for i, (path, kind) in enumerate(modules)])
    write_json(dir / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "include_prompt": True} | {
        "pooling_mode_" + m: m == {"mean": "mean_tokens"}.get(pooling, pooling)
        for m in ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]})


class Example(typing.NamedTuple):
    make: typing.Callable
    model: type  # of transformers, whose results are written
    pre: str = "default"
    texts: list = TEXTS
    pooling: str = ""
    flags: tuple = ()
    refused: bool = False  # by llama.cpp's converter


# By the name of the folder, which the converter takes names from.
EXAMPLES = {
    "llama-2-tiny-hf": Example(llama2, transformers.LlamaForCausalLM),
    "Llama-3.2-tiny-Instruct": Example(llama3, transformers.LlamaForCausalLM, "llama-bpe"),
    "llama-tiny-base": Example(llama_base, transformers.LlamaModel, "llama-bpe"),
    "Mistral-tiny-v0.3": Example(mistral, transformers.MistralForCausalLM),
    "Qwen2.5-tiny-Instruct": Example(qwen2, transformers.Qwen2ForCausalLM, "qwen2"),
    "gte-Qwen2-tiny-instruct": Example(gte_qwen2, transformers.Qwen2Model, "qwen2", pooling="last"),
    "Qwen3-tiny": Example(qwen3, transformers.Qwen3ForCausalLM, "qwen2"),
    "Qwen3-Embedding-tiny": Example(qwen3_embedding, transformers.Qwen3Model, "qwen2", pooling="last"),
    "gemma-3-tiny-it": Example(gemma3, transformers.Gemma3ForCausalLM),
    "gemma-3-tiny-pt": Example(gemma3_json, transformers.Gemma3ForCausalLM, "granite-embed-multi-311m"),
    "embeddinggemma-tiny": Example(embedding_gemma, transformers.Gemma3TextModel, pooling="mean",
                                   flags=("--sentence-transformers-dense-modules",)),
    "multilingual-e5-tiny": Example(xlm_roberta, transformers.XLMRobertaModel, pooling="mean"),
    "stsb-roberta-tiny": Example(roberta, transformers.RobertaModel, "roberta-bpe", pooling="mean"),
    "nomic-embed-text-tiny-v1.5": Example(nomic, transformers.NomicBertModel, pooling="mean", texts=PLAIN_TEXTS),
    "nomic-embed-text-tiny-long": Example(nomic_long, transformers.NomicBertModel, pooling="mean", texts=PLAIN_TEXTS, refused=True),
}


def numbers(x):
    return base64.b64encode(x.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()).decode()


def load_model(dir, e):
    """Loads a checkpoint in float32 with attention computed as it is written."""
    config = None
    if e.make is nomic:
        config = transformers.NomicBertConfig(**nomic_sizes(NOMIC), rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    model = e.model.from_pretrained(dir, config=config, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def encode(dir, text):
    """Returns the ids of a text, with those of the tokens that begin and end it."""
    if not (dir / "tokenizer.model").exists():
        return transformers.AutoTokenizer.from_pretrained(dir)(text)["input_ids"]
    t = sentencepiece.SentencePieceProcessor(str(dir / "tokenizer.model"))
    config = json.loads((dir / "tokenizer_config.json").read_text())
    return t.encode(text, add_bos=config["add_bos_token"], add_eos=config["add_eos_token"])


def outputs(dir, e):
    """Returns what transformers computes of some texts."""
    model = load_model(dir, e)
    base = getattr(model, model.base_model_prefix, model)
    results = []
    for text in e.texts:
        ids = encode(dir, text)
        with torch.inference_mode():
            states = base(input_ids=torch.tensor([ids])).last_hidden_state[0]
            r = {"text": text, "ids": ids, "states": numbers(states)}
            if e.pooling:
                x = states[-1] if e.pooling == "last" else states.mean(0)
                for dense in sorted(dir.glob("*_Dense")):
                    x = load_file(dense / "model.safetensors")["linear.weight"] @ x
                r["embedding"] = numbers(x / x.norm())
            if hasattr(model, "lm_head"):
                at = sorted({0, len(ids) // 2, len(ids) - 1})
                r["at"], r["logits"] = at, numbers(model(input_ids=torch.tensor([ids])).logits[0][at])
        results.append(r)
    return {"width": states.shape[1], "vocabulary": model.config.vocab_size, "texts": results}


def reference(dir, e, scratch):
    """Returns what llama.cpp's converter makes of the checkpoint."""
    if e.make is nomic:
        # It reads the configuration with transformers' class, which takes the sizes of nomic-embed-text-v1.5
        # where it does not find them under its own names.
        dir = pathlib.Path(shutil.copytree(dir, scratch / "copy" / dir.name, dirs_exist_ok=True))
        edit_config(dir, **nomic_sizes(NOMIC))
    return golden.golden(dir, scratch, e.flags)


# Bases, sizes of heads, factors, contexts and the two frequency factors; those of Llama 3 and others.
ROPES = [
    (500000.0, 128, 8.0, 8192, 1.0, 4.0), (500000.0, 64, 32.0, 8192, 1.0, 4.0), (500000.0, 128, 16.0, 8192, 1.0, 1.5),
    (10000.0, 64, 4.0, 2048, 1.0, 4.0), (1e6, 80, 2.5, 4096, 0.7, 5.3), (1e7, 96, 8.0, 1024, 2.0, 3.0),
]


def rope_factors(base, size, factor, context, low, high):
    class Model:
        hparams = {"head_dim": size}
        rope_parameters = {"rope_type": "llama3", "rope_theta": base, "factor": factor, "low_freq_factor": low,
                           "high_freq_factor": high, "original_max_position_embeddings": context}

        def format_tensor_name(self, key):
            return key.name

    ((_, factors),) = LlamaModel.generate_extra_tensors(Model())
    return {"size": size, "rope_theta": base, "rope_scaling": Model.rope_parameters, "factors": numbers(factors)}


def main():
    names = sys.argv[2:] or EXAMPLES
    golden.PRE |= {name: e.pre for name, e in EXAMPLES.items()}
    path = HERE / "models.json"
    goldens = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        dir = HERE / "checkpoints" / name
        shutil.rmtree(dir, ignore_errors=True)
        dir.mkdir(parents=True)
        EXAMPLES[name].make(dir)
        (HERE / "outputs").mkdir(exist_ok=True)
        write_json(HERE / "outputs" / (name + ".json"), outputs(dir, EXAMPLES[name]))
        if EXAMPLES[name].refused:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            goldens[name] = reference(dir, EXAMPLES[name], pathlib.Path(scratch))
    golden.write_lines(path, {name: goldens[name] for name in EXAMPLES if name in goldens})
    write_json(HERE / "rope.json", [rope_factors(*r) for r in ROPES])


main()

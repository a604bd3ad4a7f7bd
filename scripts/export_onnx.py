"""Exports a BERT checkpoint with mean pooling for onnxruntime: export_onnx.py CHECKPOINT F32.onnx INT8.onnx

Both files take input_ids, attention_mask and token_type_ids of shape (texts,
tokens) and give one vector a text. Several graphs are made as people make them:
as exported or with the fusions of onnxruntime.transformers, and for 8 bits
quantize_dynamic of each, with a scale for each tensor or column of weights. The
fastest of each precision on this machine is kept.
"""
import itertools
import math
import os
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import BertModel, logging

THREADS = 2
OPSET = 17
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SHAPES = ((1, 16), (1, 128), (64, 40))


class Pooled(torch.nn.Module):
    """The forward pass of BertModel, written so that the fusions know its attention."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        width, heads = self.bert.config.hidden_size, self.bert.config.num_attention_heads
        bias = (1.0 - attention_mask.unsqueeze(1).unsqueeze(2).to(torch.float32)) * -10000.0
        e = self.bert.embeddings
        positions = e.position_embeddings(e.position_ids[:, : input_ids.shape[1]])
        x = e.LayerNorm(e.word_embeddings(input_ids) + e.token_type_embeddings(token_type_ids) + positions)

        def split(y):
            return y.view(y.size(0), y.size(1), heads, width // heads).permute(0, 2, 1, 3)

        for layer in self.bert.encoder.layer:
            a, o = layer.attention.self, layer.attention.output
            q, k, v = split(a.query(x)), split(a.key(x)), split(a.value(x))
            y = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width // heads) + bias, -1) @ v
            y = y.permute(0, 2, 1, 3).contiguous()
            x = o.LayerNorm(o.dense(y.view(y.size(0), y.size(1), width)) + x)
            y = layer.output.dense(torch.nn.functional.gelu(layer.intermediate.dense(x)))
            x = layer.output.LayerNorm(y + x)
        w = attention_mask.unsqueeze(-1).to(x.dtype)
        return (x * w).sum(1) / w.sum(1)


def batch(texts, tokens, vocab):
    ids = np.random.default_rng(1).integers(1000, min(vocab, 20000), (texts, tokens))
    return dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids))))


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def fastest(paths, vocab):
    """The path of least time, as the geometric mean over SHAPES of the best of several runs."""
    sessions = {p: session(p) for p in paths}
    score = dict.fromkeys(paths, 0.0)
    for shape in SHAPES:
        feed = batch(*shape, vocab)
        best = dict.fromkeys(paths, math.inf)
        for _, p in itertools.product(range(8), paths):
            until = time.perf_counter() + 0.1
            while True:
                start = time.perf_counter()
                sessions[p].run(None, feed)
                end = time.perf_counter()
                best[p] = min(best[p], end - start)
                if end > until:
                    break
        for p in paths:
            score[p] += math.log(best[p]) / len(SHAPES)
            print(f"  {os.path.basename(p):<28} {shape[0]}x{shape[1]}: {1000 * best[p]:8.2f} ms", file=sys.stderr)
    return min(paths, key=score.get)


def main(checkpoint, f32, int8):
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(THREADS)
    bert = BertModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()
    config = bert.config
    if config.hidden_act != "gelu":
        sys.exit(f"export_onnx.py: {checkpoint}: activation {config.hidden_act}; only gelu is written here")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(f32))) as work, torch.no_grad():
        plain, fused = f"{work}/plain.onnx", f"{work}/fused.onnx"
        feed = {k: torch.from_numpy(v) for k, v in batch(2, 7, config.vocab_size).items()}
        torch.onnx.export(
            Pooled(bert).eval(), tuple(feed.values()), plain, dynamo=False, opset_version=OPSET,
            input_names=list(INPUTS), output_names=["vector"],
            dynamic_axes={**{name: {0: "texts", 1: "tokens"} for name in INPUTS}, "vector": {0: "texts"}},
        )
        model = optimizer.optimize_model(
            plain, "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size,
            optimization_options=FusionOptions("bert"), opt_level=0,
        )
        count = model.get_fused_operator_statistics()["Attention"]
        if count != config.num_hidden_layers:
            sys.exit(f"export_onnx.py: {count} of {config.num_hidden_layers} attentions were fused; is this another onnxruntime than fetch-peers.sh installs?")
        model.save_model_to_file(fused)
        quantized = []
        for source, columns in itertools.product((plain, fused), (False, True)):
            quantized.append(source.replace(".onnx", "-columns.onnx" if columns else "-tensor.onnx"))
            quantize_dynamic(
                source, quantized[-1], weight_type=QuantType.QInt8, per_channel=columns,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # inside fusions, whose types are not inferred
            )

        # The graphs must compute what the model computes.
        for shape in SHAPES:
            feed = batch(*shape, config.vocab_size)
            states = bert(**{k: torch.from_numpy(v) for k, v in feed.items()}).last_hidden_state.numpy()
            for path in (plain, fused):
                off = np.abs(session(path).run(None, feed)[0] - states.mean(1)).max()
                if not off < 1e-4:
                    sys.exit(f"export_onnx.py: {os.path.basename(path)} differs from the model by {off:.1e} on {shape[0]}x{shape[1]} tokens")
        for paths, dest in (((plain, fused), f32), (quantized, int8)):
            best = fastest(paths, config.vocab_size)
            print(f"{os.path.basename(dest)}: {os.path.basename(best)}", file=sys.stderr)
            os.replace(best, dest)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: export_onnx.py CHECKPOINT F32.onnx INT8.onnx")
    main(*sys.argv[1:])

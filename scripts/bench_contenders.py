"""The libraries that bench_embed.py alternates with bench_programs.py's programs: onnxruntime and torch.

Each has time_ids(batch, seconds) and time_texts(texts, seconds), which compute a
batch over and over for that long and return the nanoseconds of each repetition,
and vectors(texts), one text at a time. All compute the forward pass and mean
pooling with THREADS threads.
"""
import os
import time

from bench_programs import THREADS

# Read when the libraries are loaded, so before the imports below.
os.environ.update(OMP_NUM_THREADS=str(THREADS), RAYON_NUM_THREADS=str(THREADS), TOKENIZERS_PARALLELISM="true")

import numpy as np
import onnxruntime
import tokenizers
import torch
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(THREADS)


def repeat(work, seconds):
    """Nanoseconds of each repetition. A first that takes less than half of the time warms up only."""
    times, limit = [], seconds * 1e9
    spent, warm = 0, False
    while spent < limit or not times:
        start = time.perf_counter_ns()
        work()
        took = time.perf_counter_ns() - start
        if not warm and took < limit / 2:
            warm = True
            continue
        warm = True
        times.append(took)
        spent += took
    return times


class Library:
    """A library of this process, with the tokenizer of the checkpoint."""

    def __init__(self, checkpoint):
        self.tokenizer = tokenizers.Tokenizer.from_file(f"{checkpoint}/tokenizer.json")
        self.tokenizer.no_truncation()
        self.tokenizer.enable_padding()  # to the longest of a batch

    def arrays(self, ids, mask=None):
        ids = np.array(ids, dtype=np.int64)
        mask = np.ones_like(ids) if mask is None else np.array(mask, dtype=np.int64)
        return self.prepare({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})

    def tokenized(self, texts):
        encodings = self.tokenizer.encode_batch_fast(texts)
        return self.arrays([e.ids for e in encodings], [e.attention_mask for e in encodings])

    def time_ids(self, batch, seconds):
        feed = self.arrays(batch)
        return repeat(lambda: self.forward(feed), seconds)

    def time_texts(self, texts, seconds):
        return repeat(lambda: self.forward(self.tokenized(texts)), seconds)

    def vectors(self, texts):
        return np.concatenate([self.forward(self.tokenized([t])) for t in texts])

    def close(self):
        pass


class Onnx(Library):
    def __init__(self, checkpoint, path):
        super().__init__(checkpoint)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def prepare(self, feed):
        return feed

    def forward(self, feed):
        return self.session.run(None, feed)[0]


class Torch(Library):
    def __init__(self, checkpoint):
        super().__init__(checkpoint)
        self.model = transformers.BertModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()

    def prepare(self, feed):
        return {k: torch.from_numpy(v) for k, v in feed.items()}

    def forward(self, feed):
        with torch.inference_mode():
            states = self.model(**feed).last_hidden_state
            weights = feed["attention_mask"].unsqueeze(-1).to(states.dtype)
            return ((states * weights).sum(1) / weights.sum(1)).numpy()

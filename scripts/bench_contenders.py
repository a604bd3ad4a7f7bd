"""The programs that bench_embed.py alternates: ours, onnxruntime, torch and llama.cpp.

Each has time_ids(batch, seconds) and, but for llama.cpp, time_texts(texts,
seconds), which compute a batch over and over for that long and return the
nanoseconds of each repetition, and vectors(texts), one text at a time. All
compute the forward pass and mean pooling with THREADS threads.
"""
import json
import os
import subprocess
import time

THREADS = 2
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


class Failed(Exception):
    pass


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


class Ours:
    """embedbench on one file, a process that waits for requests."""

    def __init__(self, embedbench, model, precision):
        self.command = [embedbench, "--threads", str(THREADS), "--precision", precision, model]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load_ns = self._answer()["load_ns"]

    def _answer(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it ended without an answer"}
        if "error" in answer:
            raise Failed(f"{' '.join(self.command)}: {answer['error']}")
        return answer

    def _ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def time_ids(self, batch, seconds):
        return self._ask(ids=batch, seconds=seconds)["ns"]

    def time_texts(self, texts, seconds):
        return self._ask(texts=texts, seconds=seconds)["ns"]

    def vectors(self, texts):
        return np.array(self._ask(texts=texts, seconds=0, vectors=True)["vectors"])

    def resident(self):
        """Peak and anonymous resident bytes so far, or None where the system has no /proc."""
        try:
            with open(f"/proc/{self.process.pid}/status") as f:
                fields = dict(line.split(":", 1) for line in f)
        except FileNotFoundError:
            return None
        return tuple(1024 * int(fields[key].split()[0]) for key in ("VmHWM", "RssAnon"))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


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


class Llama:
    """llama-bench on one file, a process a call that loads the model and warms up by itself.

    It takes random ids, which cost what others do. It computes one text at a
    time; as llama.cpp computes several texts of a batch as one long text with
    a mask, a longer text stands for several.
    """

    MOST = 512  # tokens of a batch, its own default

    def __init__(self, program, model):
        self.program, self.model = program, model
        self.chosen = {}  # by shape: the texts at a time that are fastest, and their seconds

    def _bench(self, tokens, repetitions):
        command = [self.program, "-m", self.model, "-p", ",".join(map(str, tokens)), "-n", "0", "-t", str(THREADS),
                   "-embd", "1", "-r", str(repetitions), "-o", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
        return {r["n_prompt"]: r["samples_ns"] for r in json.loads(done.stdout)}

    def time_ids(self, batch, seconds):
        texts, length = len(batch), len(batch[0])
        if (texts, length) not in self.chosen:
            counts = [n for n in (1, 2, 4, 8) if n <= texts and n * length <= self.MOST]
            samples = self._bench([n * length for n in counts], 3)
            best = min(counts, key=lambda n: min(samples[n * length]) / n)
            self.chosen[texts, length] = best, min(samples[best * length]) / 1e9
        count, took = self.chosen[texts, length]
        repetitions = max(2, min(1000, round(seconds / took)))
        return [ns * texts / count for ns in self._bench([count * length], repetitions)[count * length]]

    def close(self):
        pass

"""The programs that run as processes of their own: ours, and llama.cpp.

All have THREADS threads. Each has time_ids(batch, seconds), which computes the
vectors of a batch over and over for that long, time_prefill(ids, seconds), which
computes a text and the logits that follow its last token, and ours time_texts(texts,
seconds). They return the nanoseconds of each repetition.
"""
import json
import subprocess

THREADS = 2


class Failed(Exception):
    pass


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

    def time_prefill(self, ids, seconds):
        return self._ask(ids=[ids], seconds=seconds, prefill=True)["ns"]

    def vectors(self, texts):
        return self._ask(texts=texts, seconds=0, vectors=True)["vectors"]

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

    def bench(self, tokens, repetitions, *options):
        """The nanoseconds of each repetition, by number of tokens."""
        command = [self.program, "-m", self.model, "-p", ",".join(map(str, tokens)), "-n", "0", "-t", str(THREADS),
                   "-r", str(repetitions), "-o", "json", *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
        return {r["n_prompt"]: r["samples_ns"] for r in json.loads(done.stdout)}

    def time_ids(self, batch, seconds):
        texts, length = len(batch), len(batch[0])
        if (texts, length) not in self.chosen:
            counts = [n for n in (1, 2, 4, 8) if n <= texts and n * length <= self.MOST]
            samples = self.bench([n * length for n in counts], 3, "-embd", "1")
            best = min(counts, key=lambda n: min(samples[n * length]) / n)
            self.chosen[texts, length] = best, min(samples[best * length]) / 1e9
        count, took = self.chosen[texts, length]
        repetitions = max(2, min(1000, round(seconds / took)))
        return [ns * texts / count for ns in self.bench([count * length], repetitions, "-embd", "1")[count * length]]

    def time_prefill(self, ids, seconds):
        n = len(ids)
        if n not in self.chosen:
            self.chosen[n] = min(self.bench([n], 2)[n]) / 1e9
        return self.bench([n], max(2, min(1000, round(seconds / self.chosen[n]))))[n]

    def close(self):
        pass

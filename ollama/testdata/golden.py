"""Makes the models that the tests of package ollama compare with, with a real server.

    python3 golden.py OLLAMA [--compare]

OLLAMA is the program (version 0.24). The inputs in golden/ are written with package
gguf, and "ollama create" makes models of the Modelfiles there, in the order of their
names. Each manifest and config is kept as it is, but for the path of the store, which
becomes STORE. --compare changes nothing and fails where something differs.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy
from gguf import GGUFWriter

here = pathlib.Path(__file__).parent / "golden"

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write(path, architecture, file_type=None, kind="model", chat=None, keys=(), shape=(3, 4)):
    w = GGUFWriter(path, architecture)
    w.add_type(kind)
    if file_type is not None:
        w.add_file_type(file_type)
    for key, value in keys:
        w.add_uint32(f"{architecture}.{key}", value)
    if chat:
        w.add_string("tokenizer.chat_template", chat)
    w.add_tensor("token_embd.weight", numpy.arange(numpy.prod(shape), dtype=numpy.float32).reshape(shape))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def inputs(folder):
    write(folder / "encoder.gguf", "bert", 0, keys=[("block_count", 2)], shape=(29, 40))
    write(folder / "chat.gguf", "llama", 15, chat=CHATML, keys=[("block_count", 2)])
    write(folder / "other-chat.gguf", "llama", 30, chat="{{ messages }}", keys=[("block_count", 2)])
    write(folder / "gemma.gguf", "gemma4", 1, keys=[("block_count", 2)])
    write(folder / "eye.gguf", "clip", 1, kind="mmproj", keys=[("vision.block_count", 2)])
    write(folder / "lora.gguf", "llama", 0, kind="adapter")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server on a store of its own."""

    def __init__(self, program, work):
        self.program, self.store, port = program, work / "store", free_port()
        home = work / "home"
        home.mkdir(exist_ok=True)
        self.env = dict(os.environ, HOME=str(home), OLLAMA_MODELS=str(self.store), OLLAMA_HOST=f"127.0.0.1:{port}")
        self.process = subprocess.Popen([program, "serve"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/version")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server does not answer")

    def create(self, name, path):
        subprocess.run([self.program, "create", name, "-f", path], env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        manifest = (self.store / "manifests/registry.ollama.ai/library" / name / "latest").read_text()
        digest = json.loads(manifest)["config"]["digest"]
        return manifest, (self.store / "blobs" / digest.replace(":", "-")).read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    program, compare = sys.argv[1], "--compare" in sys.argv
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        folder = work / "golden"
        folder.mkdir()
        for path in here.glob("*.Modelfile"):
            shutil.copy(path, folder)
        inputs(folder)
        server = Server(program, work)
        try:
            for path in sorted(folder.glob("*.Modelfile")):
                name = path.name.removesuffix(".Modelfile")
                # The order of several files is left to chance there; the model comes first here.
                for _ in range(50):
                    manifest, config = server.create(name, path)
                    if json.loads(manifest)["layers"][0]["mediaType"].endswith(".model"):
                        break
                path.with_suffix(".manifest").write_text(manifest.replace(str(server.store), "STORE"))
                path.with_suffix(".config").write_text(config)
        finally:
            server.stop()
        if compare:
            sys.exit(subprocess.run(["diff", "-r", folder, here]).returncode)
        for path in folder.iterdir():
            shutil.copy(path, here)


if __name__ == "__main__":
    main()

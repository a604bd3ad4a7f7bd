"""Holds package ollama against a real server on real models.

    python3 parity.py OLLAMA GGUFTOOL MODEL.gguf...

OLLAMA is the program, version 0.24. For each model, "ollama create" in a store of its own
and "gguftool modelfile create" in another must make the same layers and config. Then a server
on the store that gguftool made, whose blobs look older than the server's patience with what
nobody refers to, must list, show and run the models: the vectors of embedding models in floats
must have a cosine of 0.999 at least with those of gguftool, and of quantized ones, for which
llama.cpp quantizes activations too, of 0.995. What the server copies and removes, gguftool must
see.
"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from golden import Server

TEXTS = [
    "a quick brown fox", "hello world", "Ein Satz auf Deutsch.", "x",
    "The store keeps blobs by their digests, and manifests that refer to them. " * 8,
]

MODELFILE = """FROM {path}
PARAMETER num_ctx 256
PARAMETER temperature 0.25
PARAMETER stop "<stop>"
SYSTEM "Answer with <b>one</b> word."
LICENSE "anyone may use this"
MESSAGE user hi
MESSAGE assistant hello
"""


def call(server, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://{server.env['OLLAMA_HOST']}{path}", data) as answer:
        return json.load(answer)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def main():
    program, gguftool, models = sys.argv[1], sys.argv[2], [pathlib.Path(p).resolve() for p in sys.argv[3:]]
    failed = False

    def check(what, holds):
        nonlocal failed
        print("ok  " if holds else "FAIL", what, flush=True)
        failed = failed or not holds

    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "theirs").mkdir()
        (work / "ours").mkdir()
        ours = work / "ours" / "store"

        def tool(*args):
            return subprocess.run([gguftool, *args], check=True, env=dict(os.environ, OLLAMA_MODELS=str(ours)), capture_output=True, text=True).stdout

        server = Server(program, work / "theirs")
        try:
            for path in models:
                name = path.stem.lower()
                for kind, text in (("plain", f"FROM {path}\n"), ("all", MODELFILE.format(path=path))):
                    file = work / "Modelfile"
                    file.write_text(text)
                    theirs, config = server.create(f"{name}-{kind}", file)
                    made = json.loads(tool("modelfile", "create", f"{name}-{kind}", "-f", str(file), "--json"))
                    theirs = json.loads(theirs)
                    want = [(l["mediaType"], l["digest"], l["size"]) for l in theirs["layers"] + [theirs["config"]]]
                    check(f"{name}-{kind}: {len(want)} digests", want == [(l["media_type"], l["digest"], l["size"]) for l in made["layers"]])
        finally:
            server.stop()

        old = time.time() - 7200
        for blob in (ours / "blobs").iterdir():
            os.utime(blob, (old, old))
        server = Server(program, work / "ours")
        try:
            tool("modelfile", "verify")
            check("nothing was removed when the server started", True)
            listed = {m["name"]: m for m in call(server, "/api/tags")["models"]}
            for m in json.loads(tool("modelfile", "list", "--json"))["models"]:
                there = listed.pop(m["name"], None)
                check(f"{m['name']}: listed", there is not None and (there["digest"], there["size"]) == (m["id"], m["size"]))
                shown = call(server, "/api/show", {"model": m["name"]})
                here = json.loads(tool("modelfile", "show", "--json", m["name"]))
                check(f"{m['name']}: shown", shown["details"]["quantization_level"] == here["config"]["file_type"]
                      and shown["details"]["family"] == here["config"]["model_family"]
                      and shown.get("system", "") == here.get("system", ""))
            check("no more is listed", not listed)
            for path in models:
                name = path.stem.lower() + "-plain"
                if "embedding" not in call(server, "/api/show", {"model": name})["capabilities"]:
                    continue
                vectors = call(server, "/api/embed", {"model": name, "input": TEXTS})["embeddings"]
                own = json.loads(tool("embed", "--json", str(path), *TEXTS))["data"]
                least = min(cosine(a, b["embedding"]) for a, b in zip(vectors, own))
                file_type = json.loads(tool("modelfile", "show", "--json", name))["config"]["file_type"]
                floor = 0.995 if file_type.startswith("Q") else 0.999
                check(f"{name}: least cosine of {len(own)} vectors {least:.6f}", len(vectors) == len(own) == len(TEXTS) and least >= floor)
            name = models[0].stem.lower()
            ollama = lambda *args: subprocess.run([program, *args], env=server.env, check=True, capture_output=True)
            ollama("cp", f"{name}-all", "copied")
            ollama("rm", f"{name}-all")
            tool("modelfile", "verify", "copied")
            tool("modelfile", "remove", "copied")
            check("what is removed here is gone there", all("copied" not in m["name"] for m in call(server, "/api/tags")["models"]))
            verified = json.loads(tool("modelfile", "verify", "--json"))
            check("the store is whole in the end", not verified["problems"] and not verified["orphans"])
        finally:
            server.stop()
    sys.exit(failed)


main()

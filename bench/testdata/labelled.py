#!/usr/bin/env python3
"""Compares what `gguftool bench fidelity` finds on labelled texts with sentence-transformers.

    labelled.py --gguftool BIN --checkpoint DIR --f32 FILE.gguf --beir DIR --sts FILE.tsv [--bar X]
                [--expect ndcg_10=X,recall_10=X,spearman=X]

A checkpoint and the F32 file that was made of it search the corpus for the queries and
score the pairs: sentence-transformers by its own evaluators, gguftool with the file as the
reference. Fails where a figure is further apart than the bar, 0.0005 unless said otherwise,
or further from what is expected of this model and these texts.
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator, InformationRetrievalEvaluator


def records(path):
    with open(path, encoding="utf-8") as f:
        return {r["_id"]: f"{r.get('title', '')} {r['text']}".strip() for r in map(json.loads, f)}


def tabbed(path):
    with open(path, encoding="utf-8", newline="") as f:
        return list(csv.reader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def theirs(a):
    model = SentenceTransformer(a.checkpoint, device="cpu")
    relevant = {}
    for query, text, grade in tabbed(os.path.join(a.beir, "qrels", "test.tsv"))[1:]:
        if int(grade) > 0:
            relevant.setdefault(query, set()).add(text)
    search = InformationRetrievalEvaluator(
        records(os.path.join(a.beir, "queries.jsonl")), records(os.path.join(a.beir, "corpus.jsonl")), relevant,
        precision_recall_at_k=[10, 100], write_csv=False)
    pairs = tabbed(a.sts)
    try:
        float(pairs[0][2])
    except ValueError:
        pairs = pairs[1:]  # without their header
    similarity = EmbeddingSimilarityEvaluator(
        [p[0] for p in pairs], [p[1] for p in pairs], [float(p[2]) for p in pairs], main_similarity="cosine", write_csv=False)
    found, scored = search(model), similarity(model)
    return {"ndcg_10": found["cosine_ndcg@10"], "recall_10": found["cosine_recall@10"], "recall_100": found["cosine_recall@100"],
            "mrr_10": found["cosine_mrr@10"], "spearman": scored["spearman_cosine"]}


def ours(a):
    with tempfile.TemporaryDirectory() as cache:
        command = [a.gguftool, "bench", "fidelity", a.f32, "--types", "Q8_0", "--cache", cache, "--beir", a.beir, "--sts", a.sts, "-o", "json"]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    reference = report["models"][0]["reference"]
    figures = {name: reference["retrieval"][name]["value"] for name in ("ndcg_10", "recall_10", "recall_100", "mrr_10")}
    return figures | {"spearman": reference["sts"][0]["spearman"]["value"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--gguftool", "--checkpoint", "--f32", "--beir", "--sts"):
        p.add_argument(name, required=True)
    p.add_argument("--bar", type=float, default=5e-4)
    p.add_argument("--expect", default="")
    a = p.parse_args()
    expected = {name: float(value) for name, value in (e.split("=") for e in a.expect.split(",") if e)}
    failed = False
    got, want = ours(a), theirs(a)
    for name in want:
        ok = abs(got[name] - want[name]) <= a.bar and abs(got[name] - expected.get(name, got[name])) <= a.bar
        known = f", expected {expected[name]:.4f}" if name in expected else ""
        print(f"{name}: {got[name]:.6f}, sentence-transformers {want[name]:.6f}{known}, bar {a.bar:g}: {'ok' if ok else 'FAILED'}", flush=True)
        failed |= not ok
    sys.exit(1 if failed or not expected.keys() <= want.keys() else 0)


main()

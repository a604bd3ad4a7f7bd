#!/usr/bin/env python3
"""Makes metrics.json: figures of fidelity_test.go by numpy, scipy and scikit-learn.

    metrics.py              writes metrics.json
    metrics.py --compare    tells whether it would come out the same but for rounding

The vectors are made here, with few enough digits that a float32 holds them to the last that is
written. Everything is computed in float64 with none of gguftool's code.
"""
import json
import os
import sys

import numpy
from scipy import stats
from scipy.special import log_softmax
from sklearn.metrics import ndcg_score

HERE = os.path.dirname(os.path.abspath(__file__))


def unit(x):
    return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def vectors(rng):
    reference = numpy.round(rng.normal(size=(40, 12)), 3)
    other = numpy.round(reference + 0.3 * rng.normal(size=reference.shape), 3)
    cases = []
    for dimensions in (12, 4):
        a, b = unit(reference[:, :dimensions]), unit(other[:, :dimensions])
        loss = 1 - (a * b).sum(axis=1)
        overlap, correlation, kl = [], [], []
        for i in range(len(a)):
            x, y = numpy.delete(a @ a[i], i), numpy.delete(b @ b[i], i)
            overlap.append(len(set(numpy.argsort(-x)[:10]) & set(numpy.argsort(-y)[:10])) / 10)
            correlation.append(stats.spearmanr(x, y).statistic)
            p, q = log_softmax(20 * x), log_softmax(20 * y)
            kl.append((numpy.exp(p) * (p - q)).sum())
        cases.append({
            "dimensions": dimensions, "loss": loss.mean(), "worst": loss.max(), "worst_text": int(loss.argmax()),
            "p50": numpy.quantile(loss, 0.5), "p90": numpy.quantile(loss, 0.9), "p99": numpy.quantile(loss, 0.99),
            "overlap": numpy.mean(overlap), "rank_correlation": numpy.mean(correlation), "kl": numpy.mean(kl),
        })
    return {"reference": reference.tolist(), "other": other.tolist(), "cases": cases}


def spearman(rng):
    x = rng.integers(0, 8, 50)  # with many ties
    y = x + rng.integers(0, 6, 50)
    return {"x": x.tolist(), "y": y.tolist(), "spearman": stats.spearmanr(x, y).statistic}


def interval(rng):
    values = numpy.round(rng.gamma(2, size=200), 4)
    b = stats.bootstrap((values,), numpy.mean, n_resamples=20000, method="percentile", rng=rng).confidence_interval
    return {"values": values.tolist(), "mean": values.mean(), "low": b.low, "high": b.high}


def retrieval(rng):
    """Scores of 6 queries and 30 texts by sklearn's nDCG, which ranks by score; all scores differ."""
    cases = []
    for _ in range(6):
        order = rng.permutation(30)
        relevant = {int(t): int(rng.integers(1, 4)) for t in rng.choice(30, size=rng.integers(1, 14), replace=False)}
        grades = numpy.array([[relevant.get(t, 0) for t in range(30)]])
        score = numpy.zeros((1, 30))
        score[0, order] = -numpy.arange(30)
        places = [i for i, t in enumerate(order) if int(t) in relevant]
        cases.append({
            "found": order.tolist(), "relevant": {str(t): g for t, g in sorted(relevant.items())},
            "ndcg": ndcg_score(grades, score, k=10),
            "recall": sum(p < 10 for p in places) / len(relevant),
            "mrr": 1 / (places[0] + 1) if places[0] < 10 else 0,
        })
    return cases


def labelled(rng):
    """A search and graded pairs, from vectors to figures. The text "q3" is query q3 itself, which is no answer to it."""
    queries, corpus = numpy.round(rng.normal(size=(8, 6)), 2), numpy.round(rng.normal(size=(130, 6)), 2)
    ids = [f"t{i}" for i in range(len(corpus))]
    ids[50] = "q3"
    corpus[50] = queries[3]
    scores = unit(queries) @ unit(corpus).T
    figures, relevant = [], {}
    for q, row in enumerate(scores):
        # Texts near the query are more often relevant.
        chosen = rng.choice(len(corpus), size=rng.integers(1, 15), replace=False, p=numpy.exp(2 * row) / numpy.exp(2 * row).sum())
        relevant[f"q{q}"] = {ids[t]: int(rng.integers(1, 4)) for t in sorted(chosen) if ids[t] != f"q{q}"}
        others = [t for t in range(len(corpus)) if ids[t] != f"q{q}"]
        grades = numpy.array([relevant[f"q{q}"].get(ids[t], 0) for t in others])
        ranked = grades[numpy.argsort(-row[others], kind="stable")] > 0
        first = numpy.flatnonzero(ranked[:10])
        figures.append([
            ndcg_score([grades], [row[others]], k=10), ranked[:10].sum() / ranked.sum(), ranked[:100].sum() / ranked.sum(),
            1 / (first[0] + 1) if len(first) else 0,
        ])
    left, right = numpy.round(rng.normal(size=(40, 6)), 2), numpy.round(rng.normal(size=(40, 6)), 2)
    cosines = (unit(left) * unit(right)).sum(axis=1)
    grades = numpy.round(5 * (cosines + 0.5 * rng.normal(size=40))) / 5  # with ties
    names = ("ndcg_10", "recall_10", "recall_100", "mrr_10")
    return {
        "queries": queries.tolist(), "corpus": corpus.tolist(), "ids": ids, "relevant": relevant,
        **dict(zip(names, numpy.mean(figures, axis=0).tolist())),
        "left": left.tolist(), "right": right.tolist(), "grades": grades.tolist(), "spearman": stats.spearmanr(cosines, grades).statistic,
    }


def logits(rng):
    reference = numpy.round(2 * rng.normal(size=(20, 30)), 3)
    other = numpy.round(reference + 0.5 * rng.normal(size=reference.shape), 3)
    p, q = log_softmax(reference, axis=1), log_softmax(other, axis=1)
    kl = (numpy.exp(p) * (p - q)).sum(axis=1)
    ids = rng.integers(0, 30, 21)
    # Windows of 10 tokens: of each, positions 5 to 8 count, which predict 6 to 9.
    at = [w * 10 + i for w in range(2) for i in range(5, 9)]
    nll = lambda l: numpy.mean([-l[i, ids[i + 1]] for i in at])
    return {
        "ids": ids.tolist(), "reference": reference.tolist(), "other": other.tolist(),
        "kl": kl[at].mean(), "kl_worst": kl[at].max(), "top1_agreement": (p.argmax(1) == q.argmax(1))[at].mean(),
        "perplexity": numpy.exp(nll(q)), "reference_perplexity": numpy.exp(nll(p)), "nll_increase": nll(q) - nll(p),
    }


def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) <= 1e-9 * max(1, abs(b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


rng = numpy.random.default_rng(4)
made = {"vectors": vectors(rng), "spearman": spearman(rng), "interval": interval(rng), "retrieval": retrieval(rng), "logits": logits(rng),
        "labelled": labelled(rng)}
made = json.loads(json.dumps(made, default=float))
path = os.path.join(HERE, "metrics.json")
if sys.argv[1:] == ["--compare"]:
    with open(path) as f:
        if not same(made, json.load(f)):
            sys.exit("metrics.json would come out different")
    print("metrics.json: same")
else:
    with open(path, "w") as f:
        json.dump(made, f)
        f.write("\n")

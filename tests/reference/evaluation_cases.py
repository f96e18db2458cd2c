#!/usr/bin/env python3
"""Random cases for evaluation/: AUC, DeLong, Obuchowski, sensitivity at specificity, accuracy, Brier, macro AUC.

From scikit-learn where it has the number; DeLong's and Obuchowski's variances from all pairs, written down as in
the papers (no ranks). Needs numpy, scipy, scikit-learn. Run: python3 evaluation_cases.py evaluation_cases.json
"""
import json
import sys

import numpy as np
import scipy
import sklearn
from scipy.special import softmax
from sklearn import metrics


def obuchowski(score, y, group):
    """Obuchowski 1997, eq. for the variance of one clustered AUC; every quantity by its definition."""
    x, z = score[y == 1], score[y == 0]
    psi = (x[:, None] > z[None, :]) + 0.5 * (x[:, None] == z[None, :])
    theta, v10, v01 = psi.mean(), psi.mean(1), psi.mean(0)
    gx, gz, m, n = group[y == 1], group[y == 0], len(x), len(z)
    ids = np.unique(group)
    a = np.array([v10[gx == i].sum() - (gx == i).sum() * theta for i in ids])
    b = np.array([v01[gz == i].sum() - (gz == i).sum() * theta for i in ids])
    i10, i01, i = len(np.unique(gx)), len(np.unique(gz)), len(ids)
    s10 = i10 / ((i10 - 1) * m) * (a**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (b**2).sum()
    s11 = i / (i - 1) * (a * b).sum()
    return theta, s10 / m + s01 / n + 2 * s11 / (m * n)


def delong(score, y):
    x, z = score[y == 1], score[y == 0]
    psi = (x[:, None] > z[None, :]) + 0.5 * (x[:, None] == z[None, :])
    return np.var(psi.mean(1), ddof=1) / len(x) + np.var(psi.mean(0), ddof=1) / len(z)


def sensitivity(score, y, percent):
    negatives = int((y == 0).sum())
    best = 0
    for t in np.unique(score):
        if 100 * int(((score >= t) & (y == 0)).sum()) <= (100 - percent) * negatives:
            best = max(best, int(((score >= t) & (y == 1)).sum()))
    return best / int((y == 1).sum())


def binary_case(rng, rows, groups, ties):
    group = rng.integers(0, groups, rows)
    y = rng.integers(0, 2, rows)
    y[:3], y[3:6], group[:6] = 0, 1, np.arange(6) % groups
    logits = np.stack([rng.normal(size=rows), rng.normal(size=rows) + 0.8 * y + rng.normal(size=groups)[group]], 1)
    logits = (np.round(logits * ties) / ties if ties else logits).astype(np.float32)
    score = logits[:, 1].astype(float) - logits[:, 0]
    auc, variance = obuchowski(score, y, group)
    assert abs(auc - metrics.roc_auc_score(y, score)) < 1e-12
    predicted = np.where(logits[:, 1] > logits[:, 0], 1, 0)
    right = np.where(logits[:, 1] == logits[:, 0], False, predicted == y)  # a tie is an error
    accuracy_predicted = np.where(right, y, 1 - y)
    return {"classes": 2, "group": group.tolist(), "label": y.tolist(), "logits": logits.ravel().tolist(),
            "auc": metrics.roc_auc_score(y, score), "delong_variance": delong(score, y), "clustered_variance": variance,
            "accuracy": metrics.accuracy_score(y, accuracy_predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, accuracy_predicted),
            "brier": metrics.brier_score_loss(y, softmax(logits.astype(float), 1)[:, 1]),
            "sensitivity_at": {str(p): sensitivity(score, y, p) for p in (50, 80, 90, 95)}}


def many_case(rng, rows, classes):
    y = rng.integers(0, classes, rows)
    y[:classes] = np.arange(classes)
    logits = (rng.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[y]).astype(np.float32)
    p = softmax(logits.astype(float), 1)
    return {"classes": classes, "group": list(range(rows)), "label": y.tolist(), "logits": logits.ravel().tolist(),
            "auc": metrics.roc_auc_score(y, p, multi_class="ovr", average="macro"),
            "accuracy": metrics.accuracy_score(y, logits.argmax(1)),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, logits.argmax(1)),
            "brier": float(((p - np.eye(classes)[y]) ** 2).sum(1).mean())}


def main():
    rng = np.random.default_rng(20260)
    cases = [binary_case(rng, rows, groups, ties) for rows, groups, ties in
             ((12, 6, 0), (40, 9, 2), (60, 60, 0), (100, 20, 1), (100, 13, 0), (150, 150, 3), (150, 40, 4))]
    cases += [many_case(rng, 60, 3), many_case(rng, 100, 5)]
    out = {"made_by": "tests/reference/evaluation_cases.py",
           "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}, "cases": cases}
    with open(sys.argv[1], "w") as f:
        json.dump(out, f)
        f.write("\n")


main()

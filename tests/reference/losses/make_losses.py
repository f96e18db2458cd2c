"""Golden values for worker/losses. Needs: torch 2.13.0, lightly 1.6.0, scikit-learn, numpy.

    python3 make_losses.py        # writes nt_xent.json, cross_entropy.json, logistic_regression.json beside itself
"""
import json
import pathlib

import lightly
import numpy as np
import sklearn
import torch
from lightly.loss import NTXentLoss
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).parent


def write(name, arrays):
    versions = {"torch": torch.__version__, "lightly": lightly.__version__, "scikit-learn": sklearn.__version__,
                "numpy": np.__version__}
    tensors = {k: {"shape": list(np.shape(v)), "values": np.asarray(v, dtype=float).ravel().tolist()}
               for k, v in arrays.items()}
    (HERE / name).write_text(json.dumps({"versions": versions, "tensors": tensors}) + "\n")


def google_objective(u, tau):
    """objective.py of google-research/simclr on one replica, in NumPy: the sum of two means, with -1e9 on the diagonal."""
    h1, h2 = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in u)
    n = len(h1)
    mask = np.eye(n) * 1e9
    aa, bb = h1 @ h1.T / tau - mask, h2 @ h2.T / tau - mask
    ab, ba = h1 @ h2.T / tau, h2 @ h1.T / tau

    def mean_cross_entropy(logits):
        top = logits.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0] - logits[np.arange(n), np.arange(n)])

    return mean_cross_entropy(np.hstack([ab, aa])) + mean_cross_entropy(np.hstack([ba, bb]))


def nt_xent():
    rng = np.random.default_rng(7)
    shared = rng.normal(size=(1, 8, 5))
    u = shared + 0.7 * rng.normal(size=(2, 8, 5))  # [view, image, D]: views of one image resemble each other
    out = {"u": u, "temperatures": [0.05, 0.1, 0.5, 1.0]}
    for i, tau in enumerate(out["temperatures"]):
        views = [torch.tensor(v, requires_grad=True) for v in u]
        loss = NTXentLoss(temperature=tau)(*views)
        loss.backward()
        out[f"loss{i}"] = loss.item()
        out[f"gradient{i}"] = np.stack([v.grad.numpy() for v in views])
        out[f"google_loss{i}"] = google_objective(u, tau)
    write("nt_xent.json", out)


def cross_entropy():
    rng = np.random.default_rng(8)
    logits = torch.tensor(3 * rng.normal(size=(7, 4)), requires_grad=True)
    labels = torch.tensor([2, 0, -1, 3, 1, -1, 0])
    loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    loss.backward()
    known = labels >= 0
    correct = (logits.argmax(1) == labels)[known].sum().item()
    write("cross_entropy.json", {"logits": logits.detach().numpy(), "labels": labels.numpy(), "loss": loss.item(),
                                 "gradient": logits.grad.numpy(), "correct": correct})


def logistic_regression():
    out = {}
    for classes in (2, 3):
        rng = np.random.default_rng(classes)
        labels = rng.integers(0, classes, 60)
        features = rng.normal(size=(60, 6)) * [1, 30, 0.01, 1, 5, 0] + [0, 100, 1, -3, 0, 7]  # the last is constant
        features[:, :3] += 0.8 * labels[:, None] * [1, 30, 0.01]
        scaler = StandardScaler().fit(features)
        out[f"features{classes}"], out[f"labels{classes}"] = features, labels
        for i, l2 in enumerate((0.01, 1.0, 100.0)):
            # With two classes scikit-learn fits one vector d = w1 - w0; |w0|^2 + |w1|^2 is then |d|^2 / 2.
            fit = LogisticRegression(C=(2 if classes == 2 else 1) / l2, tol=1e-12, max_iter=100000, solver="lbfgs")
            fit.fit(scaler.transform(features), labels)
            out[f"weight{classes}_{i}"] = fit.coef_ / scaler.scale_
            out[f"bias{classes}_{i}"] = fit.intercept_ - (fit.coef_ / scaler.scale_) @ scaler.mean_
            out[f"l2_{i}"] = l2
    write("logistic_regression.json", out)


nt_xent()
cross_entropy()
logistic_regression()

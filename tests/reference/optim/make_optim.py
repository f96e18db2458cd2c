"""Golden trajectories for worker/optim, in double. Needs: torch 2.13.0, lightly 1.6.0, numpy.

    python3 make_optim.py         # writes optim.json beside itself

LARS: the update rules of four released codes, written out in NumPy without looking at ours (google-research/simclr
lars_optimizer.py with classic_momentum True and False; facebookresearch/barlowtwins main.py); `lightly` is lightly's own
class. SGD and AdamW are torch.optim's. Start values and gradients are formulas that the C++ test repeats.
"""
import json
import pathlib

import lightly
import numpy as np
import torch
from lightly.utils.lars import LARS

STEPS, CHANGE = 24, 13  # the learning rate drops after CHANGE steps
EETA, MU = 0.001, 0.9
#       name             shape      start  gradient  excluded (at most one dimension)
SPEC = [("big.weight", (90, 101), 1.0, 0.3, False),  # three chunks of 4096
        ("zero.weight", (4, 3), 0.0, 0.5, False),    # norm 0 at the first step
        ("still.weight", (5, 2), 0.8, 0.0, False),   # never a gradient
        ("null.weight", (2, 2), 0.0, 0.0, False),    # nothing at all
        ("norm1.weight", (7,), 1.0, 0.2, True),
        ("head.fc.bias", (3,), 0.5, 0.4, True)]


def wave(size, scale, phase):
    i = np.arange(size, dtype=float)
    return scale * np.sin(0.37 * i + phase) * (1 + 0.5 * np.cos(0.11 * i * phase))


def start(index):
    _, shape, scale, _, _ = SPEC[index]
    return wave(int(np.prod(shape)), scale, 1.0 + index).reshape(shape)


def gradient(index, step):
    _, shape, _, scale, _ = SPEC[index]
    return wave(int(np.prod(shape)), scale, 2.0 + index + 0.7 * step).reshape(shape)


def rate(step, lr):
    return lr if step < CHANGE else 0.25 * lr


def numpy_lars(form, weight_decay, lr):
    weights = [start(i) for i in range(len(SPEC))]
    momenta = [np.zeros_like(w) for w in weights]
    for step in range(STEPS):
        for i, (w, v) in enumerate(zip(weights, momenta)):
            g, excluded, now = gradient(i, step), SPEC[i][4], rate(step, lr)
            if not excluded:
                g = g + weight_decay * w

            def trust(norm):
                size = np.linalg.norm(w)
                return EETA * size / norm if not excluded and size > 0 and norm > 0 else 1.0

            if form == "classic":
                v[...] = MU * v + now * trust(np.linalg.norm(g)) * g
                w -= v
            elif form == "popular":
                v[...] = MU * v + g
                w -= now * trust(np.linalg.norm(v)) * v
            elif form == "byol":
                v[...] = MU * v + trust(np.linalg.norm(g)) * g
                w -= now * v
        yield weights, momenta


def torch_steps(make, lr, keys):
    params = [torch.nn.Parameter(torch.tensor(start(i))) for i in range(len(SPEC))]
    optimizer = make([p for p, s in zip(params, SPEC) if not s[4]], [p for p, s in zip(params, SPEC) if s[4]])
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, lr)
        for i, p in enumerate(params):
            p.grad = torch.tensor(gradient(i, step))
        optimizer.step()
        yield [p.detach().numpy() for p in params], *[[optimizer.state[p][k].numpy() for p in params] for k in keys]


def flat(arrays):
    """Every value of small tensors, every 197th of large ones."""
    return np.concatenate([a.ravel() if a.size < 100 else a.ravel()[::197] for a in arrays])


def two_groups(make, weight_decay):
    return lambda decayed, plain: make([{"params": decayed, "weight_decay": weight_decay},
                                        {"params": plain, "weight_decay": 0.0}])


out = {}
for decay in (0.0, 0.05):
    runs = {form: numpy_lars(form, decay, 0.4) for form in ("classic", "popular", "byol")}
    runs["lightly"] = torch_steps(two_groups(lambda g: LARS(g, lr=1, momentum=MU), decay), 0.4, ["momentum_buffer"])
    for nesterov in (False, True):
        runs["nesterov" if nesterov else "sgd"] = torch_steps(
            two_groups(lambda g, n=nesterov: torch.optim.SGD(g, lr=1, momentum=MU, nesterov=n), decay), 0.02,
            ["momentum_buffer"])
    runs["adamw"] = torch_steps(
        two_groups(lambda g: torch.optim.AdamW(g, lr=1, betas=(0.85, 0.98), eps=1e-6), decay), 0.01,
        ["exp_avg", "exp_avg_sq"])
    for name, run in runs.items():
        for step, (weights, *state) in enumerate(run):
            if step in (0, CHANGE - 1, CHANGE, STEPS - 1):
                out[f"{name}.decay{decay}.step{step}.weights"] = flat(weights)
                for k, values in enumerate(state):
                    out[f"{name}.decay{decay}.step{step}.state{k}"] = flat(values)

versions = {"torch": torch.__version__, "lightly": lightly.__version__, "numpy": np.__version__}
tensors = {k: {"shape": list(v.shape), "values": v.tolist()} for k, v in out.items()}
pathlib.Path(__file__).with_name("optim.json").write_text(json.dumps({"versions": versions, "tensors": tensors}) + "\n")

# Learning rates of the released codes, for tests/schedulers/schedule_test.cpp.
# python3 schedule.py > schedule.json      any Python 3; follows google-research/simclr model_util.py
# (WarmUpAndCosineDecay, get_train_steps) and google-research/big_transfer bit_hyperrule.py (get_schedule, get_lr).
import json
import math
import platform


def simclr(step, lr, scaling, samples, batch, epochs, warmup_epochs):
    total = samples * epochs // batch + 1
    warm = int(round(warmup_epochs * samples // batch))
    scaled = lr * batch / 256.0 if scaling == "linear" else lr * math.sqrt(batch)
    if step < warm:
        return step / float(warm) * scaled if warm else scaled
    done = min(step - warm, total - warm) / (total - warm)
    return scaled * 0.5 * (1 + math.cos(math.pi * done))


def bit(step, samples, lr):
    supports = (
        [100, 200, 300, 400, 500] if samples < 20_000 else [500, 3000, 6000, 9000, 10_000] if samples < 500_000
        else [500, 6000, 12_000, 18_000, 20_000]
    )
    if step < supports[0]:
        return lr * step / supports[0]
    for s in supports[1:]:
        if s < step:
            lr /= 10
    return lr


CASES = [
    dict(lr=0.3, scaling="linear", samples=50_000, batch=512, epochs=100, warmup_epochs=10),
    dict(lr=0.075, scaling="sqrt", samples=1_281_167, batch=4096, epochs=100, warmup_epochs=10),
    dict(lr=1.0, scaling="linear", samples=1_000, batch=96, epochs=7, warmup_epochs=3),
    dict(lr=0.5, scaling="linear", samples=512, batch=64, epochs=4, warmup_epochs=0),  # divides: the + 1 shows
]
out = {"versions": {"python": platform.python_version()}, "simclr": [], "bit_hyper": []}
for case in CASES:
    total = case["samples"] * case["epochs"] // case["batch"] + 1
    warm = int(round(case["warmup_epochs"] * case["samples"] // case["batch"]))
    steps = sorted({0, 1, warm // 2, max(warm - 1, 0), warm, warm + 1, (warm + total) // 2, total - 2, total - 1})
    values = [[s, simclr(s, **case)] for s in steps]
    out["simclr"].append({**case, "total": total, "warm": warm, "values": values})
for samples in (5_000, 20_000, 499_999, 500_000):
    end = 500 if samples < 20_000 else 10_000 if samples < 500_000 else 20_000
    steps = [0, 1, 50, 99, 100, 200, 201, 300, 301, 400, 401, 499, 500, 2999, 3000, 3001, 6000, 6001, 9001, 9999, 12001, 18000, 18001, 19999]
    out["bit_hyper"].append({"samples": samples, "total": end, "values": [[s, bit(s, samples, 0.003)] for s in steps if s < end]})
print(json.dumps(out, separators=(",", ":")))

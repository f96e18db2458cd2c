"""Golden numbers of the BiT encoder: timm's ResNetV2 with StdConv2d.eps set to BiT's 1e-10 (timm has 1e-8), in fp64.

usage: python3 make_models.py            writes r50x1.json, r14x0_5.json and init.json beside itself
packages: torch==2.13.0 timm==1.0.31 numpy (any)

The weights are not stored: both sides make them by numbers(), below and in tests/worker/models/bit_numbers.cpp.
A tensor is stored as summary(): sum, sum of magnitudes, largest magnitude, product with a fixed vector, four elements.
"""
import functools
import json
import math
import os

import numpy
import timm
import torch
from timm.models.resnetv2 import ResNetV2

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1
torch.set_num_threads(2)


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def numbers(name, count):
    """Element i is splitmix64's finaliser of fnv1a(name) + (i + 1) * golden ratio, in [-1, 1), 53 bits."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(fnv1a(name)) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1.0)


def fill(model):
    for name, p in model.named_parameters():
        u = numbers(name, p.numel()).view(p.shape)
        if p.dim() > 1:
            u = 0.04 * u  # variance 5e-4: what eps is, and where it is added, shows
        else:
            u = 1 + 0.5 * u if name.endswith("weight") else 0.5 * u
        with torch.no_grad():
            p.copy_(u)


def summary(t):
    t = t.detach().double().contiguous().view(-1)
    n = t.numel()
    picked = [t[(n * k) // 4].item() for k in range(4)]
    return [t.sum().item(), t.abs().sum().item(), t.abs().max().item(), (t * numbers("summary", n)).sum().item()] + picked


def model_of(layers, width, channels):
    if (layers, width, channels) == ([3, 4, 6, 3], 1, 3):
        model = timm.create_model("resnetv2_50x1_bit", num_classes=0)
    else:
        model = ResNetV2(layers, width_factor=width, in_chans=channels, num_classes=0, stem_type="fixed",
                         conv_layer=functools.partial(timm.layers.StdConv2d, eps=1e-8))
    for m in model.modules():
        if isinstance(m, timm.layers.StdConv2d):
            m.eps = 1e-10
    return model.double().eval()


def standardised(model):
    """As StdConv2d.forward does it."""
    for _, w in ordered(model):
        if w.dim() == 4:
            yield torch.nn.functional.batch_norm(w.reshape(1, w.shape[0], -1), None, None, training=True, momentum=0.0,
                                                 eps=1e-10).reshape_as(w)


def case(tensors, title, model, channels, height, width, gradients=True):
    x = numbers(f"images {title}", 2 * channels * height * width).view(2, channels, height, width)
    stages = []
    hooks = [m.register_forward_hook(lambda _m, _i, out: stages.append(out)) for m in (model.stem, *model.stages, model.norm)]
    h = model(x)
    for hook in hooks:
        hook.remove()
    tensors[f"{title}/stages"] = [summary(s) for s in stages]
    tensors[f"{title}/features"] = h.detach()[:, :: 1 if max(height, width) <= 64 else 16].tolist()
    if gradients:
        model.zero_grad()
        h.backward(numbers(f"upstream {title}", h.numel()).view_as(h))
        tensors[f"{title}/gradients"] = [summary(p.grad) for _, p in ordered(model)]


def ordered(model):
    """In the order of bit_tensors(): conv and norm by name, downsample last in a block."""
    named = dict(model.named_parameters())
    names = ["stem.conv.weight"]
    for s, stage in enumerate(model.stages):
        for b, block in enumerate(stage.blocks):
            at = f"stages.{s}.blocks.{b}."
            for k in (1, 2, 3):
                names += [f"{at}norm{k}.weight", f"{at}norm{k}.bias", f"{at}conv{k}.weight"]
            if block.downsample is not None:
                names.append(at + "downsample.conv.weight")
    names += ["norm.weight", "norm.bias"]
    assert sorted(names) == sorted(named), set(names) ^ set(named)
    return [(n, named[n]) for n in names]


def philox4x32(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def normals(seed, name, count, sigma):
    """configs/philox.hpp's Draws(seed, kInit = 3, fnv1a(name)), 53-bit uniforms, Box-Muller."""
    low, high = seed & 0xFFFFFFFF, seed >> 32
    mixed = philox4x32([low, high, 3, 0], [0, 0x454E5452])
    h = fnv1a(name)
    stream = []
    for block in range(count):
        stream += philox4x32([h & 0xFFFFFFFF, h >> 32, block, mixed[2]], mixed[:2])
    uniform = [(((stream[i] >> 5) << 26) | (stream[i + 1] >> 6)) * 2.0**-53 for i in range(0, len(stream), 2)]
    out = []
    for i in range(0, count, 2):
        radius, angle = sigma * math.sqrt(-2 * math.log(1 - uniform[i])), 2 * math.pi * uniform[i + 1]
        out += [radius * math.cos(angle), radius * math.sin(angle)]
    return out[:count]


def write(name, tensors):
    def shape(v):
        return [len(v)] + shape(v[0]) if isinstance(v, list) else []

    def flat(v):
        return [x for row in v for x in flat(row)] if isinstance(v, list) else [v]

    versions = {"torch": torch.__version__.split("+")[0], "timm": timm.__version__, "numpy": numpy.__version__}
    with open(os.path.join(HERE, name), "w") as out:
        json.dump({"versions": versions, "tensors": {k: {"shape": shape(v), "values": flat(v)} for k, v in tensors.items()}},
                  out, separators=(",", ":"))
        out.write("\n")


def main():
    for title, model, channels, sizes in (
            ("r50x1", model_of([3, 4, 6, 3], 1, 3), 3, [(64, 64), (65, 97), (224, 224), (193, 225)]),
            ("r14x0.5", model_of([1, 1, 1, 1], 0.5, 1), 1, [(48, 40), (33, 75)])):
        fill(model)
        tensors = {f"{title}/standardised": [summary(w) for w in standardised(model)]}
        for height, width in sizes:
            case(tensors, f"{title} {height}x{width}", model, channels, height, width, gradients=(height != 193))
        write(f"{title.replace('.', '_')}.json", tensors)
    write("init.json", {"seed 7 a.weight": normals(7, "a.weight", 9, 1.0),
                        "seed 2^33+5 stages.0.blocks.0.conv1.weight": normals(2**33 + 5, "stages.0.blocks.0.conv1.weight", 8, 0.1)})


main()

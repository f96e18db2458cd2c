"""Golden numbers for worker/export: what timm computes with a classifier whose weights have timm's names.

usage: python3 make_export.py            writes export.json beside itself
packages: torch==2.13.0 timm==1.0.31 numpy (any)

The weights are not stored: both sides make them by numbers() of ../models/make_models.py, from timm's name of each
tensor. So a tensor that `entrain export` gives another's name shows in the scores. Shapes are stored as they are in timm.
"""
import functools
import json
import pathlib

import numpy
import timm
import torch
from timm.models.resnetv2 import ResNetV2

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def numbers(name, shape):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with numpy.errstate(over="ignore"):
        count = int(numpy.prod(shape))
        z = numpy.uint64(h) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1.0).view(shape)


def value(name, shape):
    u = numbers(name, shape)
    if len(shape) > 1:
        return 0.04 * u
    return 1 + 0.5 * u if name.endswith("weight") else 0.5 * u


def main():
    torch.set_num_threads(1)
    model = ResNetV2([1, 1, 1, 1], width_factor=0.5, in_chans=1, num_classes=3, stem_type="fixed",
                     conv_layer=functools.partial(timm.layers.StdConv2d, eps=1e-10)).double().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(value(name, p.shape))
        x = numbers("images export", (2, 1, 40, 33))
        features = model.forward_head(model.forward_features(x), pre_logits=True).flatten(1)
        scores = model(x)
    tensors = {"features": features, "scores": scores}
    tensors.update({f"shape {name}": torch.tensor(p.shape) for name, p in model.state_dict().items()})
    (HERE / "export.json").write_text(json.dumps(
        {"versions": {"torch": torch.__version__.split("+")[0], "timm": timm.__version__, "numpy": numpy.__version__},
         "tensors": {k: {"shape": list(v.shape), "values": v.double().flatten().tolist()} for k, v in tensors.items()}},
        separators=(",", ":")) + "\n")
    print(features.abs().max(), scores)


main()

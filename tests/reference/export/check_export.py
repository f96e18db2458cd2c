"""Loads what `entrain export --classifier` wrote in timm and holds it against predictions.csv of `entrain evaluate`.

usage: entrain export --from F --out model.safetensors --names timm --classifier
       entrain evaluate CONFIG run.dir=E init.from=F data.files=X.h5
       python3 check_export.py model.safetensors E/predictions.csv X.h5
packages: torch==2.13.0 timm==1.0.31 h5py numpy safetensors

The images (u8) must have the size the run was trained at, so that no resize comes in between. Shares nothing with Entrain:
timm makes the network, h5py reads the images. Ends with 1 unless every score agrees within 1e-4 of the largest score, and a
near-miss (the stem's pool padded with -inf, timm's default, instead of BiT's 0) does not. Also says what timm's own eps of
1e-8 in StdConv2d would change.
"""
import csv
import functools
import sys

import h5py
import numpy
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from timm.models.resnetv2 import ResNetV2

UNITS = {"14": [1, 1, 1, 1], "26": [2, 2, 2, 2], "50": [3, 4, 6, 3], "101": [3, 4, 23, 3], "152": [3, 8, 36, 3]}


def network(path, eps=1e-10, stem_type="fixed"):
    with safe_open(path, "pt") as f:
        meta = f.metadata()
    classes = load_file(path)["head.fc.bias"].numel()
    depth, width = meta["model"].removeprefix("bit_r").split("x")
    model = ResNetV2(UNITS[depth], width_factor=float(width), in_chans=int(meta["in_channels"]), num_classes=classes,
                     stem_type=stem_type, conv_layer=functools.partial(timm.layers.StdConv2d, eps=eps))
    model.load_state_dict(load_file(path))  # strict: every name and shape
    return model.eval(), [int(n) for n in meta["input_size"].split(",")]


def scores(model, images):
    with torch.no_grad():
        return torch.cat([model(x) for x in images.split(64)]).numpy()


def main(weights, predictions, corpus):
    with open(predictions, newline="") as f:
        rows = list(csv.DictReader(f))
    ours = numpy.array([[float(r[k]) for k in r if k.startswith("score_")] for r in rows])
    model, size = network(weights)
    with h5py.File(corpus) as f:
        images = numpy.stack([f["images"][int(r["row"])] for r in rows])
    x = torch.from_numpy(images).float().div(255).sub(0.5).div(0.5)
    x = x.unsqueeze(1) if x.dim() == 3 else x.permute(0, 3, 1, 2)
    assert list(x.shape[1:]) == size, f"images are {list(x.shape[1:])}, the run was trained at {size}"
    largest = numpy.abs(ours).max()
    off, other_pool, other_eps = (numpy.abs(scores(m, x) - ours).max() / largest for m in (
        model, network(weights, stem_type="")[0], network(weights, eps=1e-8)[0]))
    print(f"{len(rows)} images, largest score {largest:.3f}; timm differs by {off:.1e} of it; with another pool by {other_pool:.1e}, "
          f"with eps 1e-8 by {other_eps:.1e}")
    return 0 if len(rows) > 0 and largest > 1e-2 and off < 1e-4 < other_pool else 1


sys.exit(main(*sys.argv[1:]))

"""Loads what `entrain export --classifier` wrote in timm and holds it against predictions.csv of `entrain evaluate`.

usage: entrain export --from F --out model.safetensors --names timm --classifier
       entrain evaluate CONFIG run.dir=E init.from=F data.files=X.h5
       python3 check_export.py model.safetensors E/predictions.csv X.h5
packages: torch==2.13.0 timm==1.0.31 h5py numpy safetensors

The images (u8) must have the size the run was trained at, so that no resize comes in between. Shares nothing with Entrain:
timm makes the network, h5py reads the images. Ends with 1 unless every score agrees within 1e-3 of the largest score, and
unless timm's own eps of 1e-8 is seen to change them (else the comparison would be too blunt to trust).
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


def network(path, eps):
    with safe_open(path, "pt") as f:
        meta = f.metadata()
    classes = load_file(path)["head.fc.bias"].numel()
    depth, width = meta["model"].removeprefix("bit_r").split("x")
    model = ResNetV2(UNITS[depth], width_factor=float(width), in_chans=int(meta["in_channels"]), num_classes=classes,
                     stem_type="fixed", conv_layer=functools.partial(timm.layers.StdConv2d, eps=eps))
    model.load_state_dict(load_file(path))  # strict: every name and shape
    return model.eval(), [int(n) for n in meta["input_size"].split(",")]


def scores(model, images):
    with torch.no_grad():
        return torch.cat([model(x) for x in images.split(64)]).numpy()


def main(weights, predictions, corpus):
    with open(predictions, newline="") as f:
        rows = list(csv.DictReader(f))
    ours = numpy.array([[float(r[k]) for k in r if k.startswith("score_")] for r in rows])
    model, size = network(weights, 1e-10)
    with h5py.File(corpus) as f:
        images = numpy.stack([f["images"][int(r["row"])] for r in rows])
    x = torch.from_numpy(images).float().div(255).sub(0.5).div(0.5)
    x = x.unsqueeze(1) if x.dim() == 3 else x.permute(0, 3, 1, 2)
    assert list(x.shape[1:]) == size, f"images are {list(x.shape[1:])}, the run was trained at {size}"
    largest = numpy.abs(ours).max()
    off = numpy.abs(scores(model, x) - ours).max() / largest
    other_eps = numpy.abs(scores(network(weights, 1e-8)[0], x) - ours).max() / largest
    print(f"{len(rows)} images, largest score {largest:.3f}: timm differs by {off:.2e} of it, with eps 1e-8 by {other_eps:.2e}")
    return 0 if len(rows) > 0 and largest > 1e-2 and off < 1e-3 and other_eps > 3 * off else 1


sys.exit(main(*sys.argv[1:]))

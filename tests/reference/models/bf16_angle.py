"""How far bfloat16 turns the gradient of a BiT ResNet: timm's, under torch.autocast, beside the same model in fp64.

usage: python3 bf16_angle.py         prints the cosines that tests/worker/models/encoder_devices_test.cpp bounds
packages: torch==2.13.0 timm==1.0.31 numpy (any)
"""
import torch

from make_models import fill, model_of, numbers

SHAPE = (2, 1, 48, 40)


def step(autocast):
    model = model_of([1, 1, 1, 1], 0.5, 1)
    fill(model)
    if autocast:
        model = model.float()
    dtype = torch.float32 if autocast else torch.float64
    x = numbers("images", torch.Size(SHAPE).numel()).view(SHAPE).to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        h = model(x)
    h.backward(numbers("dh", h.numel()).view_as(h).to(h.dtype))
    return h.double().flatten().detach(), torch.cat([p.grad.double().flatten() for p in model.parameters()])


def cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


wide, narrow = step(False), step(True)
print("features", cosine(wide[0], narrow[0]))
print("gradient", cosine(wide[1], narrow[1]))

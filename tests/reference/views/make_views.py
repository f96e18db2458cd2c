"""Golden views: torchvision's own functional transforms on float tensors at fixed parameters.

    python3 make_views.py OUT_DIR        (torch 2.13.0, torchvision 0.28.0, numpy)

Writes views.json (one case per line of its list: image, parameters, where the output lies) and views.bin (all
images and outputs, little-endian). "controls" are outputs
of wrong definitions at the parameters of a case: Entrain must differ from them. The google profile's pieces come from plain numpy loops below, written from
TensorFlow's kernels (resize_bicubic_op.cc, adjust_contrast_op, adjust_saturation_op.cc) and from
google-research/simclr data_util.py; nothing here is shared with Entrain's C++.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.transforms.v2 import functional as F
from torchvision.transforms.v2 import InterpolationMode

BILINEAR = InterpolationMode.BILINEAR
PLAIN = dict(flip_horizontal=False, flip_vertical=False, rotation=0.0, equalize=False, jitter=False, order=[0, 1, 2, 3],
             brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0, gamma=1.0, gray=False, blur=0.0)


def picture(height, width, channels, kind, seed):
    """Smooth shapes, an edge, saturated and grey parts, and noise: something every operation acts on."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = []
    for c in range(channels):
        a, b, p = rng.uniform(2, 9, 3)
        plane = 0.5 + 0.35 * np.sin(a * x + p) * np.cos(b * y) + 0.12 * rng.standard_normal((height, width))
        plane[(x - 0.3) ** 2 + (y - 0.4) ** 2 < 0.02] = 0.92 - 0.3 * c
        planes.append(plane)
    image = np.stack(planes, -1)
    image[: height // 6, : width // 4] = 0.4          # grey: hue undefined
    image[-height // 6 :, -width // 4 :] = 0.0        # black
    image[: height // 8, -width // 4 :] = 1.0         # white
    image = np.clip(image, 0, 1)
    if kind == "u8":
        return np.round(image * 255).astype(np.uint8)
    if kind == "u16":
        return np.round(image * 65535).astype(np.uint16)
    return image.astype(np.float32)


def to_unit(image, window):
    low, high = window
    x = (torch.from_numpy(image.astype(np.float32)) - np.float32(low)) / np.float32(high - low)
    return x.clamp(0, 1).permute(2, 0, 1).contiguous()


def torchvision_view(x, p, side):
    if p["equalize"]:
        x = F.equalize(x)
    if p["rotation"] != 0:
        x = F.rotate(x, p["rotation"], interpolation=BILINEAR)
    x = F.resized_crop(x, *p["crop"], size=[side, side], interpolation=BILINEAR, antialias=True)
    if p["flip_horizontal"]:
        x = F.horizontal_flip(x)
    if p["flip_vertical"]:
        x = F.vertical_flip(x)
    if p["jitter"]:
        ops = [lambda v: F.adjust_brightness(v, p["brightness"]), lambda v: F.adjust_contrast(v, p["contrast"]),
               lambda v: F.adjust_saturation(v, p["saturation"]), lambda v: F.adjust_hue(v, p["hue"])]
        for op in p["order"]:
            x = ops[op](x)
        x = F.adjust_gamma(x, p["gamma"])
    if p["gray"] and x.shape[0] == 3:
        x = F.rgb_to_grayscale(x, num_output_channels=3)
    if p["blur"] > 0:
        k = int(0.1 * side)
        k += 1 - k % 2
        x = F.gaussian_blur(x, [k, k], [p["blur"], p["blur"]])
    return F.normalize(x, [0.5] * x.shape[0], [0.5] * x.shape[0])


# ---- google, in float64 loops -------------------------------------------------------------------------------------
def keys(t, a=-0.5):
    t = abs(t)
    if t < 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


def bicubic_matrix(n_in, n_out):
    m = np.zeros((n_out, n_in))
    scale = np.float32(n_in) / np.float32(n_out)
    for o in range(n_out):
        place = np.float32((np.float32(o) + np.float32(0.5)) * scale - np.float32(0.5))
        base = math.floor(place)
        fraction = round(float(place - np.float32(base)) * 1024) / 1024
        for tap in range(base - 1, base + 3):
            if 0 <= tap < n_in:
                m[o, tap] = keys(tap - base - fraction)
        m[o] /= m[o].sum()
    return m


def google_hsv(rgb, change):
    import colorsys
    out = np.empty_like(rgb)
    for i in np.ndindex(rgb.shape[1:]):
        r, g, b = (float(v) for v in rgb[(slice(None), *i)])
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        out[(slice(None), *i)] = colorsys.hsv_to_rgb(*change(h, s, v))
    return out


def google_view(x, p, side):
    x = x.double().numpy()
    if p["equalize"]:
        gray = x[0] if len(x) == 1 else np.float32(0.2989) * x[0].astype(np.float32) + np.float32(0.587) * x[1].astype(
            np.float32) + np.float32(0.114) * x[2].astype(np.float32)
        levels = (gray.astype(np.float32) * np.float32(255)).astype(np.int64)
        cdf = np.cumsum(np.bincount(levels.ravel(), minlength=256))
        lut = np.round((cdf - cdf[cdf > 0][0]) * 255 / (levels.size - 1)).clip(0, 255) / 255
        x = np.stack([lut[levels]] * len(x))
    if p["rotation"] != 0:
        x = F.rotate(torch.from_numpy(x), p["rotation"], interpolation=BILINEAR).numpy()
    top, left, height, width = p["crop"]
    x = x[:, top : top + height, left : left + width]
    x = np.einsum("oh,chw,pw->cop", bicubic_matrix(height, side), x, bicubic_matrix(width, side))
    x = x[:, :, ::-1] if p["flip_horizontal"] else x
    x = x[:, ::-1] if p["flip_vertical"] else x
    if p["jitter"]:
        for op in p["order"]:
            if op == 0:
                x = x * p["brightness"]
            elif op == 1:
                mean = x.mean((1, 2), keepdims=True)
                x = (x - mean) * p["contrast"] + mean
            elif op == 2 and len(x) == 3:
                x = google_hsv(x, lambda h, s, v: (h, min(s * p["saturation"], 1.0), v))
            elif op == 3 and len(x) == 3:
                x = google_hsv(x, lambda h, s, v: ((h + p["hue"]) % 1.0, s, v))
            x = x.clip(0, 1)
        x = x ** p["gamma"]
    if p["gray"] and len(x) == 3:
        x = np.stack([0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2]] * 3)
    x = x.clip(0, 1)
    if p["blur"] > 0:
        radius = (side // 10) // 2
        taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / p["blur"]) ** 2)
        taps /= taps.sum()
        for axis in (1, 2):
            pad = [(0, 0)] * 3
            pad[axis] = (radius, radius)
            padded = np.pad(x, pad)
            x = sum(t * np.take(padded, np.arange(side) + i, axis) for i, t in enumerate(taps))
    return torch.from_numpy(np.ascontiguousarray(2 * x - 1))


# ---- the cases ----------------------------------------------------------------------------------------------------
IMAGES = {  # name: height, width, channels, kind, window
    "gray8": (40, 48, 1, "u8", (0, 255)),
    "rgb8": (40, 48, 3, "u8", (0, 255)),
    "gray16": (45, 37, 1, "u16", (0, 65535)),
    "rgb16": (37, 45, 3, "u16", (0, 65535)),
    "window16": (45, 37, 1, "u16", (9000, 41000)),
    "gray32": (31, 57, 1, "f32", (0, 1)),
    "large8": (101, 87, 1, "u8", (0, 255)),
}


def cases():
    whole = lambda image: [0, 0, *IMAGES[image][:2]]
    def case(name, image, side=24, profile="torchvision", crop=None, **changes):
        return dict(name=name, image=image, side=side, profile=profile, parameters=PLAIN | dict(crop=crop or whole(image)) | changes)
    one = "gray8 rgb8 gray16 rgb16 window16 gray32".split()
    yield from (case("crop_" + i, i, side=25, crop=[3, 2, 27, 31]) for i in one)
    yield case("down", "large8", side=21)
    yield case("down_odd_scale", "large8", side=23, crop=[7, 11, 73, 61])
    yield case("up", "rgb8", side=36, crop=[11, 13, 9, 7])
    yield case("same_size", "gray8", side=32, crop=[4, 9, 32, 32])
    yield case("one_pixel", "gray8", side=17, crop=[20, 20, 1, 1])
    yield case("flip_h", "rgb8", flip_horizontal=True)
    yield case("flip_v", "gray16", flip_vertical=True)
    for image in ("gray8", "rgb8", "window16"):
        yield case("rotate_" + image, image, rotation=17.3, crop=[2, 1, 36, 33])
    yield case("rotate_back", "rgb8", rotation=-44.0)
    yield case("rotate_far", "gray8", rotation=171.0, crop=[0, 3, 30, 40])
    yield case("equalize_gray16", "gray16", equalize=True)
    yield case("equalize_rgb8", "rgb8", equalize=True)
    yield case("equalize_large", "large8", equalize=True)
    neutral = dict(jitter=True)
    for f in (0.0, 0.2, 1.8):
        yield case(f"brightness_{f}", "rgb8", brightness=f, **neutral)
        yield case(f"contrast_{f}", "rgb8", contrast=f, **neutral)
        yield case(f"saturation_{f}", "rgb8", saturation=f, **neutral)
    yield case("contrast_gray", "gray16", contrast=1.7, **neutral)
    yield case("colour_on_gray", "gray8", saturation=0.1, hue=0.4, gray=True, **neutral)
    for h in (-0.5, -0.17, 0.2, 0.5):
        yield case(f"hue_{h}", "rgb8", hue=h, **neutral)
    for g in (0.4, 2.5):
        yield case(f"gamma_{g}", "rgb8", gamma=g, **neutral)
    yield case("gray", "rgb8", gray=True)
    for s in (0.1, 0.7, 2.0):
        yield case(f"blur_{s}", "gray8", side=31, blur=s)
    yield case("blur_wide", "large8", side=60, blur=2.0)
    chain = dict(jitter=True, brightness=1.37, contrast=0.55, saturation=1.6, hue=-0.13, gamma=0.8, blur=1.3)
    yield case("chain_rgb8", "rgb8", side=30, crop=[5, 4, 31, 28], order=[3, 1, 0, 2], flip_horizontal=True, rotation=-8.0, **chain)
    yield case("chain_rgb16", "rgb16", side=29, crop=[1, 9, 30, 35], order=[2, 0, 3, 1], gray=True, **chain)
    yield case("chain_gray16", "window16", side=41, crop=[5, 4, 31, 28], order=[1, 2, 3, 0], rotation=9.0, **chain)
    yield case("chain_equalized", "large8", side=40, crop=[15, 24, 61, 58], order=[0, 1, 2, 3], equalize=True, rotation=5.0, **chain)
    for image in ("gray8", "rgb8", "rgb16", "window16"):
        yield case("google_crop_" + image, image, profile="google", side=25, crop=[3, 2, 27, 31])
    yield case("google_down", "large8", profile="google", side=21)
    yield case("google_equalize", "rgb8", profile="google", equalize=True)
    for f in (0.2, 1.8):
        yield case(f"google_contrast_{f}", "rgb8", profile="google", contrast=f, order=[1, 0, 2, 3], **neutral)
        yield case(f"google_saturation_{f}", "rgb8", profile="google", saturation=f, order=[0, 2, 1, 3], **neutral)
    yield case("google_blur", "gray8", profile="google", side=50, blur=1.6)
    yield case("google_chain", "rgb8", profile="google", side=30, crop=[5, 4, 31, 28], order=[0, 3, 1, 2], flip_vertical=True, **chain)


def controls():
    """Plausible mistakes, as (case whose parameters and image are used, name, view made wrongly)."""
    by_name = {c["name"]: c for c in cases()}

    def unit(case):
        return to_unit(picture(*IMAGES[case["image"]][:4], list(IMAGES).index(case["image"])), IMAGES[case["image"]][4])

    def crop(x, box, side, antialias=True):
        return F.resized_crop(x, *box, size=[side, side], interpolation=BILINEAR, antialias=antialias)

    case = by_name["down_odd_scale"]
    yield case, "no_antialias", 2 * crop(unit(case), case["parameters"]["crop"], case["side"], False) - 1
    case = by_name["crop_rgb8"]
    top, left, height, width = case["parameters"]["crop"]
    yield case, "crop_one_row_less", 2 * crop(unit(case), [top, left, height - 1, width], case["side"]) - 1
    case = by_name["contrast_1.8"]
    x = crop(unit(case), case["parameters"]["crop"], case["side"])
    mean = x.mean((1, 2), keepdim=True)
    yield case, "contrast_about_channel_means", 2 * ((x - mean) * 1.8 + mean).clamp(0, 1) - 1
    case = by_name["hue_0.2"]
    x = crop(unit(case), case["parameters"]["crop"], case["side"]).numpy().astype(np.float64)
    levels = lambda h: (round(h * 255) + int(0.2 * 255)) % 256 / 255
    yield case, "hue_in_eight_bits", torch.from_numpy(2 * google_hsv(x, lambda h, s, v: (levels(h), s, v)) - 1)
    case = by_name["blur_2.0"]
    x = crop(unit(case), case["parameters"]["crop"], case["side"])
    k = case["side"] // 10 | 1
    padded = torch.nn.functional.pad(x, [k // 2] * 4)
    blurred = F.gaussian_blur(padded, [k, k], [2.0, 2.0])[:, k // 2 : -(k // 2), k // 2 : -(k // 2)]
    yield case, "blur_padded_with_zeros", 2 * blurred - 1
    case = by_name["rotate_rgb8"]
    yield case, "rotated_the_other_way", torchvision_view(unit(case), case["parameters"] | dict(rotation=-17.3), case["side"])
    case = by_name["rotate_back"]
    turned = crop(unit(case), case["parameters"]["crop"], case["side"])
    yield case, "crop_before_rotation", 2 * F.rotate(turned, -44.0, interpolation=BILINEAR) - 1
    case = by_name["gamma_2.5"]
    yield case, "gamma_inverted", torchvision_view(unit(case), case["parameters"] | dict(gamma=0.4), case["side"])
    case = by_name["google_crop_gray8"]
    x = unit(case)[:, 3:30, 2:33][None]
    wrong = torch.nn.functional.interpolate(x, [case["side"]] * 2, mode="bicubic", align_corners=False)[0]
    yield case, "bicubic_of_torch", 2 * wrong.clamp(0, 1) - 1


def main(folder):
    blob, images, listed = bytearray(), {}, []

    def put(array):
        array = np.ascontiguousarray(array)
        place = len(blob)
        blob.extend(array.tobytes())
        blob.extend(b"\0" * (-len(blob) % 4))
        return dict(offset=place, values=int(array.size))

    pixels = {}
    for seed, (name, (height, width, channels, kind, window)) in enumerate(IMAGES.items()):
        pixels[name] = picture(height, width, channels, kind, seed)
        images[name] = dict(height=height, width=width, channels=channels, type=kind, window=list(window), data=put(pixels[name]))
    for case in cases():
        x = to_unit(pixels[case["image"]], IMAGES[case["image"]][4])
        view = (torchvision_view if case["profile"] == "torchvision" else google_view)(x, case["parameters"], case["side"])
        listed.append(case | dict(output=put(view.float().numpy())))
    wrong = [dict(case=case["name"], name=name, output=put(view.float().numpy())) for case, name, view in controls()]
    made_by = dict(torch=torch.__version__, torchvision=torchvision.__version__, numpy=np.__version__, script="make_views.py")
    lines = ",\n".join("  " + json.dumps(c) for c in listed)
    wrong_lines = ",\n".join("  " + json.dumps(c) for c in wrong)
    names = ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in images.items())
    Path(folder, "views.json").write_text(f'{{"made_by": {json.dumps(made_by)},\n"images": {{\n{names}}},\n"cases": [\n{lines}],\n"controls": [\n{wrong_lines}]}}\n')
    Path(folder, "views.bin").write_bytes(blob)
    print(f"{len(listed)} cases, {len(blob)} bytes, {made_by}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1])

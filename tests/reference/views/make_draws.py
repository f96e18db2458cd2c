"""Golden parameters of views: the crop rules and the keyed draws, written a second time in Python.

    python3 make_draws.py OUT_DIR        (numpy)

torchvision_box is RandomResizedCrop.get_params of torchvision 0.28, google_box TensorFlow's
GenerateRandomCrop; both read their numbers from Philox 4x32-10 under Entrain's key. Writes draws.json.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def stream(seed, purpose, a, b, c):
    mixed = philox([seed & 0xFFFFFFFF, seed >> 32, purpose, c], [b, 0x454E5452])
    number = 0
    while True:
        yield from philox([a & 0xFFFFFFFF, a >> 32, number, mixed[2]], mixed[:2])
        number += 1


def draw(section, height, width, seed, epoch, sample, view):
    words = stream(seed, 2, sample, epoch, view)

    def u():
        high, low = next(words) >> 5, next(words) >> 6
        return ((high << 26) | low) / 2.0**53

    between = lambda low, high: low + (high - low) * u()
    below = lambda n: ((next(words) << 32 | next(words)) * n) >> 64
    factor = lambda w: between(max(0.0, 1 - w), 1 + w)
    p = dict(flip_horizontal=u() < section["horizontal_flip"], flip_vertical=u() < section["vertical_flip"],
             rotation=between(-section["rotation_degrees"], section["rotation_degrees"]),
             equalize=u() < section["equalize"], jitter=u() < section["jitter"])
    order = [0, 1, 2, 3]
    for last in (3, 2, 1):
        j = below(last + 1)
        order[last], order[j] = order[j], order[last]
    p |= dict(order=order, brightness=factor(section["brightness"]), contrast=factor(section["contrast"]),
              saturation=factor(section["saturation"]), hue=between(-section["hue"], section["hue"]),
              gamma=math.exp(between(-section["gamma"], section["gamma"])), gray=u() < section["gray"])
    blurred, sigma = u() < section["blur"], between(section["blur_sigma_min"], section["blur_sigma_max"])
    p["blur"] = sigma if blurred else 0.0
    p["crop"] = (google_box if section["profile"] == "google" else torchvision_box)(section, height, width, u, between)
    return p


def torchvision_box(section, height, width, u, between):
    area = height * width
    for _ in range(10):
        target = area * between(section["min_area"], section["max_area"])
        aspect = math.exp(between(math.log(3 / 4), math.log(4 / 3)))
        down, right = u(), u()
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return [int(down * (height - h + 1)), int(right * (width - w + 1)), h, w]
    ratio = width / height
    h, w = height, width
    if ratio < 3 / 4:
        h = round(w / (3 / 4))
    elif ratio > 4 / 3:
        w = round(h * (4 / 3))
    return [(height - h) // 2, (width - w) // 2, h, w]


def google_box(section, height, width, u, between):
    f = np.float32
    least, most = f(section["min_area"]) * f(height * width), f(section["max_area"]) * f(height * width)
    lrint = lambda v: int(np.rint(v))
    for _ in range(100):
        aspect = f(between(3 / 4, 4 / 3))
        numbers = [u(), u(), u()]
        across = lambda h: lrint(f(h) * aspect)
        h, top = lrint(np.sqrt(least / aspect)), lrint(np.sqrt(most / aspect))
        if across(top) > width:
            top = int((f(width) + f(0.5)) / aspect)
            top -= int(across(top) > width)
        top = min(top, height)
        h = min(h, top)
        h += int(numbers[0] * (top - h + 1))
        h += int(h * across(h) < least)
        h -= int(h * across(h) > most)
        w = across(h)
        if h * w < least or h * w > most or h * w < f(0.1) * f(height * width) or not (0 < w <= width and 0 < h <= height):
            continue
        return [int(numbers[1] * (height - h)), int(numbers[2] * (width - w)), h, w]
    return [0, 0, height, width]


def drawn_cases():
    simclr = dict(profile="torchvision", min_area=0.08, max_area=1.0, horizontal_flip=0.5, vertical_flip=0.0, rotation_degrees=0.0,
                  jitter=0.8, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, gamma=0.0, gray=0.2, blur=0.5,
                  blur_sigma_min=0.1, blur_sigma_max=2.0, equalize=0.0)
    other = simclr | dict(min_area=0.3, vertical_flip=0.3, rotation_degrees=12.0, gamma=0.4, equalize=0.25, brightness=1.4)
    for section in (simclr, other, simclr | dict(profile="google"), other | dict(profile="google", max_area=0.9)):
        for height, width in ((224, 224), (101, 87), (40, 400)):
            for seed, epoch, sample, view in ((0, 0, 0, 0), (1, 7, 12345, 1), (2**40 + 3, 99, 2**33 + 1, 0), (5, 0, 17, 1)):
                yield dict(section=section, height=height, width=width, seed=seed, epoch=epoch, sample=sample, view=view,
                           want=draw(section, height, width, seed, epoch, sample, view))


def main(folder):
    made_by = dict(numpy=np.__version__, script="make_draws.py")
    lines = ",\n".join("  " + json.dumps(c) for c in drawn_cases())
    Path(folder, "draws.json").write_text(f'{{"made_by": {json.dumps(made_by)},\n"cases": [\n{lines}]}}\n')


if __name__ == "__main__":
    main(sys.argv[1])

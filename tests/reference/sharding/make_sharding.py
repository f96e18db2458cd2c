"""Golden files of tests/sharding, written by packages that share no code with Entrain.

    python3 make_sharding.py        # needs h5py, numpy, pillow; writes beside itself
VERSIONS.txt names the versions that made the files.
"""
import io
import json
import pathlib
import sys
import tarfile

import h5py
import numpy as np
import PIL
from PIL import Image

here = pathlib.Path(__file__).parent


def h5py_files():
    """Row r, y, x, channel c of every image is (37 r + 11 y + 5 x + 3 c) mod 251, as in the test."""
    r, y, x, c = np.meshgrid(np.arange(6), np.arange(5), np.arange(4), np.arange(3), indexing="ij")
    v = ((37 * r + 11 * y + 5 * x + 3 * c) % 251).astype(np.uint8)
    for libver, name in (("earliest", "h5py_earliest.h5"), (("v110", "v110"), "h5py_v110.h5")):
        with h5py.File(here / name, "w", libver=libver) as f:
            f.create_dataset("images", data=v, chunks=(4, 5, 4, 3), compression="gzip", shuffle=True)
            f.create_dataset("planes", data=v.transpose(0, 3, 1, 2).astype(">u2"))
            f.create_dataset("floats", data=v[..., 0].astype("<f4") / 250, chunks=(2, 3, 4), fletcher32=True)
            f.create_dataset("group", data=["pat-\u00e4", "b", "b", "c", "pat-\u00e4", "d"], dtype=h5py.string_dtype())
            f.create_dataset("fixed_group", data=np.array([b"a", b"b", b"b", b"c", b"a", b"d"]))
            f["split"] = ["train", "train", "train", "val", "train", "test"]
            f["label"] = np.array([1, 0, 0, 1, 1, 0], np.int64)
            f["label"].attrs["class_names"] = ["normal", "pneumonia"]
            f["flag"] = np.array([True, False, False, True, True, False])  # an enum in the file
            f["y"] = np.array([3, 7, 7, 3, 3, 7], np.uint8).reshape(6, 1, 1, 1)  # as PatchCamelyon has it


def picture(height, width, seed):
    """Smooth colours with some noise."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([127 + 120 * np.sin(x / 3 + k) * np.cos(y / 4 - k) for k in range(3)], -1)
    return np.clip(rgb + g.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)


def pictures():
    folder = here / "pictures"
    folder.mkdir(exist_ok=True)
    rgb = picture(18, 25, 1)
    grey = rgb[..., 0]
    deep = (rgb[..., 1].astype(np.uint16) * 200 + 77).astype(np.uint16)
    rgba = np.dstack([rgb, np.full(grey.shape, 128, np.uint8)])
    im = Image.fromarray(rgb)
    im.save(folder / "rgb.png")
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(np.repeat(grey[..., None], 3, -1)).save(folder / "grey_as_rgb.png")
    Image.fromarray(deep).save(folder / "deep.png")
    Image.fromarray(rgba).save(folder / "alpha.png")
    im.quantize(32).save(folder / "palette.png")
    Image.fromarray((grey > 127)).convert("1").save(folder / "bits.png")
    im.save(folder / "rgb.bmp")
    Image.fromarray(grey).save(folder / "grey.bmp")
    im.convert("RGBA").save(folder / "bgra.bmp")
    im.save(folder / "rgb.jpg", quality=95, subsampling=0)
    Image.fromarray(grey).save(folder / "grey.jpg", quality=95)
    im.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    im.save(folder / "turned.jpg", quality=95, subsampling=0, exif=exif)
    (folder / "cut.jpg").write_bytes((folder / "rgb.jpg").read_bytes()[:500])
    (folder / "cut.png").write_bytes((folder / "rgb.png").read_bytes()[:300])

    expected = {}
    for name in ("rgb.png", "grey.png", "grey_as_rgb.png", "deep.png", "palette.png", "bits.png", "rgb.bmp", "grey.bmp",
                 "rgb.jpg", "grey.jpg", "cmyk.jpg", "turned.jpg", "alpha.png", "bgra.bmp"):
        got = Image.open(folder / name)
        if name == "turned.jpg":
            from PIL import ImageOps
            got = ImageOps.exif_transpose(got)
        if got.mode in ("P", "CMYK", "RGBA"):
            got = got.convert("RGB")
        if got.mode == "1":
            got = got.convert("L")
        a = np.asarray(got)
        expected[name] = {"height": a.shape[0], "width": a.shape[1], "channels": 1 if a.ndim == 2 else 3,
                          "values": a.reshape(-1).tolist()}
    bil = Image.Resampling.BILINEAR
    expected["luma"] = np.asarray(im.convert("L")).reshape(-1).tolist()
    expected["crop8"] = np.asarray(im.resize((8, 8), bil, box=(3, 0, 21, 18))).reshape(-1).tolist()
    expected["stretch8"] = np.asarray(im.resize((8, 8), bil)).reshape(-1).tolist()
    expected["stretch40"] = np.asarray(im.resize((40, 40), bil)).reshape(-1).tolist()
    pad = Image.new("RGB", (8, 8))
    pad.paste(im.resize((8, 6), bil), (0, 1))
    expected["pad8"] = np.asarray(pad).reshape(-1).tolist()
    (here / "pictures.json").write_text(json.dumps(expected, separators=(",", ":")))


def archives():
    files = {"a.txt": b"alpha", "folder/b.bin": bytes(range(256)) * 3, "deep/" * 30 + "c.txt": b"long name",
             "umlaut-\u00fc.txt": b"utf-8", "empty": b""}
    for form, name in ((tarfile.USTAR_FORMAT, "ustar.tar"), (tarfile.PAX_FORMAT, "pax.tar"), (tarfile.GNU_FORMAT, "gnu.tar")):
        with tarfile.open(here / name, "w", format=form) as tar:
            for path, data in files.items():
                if form == tarfile.USTAR_FORMAT and len(path) > 100:
                    path = "deep/" * 19 + "c.txt" if len(path) > 250 else path
                info = tarfile.TarInfo("./" + path if path == "a.txt" else path)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with tarfile.open(here / "packed.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"alpha"))


if __name__ == "__main__":
    h5py_files()
    pictures()
    archives()
    (here / "VERSIONS.txt").write_text(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, numpy {np.__version__}, "
                                       f"pillow {PIL.__version__}, Python {sys.version.split()[0]}\n")

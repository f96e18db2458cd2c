"""Golden chunks of tests/sharding/filters, compressed by packages that share no code with Entrain.

    python3 make_filters.py        # needs h5py, hdf5plugin, numpy; writes filters.h5 beside itself

/cases/<name>: a dataset of one chunk, through the filters that its name tells; attribute `raw` names the dataset of
/raw that it must be equal to. filters_versions.txt names the versions that made the file.
"""
import pathlib
import struct
import sys

import h5py
import hdf5plugin
import numpy as np

here = pathlib.Path(__file__).parent
random = np.random.default_rng(7)


def smooth(n, dtype):
    ramp = 200 * np.sin(np.arange(n) / 90) + 30000 + random.integers(0, 5, n)
    return ramp.astype(np.uint64).astype(dtype) if dtype != "u1" else (ramp // 150).astype("u1")


def raw_arrays():
    out = {}
    for size, n in ((1, 2003), (2, 4619), (4, 1301), (8, 651)):
        out[f"smooth{size}"] = smooth(n, f"<u{size}" if size > 1 else "u1")
        out[f"noise{size}"] = random.integers(0, 2**63, 1208 // size + 1, dtype=np.int64).astype(f"<u{size}" if size > 1 else "u1")
    out["ones2"] = np.full(1001, 0xFFFF, "<u2")        # a Fletcher sum that is a multiple of 65535 and not 0
    out["zeros1"] = np.zeros(9001, "u1")
    out["runs1"] = np.tile(np.frombuffer(b"abcabc" * 5 + b"x" * 77 + bytes(range(90)), "u1"), 9)  # near copies, odd size
    out["far1"] = np.concatenate([a := random.integers(0, 256, 8192, dtype=np.int64).astype("u1"), a[:700], a[5:33]])
    out["odd12"] = np.frombuffer(smooth(12 * 101, "<u2").tobytes()[: 12 * 201], "V12")   # an odd element size
    out["tiny2"] = np.array([1, 2, 3], "<u2")
    return out


class Cases:
    def __init__(self, file, raw):
        self.cases, self.raw = file.create_group("cases"), raw

    def new(self, name, raw, **filters):
        array = self.raw[raw]
        made = self.cases.create_dataset(f"{name}-{raw}", shape=array.shape, dtype=array.dtype, chunks=array.shape, **filters)
        made.attrs["raw"] = raw
        return made

    def add(self, name, raw, **filters):
        made = self.new(name, raw, **filters)
        made[...] = self.raw[raw]
        return made

    def direct(self, name, raw, stored, mask=0, **filters):
        """As `stored` says; main() sees that libhdf5 itself reads it rightly, once the file is opened anew."""
        made = self.new(name, raw, **filters)
        made.id.write_direct_chunk((0,), stored, mask)
        return made


def stored_bytes(dataset):
    dataset.file.flush()
    mask, data = dataset.id.read_direct_chunk((0,))
    return data


def library_filters(cases):
    for raw in cases.raw:
        wide = "1" not in raw
        cases.add("gzip", raw, compression="gzip", compression_opts=6)
        cases.add("lzf", raw, compression="lzf")  # noise does not pay: mask 1
        if raw == "far1":
            continue
        cases.add("fletcher", raw, fletcher32=True)
        cases.add("shuffle-gzip-fletcher", raw, shuffle=True, compression="gzip", fletcher32=True)
        if wide:
            cases.add("shuffle", raw, shuffle=True)
            cases.add("shuffle-lzf", raw, shuffle=True, compression="lzf")
    for raw in ("smooth2", "noise4"):
        for level in (1, 9):
            cases.add(f"gzip{level}", raw, compression="gzip", compression_opts=level)


def plugin_filters(cases):
    cases.add("lz4b3", "noise1", **hdf5plugin.LZ4(nbytes=3))  # a level where the block size belongs: grows to 2.3 times
    for raw in cases.raw:
        if raw == "far1":
            continue
        cases.add("lz4", raw, **hdf5plugin.LZ4())
        cases.add("lz4b1000", raw, **hdf5plugin.LZ4(nbytes=1000))  # noise: blocks that are not compressed
        cases.add("zstd", raw, **hdf5plugin.Zstd(clevel=3))
        if raw == "odd12":
            continue
        for codec in ("none", "lz4", "zstd"):
            cases.add(f"bitshuffle-{codec}", raw, **hdf5plugin.Bitshuffle(cname=codec))
            cases.add(f"bitshuffle64-{codec}", raw, **hdf5plugin.Bitshuffle(nelems=64, cname=codec))
    for raw in ("smooth1", "smooth2", "smooth4", "smooth8", "noise2", "zeros1", "tiny2"):
        for codec in ("blosclz", "lz4", "lz4hc", "zlib", "zstd"):
            for shuffle in (0, 1, 2):
                if shuffle == 1 or codec in ("blosclz", "lz4"):
                    cases.add(f"blosc-{codec}{shuffle}", raw, **hdf5plugin.Blosc(cname=codec, clevel=5, shuffle=shuffle))
    for raw in ("smooth2", "noise2"):
        cases.add("shuffle-lz4-fletcher", raw, shuffle=True, fletcher32=True, **hdf5plugin.LZ4())
        cases.add("shuffle-zstd", raw, shuffle=True, **hdf5plugin.Zstd())


def by_hand(cases):
    """What these writers do not write themselves."""
    import zlib
    raw = cases.raw["smooth2"]
    planes = np.frombuffer(raw.tobytes(), "u1").reshape(-1, 2).T.tobytes()
    everything = {"shuffle": True, "compression": "gzip", "fletcher32": True}
    whole = stored_bytes(cases.cases["shuffle-gzip-fletcher-smooth2"])
    checksum_of_raw = stored_bytes(cases.cases["fletcher-smooth2"])[-4:]
    assert zlib.decompress(whole[:-4]) == planes
    cases.direct("mask1", "smooth2", fletcher(zlib.compress(raw.tobytes())), 1, **everything)
    cases.direct("mask2", "smooth2", fletcher(planes), 2, **everything)
    cases.direct("mask3", "smooth2", raw.tobytes() + checksum_of_raw, 3, **everything)
    cases.direct("mask4", "smooth2", whole[:-4], 4, **everything)
    cases.direct("mask5", "smooth2", zlib.compress(raw.tobytes()), 5, **everything)
    cases.direct("mask6", "smooth2", planes, 6, **everything)
    cases.direct("mask7", "smooth2", raw.tobytes(), 7, **everything)
    # Files from before HDF5 1.6.3, and bytes after the end of a zlib stream.
    c = checksum_of_raw
    cases.direct("old-fletcher", "smooth2", raw.tobytes() + bytes([c[1], c[0], c[3], c[2]]), fletcher32=True)
    cases.direct("gzip-trailing", "smooth2", zlib.compress(raw.tobytes()) + b"trailing", compression="gzip")
    # The header's block size is right, not the one of the settings.
    for codec in ("lz4", "zstd"):
        other = stored_bytes(cases.cases[f"bitshuffle64-{codec}-smooth2"])
        cases.direct(f"bitshuffle-other-{codec}", "smooth2", other, **hdf5plugin.Bitshuffle(cname=codec))
    other = stored_bytes(cases.cases["lz4b1000-smooth2"])
    cases.direct("lz4-other", "smooth2", other, **hdf5plugin.LZ4())
    # The checksum first, then the codec; and two codecs.
    with_settings(cases, "fletcher-gzip", "smooth2", lambda p: (p.set_fletcher32(), p.set_deflate(4)))
    for odd in ("smooth8", "odd12"):  # four bytes more: no whole number of elements is shuffled
        with_settings(cases, "fletcher-shuffle-gzip", odd, lambda p: (p.set_fletcher32(), p.set_shuffle(), p.set_deflate(4)))
    with_settings(cases, "lzf-gzip", "smooth2", lambda p: (p.set_filter(32000, h5py.h5z.FLAG_OPTIONAL), p.set_deflate(4)))
    with_settings(cases, "shuffle-lzf-shuffle-gzip", "smooth4",
                  lambda p: (p.set_shuffle(), p.set_filter(32000, h5py.h5z.FLAG_OPTIONAL),
                             p.set_filter(h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FLAG_OPTIONAL, (4,)), p.set_deflate(4)))


def fletcher(data):
    """The bytes with their checksum, by libhdf5."""
    with h5py.File("x", "w", driver="core", backing_store=False) as f:
        a = np.frombuffer(data, "u1")
        d = f.create_dataset("d", data=a, chunks=a.shape, fletcher32=True)
        return stored_bytes(d)


def with_settings(cases, name, raw, settings):
    array = cases.raw[raw]
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_chunk(array.shape)
    settings(p)
    space = h5py.h5s.create_simple(array.shape)
    h5py.h5d.create(cases.cases.id, f"{name}-{raw}".encode(), h5py.h5t.py_create(array.dtype), space, p)
    made = cases.cases[f"{name}-{raw}"]
    made.attrs["raw"] = raw
    made[...] = array


def main():
    path = here / "filters.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as f:
        raw = raw_arrays()
        for name, array in raw.items():
            f.create_dataset(f"raw/{name}", data=array, chunks=array.shape, compression="gzip", compression_opts=9)
        cases = Cases(f, raw)
        library_filters(cases)
        plugin_filters(cases)
        by_hand(cases)
    with h5py.File(path) as f:
        for name, case in f["cases"].items():
            assert case[...].tobytes() == f["raw"][case.attrs["raw"]][...].tobytes(), name
        print(len(f["cases"]), "cases,", path.stat().st_size, "bytes")
    (here / "filters_versions.txt").write_text(
        f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, hdf5plugin {hdf5plugin.version}, "
        f"numpy {np.__version__}, Python {sys.version.split()[0]}\n")


main()

"""Golden files of tests/sharding/chunks, written and read by h5py, which brings a libhdf5 of its own.

    python3 make_chunks.py        # needs h5py, numpy; writes into chunks/ beside itself
chunks.json says for every dataset which way it is to be read, where h5py finds each chunk and, with SHA-256, what it
reads. VERSIONS.txt names the versions that made the files.
"""
import hashlib
import json
import pathlib

import h5py
import numpy as np

here = pathlib.Path(__file__).parent / "chunks"
cases = []


def values(shape, dtype, seed):
    """Smooth with some noise, so that compression pays and no two rows are equal."""
    g = np.random.default_rng(seed)
    n = int(np.prod(shape, dtype=np.int64))
    v = (np.arange(n) // 7 % 200 + g.integers(0, 3, n)).reshape(shape)
    return v.astype(dtype)


def record(path, name, way, why="", **more):
    """`way`: as ChunkIndex::Way without the k; `why`: a part of how()."""
    with h5py.File(path, "r") as f:
        d = f[name]
        case = {"file": path.name, "dataset": name, "way": way, "why": why, **more}
        case["sha256"] = hashlib.sha256(np.asarray(d[()]).tobytes()).hexdigest() if d.shape is not None else ""
        case["dims"] = list(d.shape or ())
        if d.chunks and d.size:
            info = [d.id.get_chunk_info(i) for i in range(d.id.get_num_chunks())]
            case["chunks"] = [[list(c.chunk_offset), c.byte_offset, c.size, c.filter_mask] for c in info]
        cases.append(case)


def one(file, name, way, why="", make=None, libver="earliest", userblock=0, more=None, **kwargs):
    path = here / file
    with h5py.File(path, "w", libver=libver, userblock_size=userblock) as f:
        if make:
            make(f, name)
        else:
            f.create_dataset(name, **kwargs)
    record(path, name, way, why, **(more or {}))


def raw_property(f, name, shape, dtype, change, data=None):
    """A dataset with a creation property that h5py's own interface does not offer."""
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    change(p)
    d = h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype), logical=True), h5py.h5s.create_simple(shape), p)
    if data is not None:
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(data))
    return d


def layouts():
    u8 = values((7, 6, 5, 3), "u1", 1)
    one("contiguous.h5", "x", "Contiguous", data=u8)
    one("contiguous_block.h5", "x", "Contiguous", userblock=4096, data=u8)
    one("unwritten.h5", "x", "Contiguous", shape=(5, 4), dtype="<i2", fillvalue=-3)
    one("unwritten_block.h5", "x", "Contiguous", userblock=512, shape=(5, 4), dtype=">i2", fillvalue=-3)
    one("scalar.h5", "x", "Contiguous", data=np.float64(1.5))
    one("empty.h5", "x", "Contiguous", shape=(0, 4), dtype="u1")
    one("compact.h5", "x", "Compact", make=lambda f, n: raw_property(
        f, n, u8.shape, "u1", lambda p: p.set_layout(h5py.h5d.COMPACT), u8))
    one("row_chunks.h5", "x", "Chunked", "chunk tree", data=u8, chunks=(1, 6, 5, 3))
    one("row_chunks_block.h5", "x", "Chunked", "chunk tree", userblock=4096, data=u8, chunks=(1, 6, 5, 3))
    one("v108.h5", "x", "Chunked", "chunk tree", libver=("v108", "v108"), data=u8, chunks=(2, 4, 5, 2))
    one("v108_block.h5", "x", "Chunked", "chunk tree", libver=("v108", "v108"), userblock=2048, data=u8, chunks=(2, 4, 5, 2))
    one("empty_chunked.h5", "x", "Chunked", shape=(0, 4), dtype="u1", maxshape=(None, 4), chunks=(3, 4))
    one("never_written.h5", "x", "Chunked", "0 of 6", shape=(6, 4), dtype=">u2", chunks=(1, 4), fillvalue=0x1234)
    one("fixed_array.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), data=u8, chunks=(2, 4, 5, 2))
    one("fixed_array_block.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), userblock=4096, data=u8, chunks=(2, 4, 5, 2), compression="gzip")
    one("extensible_array.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), data=u8, chunks=(2, 4, 5, 2), maxshape=(None, 6, 5, 3), compression="gzip", shuffle=True)
    one("btree_v2.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), data=u8, chunks=(2, 4, 5, 2), maxshape=(None, None, 5, 3))
    one("single_chunk.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), data=u8, chunks=u8.shape)
    one("single_chunk_gzip.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), data=u8, chunks=u8.shape, compression="gzip")
    one("implicit.h5", "x", "Chunked", "list of libhdf5", libver=("v110", "v110"), make=lambda f, n: raw_property(
        f, n, u8.shape, "u1", lambda p: (p.set_chunk((2, 6, 5, 3)), p.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)), u8))
    one("big_root.h5", "x", "Chunked", "chunk tree", data=values((700,), "u1", 5), chunks=(1,))

    def virtual(f, n):
        f["source"] = u8
        layout = h5py.VirtualLayout(u8.shape, "u1")
        layout[:] = h5py.VirtualSource(f["source"])
        f.create_virtual_dataset(n, layout)
    one("virtual.h5", "x", "Library", "virtual", make=virtual)

    def linked(f, n):
        f[n] = h5py.ExternalLink("row_chunks_block.h5", "x")
    one("linked.h5", "x", "Chunked", "chunk tree", make=linked)

    # Bytes put in front of a finished file: the base address that its superblock names stays 0.
    (here / "in_front.h5").write_bytes(b"%" * 512 + (here / "row_chunks.h5").read_bytes())
    record(here / "in_front.h5", "x", "Chunked", "chunk tree")


def shapes():
    images = values((10, 6, 5), "<u2", 2)
    one("k_rows_gzip.h5", "x", "Chunked", data=images, chunks=(4, 6, 5), compression="gzip", shuffle=True)
    one("auto_chunks.h5", "x", "Chunked", data=values((40, 12, 12, 3), "u1", 3), chunks=(16, 5, 7, 1), compression="gzip", compression_opts=9)
    one("all_filters.h5", "x", "Chunked", data=images, chunks=(3, 4, 4), compression="gzip", shuffle=True, fletcher32=True)
    one("fletcher.h5", "x", "Chunked", data=images, chunks=(3, 4, 4), fletcher32=True)
    one("lzf.h5", "x", "Chunked", data=images, chunks=(3, 6, 5), compression="lzf", shuffle=True)
    noise = np.random.default_rng(4).integers(0, 256, (6, 64), np.uint8)
    one("lzf_noise.h5", "x", "Chunked", data=noise, chunks=(1, 64), compression="lzf")
    one("scaleoffset.h5", "x", "Library", "scaleoffset (6)", data=images, chunks=(4, 6, 5), scaleoffset=0)

    def grown(f, n):  # as CLAM writes: in another order than rows, more and less rows than once
        d = f.create_dataset(n, (2, 5), "u1", maxshape=(None, 5), chunks=(1, 5))
        for rows in (3, 9, 12):
            d.resize(rows, 0)
            d[rows - 1] = rows
        d[4], d[0] = 40, 41
        d.resize(10, 0)
    one("grown.h5", "x", "Chunked", "4 of 10", make=grown)

    def holes(f, n):
        d = f.create_dataset(n, (9, 7), ">f4", chunks=(2, 3), compression="gzip", fillvalue=2.5)
        d[4:6, 3:6] = values((2, 3), "f4", 6)
        d[8, 6] = -1
    one("holes.h5", "x", "Chunked", "2 of 15", make=holes)

    def no_fill(f, n):
        raw_property(f, n, (4, 4), "<u2", lambda p: (p.set_chunk((1, 4)), p.set_fill_time(h5py.h5d.FILL_TIME_NEVER)))
    one("no_fill.h5", "x", "Chunked", "0 of 4", make=no_fill)

    def masks(f, n):
        import zlib
        d = f.create_dataset(n, (5, 16), "<u2", chunks=(1, 16), compression="gzip", shuffle=True)
        v = values((5, 16), "<u2", 7)
        shuffled = [row.view("u1").reshape(16, 2).T.tobytes() for row in v]
        raw = [row.tobytes() for row in v]
        for row, (mask, stored) in enumerate([(0, zlib.compress(shuffled[0])), (1, zlib.compress(raw[1])),
                                              (2, shuffled[2]), (3, raw[3])]):
            d.id.write_direct_chunk((row, 0), stored, mask)
    one("masks.h5", "x", "Chunked", "4 of 5", make=masks)

    def many_attributes(f, n):
        d = f.create_dataset(n, data=images, chunks=(1, 6, 5))
        for i in range(40):
            d.attrs[f"attribute {i}"] = np.arange(20)
    one("attributes.h5", "x", "Chunked", "chunk tree", make=many_attributes)
    one("attributes_v108.h5", "x", "Chunked", "chunk tree", libver=("v108", "v108"), make=many_attributes)

    def deep(f, n):
        f.create_group("a/b c", track_order=True).create_dataset("\u00e4", data=images, chunks=(1, 6, 5), track_times=True)
    one("deep_name.h5", "/a/b c/\u00e4", "Chunked", "chunk tree", make=deep, libver=("v108", "v108"))


def types():
    for name in ("<u1", "<i1", "<u2", ">u2", "<i2", ">i4", "<u4", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"):
        file = f"type_{'be' if name[0] == '>' else 'le'}_{name[1:]}.h5"
        one(file, "x", "Chunked", data=values((5, 6), name, 8), chunks=(2, 4), compression="gzip", shuffle=True,
            more={"big_endian": name[0] == ">"})
    flags = values((5, 6), "u1", 9) % 2 == 1
    one("type_bool.h5", "x", "Chunked", data=flags, chunks=(2, 6))
    one("type_complex.h5", "x", "Contiguous", data=(values((5, 6), "f4", 10) * (1 + 2j)).astype("c8"))
    one("type_complex_chunked.h5", "x", "Chunked", data=(values((5, 6), "f4", 10) * (1 + 2j)).astype("c8"), chunks=(2, 6), compression="gzip")
    one("type_opaque.h5", "x", "Contiguous", data=np.void(bytes(range(1, 100)) + b"\0\0"))
    one("type_text.h5", "x", "Chunked", data=np.array([b"a", b"bcd", b""]), chunks=(2,))
    one("type_ragged.h5", "x", "Library", "ragged", make=lambda f, n: f.create_dataset(n, (2,), h5py.vlen_dtype("u1")))
    one("type_texts.h5", "x", "Library", "text (variable)", make=lambda f, n: f.create_dataset(n, data=["a", "b"]))


def main():
    for old in here.glob("*.h5"):
        old.unlink()
    layouts()
    shapes()
    types()
    (here / "chunks.json").write_text(json.dumps(cases, indent=None).replace('{"file"', '\n{"file"') + "\n")
    print(len(cases), "datasets,", sum(p.stat().st_size for p in here.glob("*")) // 1024, "KiB")


main()

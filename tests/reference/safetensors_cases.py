#!/usr/bin/env python3
"""Files of every kind the safetensors reader must judge, with the verdict of the reference implementation.

Needs safetensors 0.8.0 and numpy. Run: python3 safetensors_cases.py safetensors_cases.json
"""
import json
import struct
import sys

import numpy as np
import safetensors
from safetensors.numpy import save


def packed(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end, extra=""):
    return '{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]%s}' % (dtype, json.dumps(shape), begin, end, extra)


def one(name='a', e=None, data=b"\0" * 8, pad=b""):
    return packed(('{"%s":%s}' % (name, e or entry("F32", [2], 0, 8))).encode() + pad, data)


CASES = {
    "good": one(),
    "empty object": packed("{}"),
    "padded with spaces": one(pad=b" " * 5),
    "header not padded to 8": one(name="abc"),
    "extra key in an entry": one(e=entry("F32", [2], 0, 8, ',"x":{"y":[1,null,"z",{"w":2.5}]}')),
    "entries not in order of offset": packed('{"b":%s,"a":%s}' % (entry("F32", [1], 4, 8), entry("F32", [1], 0, 4)), b"\0" * 8),
    "F32 at offset 2": packed('{"h":%s,"f":%s}' % (entry("F16", [1], 0, 2), entry("F32", [1], 2, 6)), b"\0" * 6),
    "rank 0": one(e=entry("F64", [], 0, 8)),
    "empty tensor": packed('{"e":%s,"a":%s}' % (entry("F32", [0, 7], 0, 0), entry("F32", [1], 0, 4)), b"\0" * 4),
    "metadata": packed('{"__metadata__":{"k":"v","l":"w"},"a":%s}' % entry("F32", [1], 0, 4), b"\0" * 4),
    "escaped name": one(name='a\\u00e9\\"b'),
    "hole": packed('{"a":%s,"b":%s}' % (entry("F32", [1], 0, 4), entry("F32", [1], 8, 12)), b"\0" * 12),
    "hole at the start": one(e=entry("F32", [1], 4, 8)),
    "overlap": packed('{"a":%s,"b":%s}' % (entry("F32", [2], 0, 8), entry("F32", [2], 4, 12)), b"\0" * 12),
    "trailing bytes": one(data=b"\0" * 9),
    "missing bytes": one(data=b"\0" * 7),
    "size unlike shape": one(e=entry("F32", [3], 0, 8)),
    "begin after end": one(e=entry("F32", [2], 8, 0)),
    "unknown dtype": one(e=entry("F31", [2], 0, 8)),
    "shape overflows": one(e=entry("F32", [2**40, 2**40], 0, 8)),
    "shape overflows to zero": one(e=entry("U8", [2**62, 4], 0, 0), data=b""),
    "shape above 63 bits": one(e=entry("F32", [2**63, 0], 0, 0), data=b""),
    "negative extent": one(e=entry("F32", [-2], 0, 8)),
    "fraction in shape": one(e='{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}'),
    "three offsets": one(e='{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}'),
    "no dtype": one(e='{"shape":[2],"data_offsets":[0,8]}'),
    "no shape": one(e='{"dtype":"F32","data_offsets":[0,8]}'),
    "nested shape": one(e='{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}'),
    "object in shape": one(e='{"dtype":"F32","shape":[{}],"data_offsets":[0,8]}'),
    "tensor is a list": packed('{"a":[1]}'),
    "tensor is a number": packed('{"a":1}'),
    "metadata value is a number": packed('{"__metadata__":{"k":1}}'),
    "metadata value is a list": packed('{"__metadata__":{"k":["v"]}}'),
    "metadata is text": packed('{"__metadata__":"k"}'),
    "padded with NUL": one(pad=b"\0" * 5),
    "header is a list": packed("[]"),
    "header cut": packed('{"a":{"dtype"'),
    "not UTF-8": packed(b'{"\xff":' + entry("F32", [1], 0, 4).encode() + b"}", b"\0" * 4),
    "header longer than the file": packed("{}", length=3),
    "header of 2^63 bytes": packed("{}", length=2**63),
    "header above 100,000,000": packed("{}", length=100_000_001),
    "deep nesting": packed("[" * 20000),
    "empty file": b"",
    "seven bytes": b"\2\0\0\0\0\0\0",
    "twice the same name": packed('{"a":%s,"a":%s}' % (entry("F32", [1], 0, 4), entry("F32", [1], 0, 4)), b"\0" * 4),
    "twice the same key": one(e='{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}'),
    "a space before {": one().replace(b"{", b" {", 1).replace(struct.pack("<Q", 54), struct.pack("<Q", 55), 1),
}


def verdict(data):
    try:
        safetensors.deserialize(data)
        return "accepts"
    except Exception as error:
        return "rejects: " + str(error)[:90]


def golden():
    rng = np.random.default_rng(5)
    arrays = {f"{name}{i}": rng.integers(0, 2 if name == "bool" else 100, size=shape).astype(name)
              for name in ("bool", "uint8", "int8", "int16", "uint16", "float16", "int32", "uint32", "float32", "float64",
                           "int64", "uint64") for i, shape in enumerate(((3,), (2, 0), ()))}
    kinds = ("bool", "uint8", "int8", "float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "int16", "uint16", "float16", "bfloat16",
             "int32", "uint32", "float32", "float64", "int64", "uint64")
    size = (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8)
    raw = {f"{'zyxwvutsrqponmlk'[i]}.{kind}\"\\\n\u00e9": np.arange(i, i + 3 * size[i], dtype=np.uint8)
           for i, kind in enumerate(kinds)}
    specs = {name: safetensors.TensorSpec(dtype=kinds[i], shape=[1, 3], data_ptr=data.ctypes.data, data_len=data.nbytes)
             for i, (name, data) in enumerate(raw.items())}
    return {"ecosystem": save({"b": np.array([0, 1, 2], np.float16), "a": np.array([[1, 2]], np.float32), "c": np.array(5, np.int64)},
                              metadata={"format": "pt"}).hex(),
            "numpy": save(arrays).hex(), "all dtypes": safetensors.serialize(specs, metadata={"format": "pt"}).hex()}


def main():
    out = {"made_by": "tests/reference/safetensors_cases.py",
           "versions": {"safetensors": safetensors.__version__, "numpy": np.__version__},
           "golden": golden(),
           "cases": [{"name": n, "hex": d.hex(), "reference": verdict(d)} for n, d in CASES.items()]}
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


main()

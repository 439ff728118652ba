"""Checkpoints as an attacker would send them: real ones, mutated at several depths."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from safetensors.torch import save

EXTREMES = (b"\xff" * 8, b"\x00" * 8, (2**62).to_bytes(8, "little"), b"\x00\x00\x00\x80" * 2)


def originals() -> dict[str, tuple[str, bytes]]:
    """Honest small files: suffix -> (recipe kind, content)."""
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -1.0])}
    numbers = {"m": {"f": np.arange(6).reshape(2, 3), "w": torch.ones(2).double()}}
    return {
        "state.pt": ("state", _saved(state)),
        "old.pt": ("state", _saved(state, _use_new_zipfile_serialization=False)),
        "one.pt": ("tensor", _saved(torch.arange(40.0).reshape(10, 4)[3:5, ::2])),
        "numbers.pt": ("numbers", _saved(numbers)),
        "net.safetensors": ("state", save(state)),
    }


def mutants(count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """(file name, recipe kind, content) of `count` crafted files."""
    random_ = random.Random(seed)
    honest = originals()
    for index in range(count):
        name = random_.choice(list(honest))
        kind, content = honest[name]
        change = random_.choice(_DEPTHS[name.endswith(".safetensors")])
        yield f"{index}-{name}", kind, change(content, random_)


def _saved(content: object, **options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def _shallow(content: bytes, random_: random.Random) -> bytes:
    """Bytes changed, cut, doubled, removed, or set to extreme numbers; one to four times."""
    data = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(max(1, len(data)))
        length = random_.randint(1, 64)
        what = random_.randrange(6)
        if what == 0 and data:
            data[at] = random_.randrange(256)
        elif what == 1:
            del data[at:]
        elif what == 2:
            data[at:at] = data[at : at + length]
        elif what == 3:
            del data[at : at + length]
        elif what == 4:
            data[at : at + 8] = random_.choice(EXTREMES)
        else:
            data[at:at] = random_.randbytes(length)
    return bytes(data)


def _inside_zip(content: bytes, random_: random.Random) -> bytes:
    """One member changed, and the archive around it made valid again."""
    try:
        old = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        return _shallow(content, random_)
    file = io.BytesIO()
    with old, zipfile.ZipFile(file, "w", random_.choice((0, zipfile.ZIP_DEFLATED))) as new:
        chosen = random_.choice([n for n in old.namelist() if n.endswith(".pkl")] + old.namelist())
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, _shallow(data, random_) if name == chosen else data)
        if random_.random() < 0.2:
            new.writestr("../../escaped", b"x" * 1000)
    return file.getvalue()


def _other_program(content: bytes, random_: random.Random) -> bytes:
    """The pickle replaced by a small program of random, often valid, instructions."""
    names = ("posix system", "builtins exec", "torch._utils _rebuild_tensor_v2", "torch Size",
             "collections OrderedDict", "torch FloatStorage")  # fmt: skip
    words = [b"c" + name.replace(" ", "\n").encode() + b"\n" for name in names]
    words += [b"X\x05\0\0\0hello", b"K\x01", b"J\xff\xff\xff\x7f", b"\x8a\x08" + b"\xff" * 8]
    words += [
        b"(",
        b")",
        b"]",
        b"}",
        b"R",
        b"b",
        b"s",
        b"u",
        b"t",
        b"q\0",
        b"h\0",
        b"Q",
        b"0",
        b"N",
    ]
    body = b"".join(random_.choices(words, k=random_.randint(1, 30)))
    program = b"\x80\x02" + body + b"."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", program)
        archive.writestr("net/byteorder", b"little")
        archive.writestr("net/data/0", b"\x00" * 64)
        archive.writestr("net/version", b"3\n")
    return file.getvalue()


def _inside_header(content: bytes, random_: random.Random) -> bytes:
    """A safetensors header with other facts, of the right length again."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = random_.choice(list(header))
    values = [-1, 2**63, 10**30, [], [[[]]], {}, None, "F32", "F99", [0, 2**40], [8, 0], 1.5]
    if isinstance(header[name], dict) and header[name] and random_.random() < 0.8:
        header[name][random_.choice(list(header[name]))] = random_.choice(values)
    else:
        header[random_.choice((name, "../x", "\x00", "é" * 99))] = random_.choice(values)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


_DEPTHS: dict[bool, list[Callable[[bytes, random.Random], bytes]]] = {
    False: [_shallow, _inside_zip, _inside_zip, _other_program],
    True: [_shallow, _inside_header],
}

"""Deterministic, seed-derived weights for parity tests.

A *manifest* is a JSON object::

    {"format": 1, "model": ..., "config": {...}, "tensors": {key: entry, ...}}

with one entry per state-dict key::

    {"shape": [..], "dtype": "float32" | "int64", "kind": "filled",
     "mean": m, "std": s}
    {"shape": [..], "dtype": ..., "kind": "constructed", "note": ...}

``filled`` tensors are drawn by :func:`fill_tensor`; ``constructed`` ones keep
the value that the network's own constructor gives them (masks, index buffers,
motion statistics, sinusoidal tables) and are left out of the result unless
the caller hands them in through ``constructed``.

The rule (format 1)
-------------------
For a key ``k`` and an integer seed ``s``:

1. ``digest = sha256(f"{s}:{k}".encode("utf-8"))``; its first 16 bytes, read as
   two little-endian unsigned 64-bit words, are the key of a Philox4x64-10
   generator whose counter starts at 0 (``numpy.random.Philox(key=words)``).
2. Take ``n = prod(shape)`` raw 64-bit words from it.  Split each word into its
   four 16-bit parts and add them up: ``t`` in ``0 .. 262140``.
3. ``z = float32(t - 131070) * float32(1 / sqrt(4 * (65536**2 - 1) / 12))``:
   zero mean, unit variance, a bell shape that never passes 3.47.
4. ``value = float32(mean) + float32(std) * z``, every step in float32, in row
   major order, then cast to the entry's dtype.

Only integer arithmetic, exact int-to-float conversion and single correctly
rounded float32 operations are involved, so the result is the same bit for bit
on every machine and under every numpy/torch version.  ``self_test()`` checks
known values.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np

_UNIT = np.float32(1.0 / math.sqrt(4.0 * (65536.0**2 - 1.0) / 12.0))
_CHUNK = 1 << 22


def unit_values(name: str, seed: int, count: int) -> np.ndarray:
    """``count`` float32 values of zero mean and unit variance for one key."""
    digest = hashlib.sha256(f"{int(seed)}:{name}".encode()).digest()
    words = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
    bits = np.random.Philox(key=words)
    out = np.empty(count, dtype=np.float32)
    for start in range(0, count, _CHUNK):
        stop = min(count, start + _CHUNK)
        raw = bits.random_raw(stop - start)
        low = np.uint64(0xFFFF)
        total = (raw & low).astype(np.int32)
        for shift in (16, 32, 48):
            total += ((raw >> np.uint64(shift)) & low).astype(np.int32)
        total -= 131070
        out[start:stop] = total.astype(np.float32) * _UNIT
    return out


def fill_array(name: str, shape, seed: int, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    """One filled tensor as a float32 numpy array."""
    count = int(np.prod(shape, dtype=np.int64)) if len(shape) else 1
    values = unit_values(name, seed, count)
    values *= np.float32(std)
    values += np.float32(mean)
    return values.reshape(tuple(shape))


def load_manifest(path) -> dict:
    with Path(path).open("r", encoding="utf-8") as handle:
        manifest = json.load(handle)
    if manifest.get("format") != 1:
        raise ValueError(f"unknown manifest format: {manifest.get('format')!r}")
    return manifest


def constructed_keys(manifest: dict) -> list[str]:
    return [k for k, e in manifest["tensors"].items() if e["kind"] == "constructed"]


def fill_state_dict(manifest: dict, seed: int, constructed: dict | None = None, keys=None) -> dict:
    """State dict of torch tensors for a manifest.

    ``constructed`` supplies the tensors the manifest marks as constructed
    (normally the network's own freshly built ``state_dict()``); without it
    they are left out.  ``keys`` limits the work to some of the keys.
    """
    import torch

    wanted = None if keys is None else set(keys)
    state = {}
    for name, entry in manifest["tensors"].items():
        if wanted is not None and name not in wanted:
            continue
        shape = tuple(entry["shape"])
        if entry["kind"] == "constructed":
            if constructed is None:
                continue
            value = constructed[name]
            if tuple(value.shape) != shape:
                raise ValueError(f"{name}: constructed {tuple(value.shape)}, manifest {shape}")
            state[name] = value.detach().clone()
        elif entry["kind"] == "filled":
            array = fill_array(name, shape, seed, entry["mean"], entry["std"])
            state[name] = torch.from_numpy(array).to(getattr(torch, entry["dtype"]))
        else:
            raise ValueError(f"{name}: unknown kind {entry['kind']!r}")
    return state


def state_digest(state: dict) -> str:
    """sha256 over all float32 tensors of a state dict, in sorted key order."""
    total = hashlib.sha256()
    for name in sorted(state):
        array = state[name].detach().cpu().contiguous().numpy()
        total.update(name.encode("utf-8") + b"\0")
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def self_test() -> None:
    got = unit_values("a.weight", 7, 4)
    assert got.dtype == np.float32
    assert [v.hex() for v in got.tolist()] == _KNOWN, [v.hex() for v in got.tolist()]


_KNOWN = [
    "0x1.2eca780000000p+0",
    "0x1.2485380000000p+0",
    "0x1.c177980000000p-5",
    "-0x1.7dd6040000000p-2",
]


if __name__ == "__main__":
    self_test()
    print("ok")

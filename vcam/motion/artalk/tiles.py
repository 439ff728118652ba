"""How the products of `vcam.motion.artalk.stack` are cut, and what the device offers for that."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Tile:
    """How a product is cut: rows, columns, and parts of the depth."""

    rows: int
    columns: int
    split: int = 1


# What these kernels reach on an H200: bytes from the second-level cache for one processor and for
# all of them, products for one, in a nanosecond; and the nanoseconds that a step and a tile take.
_BYTES, _ALL_BYTES, _FLOPS = 55.0, 3400.0, 3600.0
_STEP, _START = 300.0, 1500.0


def tile_of(
    n: int, depth: int, columns: int, processors: int, double: bool, parts: int = 1
) -> Tile:
    """The tile whose product [n, depth] x [depth, columns] should be over first.

    `double`: of two halves each; `parts`: into how many the depth may be cut at most, which are
    added up later.
    """
    few, rate = max(16, power(n)), min(_BYTES, _ALL_BYTES / processors)

    def cost(tile: Tile) -> float:
        tasks = -(-n // tile.rows) * (columns // tile.columns) * tile.split
        step = 128 * (1 + double) * (tile.rows + tile.columns) / rate
        step = max(step, 128 * (1 + 2 * double) * tile.rows * tile.columns / _FLOPS, _STEP)
        adding = 4 * n * columns * (tile.split + 1) / (rate * processors)
        return -(-tasks // processors) * (depth / tile.split / 64 * step + _START) + adding

    most = 64 if double else 128
    area = 128 * (128 if processors < 100 else 64)  # larger ones leave no room for other kernels
    tiles = [
        Tile(rows, across, split)
        for rows in (16, 32, 64, 128)
        if rows <= min(few, most)
        for across in (16, 32, 64, 128)
        if across <= most and columns % across == 0 and rows * across <= area
        for split in (1, 2, 3, 4, 6, 8)
        if split == 1 or (split <= parts and depth % (128 * split) == 0)
    ]
    return min(tiles, key=cost)


def power(n: int) -> int:
    """The next power of two from n."""
    return 1 << max(0, n - 1).bit_length()


def fits(width: int, heads: int, hidden: int) -> bool:
    """Whether layers of these sizes can be cut into tiles."""
    deep = width // heads
    return deep >= 16 and deep & (deep - 1) == 0 and width % 16 == 0 and hidden % 16 == 0


def fast_memory(device: torch.device, each: int) -> int:
    """Bytes of fast memory that one of `each` programs on a processor may have."""
    if device.type != "cuda":
        return 1 << 16
    found = torch.cuda.get_device_properties(device)
    most: int = found.shared_memory_per_block_optin  # type: ignore[attr-defined]  # not in the stubs
    return min(most, found.shared_memory_per_multiprocessor // each)


def processors(device: torch.device) -> int:
    """How many multiprocessors this process may use, by going there: a context may hold fewer than
    the device has."""
    if device.type != "cuda":
        return 3  # programs that Triton interprets one after the other
    from vcam.motion.artalk import code_kernels as kernels

    seen = torch.zeros(1024, dtype=torch.int32, device=device)
    kernels.visit[(8192,)](seen, NUMBER=64, num_warps=1)
    return int((seen > 0).sum())

"""The Triton convolution on a CPU, in Triton's interpreter: slow, and the same statements.

Run as a program of its own, because Triton decides when it is imported whether it interprets:
`TRITON_INTERPRET=1 python -m tests.gpu.interpreted_convolution` prints, as JSON, by how much each
case differs from the plain form at most.
"""

from __future__ import annotations

import json

import torch
from torch import Tensor

from vcam.gpu.convolution import _launched, plain

CASES = {  # images, channels before and after, height, width, stride, each pixel twice
    "few channels": (1, 16, 16, 11, 20, 1, False),
    "few channels in": (2, 3, 64, 6, 12, 1, False),
    "few channels out": (1, 64, 4, 5, 17, 1, False),
    "an odd number of channels": (1, 48, 24, 5, 7, 1, False),
    "stride": (1, 32, 32, 8, 8, 2, False),
    "twice": (1, 32, 32, 6, 8, 1, True),
}


def given(case: tuple[int, int, int, int, int, int, bool]) -> tuple[Tensor, ...]:
    """x, weight, bias, noise, strength, and two maps as the result."""
    batch, before, after, height, width, stride, twice = case
    draw = torch.Generator().manual_seed(0)
    sides = [side * (2 if twice else 1) // stride for side in (height, width)]
    shapes = ((batch, before, height, width), (after, before, 3, 3), (after,), (1, 1, *sides),
              (1,), *((batch, after, *sides),) * 2)  # fmt: skip
    return tuple(torch.randn(*shape, generator=draw) for shape in shapes)


def difference(case: tuple[int, int, int, int, int, int, bool]) -> float:
    """The largest over what may follow the convolution."""
    x, weight, bias, noise, strength, times, plus = given(case)
    found = []
    for after in (
        (None, 1.0, None, None, None, None, False),
        (bias, 0.0, None, None, None, plus, True),
        (bias, 0.2, noise, strength, times, plus, False),
    ):
        ours = _launched(x, weight, *after, *case[-2:])
        theirs = plain(x, weight, *after, *case[-2:])
        assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
        found.append(float((ours - theirs).abs().max()))
    return max(found)


if __name__ == "__main__":
    print(json.dumps({name: difference(case) for name, case in CASES.items()}))

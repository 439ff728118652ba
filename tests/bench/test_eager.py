"""The path that benchmarks compare with takes the same steps as upstream's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vcam.bench.eager import EagerMouth  # noqa: E402 - imports follow the skip
from vcam.engine.synthetic import Synthetic  # noqa: E402
from vcam.media import Frame  # noqa: E402


def test_the_eager_mouth_paints_below_the_eyes_and_tells_its_steps():
    steps: list[str] = []

    @contextmanager
    def part(name: str) -> Iterator[None]:
        steps.append(name)
        yield

    mouth = EagerMouth(*Synthetic(small=True).musetalk(), torch.device("cpu"), part)
    grid = np.linspace(0.3, 0.7, 68, dtype=np.float32) * 128
    before = np.full((128, 128, 3), 90, np.uint8)
    after = mouth(Frame(0, before, np.stack([grid, grid], axis=1)))
    assert steps == ["encode x2", "speech", "UNet", "decode", "blend"]
    changed = np.argwhere((after != before).any(axis=2))
    assert len(changed)
    assert changed.min() > 16  # inside of the face's box, which begins there
    assert (before == 90).all()

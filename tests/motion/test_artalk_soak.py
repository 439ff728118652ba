"""Ten minutes of talk mode: the same memory, the same distance between ticks and sound."""

from __future__ import annotations

import os

import numpy as np
import psutil
import pytest

from vcam.media import AudioChunk

torch = pytest.importorskip("torch")

from tests.motion.tiny_artalk import tiny_net  # noqa: E402 - after the skip
from vcam.motion.artalk.model import ArtalkMotion  # noqa: E402

FRAME, BLOCK = 1920, 480
MINUTE = 60 * 48_000


@pytest.mark.soak
def test_ten_minutes_neither_grow_nor_drift():
    model = ArtalkMotion(tiny_net(), device=torch.device("cpu"))
    draw = np.random.default_rng(0)
    process, memory, late, at = psutil.Process(os.getpid()), [], set(), 0
    for tick in range(0, 10 * MINUTE, BLOCK):
        loud = 0.1 if (tick // MINUTE) % 3 else 1e-4  # every third minute is silence
        for motion in model.step(AudioChunk(tick, draw.normal(0, loud, BLOCK).astype(np.float32))):
            assert motion.at == at
            assert np.isfinite(motion.face.expression).all()
            late.add(tick + BLOCK - motion.at)
            at += FRAME
        if tick % MINUTE == 0:
            memory.append(process.memory_info().rss / 2**20)
    print(f"late by {late} ticks; MiB by the minute: {[round(each) for each in memory]}")
    assert len(late) == 1
    assert model.delay <= late.pop() < model.delay + BLOCK
    assert at == 10 * MINUTE - 3 * FRAME
    assert max(memory[2:]) - memory[1] < 8


@pytest.mark.soak
def test_three_hours_end_as_they_began():
    """All of the stage but the network, which always says the same: 270,000 hops."""
    model, said = ArtalkMotion(tiny_net(), device=torch.device("cpu")), np.zeros((1, 100, 106))
    model._mode._exchange.begin = lambda *heard: lambda: said.astype(np.float32)
    process, memory, count = psutil.Process(os.getpid()), [], 0
    second = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    for tick in range(0, 180 * MINUTE, len(second)):
        said[:] = 0.1 * np.sin(tick / 1e5)
        for motion in model.step(AudioChunk(tick, second)):
            assert motion.at == count * FRAME
            assert np.abs(motion.face.expression).max() < 0.2
            count += 1
        if tick % (30 * MINUTE) == 0:
            memory.append(process.memory_info().rss / 2**20)
    assert count == 180 * MINUTE // FRAME - 3
    assert max(memory[1:]) - memory[1] < 8


def test_a_stream_three_hours_in_is_as_exact_as_at_the_start():
    """Ticks are whole numbers: nothing is rounded, however large they grow."""
    model, sound = (
        ArtalkMotion(tiny_net(), device=torch.device("cpu")),
        np.zeros(48_000, np.float32),
    )
    sound[:] = np.random.default_rng(1).normal(0, 0.1, len(sound))
    first = model.step(AudioChunk(0, sound))
    start = 3 * 60 * MINUTE // FRAME * FRAME
    later = model.step(AudioChunk(start, sound))
    assert [motion.at - start for motion in later] == [motion.at for motion in first]
    for ours, theirs in zip(first, later, strict=True):
        np.testing.assert_array_equal(ours.face.expression, theirs.face.expression)

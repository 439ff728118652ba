"""What the engine process takes from the ring of sound."""

from __future__ import annotations

import multiprocessing

import numpy as np

from vcam.link.memory import SharedMemory
from vcam.link.serve import HISTORY
from vcam.media import TICKS_PER_SECOND, AudioChunk

SECOND = TICKS_PER_SECOND


def test_after_a_link_was_cut_the_engine_goes_on_with_what_is_new():
    memory = SharedMemory.create(multiprocessing.get_context("spawn"), 64)
    rim, engine = memory.ring(), memory.ring()
    rim.append(np.ones(2 * SECOND, np.float32))
    position = engine.unread(0).end
    rim.take(AudioChunk(62 * SECOND, np.full(HISTORY, 0.5, np.float32)))
    sound = engine.unread(position)
    assert (sound.start, len(sound.samples)) == (62 * SECOND, HISTORY)  # not eight seconds
    assert set(sound.samples) == {np.float32(0.5)}
    rim.append(np.ones(480, np.float32))
    assert (engine.unread(sound.end).start, engine.unread(sound.end).end) == (
        sound.end,
        sound.end + 480,
    )

"""The same path without a clock: a voice recording becomes a film, faster than it lasts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcam.engine import Engine, Finished
from vcam.media import AudioChunk, FloatArray
from vcam.session import Recorder

BLOCK = 1920  # ticks stepped at a time; any size gives the same frames


def film(voice: FloatArray, engine: Engine, recorder: Recorder) -> Iterator[float]:
    """Send all frames of `voice` [n] (48 kHz) and the voice itself to `recorder`.

    Yields how much is done, 0..1, so that the caller can draw a progress bar. The pictures depend
    on nothing but the voice and the profile.
    """
    recorder.hear(AudioChunk(0, voice))
    for finished in frames_of(voice, engine):
        recorder.send(finished.frame)
        yield min(1.0, finished.frame.at / len(voice))


def frames_of(voice: FloatArray, engine: Engine) -> Iterator[Finished]:
    """The frames that belong to `voice`, oldest first."""
    padded = np.concatenate([voice, np.zeros(engine.delay + BLOCK, np.float32)])
    for start in range(0, len(padded), BLOCK):
        for finished in engine.step_all(AudioChunk(start, padded[start : start + BLOCK])):
            if finished.frame.at < len(voice):
                yield finished

"""The same path without a clock: a voice recording becomes a film, faster than it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vcam import profile
from vcam.audio.wav import read_wav
from vcam.camera.open import FILM
from vcam.camera.video_file import VideoFile
from vcam.config import RunConfig
from vcam.engine import Engine, Finished
from vcam.errors import MediaError
from vcam.finish import Finish, facts, finishing
from vcam.media import AudioChunk, FloatArray
from vcam.session import Recorder

BLOCK = 1920  # ticks stepped at a time; any size gives the same frames


def filmed(voice: Path, output: Path, config: RunConfig) -> Iterator[float]:
    """Make the film `output` of the sound file `voice`; yields how much is done, 0..1.

    Raises MediaError for files that cannot be read or written, ConfigError for a bad profile.
    Nothing half-written is left under the film's name.
    """
    if output.suffix.lower() != FILM:
        raise MediaError(f"cannot film into {output}: the file must be called something{FILM}")
    chosen, samples = profile.load(config.profile), read_wav(voice).samples
    chosen.require_consent()
    engine = Engine.open(chosen, config.fps, config.size)
    finish = finishing(chosen, config.picture, config.fps)
    with VideoFile(output, config.picture, config.fps, facts(chosen, engine.backends)) as recorder:
        yield from film(samples, engine, recorder, finish)


def film(
    voice: FloatArray,
    engine: Engine,
    recorder: Recorder,
    finish: Finish = lambda frame: frame,
) -> Iterator[float]:
    """Send all frames of `voice` [n] (48 kHz) and the voice itself to `recorder`.

    Yields how much is done, 0..1, so that the caller can draw a progress bar. The pictures depend
    on nothing but the voice and the profile.
    """
    heard = 0
    for finished in frames_of(voice, engine):
        recorder.hear(AudioChunk(heard, voice[heard : finished.frame.at]))
        heard = finished.frame.at
        recorder.send(finish(finished.frame))
        yield min(1.0, finished.frame.at / len(voice))
    recorder.hear(AudioChunk(heard, voice[heard:]))


def frames_of(voice: FloatArray, engine: Engine) -> Iterator[Finished]:
    """The frames that belong to `voice`, oldest first."""
    padded = np.concatenate([voice, np.zeros(engine.delay + BLOCK, np.float32)])
    for start in range(0, len(padded), BLOCK):
        for finished in engine.step_all(AudioChunk(start, padded[start : start + BLOCK])):
            if finished.frame.at < len(voice):
                yield finished

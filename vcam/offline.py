"""The same path without a clock: a voice recording becomes a film, faster than it lasts.

Nobody waits for the first frame, so motion comes exact and in long pieces (`broadcast`), mouths are
painted several at a time, and the film is written on a thread of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from vcam import profile
from vcam.audio.wav import read_wav
from vcam.backends import Asked, Opened, open_stages
from vcam.camera.video_file import VideoFile
from vcam.config import FILM, RunConfig
from vcam.engine import Engine, Finished
from vcam.errors import MediaError
from vcam.finish import Finish, facts, finishing
from vcam.media import AudioChunk, FloatArray, Frame
from vcam.mouth.passthrough import Passthrough
from vcam.pipeline import Pipeline
from vcam.stages import Batching, MouthPainter, Recorder

BLOCK = 1920  # ticks stepped at a time; any size gives the same frames
BATCH = 4  # frames painted at once, where that is faster
AHEAD = 8  # frames that may wait to be written


def filmed(
    voice: Path, output: Path, config: RunConfig, mode: str = "broadcast"
) -> Iterator[float]:
    """Make the film `output` of the sound file `voice`; yields how much is done, 0..1.

    `mode` is ARTalk's, whatever the profile says. Raises MediaError for files that cannot be read
    or written, ConfigError for a bad profile. Nothing half-written is left under the film's name.
    """
    if output.suffix.lower() != FILM:
        raise MediaError(f"cannot film into {output}: the file must be called something{FILM}")
    chosen, samples = profile.load(config.profile), read_wav(voice).samples
    chosen.require_consent()
    stages = open_stages(Asked(replace(chosen, mode=mode), config.fps, config.size, BATCH))
    finish = finishing(chosen, config.picture, config.fps)
    with VideoFile(output, config.picture, config.fps, facts(chosen, stages.names)) as recorder:
        yield from film(samples, stages, recorder, finish)


def film(
    voice: FloatArray,
    stages: Opened,
    recorder: Recorder,
    finish: Finish = lambda frame: frame,
) -> Iterator[float]:
    """Send all frames of `voice` [n] (48 kHz) and the voice itself to `recorder`.

    Yields how much is done, 0..1, so that the caller can draw a progress bar. The pictures depend
    on nothing but the voice and the profile. They are finished, encoded and written on one thread
    beside, so that the GPU never waits for that.
    """
    heard = 0

    def write(frame: Frame) -> None:
        nonlocal heard
        recorder.hear(AudioChunk(heard, voice[heard : frame.at]))
        heard = frame.at
        recorder.send(finish(frame.host()))

    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, "film") as writer:
        for frame in pictures(voice, stages):
            waiting.append(writer.submit(write, frame))
            while len(waiting) > AHEAD or (waiting and waiting[0].done()):
                waiting.popleft().result()
            yield min(1.0, frame.at / len(voice))
        for written in waiting:
            written.result()
    recorder.hear(AudioChunk(heard, voice[heard:]))


def pictures(voice: FloatArray, stages: Opened) -> Iterator[Frame]:
    """The frames that belong to `voice` [n], oldest first: those of a live run over it.

    They are drawn one by one and painted some at a time.
    """
    stages.mouth.reset()
    drawn = drawings(voice, Pipeline(stages.motion, stages.renderer, Passthrough()))
    yield from painted_together(stages.mouth, drawn, voice)


def drawings(voice: FloatArray, path: Pipeline) -> Iterator[Frame]:
    """The frames of `voice` as the renderer draws them."""
    padded = np.concatenate([voice, np.zeros(path.delay + BLOCK, np.float32)])
    for start in range(0, len(padded), BLOCK):
        for frame in path.step(AudioChunk(start, padded[start : start + BLOCK])):
            if frame.at < len(voice):
                yield frame


def painted_together(
    mouth: MouthPainter, drawn: Iterator[Frame], voice: FloatArray
) -> Iterator[Frame]:
    """Frames of `voice` with their mouths painted, as many at a time as the painter likes."""
    sound = np.concatenate([voice, np.zeros(mouth.context, np.float32)])
    while frames := list(islice(drawn, mouth.batch if isinstance(mouth, Batching) else 1)):
        sounds = [_nearby(sound, frame.at, mouth.context) for frame in frames]
        if isinstance(mouth, Batching):
            yield from mouth.step_many(frames, sounds)
        else:
            yield mouth.step(frames[0], sounds[0])


def _nearby(sound: FloatArray, at: int, context: int) -> AudioChunk:
    """The sound around tick `at`; nothing came before tick 0."""
    start = max(at - context, 0)
    return AudioChunk(start, sound[start : at + context])


def frames_of(voice: FloatArray, engine: Engine) -> Iterator[Finished]:
    """The frames that an engine makes of `voice`, oldest first."""
    padded = np.concatenate([voice, np.zeros(engine.delay + BLOCK, np.float32)])
    for start in range(0, len(padded), BLOCK):
        for finished in engine.step_all(AudioChunk(start, padded[start : start + BLOCK])):
            if finished.frame.at < len(voice):
                yield finished

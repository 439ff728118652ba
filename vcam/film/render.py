"""The same path without a clock: a voice recording becomes a film, faster than it lasts.

Nobody waits for the first frame, so motion comes exact and in long pieces (`broadcast`), mouths are
painted several at a time, and three things go on at once: drawing, painting, and writing the film.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from vcam.audio.wav import read_wav
from vcam.camera.video_file import VideoFile
from vcam.config import FILM, RunConfig
from vcam.engine.backends import Asked, Opened, open_stages
from vcam.engine.build import parts
from vcam.engine.engine import Engine, Finished
from vcam.engine.pipeline import Pipeline
from vcam.errors import MediaError
from vcam.gpu import compiled
from vcam.gpu.overlap import Ahead, Handed, Landing, Track, handed
from vcam.media import AudioChunk, FloatArray, Frame
from vcam.monitor.stats import Stopwatch
from vcam.mouth.passthrough import Passthrough
from vcam.picture.finish import Finish
from vcam.profiles import profile
from vcam.stages import Batching, MouthPainter, Recorder

BLOCK = 1920  # ticks stepped at a time; any size gives the same frames
BATCH = 4  # frames painted at once, where that is faster
DRAWN = 32  # frames that may wait to be painted: those of the time that a chunk of motion takes
PAINTED = 12  # frames that may wait to be written; the GPU is kept busy by what is under way


def filmed(
    voice: Path, output: Path, config: RunConfig, mode: str = "broadcast"
) -> Generator[float, None, None]:
    """Make the film `output` of the sound file `voice`; yields how much is done, 0..1.

    `mode` is ARTalk's, whatever the profile says. Raises MediaError for files that cannot be read
    or written, ConfigError for a bad profile. Nothing half-written is left under the film's name.
    """
    if output.suffix.lower() != FILM:
        raise MediaError(f"cannot film into {output}: the file must be called something{FILM}")
    chosen = profile.wearing(config.look, profile.load(config.profile))
    side = config.side(chosen.renderer, chosen.framing.zoom)
    samples = read_wav(voice).samples
    chosen.require_consent()
    track = Track()
    exact, shape = replace(chosen, mode=mode), (config.fps, side, BATCH)
    asked = Asked(exact, *shape, painting=track.opening)
    if parts(asked):
        compiled.use()
    stages = open_stages(asked)
    finish = chosen.finishing(config.picture, config.fps)
    with VideoFile(output, config.picture, config.fps, chosen.facts(stages.names)) as recorder:
        yield from film(samples, stages, recorder, finish, track)


def film(
    voice: FloatArray,
    stages: Opened,
    recorder: Recorder,
    finish: Finish = lambda frame: frame,
    track: Track | None = None,
    watch: Stopwatch | None = None,
) -> Iterator[float]:
    """Send all frames of `voice` [n] (48 kHz) and the voice itself to `recorder`.

    Yields how much is done, 0..1, so that the caller can draw a progress bar. The pictures depend
    on nothing but the voice and the profile. `track` is where the mouth was opened, see `making`.
    `watch` learns what each thread does and waits for: the sum of all is more than the time taken.
    """
    watch, heard, landing = watch or Stopwatch(), 0, Landing()
    with making(voice, stages, track, watch) as frames:
        for each in frames:
            with watch("landing"):
                frame = landing(each)
            with watch("writing"):
                recorder.hear(AudioChunk(heard, voice[heard : frame.at]))
                heard = frame.at
                recorder.send(finish(frame))
            yield min(1.0, frame.at / len(voice))
    recorder.hear(AudioChunk(heard, voice[heard:]))


def making(
    voice: FloatArray,
    stages: Opened,
    track: Track | None = None,
    watch: Stopwatch | None = None,
) -> Ahead[Handed]:
    """The frames of `pictures`, made beside whatever is done with them.

    With the `track` on which the mouth was opened, drawing and painting go on at once on the GPU.
    Stages that were opened on the same stream share memory there, and take turns.
    """
    if track is None:
        return Ahead(handed(pictures(voice, stages)), PAINTED, "making", watch=watch)
    beside = handed(_painted_beside(voice, stages, watch))
    return Ahead(beside, PAINTED, "painting", track.settle, watch)


def _painted_beside(voice: FloatArray, stages: Opened, watch: Stopwatch | None) -> Iterator[Frame]:
    """As `pictures`, drawn on another thread than the one that paints."""
    stages.mouth.reset()
    with Ahead(handed(_drawn(voice, stages)), DRAWN, "drawing", watch=watch) as drawn:
        yield from painted_together(stages.mouth, (each.take() for each in drawn), voice)


def pictures(voice: FloatArray, stages: Opened) -> Iterator[Frame]:
    """The frames that belong to `voice` [n], oldest first: those of a live run over it.

    They are drawn one by one and painted some at a time.
    """
    stages.mouth.reset()
    yield from painted_together(stages.mouth, _drawn(voice, stages), voice)


def _drawn(voice: FloatArray, stages: Opened) -> Iterator[Frame]:
    """`drawings` of stages, which are reset on the thread that draws."""
    yield from drawings(voice, Pipeline(stages.motion, stages.renderer, Passthrough()))


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

"""Sound files as vcam hears them: one channel, 48 kHz, float."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler

from vcam.audio.downmix import Channels
from vcam.errors import MediaError
from vcam.files.container import REFUSALS, Decoded, advice, opened, refused, sounding
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray
from vcam.monitor.logs import log

LONGEST = 3600 * TICKS_PER_SECOND  # an hour, 691 MB: more is rather a mistake than a speech


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound of one rate and one set of channels; files put together have several."""

    rate: int
    names: Sequence[str]  # of the channels
    blocks: Iterator[FloatArray]  # [n, channels], -1..1


def read_wav(path: Path) -> AudioChunk:
    """The sound of the file `path`, from tick 0 on; several channels become one (`downmix`).

    Any WAV will do (8 to 64 bits, integer or float, any rate), and whatever else FFmpeg decodes.
    MediaError says what is wrong with a file that is missing, empty, cut short, too long, or none.
    What is broken in the middle is left out, and the log tells.
    """
    try:
        mixes = list(_measured(path))  # a second reading costs less than memory for all channels
        pieces = [
            piece
            for stretch, weights in zip(_stretches(path), mixes, strict=True)
            for piece in _resampled((block @ weights for block in stretch.blocks), stretch.rate)
        ]
    except REFUSALS as error:
        raise refused(path, "sound", error) from error
    if not pieces:
        raise MediaError(f"there is not one sample of sound in {path}; give another file")
    return AudioChunk(0, np.clip(np.concatenate(pieces), -1, 1))


def _measured(path: Path) -> Iterator[FloatArray]:
    """What the channels of each stretch are to be multiplied with."""
    ticks = Fraction()
    for stretch in _stretches(path, tell=log.warning):
        channels = Channels(stretch.names)
        for block in stretch.blocks:
            channels.hear(block)
            ticks += Fraction(len(block) * TICKS_PER_SECOND, stretch.rate)
            if ticks > LONGEST:
                command = advice(path, "short.wav", "-t 3600 ")
                raise MediaError(f"{path} lasts longer than an hour; cut it: {command}")
        yield channels.weights()


def _stretches(path: Path, tell: Callable[[str], None] = lambda note: None) -> Iterator[Stretch]:
    """The first sound of a file; each stretch is read before the next."""
    with opened(path, "sound", tell) as film:
        decoded = Decoded(film, sounding(film, path))
        heard = (frame for frame in decoded if frame.samples and frame.sample_rate > 0)
        for (rate, _, layout), frames in groupby(heard, _kind):
            names = [channel.name for channel in layout.channels]
            yield Stretch(rate, names, _blocks(frames, len(names)))
        decoded.tell(path, tell)


def _kind(frame: AudioFrame) -> tuple[int, str, AudioLayout]:
    """What one resampler takes no change of."""
    return frame.sample_rate, frame.format.name, frame.layout


def _blocks(frames: Iterable[AudioFrame], channels: int) -> Iterator[FloatArray]:
    """Samples [n, channels]; interleaved, as PyAV is at a loss with more than eight planes."""
    resampler = AudioResampler(format="flt")
    for frame in frames:
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().reshape(-1, channels)
            yield np.clip(np.nan_to_num(samples), -1, 1)


def _resampled(blocks: Iterable[FloatArray], rate: int) -> Iterator[FloatArray]:
    """Mono sound [n] at 48 kHz."""
    resampler = AudioResampler(format="flt", layout="mono", rate=TICKS_PER_SECOND)
    for frame in chain((_mono(block, rate) for block in blocks), [None]):
        yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame) if piece)


def _mono(samples: FloatArray, rate: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = rate
    return frame

"""How far picture and sound are apart in a film, and at the devices that it was recorded from."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.device.av_offset import offsets_of
from tests.device.clicks import ClickFinder
from tests.device.recorders import Seen
from vcam import tickcode
from vcam.media import TICKS_PER_SECOND


def in_film(path: Path) -> NDArray[np.float64]:
    """Of each new picture of the film, ms; above zero where it is late."""
    seen, clicks = Seen(), ClickFinder()
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            with contextlib.suppress(ValueError):  # the placeholder: no code yet
                seen.codes.append(tickcode.read(frame.to_ndarray(format="rgb24")))
                seen.times.append(float(frame.time))
    with av.open(str(path)) as film:
        start, heard = 0.0, 0
        for frame in film.decode(audio=0):
            if not heard:
                start = float(frame.time)
            clicks.hear(heard, frame.to_ndarray()[0].astype(np.float32))
            heard += frame.samples
    times = start + np.array(clicks.found) / TICKS_PER_SECOND
    return offsets_of(seen, times)[1]

"""A live meter of a microphone, for somebody who chooses one."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from collections.abc import Callable

import numpy as np

from vcam import clock
from vcam.audio.microphone import Microphone
from vcam.errors import DeviceError
from vcam.media import FloatArray
from vcam.monitor import terminal
from vcam.monitor.meter import QUIETEST, bar
from vcam.monitor.terminal import complain, say

LONGEST = 15.0  # seconds that it listens
LOOK = 0.1
CELLS = 30
SILENT, LOUD = -45.0, -1.0  # dB: below nobody spoke; above it is distorted


class Loudness:
    """Hears blocks on an audio thread; how loud the newest was, and the loudest, in dB."""

    def __init__(self) -> None:
        self.now = self.peak = QUIETEST

    def hear(self, samples: FloatArray) -> None:
        """A block has come."""
        level = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
        self.now = 20 * float(np.log10(max(level, 1e-6)))
        self.peak = max(self.peak, self.now)


def heard_from(name: str | None) -> bool:
    """Show how loud the microphone `name` is until Enter; whether it shall be that one.

    None is the default one. What is wrong with it is said.
    """
    loudness = Loudness()
    say("Speak, and look at the meter; Enter goes on.")
    try:
        microphone = Microphone(name, loudness.hear)
        microphone.start()
    except DeviceError as error:
        complain(error)
        return False
    with contextlib.closing(microphone), terminal.doing("listening") as show:
        _until_enter(lambda: show(bar(loudness.now, loudness.peak, CELLS).plain))
    return _judged(microphone.name, loudness.peak)


def _until_enter(look: Callable[[], None]) -> None:
    end = clock.now() + LONGEST
    while clock.now() < end and not _entered(LOOK):
        look()


def _entered(seconds: float) -> bool:
    """Whether a line was typed within so many seconds; on Windows nobody can know."""
    if sys.platform == "win32":
        time.sleep(seconds)
        return False
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return False
    sys.stdin.readline()
    return True


def _judged(name: str, peak: float) -> bool:
    """Say how it was; whether that will do."""
    if peak < SILENT:
        say(f"nothing was heard from {name}: is it muted? choose again, or skip", "yellow")
        return False
    told = ": too loud, turn it down a little" if peak > LOUD else ""
    say(f"heard {name}, {peak:.0f} dB at its loudest{told}")
    return True

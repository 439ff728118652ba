"""`vcam` with a stage for tests: python -m tests.device.timecode run ...

The embedded avatar as it is, but each of its pictures carries in its top edge (vcam/tickcode.py)
how many ticks after the last click of the sound it belongs. So whoever records picture and sound
knows of each picture which moment of the sound it should have been shown with.

The stages enter through the tables of backends. An engine process imports the main module of the
program that starts it, which is this one, so it finds them too.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

from tests.device.clicks import ClickFinder
from tests.device.losable import GONE
from vcam import tickcode
from vcam.camera import open as cameras
from vcam.cli.main import main
from vcam.engine.backends import MOTION, MOUTH, RENDERER, Asked, Backend
from vcam.media import TICKS_PER_SECOND, AudioChunk, BlendshapeFace, Frame, Motion
from vcam.motion.visemes.model import VisemeMotion
from vcam.mouth.passthrough import Passthrough
from vcam.render.head3d.renderer import Head3dRenderer

NO_CLICK = 0xFFFF  # the code of a picture that has heard none
WITNESS = "VCAM_WITNESS"  # names the file that a WitnessCamera writes
ENGINE = "VCAM_ENGINE"  # slow-MS waits so long for each picture, late-MS for so much sound

_clicks = ClickFinder()  # between the two stages of one engine process


class ListeningMotion(VisemeMotion):
    """The embedded motion model; it looks for clicks in what it hears."""

    def step(self, sound: AudioChunk) -> list[Motion]:
        """As the model's own."""
        _clicks.hear(sound.start, sound.samples)
        return super().step(sound)


class TimecodeRenderer(Head3dRenderer):
    """The embedded renderer; it writes the code, and takes its time."""

    def __init__(self, size: int, wait: float) -> None:
        """`wait` seconds longer for each picture of `size` pixels."""
        super().__init__(size)
        self._wait = wait

    def step(self, motion: Motion) -> Frame:
        """The renderer's own frame with its code."""
        frame = super().step(motion)
        time.sleep(self._wait)
        click = _clicks.newest(motion.at + 1)
        code = NO_CLICK if click is None else min(motion.at - click, NO_CLICK)
        pixels = frame.array().copy()
        tickcode.stamp(pixels, code)
        return replace(frame, pixels=pixels)


class LateMouth(Passthrough):
    """Paints nothing, but wants to hear `context` ticks of sound past each picture."""

    def __init__(self, context: int) -> None:
        self.context = context


class WitnessCamera:
    """Notes when it got which code: monotonic seconds and the number, a line each."""

    def __init__(self, *_: object, **__: object) -> None:
        self.name, self.format = "witness", "codes"
        self._notes = Path(os.environ[WITNESS])
        self._notes.write_text("")

    def send(self, frame: Frame) -> None:
        """Note it."""
        now = time.monotonic()
        with contextlib.suppress(ValueError), self._notes.open("a") as notes:
            notes.write(f"{now:.6f} {tickcode.read(frame.array())}\n")  # no code: no note

    def close(self) -> None:
        """Nothing is held."""


def _asked(kind: str) -> int:
    """How many milliseconds of `kind` the environment asks for."""
    wanted, _, milliseconds = os.environ.get(ENGINE, "slow-0").partition("-")
    return int(milliseconds) if wanted == kind else 0


def _listening(asked: Asked) -> ListeningMotion:
    return ListeningMotion(fps=asked.fps, seed=asked.profile.seed)


def _timecode(asked: Asked) -> TimecodeRenderer:
    return TimecodeRenderer(asked.size, _asked("slow") / 1000)


def _late(asked: Asked) -> LateMouth:
    return LateMouth(_asked("late") * TICKS_PER_SECOND // 1000)


def take_part() -> None:
    """Stand in for the embedded stages: an engine of others gives up when it is too slow."""
    MOTION["visemes"] = Backend(_listening, BlendshapeFace)
    RENDERER["head3d"] = Backend(_timecode, BlendshapeFace)
    MOUTH["passthrough"] = Backend(_late)
    cameras.BACKENDS["none"] = "tests.device.timecode:WitnessCamera"
    if GONE in os.environ:
        cameras.BACKENDS["v4l2loopback"] = "tests.device.losable:LosableCamera"


if __name__ in ("__main__", "__mp_main__"):  # the latter is what an engine process calls it
    take_part()
if __name__ == "__main__":
    raise SystemExit(main())

"""An engine that costs nothing: pictures of a face that were drawn before, their ticks in them.

What is measured with it is the link's alone, and whether a picture is the one that it says it is.
As an engine does, it leaves out what is more than two pictures behind the newest sound.
"""

from __future__ import annotations

import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from vcam import tickcode
from vcam.audio.wav import read_wav
from vcam.cli.options import SAMPLE
from vcam.engine.engine import MOST_BEHIND, Engine
from vcam.link.memory import SharedMemory
from vcam.link.process import Main
from vcam.link.serve import NAP, Order, Ready, Shown, Vitals
from vcam.media import TICKS_PER_SECOND, AudioChunk, frame_ticks
from vcam.profiles import profile
from vcam.system import signals

COUNT = 90  # pictures, shown to and fro
EACH = 0.005  # seconds from one to the next where several are due, as an engine needs some


def draw(path: Path, fps: int, size: int) -> None:
    """Draw the demo's face as it speaks, once: pictures [COUNT, size, size, 3]."""
    engine, sound = Engine.open(profile.load("demo"), fps, size), read_wav(SAMPLE).samples
    seconds = AudioChunk(0, sound[: TICKS_PER_SECOND * (COUNT // fps + 1)])
    pictures = [each.frame.array() for each in engine.step_all(seconds, lambda: -1)]
    np.save(path, np.stack(pictures[:COUNT]))


def drawing(path: Path) -> Main:
    """What an engine process runs that shows them."""
    return partial(show, str(path))


def number(at: int, fps: int) -> int:
    """What is drawn into the picture of tick `at`."""
    return at // frame_ticks(fps) % (1 << tickcode.BITS)


def show(path: str, pipe: Connection, memory: SharedMemory, fps: int) -> None:
    """As `vcam.link.serve.serve`."""
    signals.leave_to_parent()
    try:
        order: Order = pipe.recv()
        assert not order.build
        _show(np.load(path), pipe, memory, fps)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _show(pictures: np.ndarray, pipe: Connection, memory: SharedMemory, fps: int) -> None:
    pipe.send(Ready(("drawn", "drawn", "passthrough"), "", True, True))
    ring, lasts, count = memory.ring(), frame_ticks(fps), 0
    following = -(-ring.end // lasts) * lasts
    told = time.monotonic()
    while True:
        if pipe.poll(NAP):
            pipe.recv()
        drawn = 0
        while not memory.resting and following <= ring.end:
            if drawn:
                time.sleep(EACH)
            drawn, at = drawn + 1, max(following, (ring.end // lasts - MOST_BEHIND) * lasts)
            count, following = count + 1, at + lasts
            place = at // lasts % (2 * len(pictures))
            picture = pictures[min(place, 2 * len(pictures) - 1 - place)].copy()
            tickcode.stamp(picture, number(at, fps))
            memory.put(count, picture)
            pipe.send(Shown(count, at, {}, lasts, 0, True))
        if time.monotonic() - told > 1.0:
            told = time.monotonic()
            pipe.send(Vitals(level="full"))

"""The engine process: what runs on the other side of `ChildLink`."""

from __future__ import annotations

import importlib
import signal
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

import cv2

from vcam import gpu, voice
from vcam.engine import Engine, Finished, memory_mib
from vcam.errors import VcamError
from vcam.link.memory import SharedMemory
from vcam.media import TICKS_PER_SECOND
from vcam.profile import Profile

EMBEDDED = ("vcam.motion.visemes", "vcam.render.head3d", "vcam.mouth.passthrough")
NAP = 0.003  # seconds between looks at the ring of sound
HISTORY = 24_000  # ticks of sound that a starting engine listens back to


@dataclass(frozen=True, slots=True)
class Note:
    """Progress while starting."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Loaded and warm; frames follow."""

    backends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """Frame `number` lies in its slot."""

    number: int
    at: int
    took: Mapping[str, float]
    speaking: bool


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the process is; once a second."""

    memory_mib: float
    gpu: str
    remarks: str = ""


@dataclass(frozen=True, slots=True)
class Died:
    """Why the engine ends; `final` when it would end the same way again."""

    reason: str
    final: bool


def serve(pipe: Connection, memory: SharedMemory, fps: int) -> None:
    """Wait for a profile, load its engine, then turn sound into pictures until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the rim's to answer
    cv2.setNumThreads(1)  # one core is enough, and threads would wait for each other
    for name in EMBEDDED:
        importlib.import_module(name)  # a spare process has this behind it when it is needed
    try:
        profile: Profile = voice.remembered(pipe.recv())
        engine = Engine.open(profile, fps, memory.size, say=lambda note: pipe.send(Note(note)))
        pipe.send(Ready(engine.backends))
        with voice.kept(profile, engine.pipeline.motion):
            _run(engine, pipe, memory)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the rim has gone
    except VcamError as error:
        pipe.send(Died(str(error), final=True))
    except Exception:
        pipe.send(Died(traceback.format_exc(), final=False))
        raise


def _run(engine: Engine, pipe: Connection, memory: SharedMemory) -> None:
    ring = memory.ring()
    position = due = max(0, ring.end - HISTORY)
    number = 0
    while True:
        if pipe.poll(NAP):
            pipe.recv()  # raises EOFError when the rim closes its end
        sound = ring.read(position, ring.end)
        if not len(sound.samples):
            continue
        position = sound.end
        for finished in engine.step(sound, memory.shown):
            number += 1
            _hand_over(finished, number, engine, pipe, memory)
        if position >= due:
            pipe.send(Vitals(memory_mib(), gpu.describe(), engine.remarks))
            due = position + TICKS_PER_SECOND


def _hand_over(
    finished: Finished, number: int, engine: Engine, pipe: Connection, memory: SharedMemory
) -> None:
    frame = finished.frame
    memory.put(number, frame.array())
    speaking = engine.pipeline.motion.speaking
    pipe.send(Shown(number, frame.at, finished.took, speaking))

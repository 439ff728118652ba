"""The engine process: what runs on the other side of `ChildLink`."""

from __future__ import annotations

import contextlib
import importlib
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

from vcam import access
from vcam.engine.backends import Asked
from vcam.engine.build import build
from vcam.engine.engine import Engine, Finished, memory_mib
from vcam.errors import EngineError, GaveUp, VcamError
from vcam.gpu import device
from vcam.link.memory import SharedMemory
from vcam.media import TICKS_PER_SECOND
from vcam.monitor.stats import FarStatus, GpuStatus
from vcam.profiles import voice
from vcam.profiles.profile import Profile
from vcam.system import opencv as cv2
from vcam.system import signals
from vcam.system.fine_timer import fine_timer

EMBEDDED = ("vcam.motion.visemes.model", "vcam.render.head3d.renderer", "vcam.mouth.passthrough")
NAP = 0.003  # seconds between looks at the ring of sound
DOZE = 0.1  # seconds between looks while no frames are wanted
LEAST_URGENT = 19  # niceness of a process that compiles beside a live one
HISTORY = 24_000  # ticks of sound that a starting engine listens back to


@dataclass(frozen=True, slots=True)
class Note:
    """Progress while starting."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Loaded and warm; frames follow."""

    backends: tuple[str, ...]
    mode: str  # of its motion model; empty when it has only one
    whole: bool  # False when the GPU's memory did not suffice for all of it
    compiled: bool  # False when its networks run uncompiled, because that was not waited for


@dataclass(frozen=True, slots=True)
class Order:
    """What a process that knows no face shall do."""

    profile: Profile
    patient: bool  # wait for compilers, however long they take
    build: bool = False  # only compile, in nobody's way, and end


@dataclass(frozen=True, slots=True)
class Shown:
    """Frame `number` lies in its slot."""

    number: int
    at: int
    took: Mapping[str, float]
    lasts: int
    behind: int
    speaking: bool


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the process is; once a second."""

    memory_mib: float = 0.0
    gpu: GpuStatus | None = None
    remarks: str = ""
    level: str = ""
    load: float = 0.0
    whole: bool = True
    far: FarStatus | None = None  # of a process whose frames are made elsewhere


@dataclass(frozen=True, slots=True)
class Died:
    """Why the engine ends."""

    reason: str
    final: bool = False  # it would end the same way again
    later: bool = False  # nothing is broken, but the machine has no room for it now
    built: bool = False  # it has compiled what it was told to
    trace: str = ""  # where it stumbled, for the log


def serve(pipe: Connection, memory: SharedMemory, fps: int) -> None:
    """Wait for a profile, load its engine, then turn sound into pictures until the pipe closes."""
    signals.leave_to_parent()
    try:
        cv2.setNumThreads(1)  # one core is enough, and threads would wait for each other
        for name in EMBEDDED:
            importlib.import_module(name)  # a spare process has this behind it when it is needed
        order: Order = pipe.recv()
        if order.build:
            _build(Asked(order.profile, fps, memory.size), pipe)
        else:
            _live(order, fps, pipe, memory)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the rim has gone
    except GaveUp as error:
        _last_words(pipe, Died(str(error), later=True))
    except VcamError as error:
        _last_words(pipe, Died(str(error), final=True))
    except Exception as error:
        full = device.out_of_memory(error)
        reason = "the GPU's memory is full" if full else f"{type(error).__name__}: {error}"
        trace = traceback.format_exc()
        _last_words(pipe, Died(reason.splitlines()[0], later=full, trace=trace))
        raise SystemExit(1) from None


def _last_words(pipe: Connection, words: Died) -> None:
    """Say them, if there still is a rim."""
    with contextlib.suppress(OSError):
        pipe.send(words)


def _build(asked: Asked, pipe: Connection) -> None:
    if hasattr(os, "nice"):
        os.nice(LEAST_URGENT)
    for doing in build(asked):
        pipe.send(Note(doing))
    pipe.send(Died("", built=True))


def _live(order: Order, fps: int, pipe: Connection, memory: SharedMemory) -> None:
    say: Callable[[str], None] = lambda note: pipe.send(Note(note))  # noqa: E731 - a word shorter
    profile = voice.remembered(order.profile)
    try:
        engine = Engine.open(profile, fps, memory.size, say, patient=order.patient)
    except (BrokenPipeError, ConnectionResetError):
        raise  # the rim has gone
    except OSError as error:  # a file of another owner, or one too many
        raise EngineError(f"the engine cannot open: {access.explained(error)}") from error
    _pass_on_changes(engine, pipe)
    pipe.send(Ready(engine.backends, engine.mode, engine.whole, engine.compiled))
    with fine_timer(), voice.kept(profile, engine.pipeline.motion):
        _run(engine, pipe, memory)


def _run(engine: Engine, pipe: Connection, memory: SharedMemory) -> None:
    ring = memory.ring()
    position = due = max(0, ring.end - HISTORY)
    number = 0
    while True:
        if pipe.poll(DOZE if memory.resting else NAP):
            pipe.recv()  # raises EOFError when the rim closes its end
        if memory.resting:  # what is heard meanwhile is only what the engine wakes up with
            position = max(position, ring.end - HISTORY)
        elif len((sound := ring.unread(position)).samples):
            position = sound.end
            engine.pipeline.gestures.begun = memory.gestures
            try:
                for finished in engine.step(sound, memory.shown):
                    number += 1
                    _hand_over(finished, number, engine, pipe, memory)
            finally:
                _pass_on_changes(engine, pipe)
        if position >= due:
            pipe.send(_vitals(engine))
            due = position + TICKS_PER_SECOND


def _hand_over(
    finished: Finished, number: int, engine: Engine, pipe: Connection, memory: SharedMemory
) -> None:
    frame = finished.frame
    memory.put(number, frame.array())
    speaking = engine.pipeline.motion.speaking
    words = (finished.took, finished.lasts, finished.behind, speaking)
    pipe.send(Shown(number, frame.at, *words))


def _pass_on_changes(engine: Engine, pipe: Connection) -> None:
    for change in engine.changes:
        pipe.send(change)
    engine.changes.clear()


def _vitals(engine: Engine) -> Vitals:
    return Vitals(
        memory_mib(),
        device.status(engine.stages_mib),
        engine.remarks,
        engine.degradation.level.name,
        engine.degradation.load,
        engine.whole,
    )

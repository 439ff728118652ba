"""Faults that are done to a live run over TLS, and how it goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tests.conftest import write_wav
from tests.fakes import MachineStalls, tone
from tests.remote.lab import CableLab, Lab
from tests.remote.observed import Listened, Observed, Observer, Watched
from tests.remote.test_live import FACE, FPS, SIZE
from vcam.audio.microphone import WavFile
from vcam.engine.degradation import EMBEDDED
from vcam.live.session import Session
from vcam.monitor.stats import Snapshot
from vcam.remote.engine import remote_link

CAMERA_GAP, VOICE_GAP, BACK = 0.2, 0.02, 1.0  # seconds: the bars


@dataclass
class Fault:
    """Done once the far engine has played for a while, and mended after so many seconds."""

    harm: Callable[[], None]
    mend: Callable[[], None]
    lasts: float
    is_seen: bool = True  # the embedded face plays meanwhile
    harmed: float = 0.0
    mended: float = 0.0
    aside: float = 0.0  # when the embedded face played
    back: float = 0.0  # when the far engine did again
    turned: float = 0.0  # when the level changed last
    levels: list[str] = field(default_factory=list)

    def watch(self, now: Snapshot) -> bool:
        """Look on; whether all is over."""
        clock, level = time.monotonic(), now.engine.level
        if self.levels[-1:] != [level]:
            self.turned = clock
        self.levels.append(level)
        if not self.harmed and self.levels[-10:] == ["full"] * 10:
            self.harm()
            self.harmed = clock
        elif self.harmed and not self.mended and clock - self.harmed >= self.lasts:
            self.mend()
            self.mended = time.monotonic()
        elif self.mended and (self.aside or not self.is_seen) and self.levels[-5:] == ["full"] * 5:
            self.back = max(self.turned, self.mended)
            return clock - self.mended > 1.0
        if self.harmed and not self.aside and level == EMBEDDED.name:
            self.aside = clock
        return False


def lived(lab: Lab | CableLab, fault: Fault, folder: Path, seconds: float = 60.0) -> Observed:
    """A run with that fault, and what others saw and heard of it."""
    camera = Watched()
    session = Session(remote_link(lab.far, FACE, FPS, SIZE), camera, FPS)
    source = WavFile(write_wav(folder / "voice.wav", tone(2.0)), session.hear, loop=True)
    seen = Observer(camera, Listened(session))

    def look(now: Snapshot) -> None:
        seen.delays.append((time.monotonic(), now.delay_ms / 1000))
        if fault.watch(now):
            session.stop()

    with MachineStalls() as machine:
        last = session.run(source, seconds, look, seen.voice)
    assert fault.back, f"never back: {last.engine}, {fault.levels[-20:]}"
    ticks = np.array([tick for _, tick in camera.frames if tick >= 0])
    assert (np.diff(ticks) >= 0).all()
    stalls = (end - begin for begin, end in machine.seen if end > fault.harmed)
    return replace(seen.since(fault.harmed), stall=max(stalls, default=0.0))


def missed(seen: Observed, back: float) -> list[str]:
    """Which bars do not hold; what the machine itself stood still is allowed for."""
    bars = {
        "camera gap": (seen.gap - seen.stall, CAMERA_GAP),
        "voice gap": (seen.silence, VOICE_GAP),
        "back": (back, BACK),
    }
    return [name for name, (value, most) in bars.items() if value > most]


def nothing() -> None:
    """It mends itself."""


def faults(lab: Lab) -> dict[str, Fault]:
    """By what they are called."""
    return {
        "link cut for 0.3 s": Fault(lab.cut, lab.heal, 0.3, is_seen=False),
        "link cut for 3 s": Fault(lab.cut, lab.heal, 3.0),
        "connections ended": Fault(lab.drop, nothing, 0.0),
        **of_the_box(lab),
    }


def over_cable(lab: CableLab) -> dict[str, Fault]:
    """The same with a cable, and what only a network can do."""

    def worse() -> None:
        lab.cable.set(delay=0.04, loss=0.01)

    return {
        "link cut for 0.3 s": Fault(lab.cut, lab.heal, 0.3, is_seen=False),
        "link cut for 3 s": Fault(lab.cut, lab.heal, 3.0),
        "link cut for 60 s": Fault(lab.cut, lab.heal, 60.0),
        "another network address": Fault(lab.cable.move, nothing, 0.0),
        "80 ms and 1 % lost, for 10 s": Fault(worse, lab.heal, 10.0, is_seen=False),
        **of_the_box(lab),
    }


def of_the_box(lab: Lab | CableLab) -> dict[str, Fault]:
    """What happens to the far machine."""
    return {
        "service killed, up again after 1 s": Fault(lab.kill_door, lab.serve, 1.0),
        "far engine killed": Fault(lab.kill_engine, nothing, 0.0),
        "far machine stopped for 3 s": Fault(
            lambda: lab.send(signal.SIGSTOP), lambda: lab.send(signal.SIGCONT), 3.0
        ),
    }

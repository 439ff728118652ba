"""One fault, done twice to a live run: the figures of its row."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.fakes import MachineStalls
from tests.faults.measure import BEFORE, Outage, Seen, Spoken, counted, seen, spoken
from tests.faults.rig import Handles, Rig, running
from tests.faults.rows import Fault
from tests.faults.server import kind, missing
from tests.faults.voice import heard

CAMERA_GAP, VOICE_GAP, RECOVERY = 0.2, 0.02, 3.0  # seconds: the bars
BURST = 6  # frames in a tenth of a second: no backlog is shown
RAW = 0.05  # seconds of the microphone itself: what a meeting is brought back in, and is read from
STALE = 0.3  # seconds of old voice: no backlog is played
GROWTH = 8.0  # MiB between the first recovery and the second
COUNTS = ("silence_filled_ms", "overflows", "underflows", "late", "dropped", "stood_ms")
TIMES = 2  # the second tells whether the first has left something behind
WATCH = 2.5  # seconds to look at after a recovery
LONGEST = 12.0  # seconds to wait for one
CALM = 2.5  # seconds before a fault, to know how it should be
LAG = 0.1  # seconds that sound may be on its way to the meeting
LIFE = 60.0  # seconds to come to life: a busy machine takes long
SETTLING = 6.0  # seconds to close what is no longer needed
ALIVE = 3  # children of a healthy rim: the live engine, the spare one, multiprocessing's own


@dataclass(frozen=True)
class Row:
    """What a fault cost, at worst."""

    fault: Fault
    seen: Seen
    spoken: Spoken | None  # None where there is no sound server
    before: Handles
    after: tuple[Handles, ...]  # after each recovery
    said: tuple[str, ...]  # what the run told people of it
    counted: Mapping[str, float]  # by the run itself, from the first fault on
    stall: float  # seconds that the machine itself let a ready program wait

    @property
    def recovery(self) -> float:
        """Seconds until picture and voice were well again."""
        return max(self.seen.recovery, self.spoken.recovery if self.spoken else 0.0)

    def failures(self, slack: float = 0.0, factor: float = 1.0) -> list[str]:
        """Which bars do not hold, when each may be missed by `slack` seconds and `factor`."""
        found = []
        if self.fault.awake and self.seen.gap > factor * CAMERA_GAP + slack:
            found.append("camera gap")
        if self.spoken and self.fault.hears and self.spoken.gap > factor * VOICE_GAP + slack:
            found.append("voice gap")
        if self.recovery > factor * RECOVERY + slack:
            found.append("recovery")
        if self.seen.burst > BURST or (self.spoken and self.spoken.stale > STALE + slack):
            found.append("backlog")
        if self.spoken and self.spoken.raw > RAW:
            found.append("raw microphone")
        return found + self._leaks()

    def left_behind(self) -> tuple[float, float, float, float]:
        """Files, threads, processes and MiB more after the last time than after the first."""
        first, last = self.after[0], self.after[-1]
        grown = (now - before for now, before in zip(last.counts, first.counts, strict=True))
        return *grown, last.memory_mib - first.memory_mib

    def _leaks(self) -> list[str]:
        files, threads, children, memory = self.left_behind()
        return ["leak"] if max(files, threads, children) > 0 or memory > GROWTH else []


def tried(fault: Fault, sound: bool, times: int = TIMES) -> Row:
    """Do it, a few times. The quieter the machine, the truer the figures."""
    with tempfile.TemporaryDirectory(prefix="vcam-faults.") as name, MachineStalls() as machine:
        around = _stepping(Path(name)) if fault.steps else {}
        with running(Path(name), sound, around, far=fault.far, **fault.settings) as rig:
            _await_life(rig)
            before, after, looks, calls = Handles.of(rig.rim), [], [], []
            start = rig.now()
            for _ in range(times):
                if fault.far:
                    assert rig.wait(lambda: rig.now()["engine"]["level"] == "full", LIFE), "no link"
                time.sleep(CALM)
                outage = fault.act(rig)
                look, call = _followed(rig, fault, outage)
                looks.append(look)
                calls += [call] if call else []
                _await_handles(rig, before)
                after.append(Handles.of(rig.rim))
                rig.happened += 1
            told = rig.told()
            counts = {name: rig.now()[name] - start[name] for name in COUNTS}
    return Row(
        fault,
        Seen(*(max(column) for column in zip(*map(astuple, looks), strict=True))),
        Spoken(*(max(column) for column in zip(*map(astuple, calls), strict=True)))
        if calls
        else None,
        before,
        tuple(after),
        told,
        counts,
        machine.longest,
    )


def cannot(fault: Fault, sound: bool) -> str:
    """Why a fault cannot be tried here; empty when it can."""
    if fault.server and not sound:
        return missing()
    if fault.only not in ("", kind()):
        return f"it is a fault of {fault.only}'s: VCAM_SOUND_SERVER={fault.only}"
    if fault.far and not importlib.util.find_spec("cryptography"):
        return "no cryptography here, so no certificate can be made"
    return "no C compiler here" if fault.steps and shutil.which("cc") is None else ""


def _stepping(folder: Path) -> dict[str, str]:
    """The environment of a process whose wall clock can be stepped."""
    library = folder / "step.so"
    command = ["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("step.c")]
    subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(library), "VCAM_CLOCK_STEPPED": str(folder / "clock-stepped")}


def _await_life(rig: Rig) -> None:
    """Until it is live, the delay is learned, the voice flows and the spare engine waits."""

    def lives() -> bool:
        now = rig.now()
        return now["fresh"] > 60 and len(rig.rim.children()) >= ALIVE

    assert rig.wait(lives, LIFE), rig.now()
    assert rig.listener is None or rig.wait(lambda: bool(rig.listener and rig.listener.takes))


def _followed(rig: Rig, fault: Fault, outage: Outage) -> tuple[Seen, Spoken | None]:
    """What was seen and heard until all was well again for a while, or patience ends."""
    while True:
        time.sleep(0.5)
        end = time.monotonic() - LAG
        looks = list(rig.seen)
        delays = [(now["at"], now["delay_ms"] / 1000) for now in looks]
        look = counted(looks, outage)
        if fault.noted:
            look = seen(rig.frames(), delays, outage, end, away=not fault.shows)
        call = None
        if rig.listener is not None:
            voice = heard(rig.listener.takes, outage.begin - BEFORE, end)
            call = spoken(voice, delays, outage, end, away=not fault.hears)
        well = outage.cured + max(look.recovery, call.recovery if call else 0.0)
        if end > min(well + WATCH, outage.cured + LONGEST):
            return look, call


def _await_handles(rig: Rig, before: Handles) -> None:
    """Give it time to close what the fault has left, and to start another spare engine."""
    rig.wait(lambda: Handles.of(rig.rim).counts == before.counts, SETTLING)

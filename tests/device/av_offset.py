"""How far picture and sound are apart at the devices, measured by readers that do not know vcam.

A pattern is played into a microphone; vcam (tests/device/timecode.py) makes pictures of it that say
which moment of the sound they belong to; ffmpeg reads camera and virtual microphone. The offset of
a picture is the time when the camera had it, less the time when its sound left: above zero the
picture is late. Only pictures that are new count, not their repetitions.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from tests.conftest import write_wav
from tests.device.clicks import PERIOD, pattern
from tests.device.machine import Machine, Stalls
from tests.device.recorders import (
    Heard,
    Seen,
    read_pictures,
    read_sound,
    record_pictures,
    record_sound,
)
from tests.device.sound import Ear
from tests.device.timecode import ENGINE, NO_CLICK, WITNESS
from vcam.camera import v4l2
from vcam.media import TICKS_PER_SECOND

ROOT = Path(__file__).parents[2]
VOICE = ROOT / "vcam" / "assets" / "hello.wav"
WITNESSED = "witness.txt"
LOOK = 20.0  # seconds between two looks at what it holds
STARTS_WITHIN = 120.0  # seconds: the test machine has one slow processor
SETTLING = 10.0  # seconds after the first click that do not count: the delay is still learned
ENOUGH = 30  # pictures that tell something
EARLY, LATE, MEAN = -60.0, 40.0, 15.0  # ms: the broadcasters' window (EBU R37), and of the mean


@dataclass(frozen=True)
class Plan:
    """One measurement."""

    engine: str = "slow-0"  # or late-MS; see tests/device/timecode.py
    seconds: int = 60
    device: str = ""  # of the camera; without one vcam itself notes when it would send
    size: int = 512
    fps: int = 30
    settling: float = SETTLING


class TooFew(AssertionError):
    """So little was seen or heard that it says nothing of offsets."""


class Vitals(NamedTuple):
    """What processes hold."""

    memory_mib: float
    handles: int
    threads: int


@dataclass(frozen=True)
class Offsets:
    """Its result; milliseconds, above zero where the picture is late."""

    engine: str
    pictures: int
    clicks: int
    new_per_second: float
    mean: float
    p5: float
    p95: float
    worst: float
    delay_ms: float  # of the presentation, as vcam says
    told_ms: float  # what vcam itself believes the voice to be off by
    by_minute: tuple[float, ...]  # means
    by_minute_worst: tuple[float, ...]  # 95 % are nearer to zero
    vitals: tuple[Vitals, ...]
    gaps: tuple[float, ...]  # seconds of missing sound
    calm: float = 1.0  # share of the pictures that no stall of the machine was near; judged alone

    @property
    def good(self) -> bool:
        """Whether it is within what people take for simultaneous."""
        return self.p5 >= EARLY and self.p95 <= LATE and abs(self.mean) <= MEAN


def measure(
    plan: Plan,
    ear: Ear,
    folder: Path,
    disturb: Callable[[int], None] = lambda pid: None,
    machine: Machine | None = None,
) -> Offsets:
    """Carry out `plan`; `folder` is for its files, `disturb` is called with vcam's pid half-way.

    Pictures that were shown soon after the whole `machine` stood still do not count.
    """
    sound = write_wav(folder / "pattern.wav", pattern(plan.seconds, VOICE))
    with contextlib.ExitStack() as closing:
        vcam = closing.enter_context(running(plan, ear, folder, machine))
        wall = time.time() - time.monotonic()
        closing.callback(record_sound("vcam", folder / "sound.nut", ear.environment).close)
        if plan.device:
            closing.callback(record_pictures(plan.device, folder / "picture.nut").close)
        closing.enter_context(ear.playing(sound))
        grown = watched(vcam.pid, plan.seconds / 2)
        disturb(vcam.pid)
        grown += watched(vcam.pid, plan.seconds / 2)
        last = finished(vcam)
    picture = folder / "picture.nut"
    seen = read_pictures(picture) if plan.device else _witnessed(folder / WITNESSED)
    heard = read_sound(folder / "sound.nut", wall)
    stalls = machine.whole if machine else Stalls()
    return evaluated(plan, seen, heard, last, grown, stalls)


@contextlib.contextmanager
def running(
    plan: Plan, ear: Ear, folder: Path, machine: Machine | None = None
) -> Iterator[subprocess.Popen[str]]:
    """vcam, from the moment its camera and its microphone are there."""
    command = [sys.executable, "-m", "tests.device.timecode", "run", "--profile", "demo"]
    command += ["--mic", ear.microphone, "--camera", plan.device or "none", "--no-hud", "--json"]
    command += ["--fps", str(plan.fps), "--size", str(plan.size)]
    environment = {
        **ear.environment,
        ENGINE: plan.engine,
        WITNESS: str(folder / WITNESSED),
        "PYTHONPATH": str(ROOT),
    }
    vcam = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        _await(vcam, lambda: "\tvcam\t" in _sources(ear) and _shown(plan, folder), machine)
        yield vcam
    finally:
        if vcam.poll() is None:
            vcam.kill()
        vcam.communicate()


def watched(pid: int, seconds: float) -> tuple[Vitals, ...]:
    """What vcam and its engines hold, now and then over so many seconds."""
    vitals, end = [vitals_of(pid)], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, LOOK))
        vitals.append(vitals_of(pid))
    return tuple(vitals)


def vitals_of(pid: int) -> Vitals:
    """What it holds now, with all its children."""
    root = psutil.Process(pid)
    memory = handles = threads = 0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory += process.memory_info().rss
            handles += process.num_fds()
            threads += process.num_threads()
    return Vitals(memory / 2**20, handles, threads)


def kill_engine(pid: int) -> None:
    """Kill the engine of the vcam with this pid: its child that has worked the most."""
    children = psutil.Process(pid).children()
    max(children, key=lambda each: sum(each.cpu_times()[:2])).kill()


def finished(vcam: subprocess.Popen[str]) -> dict[str, Any]:
    """End it as Ctrl-C does; its last numbers."""
    vcam.send_signal(signal.SIGINT)
    output, _ = vcam.communicate(timeout=60)
    last: dict[str, Any] = json.loads(output.splitlines()[-1])
    return last


def evaluated(
    plan: Plan,
    seen: Seen,
    heard: Heard,
    last: dict[str, Any],
    vitals: tuple[Vitals, ...],
    stalls: Stalls,
) -> Offsets:
    """What it comes to; `TooFew` if that is nothing."""
    clicks = heard.times()
    if not len(clicks):
        raise TooFew("no click was heard")
    times, offsets = offsets_of(seen, clicks)
    counts = times > clicks[0] + plan.settling
    times, offsets = times[counts], offsets[counts]
    if len(times) < 2:
        raise TooFew("no picture was seen that has heard a click")
    new_per_second = len(offsets) / (times[-1] - times[0])
    calm = stalls.calm(times)
    if calm.sum() >= ENOUGH:  # else it is the machine's word, and told as such
        times, offsets = times[calm], offsets[calm]
    minutes = ((times - times[0]) // 60).astype(int)
    return Offsets(
        engine=plan.engine,
        pictures=len(offsets),
        clicks=len(clicks),
        new_per_second=new_per_second,
        mean=float(offsets.mean()),
        p5=float(np.percentile(offsets, 5)),
        p95=float(np.percentile(offsets, 95)),
        worst=float(offsets[np.abs(offsets).argmax()]),
        delay_ms=last["delay_ms"],
        told_ms=-last["voice_offset_ms"],
        by_minute=tuple(float(offsets[minutes == m].mean()) for m in np.unique(minutes)),
        by_minute_worst=tuple(
            float(np.percentile(np.abs(offsets[minutes == m]), 95)) for m in np.unique(minutes)
        ),
        vitals=vitals,
        gaps=tuple(gap for when, gap in heard.silences if when > clicks[0] + plan.settling),
        calm=float(calm.mean()),
    )


def offsets_of(
    seen: Seen, clicks: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times of the new pictures and their offsets [n], ms."""
    times, codes = np.array(seen.times), np.array(seen.codes)
    new = np.concatenate([[False], np.diff(codes) != 0]) & (codes != NO_CLICK)
    begin = times[new] - codes[new] / TICKS_PER_SECOND  # of their click, if all were in time
    nearest = clicks[np.abs(begin[:, np.newaxis] - clicks).argmin(axis=1)]
    heard = np.abs(begin - nearest) < PERIOD / TICKS_PER_SECOND / 2
    return times[new][heard], 1000 * (begin - nearest)[heard]


def table(results: list[Offsets]) -> str:
    """For people."""
    lines = ["engine     new/s  delay    mean      p5     p95   worst  told  gaps  calm  verdict"]
    for each in results:
        lines.append(
            f"{each.engine:9} {each.new_per_second:6.1f} {each.delay_ms:6.0f} {each.mean:7.1f} "
            f"{each.p5:7.1f} {each.p95:7.1f} {each.worst:7.1f} {each.told_ms:5.1f} "
            f"{len(each.gaps):5} {each.calm:5.0%} {'ok' if each.good else '  FAILS'}"
        )
    return "\n".join(lines)


def as_json(results: list[Offsets]) -> str:
    """For programs, on one line."""
    return json.dumps([{**asdict(each), "good": each.good} for each in results])


def _sources(ear: Ear) -> str:
    asked = ["pactl", "list", "short", "sources"]
    done = subprocess.run(asked, env=ear.environment, capture_output=True, text=True)
    return done.stdout


def _shown(plan: Plan, folder: Path) -> bool:
    """Whether there is a picture to read: an exclusive_caps camera refuses readers before."""
    if plan.device:
        return v4l2.query(plan.device).capture
    witness = folder / WITNESSED
    return witness.exists() and witness.stat().st_size > 0


def _witnessed(path: Path) -> Seen:
    lines = [line.split() for line in path.read_text().splitlines()]
    return Seen([float(when) for when, _ in lines], [int(code) for _, code in lines])


def _await(vcam: subprocess.Popen[str], ready: Callable[[], bool], machine: Machine | None) -> None:
    begin, what = time.monotonic(), "vcam does not start"
    while not ready():
        assert vcam.poll() is None, "vcam ended"
        if machine is None:
            assert time.monotonic() < begin + STARTS_WITHIN, what
        else:
            machine.soon(begin, STARTS_WITHIN, what)
        time.sleep(0.3)

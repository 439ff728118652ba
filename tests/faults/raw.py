"""Whether a meeting that has asked for vcam's microphone ever hears the raw one.

Somebody speaks into the microphone all the time. While vcam is muted, whatever arrives is raw;
while it is live, what arrives too early to have come through vcam. One listener is there before
vcam starts, one comes after; then everything of vcam's is killed, ended, and the server is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults import rig
from tests.faults.server import MICROPHONES, Server, own
from tests.faults.voice import HOP, NEAR, Heard, Listener, Speaker, heard, loud
from vcam.media import TICKS_PER_SECOND

PRESENCES = ("muted", "live")
BRING_BACK = 0.03  # seconds in which who has listened before is brought to vcam
ON_ITS_WAY = 0.1  # seconds of sound that was recorded before and comes later
AWAY = 1.5  # seconds without vcam, or without a server
WATCH = 2.5  # seconds to listen once vcam is there
LIFE = 30.0  # seconds for its devices to be there
PART = 0.3  # of the time there must be sound, or else it says nothing


@dataclass(frozen=True)
class Finding:
    """What the meetings heard in one situation."""

    situation: str
    presence: str
    raw: int  # samples of the raw microphone, of all meetings
    heard: int  # samples of anything, silence included
    voice: float  # seconds of vcam's voice
    said: float  # seconds that were spoken into the microphone
    seconds: float  # that it took

    @property
    def failed(self) -> list[str]:
        """Which bars do not hold."""
        enough = PART * self.seconds
        silent = self.presence == "live" and not self.voice
        deaf = min(self.heard / TICKS_PER_SECOND, self.said) < enough or silent
        return ["raw microphone"] * bool(self.raw) + ["nothing was heard"] * deaf


@dataclass
class Stage:
    """A sound server with a speaker, meetings, and a vcam that comes and goes."""

    folder: Path
    server: Server
    speaker: Speaker
    microphone: Listener  # who hears the microphone itself
    presence: str
    meetings: list[Listener] = field(default_factory=list)
    vcam: subprocess.Popen[str] | None = None

    def meet(self) -> None:
        """Somebody begins to listen to vcam's microphone."""
        self.meetings.append(Listener("vcam", self.server.environment))

    def begin(self) -> float:
        """Start vcam; the monotonic second at which its devices were there."""
        asked = {"begin": self.presence, "microphone": f"{MICROPHONES[0]}_mic"}
        self.vcam = rig.started(self.folder, self.server.environment, asked, subprocess.DEVNULL)
        return self.await_voice()

    def await_voice(self) -> float:
        """Wait until vcam speaks; the monotonic second at which its microphone was there."""
        end = time.monotonic() + LIFE
        with self.server.client("stage") as client:
            _await(lambda: "vcam" in [each.name for each in client.source_list()], end)
            there = time.monotonic()
            _await(lambda: _has_voice(client), end)
        return there

    def kill(self) -> None:
        """kill -9 of everything that is vcam's."""
        assert self.vcam is not None
        os.killpg(self.vcam.pid, signal.SIGKILL)
        self.vcam.wait()

    def stop(self) -> None:
        """End vcam politely."""
        assert self.vcam is not None
        rig.end(self.vcam)

    def close(self) -> None:
        """Everybody leaves."""
        for listener in (*self.meetings, self.microphone):
            listener.close()
        if self.vcam is not None and self.vcam.poll() is None:
            self.kill()


def listened_before(stage: Stage) -> float:
    """A meeting was there first; the second from which on it must hear vcam."""
    stage.meet()
    time.sleep(AWAY)
    return stage.begin() + BRING_BACK + ON_ITS_WAY


def listens_after(stage: Stage) -> float:
    """A meeting comes while vcam is there."""
    stage.meet()
    return time.monotonic()


def killed(stage: Stage) -> float:
    """Nothing of vcam's is left, then it is started again."""
    begin = time.monotonic()
    stage.kill()
    time.sleep(AWAY)
    stage.begin()
    return begin


def stopped(stage: Stage) -> float:
    """It is ended, then started again."""
    begin = time.monotonic()
    stage.stop()
    time.sleep(AWAY)
    stage.begin()
    return begin


def server_killed(stage: Stage) -> float:
    """Nobody answers for a while."""
    begin = time.monotonic()
    stage.speaker.hush()
    stage.server.kill()
    time.sleep(AWAY)
    stage.server.start()
    stage.speaker.speak_on()
    stage.await_voice()
    return begin


SITUATIONS: dict[str, Callable[[Stage], float]] = {
    "listened before vcam's start": listened_before,
    "listens after it": listens_after,
    "everything killed (kill -9), started again": killed,
    "stopped, started again": stopped,
    "sound server killed": server_killed,
}  # one after another, on one stage


def findings() -> Iterator[Finding]:
    """Muted and live, all situations one after another."""
    for presence in PRESENCES:
        with _stage(presence) as stage:
            for name, act in SITUATIONS.items():
                begin = act(stage)
                time.sleep(WATCH)
                yield _found(stage, name, begin, time.monotonic())


@contextlib.contextmanager
def _stage(presence: str) -> Iterator[Stage]:
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="vcam-raw.")))
        (folder / "runtime").mkdir(mode=0o700)
        rig.furnish(folder)
        server = own(folder / "runtime")
        closing.callback(server.close)
        server.start()
        speaker = Speaker(MICROPHONES, server.environment)
        closing.callback(speaker.close)
        microphone = Listener(f"{MICROPHONES[0]}_mic", server.environment)
        stage = Stage(folder, server, speaker, microphone, presence)
        closing.callback(stage.close)
        yield stage


def _found(stage: Stage, name: str, begin: float, end: float) -> Finding:
    said = heard(stage.microphone.takes, begin, end)
    calls = [heard(meeting.takes, begin, end) for meeting in stage.meetings]
    counts = [loud(meeting.takes, begin, end) for meeting in stage.meetings]
    raw = sum(samples for samples, _ in counts)
    if stage.presence == "live":
        raw = HOP * sum(_too_early(call, said) for call in calls)
    return Finding(
        name,
        stage.presence,
        raw,
        sum(samples for _, samples in counts),
        _seconds(sum(len(call.moments) for call in calls)) - raw / TICKS_PER_SECOND,
        _seconds(len(said.moments)),
        end - begin,
    )


def _too_early(call: Heard, said: Heard) -> int:
    """Moments of `call` that are as young as the microphone itself, or as near as two ears are."""
    youngest = np.median([age for _, age, _ in said.moments]) if said.moments else 0.0
    return sum(bool(age < youngest + NEAR) for _, age, _ in call.moments)


def _await(holds: Callable[[], bool], end: float) -> None:
    while not holds():
        assert time.monotonic() < end, "vcam does not come to life"
        time.sleep(0.002)


def _has_voice(client: Any) -> bool:
    """Whether anybody plays into vcam's sink; at PipeWire vcam's own stream is there instead."""
    sinks = [each.index for each in client.sink_list() if each.name == "vcam_voice"]
    return any(
        each.sink in sinks or each.proplist.get("node.name", "").startswith("vcam_voice-")
        for each in client.sink_input_list()
    )


def _seconds(moments: int) -> float:
    return moments * HOP / TICKS_PER_SECOND

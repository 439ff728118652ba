"""A meeting in Chromium stays while vcam ends and begins again on its camera."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device.browser import browsing
from tests.device.conftest import FPS, SIZE, feeding, picture
from tests.device.machine import Machine
from tests.device.runs import ROOT, STARTS_WITHIN, await_sender, command, long_voice, started
from vcam.camera.open import open_camera
from vcam.errors import DeviceError
from vcam.media import Frame
from vcam.render.head3d.look import LOOKS

pytestmark = pytest.mark.device
ENOUGH = 2 * FPS  # pictures of a run
FACES = ("sunny", "river")  # their clothes are blue and red
GIVES_UP = 9.5  # seconds: Chromium gives up a camera that shows nothing for about ten
PATIENCE = 15.0  # seconds, longer than that
Shown = list[dict[str, Any]]


class Meeting:
    """A page that stays open, and what it has seen."""

    def __init__(self, reported: Callable[[float], dict[str, Any]], machine: Machine) -> None:
        self._reported, self._machine = reported, machine
        self.seen: Shown = []
        self.openings = 0  # how often it had to open the camera

    def look(self) -> None:
        """Wait for its next word."""
        report = self._reported(STARTS_WITHIN)
        assert "error" not in report, report["error"]
        self.seen += report["shown"]
        self.openings = report["openings"]

    def see(self, first: int = 1) -> Shown:
        """Many more pictures, each new; only codes from `first` on count."""
        begin, before = time.monotonic(), len(self.seen)
        while len(new := _new(self.seen[before:], first)) < ENOUGH:
            seen = f"{len(new)} new pictures, {self.openings} openings"
            self._machine.soon(begin, STARTS_WITHIN, seen)
            self.look()
        return new

    @property
    def longest_wait(self) -> float:
        """Seconds between two pictures."""
        return float(np.diff([each["time"] for each in self.seen]).max())


@contextlib.contextmanager
def meeting(machine: Machine) -> Iterator[Meeting]:
    """Chromium opens the camera."""
    with browsing("stay.html") as reported:
        yield Meeting(reported, machine)


def test_a_meeting_stays_while_vcam_starts_again(
    device: str, tmp_path: Path, machine: Machine
) -> None:
    """It shows the second run, which is somebody else, and nothing of the first again."""
    voice = long_voice(tmp_path / "voice.wav")
    settings = {"VCAM_PROFILES": str(_profiles(tmp_path))}
    with contextlib.ExitStack() as stack:
        with started(device, voice, environment=settings) as vcam:
            await_sender(device, vcam, machine)
            page = stack.enter_context(meeting(machine))
            first = page.see()
            _end(vcam)
        with started(device, voice, "--profile", "river", environment=settings):
            second = page.see()
    print(f"longest wait {page.longest_wait:.1f} s; {_told(first)}, then {_told(second)}")
    waited = page.longest_wait  # a starved machine starts slowly
    machine.hold(page.openings == 1 or waited > GIVES_UP, f"opened {page.openings} times")
    assert [_face(first), _face(second)] == list(FACES)
    assert second[0]["code"] < first[-1]["code"]


def test_a_meeting_survives_that_another_size_is_refused(
    device: str, tmp_path: Path, machine: Machine
) -> None:
    """It could not be told of it; vcam says so and ends, and the old size works again."""
    words = command(device, long_voice(tmp_path / "voice.wav"), "--size", "256")
    with contextlib.ExitStack() as stack:
        with sending(device, 1000):
            page = stack.enter_context(meeting(machine))
            page.see(1000)
        with pytest.raises(DeviceError, match="stays at 512x512 and cannot show 256x256"):
            open_camera(device, (256, 256), FPS)
        with sending(device, 5000):
            second = page.see(5000)
        refused = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    print(f"longest wait {page.longest_wait:.1f} s; {refused.stderr.strip()}")
    machine.hold(page.openings == 1, f"opened {page.openings} times")
    assert {tuple(each["size"]) for each in second} == {(SIZE, SIZE)}
    assert refused.returncode == 1
    assert "stays at 512x512 and cannot show 256x256" in refused.stderr


def test_a_meeting_that_gave_the_camera_up_gets_it_again(device: str, machine: Machine) -> None:
    """After a long pause Chromium ends the stream; who asks for it again sees the second run."""
    with contextlib.ExitStack() as stack:
        with sending(device, 1000):
            page = stack.enter_context(meeting(machine))
            page.see(1000)
        time.sleep(PATIENCE)
        with sending(device, 5000):
            page.see(5000)
    print(f"longest wait {page.longest_wait:.1f} s, opened {page.openings} times")
    machine.hold(page.openings == 2, f"opened {page.openings} times")


@contextlib.contextmanager
def sending(device: str, first: int) -> Iterator[None]:
    """A camera that is fed with numbered pictures."""
    camera = open_camera(device, (SIZE, SIZE), FPS)
    with contextlib.closing(camera):
        camera.send(Frame(0, picture(first)))  # readers are refused before the first frame
        with feeding(camera, first=first):
            yield


def _new(seen: Shown, first: int) -> Shown:
    """The pictures of the newest run whose code moves on: those since it last fell."""
    new: Shown = []
    for each in seen:
        if (each["code"] or 0) < first:  # none, the placeholder's, or of an earlier run
            continue
        if new and each["code"] < new[-1]["code"]:
            new = []
        if not new or each["code"] > new[-1]["code"]:
            new.append(each)
    return new


def _face(run: Shown) -> str:
    """Whose clothes they are."""
    worn = np.mean([each["low"] for each in run], axis=0)
    return min(FACES, key=lambda face: float(np.abs(worn - LOOKS[face].cloth).max()))


def _profiles(folder: Path) -> Path:
    """Where there is a second face."""
    river = folder / "profiles" / "river"
    river.mkdir(parents=True)
    (river / "profile.yaml").write_text(
        "version: 2\ntitle: River\nmotion: visemes\nrenderer: head3d\nmouth: passthrough\n"
        "look: river\n"
    )
    return river.parent


def _end(vcam: subprocess.Popen[str]) -> None:
    """As Ctrl-C does."""
    vcam.send_signal(2)
    vcam.communicate(timeout=60)
    assert vcam.returncode == 0


def _told(run: Shown) -> str:
    rate = (len(run) - 1) / (run[-1]["time"] - run[0]["time"])
    return f"{_face(run)} codes {run[0]['code']}-{run[-1]['code']}, {rate:.1f} new/s"

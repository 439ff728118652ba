"""The real picture in the avatar's place: by request only, and nobody stays on it unknowingly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.camera.webcams import FakeCapture, is_real, webcams
from tests.live.test_live_requests import now, run
from tests.live.test_session import TimedCamera
from tests.live.test_session_presence import eventually, living, made
from vcam.config import RunConfig
from vcam.control import requests, server, settings
from vcam.errors import ConfigError
from vcam.live.real import RealPicture
from vcam.live.run import Run
from vcam.live.session import DIRECT, Session
from vcam.monitor.recent import Recent
from vcam.monitor.stats import EngineStatus, Snapshot
from vcam.monitor.verdict import verdict
from vcam.presence import Presence

__all__ = ["run", "webcams"]

WELL = EngineStatus(state="live")
STEP = 0.1  # seconds: two frames, and what a busy machine takes


@dataclass
class Shown:
    """A run whose webcam is a fake one."""

    session: Session
    camera: TimedCamera
    real: RealPicture = field(init=False)

    def __post_init__(self) -> None:
        config = RunConfig(webcam="0", size=128)
        self.real = RealPicture(config, self.session)

    def ask(self, **changes: bool) -> float:
        """Change the presence; when that was."""
        asked = time.monotonic()
        self.real.change(changes, WELL)
        return asked

    @property
    def is_real(self) -> bool:
        return is_real(self.camera.frames[-1].pixels)

    def kinds(self, since: float) -> list[tuple[float, bool]]:
        """When each picture since then came, and whether it was the real one."""
        pairs = zip(self.camera.times, list(self.camera.frames), strict=False)
        return [(when, is_real(frame.pixels)) for when, frame in pairs if when > since]


@pytest.fixture
def shown(webcams: list[FakeCapture]) -> Iterator[Shown]:
    camera = TimedCamera()
    session, _ = made(camera)
    with living(session):
        here = Shown(session, camera)
        yield here
        here.real.close()


def test_the_webcam_is_opened_only_when_it_is_asked_for(
    shown: Shown, webcams: list[FakeCapture]
) -> None:
    assert not webcams
    shown.ask(real=True)
    eventually(lambda: shown.is_real)
    shown.ask(real=False)
    eventually(lambda: not shown.is_real)
    assert webcams[0].released.wait(5)


def test_both_ways_take_two_frames(shown: Shown) -> None:
    shown.ask(real=True)
    eventually(lambda: shown.real._picture() is not None)
    ready = time.monotonic()
    eventually(lambda: shown.is_real)
    first = next(when for when, real in shown.kinds(ready - 0.05) if real)
    assert first - ready < STEP
    asked = shown.ask(real=False)
    eventually(lambda: not shown.is_real)
    assert not any(real for when, real in shown.kinds(asked + STEP))
    assert shown.camera.longest_gap < 0.5


def test_the_voice_waits_for_no_avatar_while_it_is_shown(shown: Shown) -> None:
    session = shown.session
    session.projector.delay.ticks = 4 * DIRECT
    when = time.monotonic()
    delayed = session.leaving(when)
    shown.ask(real=True)
    eventually(lambda: session.is_direct)
    direct = session.leaving(when)
    assert delayed is not None
    assert direct is not None
    assert abs(direct - delayed - (session.projector.delay.ticks - DIRECT)) < DIRECT / 4
    shown.ask(real=False)
    eventually(lambda: not session.is_direct)
    assert session.leaving(when) is None  # it waits, and nothing is said twice


@pytest.mark.parametrize("hiding", ["hidden", "paused"])
def test_what_hides_the_picture_ends_it_for_good(shown: Shown, hiding: str) -> None:
    shown.ask(real=True)
    eventually(lambda: shown.is_real)
    asked = shown.ask(**{hiding: True})
    assert not shown.session.presence.real
    time.sleep(0.3)
    with pytest.raises(ConfigError, match="vcam resume"):
        shown.ask(real=True)
    shown.ask(**{hiding: False})
    time.sleep(0.3)
    assert not any(real for _, real in shown.kinds(asked + STEP))


@pytest.mark.parametrize("how", ["engine", "unplugged", "left", "slept"])
def test_whatever_else_ends_it_brings_the_avatar_and_a_sentence(
    how: str, shown: Shown, webcams: list[FakeCapture]
) -> None:
    shown.ask(real=True)
    eventually(lambda: shown.is_real)
    if how == "unplugged":
        webcams[0].plugged = False
        eventually(lambda: not shown.is_real)  # by itself, before anybody has looked
    happens = {
        "engine": lambda: shown.real.check(EngineStatus(state="live", restarts=1)),
        "unplugged": lambda: shown.real.check(WELL),
        "left": lambda: shown.real.watched(False),
        "slept": lambda: shown.real.end("the machine slept"),
    }
    happens[how]()
    asked = time.monotonic()
    assert shown.session.presence == Presence()
    assert "the avatar is shown again, not your real camera" in shown.real.trouble
    time.sleep(0.3)
    assert not any(real for _, real in shown.kinds(asked + STEP))
    webcams[0].plugged = True
    assert not shown.is_real


def test_a_meeting_that_comes_does_not_end_it(shown: Shown) -> None:
    shown.real.watched(False)
    shown.ask(real=True)
    shown.real.watched(False)
    shown.real.watched(True)
    assert shown.session.presence.real


def test_the_preview_is_what_others_get(shown: Shown) -> None:
    shown.ask(real=True)
    eventually(lambda: shown.is_real)
    picture = shown.session.projector.picture
    assert picture is not None
    assert is_real(picture)


@pytest.mark.parametrize(
    ("webcam", "told"), [("", "--webcam DEVICE"), ("memory", "is the virtual camera itself")]
)
def test_what_cannot_be_shown_is_refused(webcam: str, told: str) -> None:
    session, _ = made()
    real = RealPicture(RunConfig(webcam=webcam), session)
    with pytest.raises(ConfigError, match=told):
        real.change({"real": True}, WELL)
    assert session.presence == Presence()


def test_nothing_begins_with_it() -> None:
    assert requests.PRESENCES["real"].changes == {"real": True}
    with pytest.raises(ConfigError, match="no way to begin"):
        RunConfig(begin="real")
    with pytest.raises(ConfigError, match="no way to begin"):
        Presence.of("muted,real")
    assert Presence(muted=True, real=True).lasting == Presence(muted=True)


@pytest.mark.parametrize("trouble", [(), ("lost",)])
def test_the_word_for_it_goes_before_all_troubles(trouble: tuple[str, ...]) -> None:
    for presence, state in (("real", "live"), ("muted,real", "restarting"), ("real", "starting")):
        snapshot = Snapshot(presence=presence, trouble=trouble, engine=EngineStatus(state=state))
        found = verdict(snapshot, Recent())
        assert found.word == "REAL"
        assert found.also == (("muted",) if "muted" in presence else ())


def test_a_restart_knows_nothing_of_it(
    run: Run, webcams: list[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run._real, "_device", "0")
    assert server.ask({"do": "real"})["presence"] == "real"
    server.ask({"do": "mute"})
    assert settings.kept().begin == "muted"
    assert now().presence.startswith("muted,real")
    assert server.ask({"do": "panic"})["presence"] == "muted,hidden"
    assert server.ask({"do": "resume"})["presence"] == "muted"
    assert webcams[-1].released.wait(5)

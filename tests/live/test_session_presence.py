"""What a user may decide while live: mute, idle, panic, pause, another camera; and a sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.fakes import tone
from tests.live.test_session import Player, TimedCamera, engine
from vcam.camera.memory import MemoryCamera
from vcam.errors import ConfigError, DeviceError
from vcam.link.local import LocalLink
from vcam.live.session import Session
from vcam.media import TICKS_PER_SECOND, AudioChunk, Frame
from vcam.motion.gestures import Begun
from vcam.presence import Presence

LOUD = tone(60.0)
CARD = np.full((16, 16, 3), 7, np.uint8)


class ListeningLink(LocalLink):
    """Remembers what the engine was given to hear."""

    def __init__(self) -> None:
        super().__init__(engine())
        self.heard: list[AudioChunk] = []

    def send(self, sound: AudioChunk) -> None:
        self.heard.append(sound)
        super().send(sound)


class Tape(TimedCamera):
    """A camera that records the sound as well: a film."""

    def __init__(self) -> None:
        super().__init__()
        self.sound: list[AudioChunk] = []

    def hear(self, sound: AudioChunk) -> None:
        self.sound.append(sound)


@contextmanager
def living(session: Session, seconds: float = 20.0) -> Iterator[None]:
    """A run in the background, from its first fresh frames on."""
    thread = threading.Thread(
        target=session.run, args=(Player(LOUD, session.hear),), kwargs={"seconds": seconds}
    )
    thread.start()
    try:
        eventually(lambda: session.projector.stats.fresh > 5)
        yield
    finally:
        session.stop()
        thread.join()


def eventually(condition: Callable[[], bool]) -> float:
    """Wait until it holds; the seconds that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + 15
        time.sleep(0.005)
    return time.monotonic() - begin


def made(camera: MemoryCamera | None = None, **settings) -> tuple[Session, ListeningLink]:
    link = ListeningLink()
    return Session(link, camera or TimedCamera(), 30, privacy_screen=CARD, **settings), link


def level(samples) -> float:
    return float(np.abs(samples).max(initial=0.0))


@pytest.mark.parametrize("presence", [Presence(muted=True), Presence(hidden=True)], ids=str)
def test_without_a_voice_nothing_real_enters_or_stays(presence):
    session, link = made(Tape())
    with living(session):
        before = session.leaving(time.monotonic())
        assert level(session.ring.read(int(before), session.ring.end).samples) > 0.4
        session.set_presence(presence)
        # What was said and has not left yet is gone, and what is said now never comes in.
        assert session.leaving(time.monotonic()) is None
        shown = session.projector
        leaves = int(shown.clock.tick_at(time.monotonic() + 0.04) - shown.delay.ticks)
        assert level(session.ring.read(leaves, session.ring.end).samples) == 0.0
        muted_at = session.ring.end
        eventually(lambda: session.ring.end > muted_at + 24_000)
        assert level(session.ring.read(muted_at, session.ring.end).samples) == 0.0
        assert level(np.concatenate([s.samples for s in link.heard if s.start >= muted_at])) == 0.0
        session.set_presence(Presence())
        again = session.ring.end
        eventually(lambda: session.ring.end > again + 4800)
        assert level(session.ring.read(again + 960, session.ring.end).samples) > 0.4


def test_a_film_is_silent_while_muted():
    tape = Tape()
    session, _ = made(tape)
    with living(session):
        session.set_presence(Presence(muted=True))
        muted_at = session.ring.end
        eventually(lambda: session.ring.end > muted_at + 24_000)
    muted = [chunk.samples for chunk in tape.sound if chunk.start >= muted_at]
    assert level(np.concatenate(muted)) == 0.0
    assert level(np.concatenate([chunk.samples for chunk in tape.sound])) > 0.4


def test_an_idle_avatar_hears_silence_while_the_voice_goes_on():
    session, link = made()
    with living(session):
        session.set_presence(Presence(idle=True))
        idle_at = session.ring.end
        eventually(lambda: session.ring.end > idle_at + 24_000)
        assert level(session.ring.read(idle_at, session.ring.end).samples) > 0.4
        assert level(np.concatenate([s.samples for s in link.heard if s.start >= idle_at])) == 0.0
        session.set_presence(Presence())


def test_panic_hides_within_a_frame_and_until_fresh_frames_come():
    camera = TimedCamera()
    session, _ = made(camera)
    with living(session):
        session.set_presence(Presence(hidden=True))
        asked, shown = time.monotonic(), camera.sent
        eventually(lambda: camera.sent > shown + 8)
        session.set_presence(Presence())
        back = camera.sent
        eventually(lambda: camera.sent > back + 30)
    pictures = [frame.pixels for frame in camera.frames]
    card = [bool((pixels == 7).all()) for pixels in pictures]
    first = card.index(True)
    assert camera.times[first] - asked < 0.1  # a frame, and what the machine takes
    assert all(card[first : back - 1])
    assert not any(card[back + 10 :])
    # Nothing from before the panic is shown after it.
    ticks = [frame.at for frame in camera.frames]
    after = [tick for tick, hidden in zip(ticks[back:], card[back:], strict=True) if not hidden]
    assert min(after) > ticks[first]
    assert after == sorted(after)
    assert camera.longest_gap < 0.2


def test_a_pause_keeps_the_picture_and_costs_no_frames():
    camera = TimedCamera()
    session, link = made(camera)
    with living(session):
        late = session.projector.stats.late
        session.set_presence(Presence(paused=True))
        eventually(lambda: session.projector._resting)
        time.sleep(0.1)
        shown, fresh = camera.sent, session.projector.stats.fresh
        eventually(lambda: camera.sent > shown + 5)
        assert len({frame.pixels.tobytes() for frame in list(camera.frames)[shown:]}) == 1
        assert session.projector.stats.fresh <= fresh + 1
        assert link.receive(-1, 0.0) == []  # the engine sleeps
        assert session.snapshot().presence == "paused"
        session.set_presence(Presence())
        took = eventually(lambda: session.projector.stats.fresh > fresh + 3)
        assert took < 1.0
        assert session.projector.stats.late <= late + 20
    assert camera.longest_gap < 0.2


def test_without_a_reader_the_engine_sleeps_and_the_voice_goes_on():
    session, _ = made()
    with living(session):
        session.watched(False)
        time.sleep(0.2)
        fresh, asleep_at = session.projector.stats.fresh, session.ring.end
        eventually(lambda: session.ring.end > asleep_at + 24_000)
        assert session.projector.stats.fresh <= fresh + 1
        assert level(session.ring.read(asleep_at, session.ring.end).samples) > 0.4
        assert session.leaving(time.monotonic()) > asleep_at
        assert session.snapshot().presence == "live, nobody watches"
        session.watched(True)
        assert eventually(lambda: session.projector.stats.fresh > fresh + 3) < 1.0


def test_another_camera_takes_over_between_two_frames():
    first, second = TimedCamera(), Tape()
    session, _ = made(first)
    with living(session):
        assert session.projector.change_camera(second) is first
        first.close()
        changed_at = session.ring.end
        eventually(lambda: second.sent > 20)
    assert second.times[0] - first.times[-1] < 0.1
    assert first.frames[-1].at < second.frames[0].at or second.frames[0].at == first.frames[-1].at
    assert second.sound[0].start >= changed_at - 4800  # a film begins with its own first moment
    with pytest.raises(DeviceError, match="is closed"):
        second.send(Frame(0, CARD))


class JumpingClock:
    """Real time, and now and then a leap, as after a sleep that the clock did not stop for."""

    def __init__(self) -> None:
        self.leap = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leap


def test_after_a_leap_of_minutes_the_backlog_is_dropped_and_nothing_replayed():
    clock, camera = JumpingClock(), TimedCamera()
    link = ListeningLink()
    session = Session(link, camera, 30, now=clock)
    with living(session, seconds=2000.0):
        late = session.projector.stats.late
        before = session.ring.end
        clock.leap = 600.0
        eventually(lambda: session.ring.end > before + 599 * TICKS_PER_SECOND)
        fresh = session.projector.stats.fresh
        assert eventually(lambda: session.projector.stats.fresh > fresh + 15) < 3.0
        assert session.projector.stats.late < late + 60  # not the 18,000 that nobody could see
        assert session.snapshot().stood_ms == pytest.approx(600_000, abs=3000)
        assert session.projector.delay.milliseconds < 400
    assert camera.longest_gap < 0.2
    assert max(len(sound.samples) for sound in link.heard) <= 2 * TICKS_PER_SECOND
    ticks = [frame.at for frame in camera.frames]
    assert not [t for t in ticks if before + TICKS_PER_SECOND < t < before + 590 * TICKS_PER_SECOND]


def test_the_voice_waits_when_the_picture_becomes_slower_and_is_never_heard_twice():
    session, _ = made()
    with living(session):
        left = session.leaving(time.monotonic())
        session.projector.delay.ticks += TICKS_PER_SECOND  # as another engine may need
        assert session.leaving(time.monotonic()) is None
        assert session.leaving(time.monotonic() + 0.5) is None
        assert session.leaving(time.monotonic() + 1.05) > left


@pytest.mark.parametrize(
    "presence", [Presence(hidden=True), Presence(paused=True, muted=True), Presence(real=True)]
)
def test_no_gesture_comes_of_a_picture_that_hides_or_stands_still(presence):
    session, link = made()
    begun: list[Begun] = []
    link.express = begun.append  # type: ignore[method-assign]
    session.set_presence(presence)
    with pytest.raises(ConfigError, match=r"nobody sees the avatar now .*: vcam (resume|avatar)"):
        session.express("smile")
    assert begun == []


@pytest.mark.parametrize("presence", [Presence(), Presence(muted=True), Presence(idle=True)])
def test_a_listener_makes_gestures_from_the_newest_sound_on(presence):
    session, link = made()
    begun: list[Begun] = []
    link.express = begun.append  # type: ignore[method-assign]
    session.set_presence(presence)
    session.ring.append(np.zeros(9600, np.float32))
    session.express("nod")
    assert begun == [Begun(9600, "nod")]
    with pytest.raises(ConfigError, match="no gesture wink"):
        session.express("wink")

"""The rim, live for a few seconds on fakes: real threads, real time, no devices."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.fakes import LoudnessMotion, MachineStalls, PlainRenderer, tone
from vcam.audio.microphone import Hear, PreparedSound
from vcam.camera import virtual
from vcam.camera.memory import MemoryCamera
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.errors import DeviceError
from vcam.link.local import LocalLink
from vcam.live.session import Session
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, frame_ticks
from vcam.monitor.stats import Snapshot
from vcam.mouth.passthrough import Passthrough

FRAME = frame_ticks(30)
DELAY = 2400  # 50 ms of look-ahead


class Player(PreparedSound):
    """Plays samples at their pace, as a microphone would."""

    def __init__(self, samples: FloatArray, hear: Hear) -> None:
        super().__init__("player", samples, hear, False, time.monotonic, time.sleep)


class TimedCamera(MemoryCamera):
    """Remembers when each frame came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def send(self, frame: Frame) -> None:
        super().send(frame)
        self.times.append(time.monotonic())

    @property
    def longest_gap(self) -> float:
        return float(np.diff(self.times).max())


def engine() -> Engine:
    return Engine(Pipeline(LoudnessMotion(delay=DELAY), PlainRenderer(), Passthrough()), 30)


def lived(samples, camera, link=None, **settings) -> tuple[Session, Snapshot]:
    session = Session(link or LocalLink(engine()), camera, 30, **settings)
    return session, session.run(Player(samples, session.hear), seconds=10)


class Film(MemoryCamera):
    """Counts what it keeps, and hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    @property
    def pictures(self) -> int:
        return len({frame.at for frame in self.frames})

    def hear(self, sound: AudioChunk) -> None:
        self.heard += len(sound.samples)


@pytest.mark.parametrize("samples", [480, 1, 0])
def test_a_file_of_a_moment_ends_by_itself(samples):
    camera = Film()
    began = time.monotonic()
    _, last = lived(tone(1.0)[:samples], camera, placeholder=np.zeros((16, 16, 3), np.uint8))
    assert time.monotonic() - began < 3
    assert camera.heard == samples
    assert last.filmed == camera.pictures >= 1


class SlowLink(LocalLink):
    """An engine that takes a second to be there."""

    def __init__(self) -> None:
        super().__init__(engine())
        self.there = time.monotonic() + 1.3

    @property
    def ready(self) -> bool:
        return time.monotonic() >= self.there

    def receive(self, shown: int, wait: float) -> list:
        if self.ready:
            return super().receive(shown, wait)
        time.sleep(wait)
        return []


def test_a_file_begins_when_the_engine_is_there_and_is_filmed_whole():
    camera, link = Film(), SlowLink()
    session = Session(link, camera, 30)
    sound = tone(0.5)
    source = PreparedSound(
        "file", sound, session.hear, False, time.monotonic, time.sleep, lambda: link.ready
    )
    last = session.run(source, seconds=10)
    assert camera.heard == len(sound)
    assert last.silence_filled_ms == 0
    assert 0 <= camera.frames[0].at <= 4 * FRAME
    assert last.filmed == camera.pictures


def test_each_frame_is_shown_at_its_tick_plus_the_delay():
    camera = TimedCamera()
    _, last = lived(tone(3.0), camera)
    ticks = [frame.at for frame in camera.frames if frame.at >= 0]
    assert ticks == sorted(ticks)
    assert all(tick % FRAME == 0 for tick in ticks)
    assert last.on_time > 0.9
    assert last.fresh > 35
    assert 50 < last.latency_ms.p50 < 150
    assert last.latency_ms.p50 == pytest.approx(last.delay_ms, abs=10)
    assert last.engine.state == "live"


class DeafLink(LocalLink):
    """An engine that never answers."""

    def receive(self, shown: int, wait: float) -> list:
        time.sleep(wait)
        return []


def test_without_an_engine_the_placeholder_is_shown_at_full_rate():
    camera = TimedCamera()
    picture = np.full((16, 16, 3), 77, np.uint8)
    _, last = lived(tone(1.0), camera, DeafLink(engine()), placeholder=picture)
    assert camera.sent > 25
    assert all((frame.pixels == 77).all() for frame in camera.frames)
    assert last.fresh == 0


class HoldingLink(LocalLink):
    """An engine that stands still for a second."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._start = time.monotonic()

    def receive(self, shown: int, wait: float) -> list:
        if 2.5 < time.monotonic() - self._start < 3.5:
            time.sleep(wait)
            return []
        return super().receive(shown, wait)


def test_a_stalled_engine_costs_frames_but_never_the_camera():
    camera = TimedCamera()
    _, last = lived(tone(5.0), camera, HoldingLink(engine()))
    assert camera.longest_gap < 0.1
    assert 25 <= last.late <= 45
    assert last.fresh > 40
    newest = [frame.at for frame in camera.frames][-30:-10]
    assert len(set(newest)) > 15  # moving again


class Mute(Player):
    """Plays for a while and then says nothing, without an end: a dead microphone."""

    def _deliver(self) -> None:
        super()._deliver()
        self.finished = False


def test_a_dead_microphone_becomes_silence_and_the_face_goes_on():
    camera = TimedCamera()
    session = Session(LocalLink(engine()), camera, 30)
    last = session.run(Mute(tone(1.0), session.hear), seconds=3.0)
    assert camera.longest_gap < 0.1
    assert last.silence_filled_ms > 1000
    assert max(frame.at for frame in camera.frames) > 2 * 48_000
    assert camera.frames[-1].pixels.max() == 0  # the silent face of the fake


def test_what_is_heard_after_a_silence_belongs_to_the_moment_it_is_heard():
    class Pausing(Player):
        """Says nothing for a second, and goes on with what comes then."""

        def _deliver(self) -> None:
            self._hear(tone(0.01))
            time.sleep(1.0)
            super()._deliver()

    session = Session(LocalLink(engine()), TimedCamera(), 30)
    lags = []

    def watch(now: Snapshot) -> None:
        lags.append(session.projector.clock.tick() - session.ring.end)

    with MachineStalls() as machine:
        last = session.run(Pausing(tone(3.0), session.hear), seconds=3.5, watch=watch)
    assert last.silence_filled_ms > 600
    assert np.median(lags[-10:]) < (0.05 + machine.longest) * TICKS_PER_SECOND


def test_a_camera_that_fails_ends_the_run_with_its_error():
    class Broken(MemoryCamera):
        def send(self, frame: Frame) -> None:
            raise DeviceError("the camera caught fire")

    with pytest.raises(DeviceError, match="caught fire"):
        lived(tone(5.0), Broken(), placeholder=np.zeros((16, 16, 3), np.uint8))


def test_a_recorder_hears_everything_that_was_said():
    class Tape(MemoryCamera):
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[AudioChunk] = []

        def hear(self, sound: AudioChunk) -> None:
            self.heard.append(sound)

    tape, voice = Tape(), tone(1.0)
    lived(voice, tape)
    sound = np.concatenate([chunk.samples for chunk in tape.heard])
    assert np.array_equal(sound[: len(voice)], voice)
    starts = [chunk.start for chunk in tape.heard]
    assert starts == [sum(len(c.samples) for c in tape.heard[:n]) for n in range(len(starts))]


def test_every_frame_passes_the_stamp():
    camera = MemoryCamera()

    def stamp(frame: Frame) -> Frame:
        return Frame(frame.at, np.full((16, 16, 3), 99, np.uint8))

    lived(tone(1.5), camera, stamp=stamp)
    assert camera.sent
    assert all((frame.pixels == 99).all() for frame in camera.frames)


def test_the_camera_is_told_by_the_name_that_meetings_list():
    asked = []
    session = Session(LocalLink(engine()), MemoryCamera(name="OBS Virtual Camera (obs)"), 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "label", lambda device: asked.append(device) or "OBS Camera")
        last = session.run(Player(tone(0.3), session.hear))
        for _ in range(3):
            assert session.snapshot().camera_listed == last.camera_listed == ("OBS Camera",)
    assert asked == ["OBS Virtual Camera"]  # it does not change, and a snapshot is often taken

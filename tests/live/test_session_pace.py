"""The rim's beat and engines of another pace or another delay: repeats by design, and jumps."""

from __future__ import annotations

import time

import numpy as np

from tests.fakes import LoudnessMotion, MachineStalls, PlainRenderer, tone
from tests.live.test_session import DELAY, FRAME, Player, TimedCamera, engine
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.link.local import LocalLink
from vcam.live.session import Session
from vcam.media import frame_ticks
from vcam.mouth.passthrough import Passthrough


def slow_engine(delay: int = DELAY) -> Engine:
    return Engine(Pipeline(LoudnessMotion(25, delay), PlainRenderer(), Passthrough()), 25)


def test_an_engine_at_25_fps_is_on_time_at_30():
    camera = TimedCamera()
    session = Session(LocalLink(slow_engine()), camera, 30)
    with MachineStalls() as machine:
        last = session.run(Player(tone(4.0), session.hear), seconds=10)
    assert last.on_time > 0.9
    assert last.fresh > 40  # in the two seconds after the delay is learned: 50 of 60 beats
    assert camera.longest_gap < 0.1 + machine.longest
    ticks = [frame.at for frame in camera.frames if frame.at >= 0]
    assert all(tick % frame_ticks(25) == 0 for tick in ticks)
    repeats = np.sum(np.diff(ticks) == 0)
    assert 0.1 < repeats / len(ticks) < 0.35  # one beat in six


class OtherLink(LocalLink):
    """Plays with another engine from the third second to the fifth, as a fall and a recovery."""

    def __init__(self, engine: Engine, other: Engine) -> None:
        super().__init__(engine)
        self._engines = (engine, other)
        self._start = time.monotonic()

    def receive(self, shown: int, wait: float) -> list:
        self._engine = self._engines[3 < time.monotonic() - self._start < 5]
        return super().receive(shown, wait)


def test_an_engine_that_needs_more_sound_ahead_is_shown_later_at_once():
    """Creeping there at 2 % would take twelve seconds, and every frame would be late meanwhile."""
    camera = TimedCamera()
    far = Engine(Pipeline(LoudnessMotion(delay=DELAY + 12_000), PlainRenderer(), Passthrough()), 30)
    session = Session(OtherLink(engine(), far), camera, 30)
    delays: list[tuple[float, float]] = []
    with MachineStalls() as machine:
        last = session.run(
            Player(tone(7.5), session.hear),
            seconds=10,
            watch=lambda now: delays.append((now.seconds, now.delay_ms)),
        )
    near = [delay for at, delay in delays if 2 < at < 2.8]
    away = [delay for at, delay in delays if 3.8 < at < 4.8]
    back = [delay for at, delay in delays if 5.5 < at < 6.5]
    assert np.median(away) - np.median(near) > 200
    assert abs(np.median(back) - np.median(near)) < 60
    assert camera.longest_gap < 0.1 + machine.longest
    assert last.late < 45  # those of the two changes
    ticks = np.array([frame.at for frame in camera.frames if frame.at >= 0])
    assert (np.diff(ticks) >= 0).all()
    assert np.diff(ticks).max() <= 12_000 + 6 * FRAME  # what the shorter delay skips

"""An engine that never opens ends the run with its reason; one that did open is started again."""

from __future__ import annotations

import sys
import types

import pytest

from tests.fakes import tone
from tests.link.fakes import FakeProcess
from tests.live.test_session import Player, TimedCamera
from vcam import access
from vcam.engine.failover import alone
from vcam.errors import DeviceError, EngineError
from vcam.link.child import PATIENCE, ChildLink
from vcam.link.serve import Died
from vcam.live.session import Session
from vcam.profiles.profile import Profile
from vcam.system import opencv

FACE = Profile(motion="visemes", renderer="head3d", mouth="passthrough")
BUG = Died("AttributeError: no such function", trace="Traceback ...")


class Stage:
    """A link whose processes are told by the test when to die; time stands still otherwise."""

    def __init__(self) -> None:
        self.now, self.started = 0.0, list[FakeProcess]()
        self.link = ChildLink(FACE, 30, 64, lambda: self.now, self._start, alone)

    def _start(self) -> FakeProcess:
        self.started.append(FakeProcess())
        return self.started[-1]

    def mend(self, seconds: float = 0.0) -> str:
        self.now += seconds
        self.link.mend()
        return self.link.status().state


def test_one_that_stumbles_while_it_opens_is_not_started_again():
    stage = Stage()
    stage.started[0].die(BUG)
    assert stage.mend() == "failed"
    assert stage.link.status().note == "AttributeError: no such function"
    assert len(stage.started) == 1


def test_one_that_dies_without_a_word_is_tried_a_few_times():
    stage = Stage()
    for number, _ in enumerate(PATIENCE, 1):
        assert len(stage.started) == number
        stage.started[-1].die()
        assert stage.mend() == "restarting"
        stage.mend(10.0)  # its pause is over
    stage.started[-1].die()
    assert stage.mend() == "failed"
    assert "signal 9" in stage.link.status().note


def test_one_that_did_open_is_started_again_however_often_it_dies():
    stage = Stage()
    stage.started[0].go_live()
    assert stage.mend() == "live"
    stage.started[0].die(BUG)
    for _ in range(3 * len(PATIENCE)):
        assert stage.mend() == "restarting"
        stage.mend(10.0)
        stage.link._live.die(BUG)


def test_where_no_process_can_be_had_for_now_the_run_goes_on(monkeypatch):
    stage = Stage()
    stage.started[0].go_live()
    stage.mend()

    def refused() -> FakeProcess:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(stage.link._standby, "start", refused)
    monkeypatch.setattr(access, "_now_and_most", lambda limit: (256.0, 4096.0))
    stage.link._standby.spare = None
    assert stage.mend() == "live"
    stage.started[0].die()
    assert stage.mend() == "restarting"
    assert "run: ulimit -n 1024" in stage.link.status().note
    monkeypatch.setattr(stage.link._standby, "start", stage._start)
    stage.mend(10.0)
    stage.link._live.go_live()
    assert stage.mend() == "live"


def test_the_run_shows_its_placeholder_and_ends_with_the_reason():
    stage, camera = Stage(), TimedCamera()
    stage.started[0].die(BUG)
    session = Session(stage.link, camera, 30)
    with pytest.raises(EngineError, match="no such function"):
        session.run(Player(tone(5.0), session.hear), seconds=5.0)


def test_an_older_opencv_over_ours_is_named_with_what_mends_it(monkeypatch):
    older = types.SimpleNamespace(__version__="4.12.0", __path__=["/site/cv2"])
    monkeypatch.setitem(sys.modules, "cv2", older)
    with pytest.raises(DeviceError, match=r"OpenCV 4.12.0 in /site/cv2 .*; run: .*pip uninstall"):
        opencv.require_rasterizer()

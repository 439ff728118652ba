"""Ray itself: `vcam cluster` with replicas of Ray Serve, two laptops, a replica that is killed."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import psutil
import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("no ray here: pip install 'vcam-avatar[cluster]'", allow_module_level=True)

from tests.fakes import tone
from tests.remote.cluster.sessions import Crowd
from tests.remote.cluster.stand import Stand
from vcam.profiles import profile

SIZE = 128
PATIENCE = 120.0  # seconds: Ray starts processes, on any machine


@pytest.mark.slow  # Ray takes half a minute to start
def test_sessions_have_engines_of_their_own_and_move_from_one_that_dies(tmp_path: Path):
    face = profile.wearing("river", profile.load("demo"))
    with Stand(tmp_path, 3, 2) as stand:
        crowd = Crowd(stand.starting(SIZE), face, tone(2.0))
        try:
            one, two = crowd.join(), crowd.join()
            assert crowd.speak(PATIENCE, lambda: min(one.seen, two.seen) >= 0), one.process.note
            engines = stand.replicas(live=True)
            assert len(engines) == 2
            engines[0].kill()
            killed = time.monotonic()
            crowd.speak(1.0)
            assert crowd.speak(PATIENCE, lambda: min(one.came, two.came) > killed + 1.0)
            assert engines[1].is_running()  # the other session stayed where it was
            assert one.process.alive
            assert two.process.alive
        finally:
            crowd.close()
        left = psutil.Process(stand.process.pid).children(recursive=True)
        assert stand.end() == 0
        gone, alive = psutil.wait_procs(left, PATIENCE)
        assert gone
        assert not alive

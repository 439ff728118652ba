"""What our devices do to PipeWire's session manager when they go."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audio.conftest import started
from tests.faults.server import PipeWire, missing
from vcam.audio import own_devices, pipewire_nodes
from vcam.audio.portaudio import OWN, OWN_SINK, OWN_SOURCE

SUSPENDS = 5.0  # seconds after which WirePlumber suspends what is idle
MARGIN = 1.0  # seconds for a busy machine
SOUND = bytes(96_000)  # a second


@pytest.fixture
def pipewire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeWire]:
    if reason := missing("pipewire"):
        pytest.skip(reason)
    sound = PipeWire(tmp_path)
    with started(sound, monkeypatch):
        yield sound


@pytest.fixture(params=["nodes", "modules"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the devices are made."""
    if request.param == "modules":
        monkeypatch.setattr(pipewire_nodes, "usable", lambda server: False)
    return str(request.param)


def test_none_of_our_devices_is_ever_suspended(pipewire: PipeWire, way: str) -> None:
    with pipewire.client() as server:
        own_devices.make(server)
        ours = [each for each in server.source_list() if each.name in OWN]
        ours += [each for each in server.sink_list() if each.name == OWN_SINK]
        assert len(ours) == 3
        waits = [each.proplist.get("session.suspend-timeout-seconds") for each in ours]
    assert waits == ["0"] * 3


@pytest.mark.slow  # the session manager waits 5 s
def test_the_session_manager_outlives_them(pipewire: PipeWire, way: str) -> None:
    """WirePlumber 0.4.13 crashes when what it means to suspend is not there any more."""
    with pipewire.client() as server:
        own_devices.make(server)
        hear = ["parec", f"--device={OWN_SOURCE}"]
        listener = subprocess.Popen(hear, env=pipewire.environment, stdout=subprocess.DEVNULL)
        play = ["pacat", f"--device={OWN_SINK}", "--channels=1", "--rate=48000"]
        subprocess.run(play, env=pipewire.environment, input=SOUND, check=True, timeout=20)
        listener.terminate()
        listener.wait()
        time.sleep(0.2)  # until they are idle
        own_devices.release(server)
        assert not [each for each in server.source_list() if each.name in OWN]
    time.sleep(SUSPENDS + MARGIN)
    assert pipewire.lives("wireplumber")

"""Following a real sound server's devices: it is killed, hangs, and loses microphones."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.server import Server
from vcam.audio.server import ServerWatch
from vcam.audio.virtual_mic import _made
from vcam.errors import DeviceError


def answer(watch: ServerWatch, name: str | None = None) -> str:
    """What it says of a microphone, its refusal included."""
    try:
        return watch.microphone(name)
    except DeviceError as error:
        return str(error)


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something holds within some seconds."""
    end = time.monotonic() + 10
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_the_default_is_followed(server: Server, watch: ServerWatch) -> None:
    assert answer(watch).endswith(":desk_mic")
    server.choose("headset")
    assert soon(lambda: answer(watch).endswith(":headset_mic"))


def test_a_named_microphone_is_another_one_after_it_was_unplugged(
    server: Server, watch: ServerWatch
) -> None:
    before = answer(watch, "desk_mic")
    assert before == answer(watch, "desk-microphone") == answer(watch, "DESK_mic")
    server.unplug("desk")
    assert soon(lambda: answer(watch, "desk_mic") == "the microphone desk_mic is gone")
    server.plug("desk")
    assert soon(lambda: answer(watch, "desk_mic").endswith(":desk_mic"))
    assert answer(watch, "desk_mic") != before


def test_what_loudspeakers_play_never_takes_the_place_of_the_last_microphone(
    server: Server, watch: ServerWatch
) -> None:
    assert answer(watch).endswith("_mic")
    for name in ("desk", "headset"):
        server.unplug(name)
    assert soon(lambda: answer(watch) == "there is no microphone any more")


def test_our_own_microphone_is_never_meant(server: Server, watch: ServerWatch) -> None:
    assert not watch.has_virtual_microphone
    with _made():
        assert soon(lambda: watch.has_virtual_microphone)
        assert answer(watch, "vcam") == "the microphone vcam is gone"
        server.remove("vcam_voice")
        assert soon(lambda: not watch.has_virtual_microphone)


def test_who_listens_to_our_own_microphone_is_known(server: Server, watch: ServerWatch) -> None:
    assert watch.is_heard  # as long as it is not known better
    assert watch.listeners is None
    with _made():
        assert soon(lambda: not watch.is_heard)
        for source in ("vcam", "vcam_voice.monitor"):
            command = ["parec", f"--device={source}", "--latency-msec=20"]
            listener = subprocess.Popen(command, env=server.environment, stdout=subprocess.DEVNULL)
            assert soon(lambda: watch.is_heard)
            assert watch.listeners == ("parec",)
            listener.terminate()
            listener.wait(10)
            assert soon(lambda: not watch.is_heard)
            assert watch.listeners == ()
        other = ["parec", "--device=desk_mic"]
        listener = subprocess.Popen(other, env=server.environment, stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        assert not watch.is_heard
        listener.terminate()
        listener.wait(10)


def test_a_server_that_was_killed_comes_back_as_another(server: Server, watch: ServerWatch) -> None:
    before = answer(watch)
    server.kill()
    assert soon(lambda: answer(watch) == "the sound server does not answer")
    server.start()
    assert soon(lambda: answer(watch).endswith(":desk_mic"))
    assert answer(watch) != before


def test_a_server_that_hangs_keeps_nobody_waiting(server: Server, watch: ServerWatch) -> None:
    server.freeze()
    time.sleep(0.6)
    began = time.monotonic()
    assert answer(watch).endswith(":desk_mic")  # as it was last seen
    watch.close()
    assert time.monotonic() - began < 2
    server.thaw()


def test_a_change_is_told_at_once(server: Server) -> None:
    told: list[float] = []
    following = ServerWatch(lambda: told.append(time.monotonic()))
    following.start()
    told.clear()
    began = time.monotonic()
    server.unplug("headset")
    assert soon(lambda: bool(told))
    assert told[0] - began < 1
    following.close()


def test_without_a_server_every_name_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    following = ServerWatch()
    following.start()
    assert (following.microphone(None), following.microphone("USB")) == ("", "")
    assert not following.has_virtual_microphone
    following.close()

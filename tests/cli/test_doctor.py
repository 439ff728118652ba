"""What `vcam doctor` finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SoundServer
from vcam.cli import doctor
from vcam.cli.doctor import Check, examine


def found(name: str) -> Check:
    return next(check for check in examine() if check.name == name)


def test_every_failure_comes_with_what_mends_it() -> None:
    checks = examine()
    assert {check.name for check in checks if not check.ok and not check.mend} == set()
    assert {"Python", "OpenCV", "Films", "PortAudio", "pyvirtualcam", "Memory"} <= {
        check.name for check in checks
    }
    assert all(check.detail and "\n" not in check.detail for check in checks)


def test_it_never_loads_torch() -> None:
    code = (
        "import sys; from vcam.cli.doctor import examine; examine(); print('torch' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "False"
    assert ran.stderr == ""


def test_a_running_sound_server_and_its_microphone_are_found(sound_server: SoundServer) -> None:
    assert found("Sound server").detail == "pulseaudio"
    assert found("Microphones") == Check("Microphones", True, sound_server.microphone)


def test_missing_pieces_are_named_with_their_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("sounddevice", "cv2"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(doctor, "DISK_WANTED", float("inf"))
    portaudio, opencv, disk = found("PortAudio"), found("OpenCV"), found("Disk")
    assert (portaudio.ok, opencv.ok, disk.ok) == (False, False, False)
    assert "apt install libportaudio2" in portaudio.mend or sys.platform != "linux"
    assert "opencv-python-headless" in opencv.mend
    assert "make room" in disk.mend


def test_an_ordinary_camera_module_is_told_from_a_missing_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if sys.platform != "linux":
        pytest.skip("v4l2loopback is Linux's")
    if Path("/sys/module/v4l2loopback").exists():
        pytest.skip("v4l2loopback is loaded here")
    monkeypatch.setattr(doctor, "_output", lambda *_: "")
    assert "apt install v4l2loopback-dkms" in found("v4l2loopback").mend
    monkeypatch.setattr(doctor, "_output", lambda *_: "/lib/modules/v4l2loopback.ko")
    assert found("v4l2loopback").mend.startswith("sudo modprobe v4l2loopback")
    assert "exclusive_caps=1" in found("v4l2loopback").mend

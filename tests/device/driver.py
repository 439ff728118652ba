"""Takes v4l2loopback out of the kernel and puts it back. Needs root, and a machine for tests."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest

CONTROL = Path("/dev/v4l2loopback")  # drivers from 0.13 on have it
REMOVE = 0x4C81  # V4L2LOOPBACK_CTL_REMOVE
MODULES = "vm/v4l2loopback.ko"  # in the folder of the test machine's kernel, which has no modprobe
SOON = 2.0  # seconds: somebody may be just looking at the device


def require() -> None:
    """Skip where the driver cannot be loaded again, or is not ours to unload."""
    if os.geteuid() != 0 or not _load_command("/dev/video10"):
        pytest.skip("no virtual camera here whose driver a test may unload")


def unload(device: str) -> None:
    """Take the driver away; the camera `device` is gone then."""
    give_up = time.monotonic() + SOON
    while (done := _run("rmmod", "v4l2loopback")).returncode:
        assert time.monotonic() < give_up, done.stderr
        time.sleep(0.02)
    assert not Path(device).exists()


def load(device: str) -> None:
    """Put it back with the camera `device`."""
    done = _run(*_load_command(device))
    assert done.returncode == 0, done.stderr
    assert Path(device).exists()


def refuses(device: str) -> bool:
    """Whether neither the driver nor the camera `device` can be taken away: somebody has it."""
    if _run("rmmod", "v4l2loopback").returncode == 0:
        return False
    if not CONTROL.exists():
        return True
    control = os.open(CONTROL, os.O_RDWR)
    try:
        fcntl.ioctl(control, REMOVE, int(device.removeprefix("/dev/video")))
    except OSError as error:
        return error.errno == errno.EBUSY
    finally:
        os.close(control)
    return False


def _load_command(device: str) -> list[str]:
    """Empty where there is no way."""
    options = ["devices=1", f"video_nr={device.removeprefix('/dev/video')}", "exclusive_caps=1"]
    cache = os.environ.get("VCAM_VM_CACHE", str(Path.home() / ".cache" / "vcam-vm"))
    module = Path(cache) / MODULES
    return ["insmod", str(module), *options, "card_label=vcam"] if module.exists() else []


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)

"""A PipeWire of our own for pictures, and GStreamer as a program that watches a camera of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time

import numpy as np

from tests.faults.server import PipeWire, _await
from vcam import tickcode
from vcam.errors import DeviceError
from vcam.media import Image
from vcam.system import missing
from vcam.system import opencv as cv2

PACKAGES = "pipewire wireplumber dbus gstreamer1.0-tools gstreamer1.0-pipewire"
PROGRAMS = ("pipewire", "wireplumber", "dbus-daemon", "gst-launch-1.0", "gst-inspect-1.0")


def lacking() -> str:
    """Why no camera at PipeWire can be tested here; empty when one can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if (
        not absent
        and subprocess.run(["gst-inspect-1.0", "pipewiresrc"], stdout=subprocess.DEVNULL).returncode
    ):
        absent = ["GStreamer's pipewiresrc"]
    if absent:
        return f"no {', '.join(absent)} here; sudo apt install {PACKAGES}"
    try:
        missing.PIPEWIRE.load()
    except DeviceError as error:
        return str(error)
    return ""


class PictureServer(PipeWire):
    """PipeWire and its session manager, without sound."""

    def start(self) -> None:
        """Start it; again after `kill`."""
        socket = self._folder / "pipewire-0"
        if "dbus-daemon" not in self._processes:
            bus = self._folder / "bus"
            self._run("dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}")
            _await(bus.exists)
        self._run("pipewire")
        _await(socket.exists)
        self._run("wireplumber")

    def kill(self) -> None:
        """End both without warning, as a crash does."""
        for program in ("wireplumber", "pipewire"):
            self._processes[program].kill()
            self._processes[program].wait()
        (self._folder / "pipewire-0").unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to PipeWire itself."""
        self._processes["pipewire"].send_signal(number)


class Reader:
    """A GStreamer that watches the camera: which pictures came, when, and the newest of them."""

    def __init__(self, server: PictureServer, size: tuple[int, int]) -> None:
        self.newest: Image = np.zeros((size[1], size[0], 3), np.uint8)  # RGB
        self.codes: list[int] = []
        self.times: list[float] = []
        width, height = size
        wanted = f"video/x-raw,format=YUY2,width={width},height={height}"
        self._process = subprocess.Popen(
            ["gst-launch-1.0", "-q", "pipewiresrc", "!", wanted, "!", "fdsink", "fd=1"],
            env=dict(server.environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        height, width, _ = self.newest.shape
        length = 2 * height * width
        while len(data := self._process.stdout.read(length)) == length:
            self.times.append(time.monotonic())
            picture = np.frombuffer(data, np.uint8).reshape(height, width, 2)
            self.newest = cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_YUY2)
            self.codes.append(tickcode.read(self.newest))

    def steps(self) -> list[int]:
        """By how much each picture's number is larger than that of the one before."""
        return np.diff(self.codes).tolist()

    def close(self) -> None:
        """Stop watching."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

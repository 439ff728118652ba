#!/usr/bin/env python3
"""Chromium sees the camera at PipeWire through the desktop portal, without a desktop.

    .venv/bin/python scripts/studies/portal/browser.py [--timeout 180]

A bus, a PipeWire and an xdg-desktop-portal of our own; nobody is asked, because the store of
permissions says yes beforehand. Each step is told, so that it is seen how far it went: the node,
the portal's word on it, and what a page got by getUserMedia. Needs, on Debian: chromium,
xdg-desktop-portal, pipewire, wireplumber, pipewire-pulse, dbus. Exit code 0 when the pictures came
in order.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.device.browser import report
from tests.device.conftest import FPS, QUARTERS, SIZE, feeding
from tests.faults.server import PipeWire, missing
from vcam.camera.pipewire import PipeWireCamera

PORTAL, STORE = "/usr/libexec/xdg-desktop-portal", "/usr/libexec/xdg-permission-store"
DESKTOP = "vcam-study"
ACCESS = f"""[portal]
DBusName=org.freedesktop.impl.portal.desktop.nobody
Interfaces=org.freedesktop.impl.portal.Access
UseIn={DESKTOP}
"""
ALLOW = (
    "dbus-send --session --print-reply --dest=org.freedesktop.impl.portal.PermissionStore "
    "/org/freedesktop/impl/portal/PermissionStore "
    "org.freedesktop.impl.portal.PermissionStore.SetPermission "
    "string:devices boolean:true string:camera string: array:string:yes"
)
PRESENT = (
    "dbus-send --session --print-reply --dest=org.freedesktop.portal.Desktop "
    "/org/freedesktop/portal/desktop org.freedesktop.DBus.Properties.Get "
    "string:org.freedesktop.portal.Camera string:IsCameraPresent"
)
SWITCH = "--enable-features=WebRtcPipeWireCamera"
PATIENCE = 10.0  # seconds for the portal to answer


def main() -> int:
    """0 when a page has seen the pictures in order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds for the browser")
    options = parser.parse_args()
    if lacking := _lacking():
        print(lacking)
        return 1
    with tempfile.TemporaryDirectory(prefix="vcam-portal.") as name, _desktop(Path(name)) as around:
        try:
            found = report("watch.html", options.timeout, around, SWITCH)
        except (pytest.fail.Exception, pytest.skip.Exception) as error:
            print(f"the browser: {error}")
            return 1
        return _judged(found)


@contextlib.contextmanager
def _desktop(folder: Path) -> Iterator[Mapping[str, str]]:
    """All but the browser; the environment that it needs."""
    (folder / "portals").mkdir()
    (folder / "portals" / "study.portal").write_text(ACCESS)
    own = {
        "XDG_CURRENT_DESKTOP": DESKTOP,
        "XDG_DESKTOP_PORTAL_DIR": str(folder / "portals"),
        "XDG_DATA_HOME": str(folder / "data"),
    }
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for key, value in own.items():  # before the bus begins, which may start the portal itself
            patch.setenv(key, value)
        server = PipeWire(folder)
        stack.callback(server.close)
        server.begin()
        around = dict(server.environment)
        for key, value in around.items():
            patch.setenv(key, value)
        camera = PipeWireCamera((SIZE, SIZE), FPS, "vcam")
        stack.callback(camera.close)
        stack.enter_context(feeding(camera))
        time.sleep(0.5)
        print(f"the node: readers {camera.readers()}")
        for program in (STORE, PORTAL):
            _start(stack, program, around, folder)
        print(f"allowed beforehand: {_asked(ALLOW, around)}")
        print(f"the portal says that a camera is present: {_asked(PRESENT, around)}")
        _tell_readers(stack, camera)
        yield around
        print(f"pictures that readers got: {camera.sent}, left out: {camera.dropped}")


def _start(
    stack: contextlib.ExitStack, program: str, around: Mapping[str, str], folder: Path
) -> None:
    with (folder / f"{Path(program).name}.log").open("w") as log:
        process = subprocess.Popen([program], env=dict(around), stdout=log, stderr=log)
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)


def _asked(command: str, around: Mapping[str, str]) -> str:
    """The last word of the answer on the bus, once there is one."""
    words, end = command.split(), time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(words, env=dict(around), capture_output=True, text=True)
        if done.returncode == 0 or time.monotonic() > end:
            return (done.stdout or done.stderr).strip().splitlines()[-1].strip()
        time.sleep(0.2)


def _tell_readers(stack: contextlib.ExitStack, camera: PipeWireCamera) -> None:
    """Say once when somebody watches the node."""
    over = threading.Event()

    def look() -> None:
        begin = time.monotonic()
        while not over.wait(0.1):
            if camera.readers():
                print(f"the node is watched after {time.monotonic() - begin:.1f} s", flush=True)
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    stack.callback(thread.join, 1)
    stack.callback(over.set)


def _judged(found: Mapping[str, Any]) -> int:
    if "error" in found:
        print(f"the page: {found['error']}")
        return 1
    seen = found["seen"]
    codes = np.array([each["code"] for each in seen])
    seconds = (seen[-1]["time"] - seen[0]["time"]) / 1000
    rate = (seen[-1]["presented"] - seen[0]["presented"]) / seconds
    steps = np.diff(codes)
    off = np.abs(np.array(seen[-1]["colours"]) - QUARTERS).max()
    print(
        f"the page: track {found['label']!r}, {found['size']}, {rate:.1f} pictures a second, codes "
        f"{codes[0]}-{codes[-1]} in {seconds:.1f} s, {(steps < 0).sum()} backwards, "
        f"{(steps == 0).sum()} twice, colours off by {off}"
    )
    return int((steps < 0).any())


def _lacking() -> str:
    if reason := missing("pipewire"):
        return reason
    programs = [each for each in (PORTAL, STORE) if not Path(each).exists()]
    programs += [] if shutil.which("chromium") else ["chromium"]
    return f"no {', '.join(programs)} here" if programs else ""


if __name__ == "__main__":
    sys.exit(main())

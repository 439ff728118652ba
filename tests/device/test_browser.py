"""What a web meeting gets: Chromium opens the camera with getUserMedia."""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device.conftest import FPS, QUARTERS, SIZE, feeding, picture
from vcam.camera import v4l2
from vcam.camera.open import open_camera
from vcam.media import Frame

pytestmark = pytest.mark.device
PAGE = (Path(__file__).parent / "watch.html").read_bytes()
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-extensions --disable-sync "
    "--disable-background-networking --disable-component-update --mute-audio "
    "--use-fake-ui-for-media-stream"
)


@contextlib.contextmanager
def page() -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    """Serve the page; what it reports comes through the queue."""
    reports: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGE)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}/", reports
        finally:
            server.shutdown()


def report(timeout: float = 180.0) -> dict[str, Any]:
    """Open the page in Chromium and wait for what it saw."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium here; sudo apt install chromium")
    with (
        page() as (address, reports),
        tempfile.TemporaryDirectory() as profile,
        tempfile.TemporaryFile("w+") as log,
    ):
        browser = subprocess.Popen(
            [chromium, *OPTIONS.split(), f"--user-data-dir={profile}", address],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            return reports.get(timeout=timeout)
        except queue.Empty:
            log.seek(0)
            pytest.fail("no word from the browser; its last ones:\n" + log.read()[-2000:])
        finally:
            browser.kill()
            browser.wait()


def test_a_web_page_sees_what_is_sent(device: str) -> None:
    """Name, size, rate, order, colours and codes."""
    camera = open_camera(device, (SIZE, SIZE), FPS)
    camera.send(Frame(0, picture(0)))
    with contextlib.closing(camera), feeding(camera) as feed:
        found = report()
        sent = feed.sent
    assert "error" not in found, found["error"]
    seen = found["seen"]
    codes = np.array([each["code"] for each in seen])
    seconds = (seen[-1]["time"] - seen[0]["time"]) / 1000
    rate = (seen[-1]["presented"] - seen[0]["presented"]) / seconds
    print(f"{rate:.1f} frames/s presented, codes {codes[0]}-{codes[-1]} in {seconds:.2f} s")
    assert v4l2.query(device).card in found["label"]
    assert found["size"] == [SIZE, SIZE]
    assert round(found["settings"]["frameRate"]) == FPS
    assert (np.diff(codes) >= 0).all()
    assert codes[-1] <= sent
    assert abs((codes[-1] - codes[0]) / seconds - FPS) < 2  # the codes go as fast as time
    assert rate > 12  # loose: the test machine has one slow processor
    assert np.abs(np.array(seen[-1]["colours"]) - QUARTERS).max() <= 12

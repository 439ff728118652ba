"""A web meeting: Chromium opens the camera with getUserMedia, and a page reports what it sees."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

PAGES, SCRIPT = Path(__file__).parent, "tickcode.js"
POLITELY = ("nice", "-n", "19")  # on a machine of one processor its start would starve the sender
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-extensions --disable-sync "
    "--disable-background-networking --disable-component-update --mute-audio "
    "--use-fake-ui-for-media-stream"
)


@contextlib.contextmanager
def serving(page: str) -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    """Serve the page, and the script that pages share; what it reports comes through the queue."""
    reports: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == f"/{SCRIPT}"
            kind = "javascript" if script else "html"
            self.send_response(200)
            self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write((PAGES / (SCRIPT if script else page)).read_bytes())

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


@contextlib.contextmanager
def browsing(
    page: str, environment: Mapping[str, str] | None = None, *options: str
) -> Iterator[Callable[[float], dict[str, Any]]]:
    """Keep the page open in Chromium; gives what waits so many seconds for its next report."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium here; sudo apt install chromium")
    with (
        serving(page) as (address, reports),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile("w+") as log,
    ):

        def reported(timeout: float) -> dict[str, Any]:
            try:
                return reports.get(timeout=timeout)
            except queue.Empty:
                log.seek(0)
                pytest.fail("no word from the browser; its last ones:\n" + log.read()[-2000:])

        command = [*POLITELY, chromium, *OPTIONS.split(), *options, f"--user-data-dir={profile}"]
        browser = subprocess.Popen(
            [*command, address],
            stdout=log, stderr=log, start_new_session=True, env=environment,
        )  # fmt: skip
        try:
            yield reported
        finally:
            os.killpg(browser.pid, signal.SIGKILL)  # with all its children
            browser.wait()


def report(
    page: str = "watch.html",
    timeout: float = 180.0,
    environment: Mapping[str, str] | None = None,
    *options: str,
) -> dict[str, Any]:
    """Open the page in Chromium and wait for what it saw."""
    with browsing(page, environment, *options) as reported:
        return reported(timeout)

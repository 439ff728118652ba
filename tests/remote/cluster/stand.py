"""`vcam cluster` in a process of its own, with Ray and all, and the laptops that know it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

import psutil
import pytest

from tests.remote.cluster.sessions import FPS
from tests.remote.lab import HOME, _free_port
from tests.remote.machines import Machine
from vcam.link.process import EngineProcess
from vcam.remote import trust
from vcam.remote.address import Paired
from vcam.remote.fetch import fetch
from vcam.remote.trust import Identity, Known

STARTS = 240.0  # seconds, on a machine that has other work
ENDS = 60.0


class Stand:
    """A cluster on this machine: so many engines, for so many laptops."""

    def __init__(self, folder: Path, engines: int, laptops: int, *more: str) -> None:
        box, self._port = folder / "office", _free_port()
        self.homes = [folder / f"laptop{index}" for index in range(laptops)]
        with Machine(box):
            theirs = Identity.own().certificate
            for home in self.homes:
                with Machine(home):
                    own = Identity.own()
                trust.peers().add(Known(home.name, own.certificate))
        self.far = Paired(Known("office", theirs, "127.0.0.1", self._port))
        command = [sys.executable, "-m", "vcam", "cluster", "--port", str(self._port), *more]
        command += ["--least", str(engines), "--cpus", "0.1", "--drain", "0"]
        env = os.environ | {"XDG_DATA_HOME": str(box), "PYTHONPATH": str(HOME)}
        env |= {"TMPDIR": tempfile.gettempdir(), "OMP_NUM_THREADS": "1"}
        self._said = (folder / "said").open("w+")
        began = time.monotonic()
        self.process = subprocess.Popen(command, env=env, stdout=self._said, stderr=self._said)
        self._until("engines are ready", began + STARTS)
        self.started = time.monotonic() - began  # seconds

    @property
    def said(self) -> str:
        """What the command has printed."""
        self._said.seek(0)
        return self._said.read()

    def _until(self, words: str, ends: float) -> None:
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < ends, self.said
            time.sleep(0.2)

    def starting(self, size: int) -> Callable[[int], EngineProcess]:
        """What starts the child process of a laptop's run."""
        context, main = multiprocessing.get_context("spawn"), partial(fetch, self.far)

        def start(index: int) -> EngineProcess:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("XDG_DATA_HOME", str(self.homes[index]))
                return EngineProcess(context, FPS, size, main)

        return start

    def replicas(self, live: bool = False) -> list[psutil.Process]:
        """The processes of its replicas; or of those alone that have an engine open."""
        found = []
        for each in psutil.Process(self.process.pid).children(recursive=True):
            if "ServeReplica" in _command(each):
                children = [_command(child) for child in each.children()]
                if not live or any("spawn_main" in child for child in children):
                    found.append(each)
        return found

    def ports(self) -> set[tuple[str, int]]:
        """Everything that listens, in all of its processes."""
        return {
            (each.laddr.ip, each.laddr.port)
            for process in [
                psutil.Process(self.process.pid),
                *psutil.Process(self.process.pid).children(recursive=True),
            ]
            for each in process.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
        }

    def end(self) -> int:
        """End it as a user does; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(ENDS)

    def __enter__(self) -> Stand:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = []
        if self.process.poll() is None:
            left = psutil.Process(self.process.pid).children(recursive=True)
        try:
            self.end()
        except subprocess.TimeoutExpired:
            self.process.kill()
        for each in left:
            if each.is_running():
                each.kill()
        self._said.close()


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

"""A box that serves in a process of its own, a laptop that knows it, a relay between the two."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from tests.remote.machines import Machine
from tests.remote.packets import BOX, Cable
from tests.remote.relay import Relay
from vcam.remote import trust
from vcam.remote.address import Paired
from vcam.remote.trust import Identity, Known

HOME = Path(__file__).parents[2]
ENGINE = "gpu-box"  # what the laptop calls it
STARTS = 30.0  # seconds


class Box:
    """A machine whose service runs in a process of its own, and which knows this one.

    This process is the laptop: it needs XDG_DATA_HOME to be `laptop`'s.
    """

    def __init__(
        self, folder: Path, address: str = "127.0.0.1", beyond: Sequence[str] = ()
    ) -> None:
        """`beyond` is what a command begins with that shall run there."""
        self._home, self.address, self._port = folder, address, _free_port()
        self._beyond = beyond
        own = Identity.own()  # the laptop's
        with Machine(self._home):
            self.certificate = Identity.own().certificate
            trust.peers().add(Known("laptop", own.certificate))
        self._env = os.environ | {"XDG_DATA_HOME": str(self._home), "PYTHONPATH": str(HOME)}

    @property
    def far(self) -> Paired:
        """How the laptop finds it."""
        return Paired(Known(ENGINE, self.certificate, self.address, self._port))

    def command(self) -> list[str]:
        """What serves there."""
        return ["vcam", "serve", "--listen", self.address, "--port", str(self._port)]

    def serve(self) -> None:
        """Start the box's service, and wait until it listens."""
        command = [*self._beyond, sys.executable, "-m", *self.command()]
        self.process = subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + STARTS
        while time.monotonic() < ends:
            try:
                socket.create_connection((self.address, self._port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the box does not listen")

    def send(self, number: int) -> None:
        """A signal to its service and to every engine of it."""
        for each in (*self._children(), self.process):
            os.kill(each.pid, number)

    def kill_door(self) -> None:
        """End the service without a word, and its engines with it."""
        children = self._children()
        self.process.kill()
        self.process.wait()
        for child in children:
            if child.is_running():
                child.kill()

    def kill_engine(self) -> None:
        """End the engine process on the box; its service goes on."""
        for child in self._children():
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()

    def close(self) -> None:
        """End its service."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill_door()

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


class Drawing(Box):
    """A box whose engine costs nothing: see `drawn`."""

    def __init__(
        self,
        folder: Path,
        pictures: Path,
        address: str = "127.0.0.1",
        beyond: Sequence[str] = (),
        tcp: str = "",
    ) -> None:
        """`tcp` is the congestion control that its kernel is asked for; "": as always."""
        super().__init__(folder, address, beyond)
        self._pictures, self._tcp = pictures, [tcp] if tcp else []

    def command(self) -> list[str]:
        """What serves there."""
        own = [str(self._pictures), self.address, str(self._port)]
        return ["tests.remote.box", *own, *self._tcp]


class Lab(Box):
    """A box, and a relay between the two."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "box")
        self.relay = Relay(self._port)
        trust.engines().add(self.far.known)
        self.serve()

    @property
    def far(self) -> Paired:
        """How the laptop finds it: by way of the relay."""
        return Paired(Known(ENGINE, self.certificate, self.address, self.relay.port))

    def cut(self) -> None:
        """Nothing passes, and nobody is told."""
        self.relay.cut()

    def heal(self) -> None:
        """All passes again."""
        self.relay.heal()

    def drop(self) -> None:
        """End every connection."""
        self.relay.drop()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.relay.close()
        self.close()


class CableLab(Box):
    """A box behind a cable that is 20 ms long, there and back."""

    def __init__(self, folder: Path) -> None:
        self.cable = Cable()
        super().__init__(folder / "box", BOX, self.cable.beyond)
        trust.engines().add(self.far.known)
        self.heal()
        self.serve()

    def cut(self) -> None:
        """Nothing passes, and nobody is told."""
        self.cable.set(up=False)

    def heal(self) -> None:
        """All passes again."""
        self.cable.set(up=True, delay=0.01, loss=0.0)

    def close(self) -> None:
        """End it, and take the cable away."""
        super().close()
        self.cable.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

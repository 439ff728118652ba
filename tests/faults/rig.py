"""A run in a process of its own with all that may fail around it, and what is seen of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.faults import subject
from tests.faults.server import MICROPHONES, Server, own
from tests.faults.voice import AHEAD, Listener, Speaker
from tests.remote.lab import ENGINE, Lab
from tests.remote.machines import Machine

ROOT = Path(__file__).parents[2]
PROFILE = "version: 2\ntitle: Faults\nmotion: visemes\nrenderer: head3d\nmouth: passthrough\n"
OTHER = "version: 2\ntitle: Other\nmotion: visemes\nrenderer: head3d\nlook: forest\n"
SIZE = 256
SETTLING = 20.0  # seconds for a run to be live, and to take back what a fault has cost


@dataclass(frozen=True)
class Handles:
    """What the rim holds."""

    files: int
    threads: int
    children: int
    shared_mib: float  # memory shared with engines
    memory_mib: float  # of its own

    @property
    def counts(self) -> tuple[int, int, int]:
        """What must not grow."""
        return self.files, self.threads, self.children

    @classmethod
    def of(cls, rim: psutil.Process) -> Handles:
        """Count them."""
        memory = rim.memory_info()
        return cls(
            rim.num_fds(),
            rim.num_threads(),
            len(rim.children(recursive=True)),
            memory.shared / 2**20,
            (memory.rss - memory.shared) / 2**20,
        )


@dataclass
class Rig:
    """A live run under test."""

    folder: Path
    server: Server | None
    process: subprocess.Popen[str]
    speaker: Speaker | None
    listener: Listener | None
    seen: list[dict[str, Any]] = field(default_factory=list)  # looks at the run, newest last
    errors: list[str] = field(default_factory=list)
    heard_of: list[str] = field(default_factory=list)  # what it answered when asked
    happened: int = 0  # faults so far
    lab: Lab | None = None  # the machine that its engine is on, where that is another

    def now(self) -> dict[str, Any]:
        """The newest look at the run."""
        return self.seen[-1]

    def wait(self, until: Callable[[], bool], seconds: float = SETTLING) -> bool:
        """Wait until something holds; whether it does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the run ended: {''.join(self.errors)[-2000:]}")
            if self.seen and until():
                return True
            time.sleep(0.02)
        return False

    @property
    def rim(self) -> psutil.Process:
        """The rim's process."""
        return psutil.Process(self.process.pid)

    def engine(self) -> psutil.Process:
        """The live engine: of the rim's children it has worked most."""
        children = self.rim.children()
        return max(children, key=lambda child: sum(child.cpu_times()[:2]))

    def frames(self) -> list[tuple[float, int]]:
        """When the camera got which frame."""
        notes = (self.folder / "frames").read_bytes()
        whole = len(notes) // subject.RECORD.size * subject.RECORD.size
        return list(subject.RECORD.iter_unpack(notes[:whole]))

    def tell(self, name: str, text: str = "") -> None:
        """Tell the run's parts to fail; see `subject`."""
        part = self.folder / f"{name}.part"
        part.write_text(text)
        part.rename(self.folder / name)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the run through its control socket."""
        from vcam.control import server as control

        found = next((self.folder / "runtime").rglob("*.sock"))
        return control.ask(request, found)

    def other_default(self) -> str:
        """The microphone that is not the default one."""
        return MICROPHONES[(self.happened + 1) % 2]

    def told(self) -> tuple[str, ...]:
        """What it told people: of itself, and when asked."""
        said: dict[str, None] = {}
        for look in self.seen:
            for word in (look["engine"]["note"], *look["trouble"]):
                said[word] = None
        for word in ("", "loading", "warming up"):
            said.pop(word, None)
        return (*said, *dict.fromkeys(self.heard_of))

    def stop_all(self) -> None:
        """As a machine that is suspended: neither rim nor engines run."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def continue_all(self) -> None:
        """Resume."""
        os.killpg(self.process.pid, signal.SIGCONT)


@contextlib.contextmanager
def running(
    folder: Path,
    sound: bool,
    environment: Mapping[str, str] | None = None,
    ahead: float = AHEAD,
    far: bool = False,
    **settings: Any,
) -> Iterator[Rig]:
    """A live run with `settings` of RunConfig; with a sound server of its own if `sound`.

    Who speaks into its microphones holds `ahead` seconds. `far`: its engine is elsewhere.
    """
    with contextlib.ExitStack() as stack:
        server, speaker, listener = None, None, None
        (folder / "runtime").mkdir(mode=0o700)
        around = os.environ | {"XDG_RUNTIME_DIR": str(folder / "runtime")}
        if sound:
            server = own(folder / "runtime")
            stack.callback(server.close)
            server.start()
            around = server.environment
            speaker = Speaker(MICROPHONES, around, ahead)
            stack.callback(speaker.close)
        readers: list[threading.Thread] = []
        stack.callback(lambda: [reader.join(5) for reader in readers])
        furnish(folder)
        if not sound:
            settings["voice"] = "none"
        lab = stack.enter_context(_elsewhere(folder)) if far else None
        if lab:
            around, settings["engine"] = around | {"XDG_DATA_HOME": str(folder / "laptop")}, ENGINE
        process = started(folder, dict(around) | dict(environment or {}), settings)
        stack.callback(end, process)
        if server is not None:
            listener = Listener("vcam", server.environment)
            stack.callback(listener.close)
        rig = Rig(folder, server, process, speaker, listener, lab=lab)
        readers += _follow(rig)
        yield rig


@contextlib.contextmanager
def _elsewhere(folder: Path) -> Iterator[Lab]:
    """Another machine with an engine, which the run's knows."""
    with Machine(folder / "laptop"):
        lab = Lab(folder)
    with lab:
        yield lab


def furnish(folder: Path) -> None:
    """The profiles that a run may show."""
    for name, text in (("faults", PROFILE), ("other", OTHER)):
        (folder / "profiles" / name).mkdir(parents=True)
        (folder / "profiles" / name / "profile.yaml").write_text(text)


def started(
    folder: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, Any],
    output: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """A run with `settings` of RunConfig; it prints a line of JSON for each look at it."""
    own = {"VCAM_PROFILES": folder / "profiles", "VCAM_FAULTS": folder, "XDG_STATE_HOME": folder}
    around = {**environment, **{name: str(path) for name, path in own.items()}}
    asked = {"profile": "faults", "camera": "none", "size": SIZE} | settings
    asked["camera"] = asked["camera"].format(folder=folder)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.subject", json.dumps(asked)],
        env=around, cwd=ROOT, stdout=output, stderr=output, text=True,
        start_new_session=True,
    )  # fmt: skip


def _follow(rig: Rig) -> list[threading.Thread]:
    """Read what the run prints, on threads of their own, until it has ended."""
    looks, complaints = rig.process.stdout, rig.process.stderr
    assert looks is not None
    assert complaints is not None

    def read_looks() -> None:
        with looks:
            for line in looks:
                rig.seen.append(json.loads(line))

    def read_errors() -> None:
        with complaints:
            rig.errors += complaints

    readers = [threading.Thread(target=read, daemon=True) for read in (read_looks, read_errors)]
    for reader in readers:
        reader.start()
    return readers


def end(process: subprocess.Popen[str]) -> None:
    """Politely, or else by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_folder(folder: Path) -> None:
    """Remove what a run has left."""
    shutil.rmtree(folder, ignore_errors=True)

"""The daemon: a run in the background, one for each user, and what looks after it there.

Two processes. The *rim* is an ordinary run that reads its settings from the state folder. The
*supervisor* is its parent and only waits: a rim that crashes is started again, a few times;
one that ends, or that says what the user must mend, is not. The supervisor holds a lock that the
kernel takes back when it dies, so that nothing stale is ever believed: on POSIX it inherits it from
who started it; on Windows, where a lock is one process's alone, it takes it by itself.

    python -m vcam.daemon supervisor [NAME=VALUE ...]     python -m vcam.daemon rim
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from vcam import access, clock, places
from vcam.control import endpoint, settings
from vcam.errors import VcamError
from vcam.monitor import logs, streams, terminal
from vcam.monitor.logs import log
from vcam.system import offspring, variables

ENDED = (0, 130)  # exit codes of a rim that was asked to end
# Of one that says what the user must mend. On Windows 1 is also what somebody ended from outside.
TROUBLE = (2,) if sys.platform == "win32" else (1, 2)
CRASHED = 70  # of one that stumbled over a bug of ours
PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)  # seconds before each further start; then it is given up
FORGIVEN = 600.0  # seconds after which a crash does not count any more
GRACE = 15.0  # seconds that a rim has to end: a film must be finished
FATAL = 0xC000_0000  # codes from here on are Windows' own, for a process that it ended (ntstatus.h)
NAMES = {
    0xC000_0005: "access violation",
    0xC000_001D: "illegal instruction",
    0xC000_00FD: "stack overflow",
    0xC000_0135: "a DLL is missing",
    0xC000_013A: "Ctrl-C",
    0xC000_0142: "a DLL did not start",
    0xC000_0374: "heap corruption",
    0xC000_0409: "stack buffer overrun",
}
LAST_WORDS = 1 << 14  # characters kept of what a rim says before it dies


def command(*words: str) -> tuple[list[str], dict[str, str]]:
    """The command line that starts this module, and its environment."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = os.environ | variables.set_here() | {"PYTHONPATH": os.pathsep.join(paths)}
    return [sys.executable, "-m", "vcam.daemon", *words], environment


class Supervisor:
    """Runs rims one after another until one ends, is asked to, or crashes too often."""

    def __init__(
        self,
        start: Callable[[], subprocess.Popen[str]],
        now: Callable[[], float] = clock.now,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._start, self._now = start, now
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._crashes: deque[float] = deque(maxlen=len(PAUSES) + 1)
        self._rim: subprocess.Popen[str] | None = None

    def stop(self, *_: object) -> None:
        """Ask the rim to end, kill it if it does not, start no other; a signal's handler."""
        self._stopping.set()
        if self._rim is not None and self._rim.poll() is None:
            self._rim.terminate()
            killer = threading.Timer(GRACE, self._rim.kill)
            killer.daemon = True
            killer.start()

    def run(self) -> int:
        """The exit code: 0 when the last rim ended well, otherwise its own."""
        while not self._stopping.is_set():
            code, words = self._live_through()
            if code in ENDED or self._stopping.is_set():
                return 0
            if code in TROUBLE:
                return code
            pause = self._pause()
            _write(_obituary(code, words, pause))
            if pause is None:
                return code if code > 0 else 128 - code
            self._wait(pause)
        return 0

    def _live_through(self) -> tuple[int, str]:
        """Run one rim; its exit code and last words."""
        self._rim = rim = self._start()
        with offspring.tended(rim):  # and its engines
            words = Tail(rim.stderr, sys.stderr)
            if self._stopping.is_set():  # asked meanwhile
                self.stop()
            code = rim.wait()
        return code, words.text()

    def _pause(self) -> float | None:
        """Seconds until the next start; None when it crashes too often."""
        now = self._now()
        self._crashes.append(now)
        recent = sum(now - each < FORGIVEN for each in self._crashes)
        return PAUSES[recent - 1] if recent <= len(PAUSES) else None


class Tail:
    """Reads to the end on a thread of its own, passes it on, and keeps the last of it."""

    def __init__(self, stream: IO[str] | None, pass_on: IO[str] | None) -> None:
        self._kept: deque[str] = deque(maxlen=200)
        self._stream, self._pass_on = stream, pass_on
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was said last; the rim is dead, but an engine of its may still hold the pipe."""
        self._thread.join(1.0)
        return "".join(self._kept)[-LAST_WORDS:].strip()

    def _read(self) -> None:
        for line in self._stream or ():
            self._kept.append(line[:LAST_WORDS])
            with contextlib.suppress(OSError):  # whoever started us may have gone
                if self._pass_on is not None:
                    self._pass_on.write(line)
                    self._pass_on.flush()


def rim() -> int:
    """Live with the settings of the state folder; an exit code."""
    from vcam.live.run import live

    faulthandler.enable()
    try:
        live(settings.kept(), alone=True)
    except VcamError as error:
        terminal.complain(error)
        return TROUBLE[0]
    except OSError as error:
        terminal.complain(f"cannot go on: {access.explained(error)}")
        return TROUBLE[0]
    except KeyboardInterrupt:
        return ENDED[1]
    except Exception:
        traceback.print_exc()
        return CRASHED
    return 0


def supervise() -> int:
    """Look after rims until the last has ended; an exit code."""
    running = Supervisor(_rim)
    if sys.platform == "win32":
        return _supervise_locked(running)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, running.stop)
    return running.run()


def _supervise_locked(running: Supervisor) -> int:
    """As the only supervisor of this user, by the number in the lock; an exit code."""
    try:
        with endpoint.locked(lock_path()) as lock:
            note_holder(lock, os.getpid())
            return running.run()
    except VcamError as error:
        terminal.complain(error)
        return TROUBLE[0]


def lock_path() -> Path:
    """What the supervisor has locked; its number stands there."""
    return places.runtime() / "keeper.lock"


def note_holder(lock: BinaryIO, number: int) -> None:
    """Write down which process holds it."""
    lock.seek(0)
    lock.truncate()
    lock.write(str(number).encode())


def _rim() -> subprocess.Popen[str]:
    words, environment = command("rim")
    return subprocess.Popen(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **offspring.apart(),
    )


def _obituary(code: int, words: str, pause: float | None) -> str:
    how = f"signal {-code}" if code < 0 else f"exit code {_code(code)}"
    then = "given up" if pause is None else f"started again in {pause:.0f} s"
    return f"vcam died ({how}); {then}\n{words}".strip()


def _code(code: int) -> str:
    """As people look it up: Windows' own codes in hexadecimal, with the name of the usual ones."""
    if code < FATAL:
        return str(code)
    return f"0x{code:08X}" + (f", {NAMES[code]}" if code in NAMES else "")


def _write(entry: str) -> None:
    """Into the log; the rim, which else writes it, is dead."""
    with contextlib.suppress(VcamError), logs.opened():
        log.error("%s", entry)


def main(words: Sequence[str]) -> int:
    """Be the supervisor or a rim; further words "NAME=VALUE" are variables to be set."""
    streams.prepare()
    for word in words[1:]:
        name, _, os.environ[name] = word.partition("=")
    return supervise() if words[:1] == ["supervisor"] else rim()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

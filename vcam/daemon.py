"""The daemon: a run in the background, one for each user, and what looks after it there.

Two processes. The *rim* is an ordinary run that reads its settings from the state folder. The
*keeper* is its parent and does nothing but wait: a rim that crashes is started again, a few times;
one that ends, or that says what the user must mend, is not. The keeper inherits a lock that the
kernel takes back when it dies, so that nothing stale is ever believed.

    python -m vcam.daemon keeper     python -m vcam.daemon rim
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from vcam import logs, settings
from vcam.errors import VcamError
from vcam.logs import log

ENDED = (0, 130)  # exit codes of a rim that was asked to end
TROUBLE = (1, 2)  # of one that says what the user must mend
CRASHED = 70  # of one that stumbled over a bug of ours
PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)  # seconds before each further start; then it is given up
FORGIVEN = 600.0  # seconds after which a crash does not count any more
GRACE = 15.0  # seconds that a rim has to end: a film must be finished
LAST_WORDS = 1 << 14  # characters kept of what a rim says before it dies


def command(*words: str) -> tuple[list[str], dict[str, str]]:
    """The command line that starts this module, and its environment."""
    root = str(Path(__file__).parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return [sys.executable, "-m", "vcam.daemon", *words], environment


class Keeper:
    """Runs rims one after another until one ends, is asked to, or crashes too often."""

    def __init__(
        self,
        start: Callable[[], subprocess.Popen[str]],
        now: Callable[[], float] = time.monotonic,
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
        words = Tail(rim.stderr, sys.stderr)
        if self._stopping.is_set():  # asked meanwhile
            self.stop()
        code = rim.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(rim.pid, signal.SIGKILL)  # engines of a rim that was killed
        told = words.text()
        return code, told

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
    from vcam.live import live

    faulthandler.enable()
    try:
        live(settings.kept(), alone=True)
    except VcamError as error:
        print(f"vcam: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return ENDED[1]
    except Exception:
        traceback.print_exc()
        return CRASHED
    return 0


def keeper() -> int:
    """Look after rims until the last has ended; an exit code."""
    kept = Keeper(_rim)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, kept.stop)
    return kept.run()


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
        start_new_session=True,
    )


def _obituary(code: int, words: str, pause: float | None) -> str:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    then = "given up" if pause is None else f"started again in {pause:.0f} s"
    return f"vcam died ({how}); {then}\n{words}".strip()


def _write(entry: str) -> None:
    """Into the log; the rim, which else writes it, is dead."""
    with contextlib.suppress(VcamError), logs.opened():
        log.error("%s", entry)


def main(words: Sequence[str]) -> int:
    """Be the keeper or a rim."""
    return keeper() if words[:1] == ["keeper"] else rim()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The engine as a child process: it may crash, hang or be killed, and costs only frames."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

from vcam.engine import Finished
from vcam.link.memory import SharedMemory
from vcam.link.serve import Died, Note, Ready, Shown, Vitals, serve
from vcam.media import AudioChunk, Frame
from vcam.profile import Profile
from vcam.stats import EngineStatus

SILENT_LOOKS = 80  # looks at a live engine (4 s of them) without a word: it hangs. Counted in
# looks, not in seconds, because on a starved machine whoever looks is late as well
PATIENCE = (0.0, 0.5, 1.0, 2.0, 5.0)  # seconds before the first, second, ... restart in a row


class ChildLink:
    """Spawns the engine, passes sound and frames through shared memory, and starts it again."""

    def __init__(
        self, profile: Profile, fps: int, size: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._memory = SharedMemory.create(self._context, size)
        self._ring = self._memory.ring()
        self._settings = (profile, fps)
        self._now = now
        self._status, self._lock = EngineStatus(), threading.Lock()
        self._failures = 0  # deaths since it last was live
        self._lived = False  # whether it ever was
        self._hopeless = False  # it says that it can never start
        self._due: float | None = None  # when to start it again
        self._start()

    @property
    def pid(self) -> int:
        """The engine's process number."""
        return self._process.pid or -1

    def send(self, sound: AudioChunk) -> None:
        """Write the sound where the engine reads it."""
        if sound.start != self._ring.end:
            self._ring.skip_to(sound.start)
        self._ring.append(sound.samples)

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """Copy out the frames the engine has announced."""
        self._memory.show(shown)
        finished: list[Finished] = []
        for word in self._words(wait):
            if isinstance(word, Shown):
                finished += self._fetch(word)
            else:
                self._note(word)
        return finished

    def status(self) -> EngineStatus:
        """How the engine is."""
        return self._status

    def mend(self) -> None:
        """Notice a death or a hang, and start the engine again after a growing pause."""
        now = self._now()
        if self._hopeless:
            self._set(state="failed", note=self._last_words)
        elif self._due is not None:
            if now >= self._due:
                self._start()
        elif not self._process.is_alive():
            self._fall(self._last_words or f"the engine died ({self._how_it_died()})")
        elif self._status.state == "live":
            self._silent_looks += 1
            if self._silent_looks > SILENT_LOOKS:
                self._process.kill()
                self._fall("the engine hung and was killed")

    def close(self) -> None:
        """Ask the engine to end; kill it if it does not."""
        self._pipe.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._set(state="closed")

    def _start(self) -> None:
        profile, fps = self._settings
        self._pipe, theirs = self._context.Pipe()
        self._last_words = ""
        self._due = None
        self._silent_looks = 0
        self._process: BaseProcess = self._context.Process(
            target=serve, args=(theirs, self._memory, profile, fps), daemon=True, name="vcam-engine"
        )
        self._process.start()
        theirs.close()

    def _fall(self, reason: str) -> None:
        pause = PATIENCE[min(self._failures, len(PATIENCE) - 1)]
        self._failures += 1
        self._pipe.close()
        self._process.join()
        self._due = self._now() + pause
        self._set(state="restarting", note=reason, restarts=self._status.restarts + 1)

    def _words(self, wait: float) -> list[Any]:
        """What the engine has said, waiting up to `wait` seconds for the first word."""
        words: list[Any] = []
        try:
            while self._pipe.poll(0 if words else wait):
                words.append(self._pipe.recv())
                self._silent_looks = 0
        except (EOFError, OSError):  # the engine is gone; `mend` sees to it
            time.sleep(wait)
        return words

    def _fetch(self, word: Shown) -> list[Finished]:
        self._set(speaking=word.speaking)
        pixels = self._memory.take(word.number)
        return [] if pixels is None else [Finished(Frame(word.at, pixels), word.took)]

    def _note(self, word: Note | Ready | Vitals | Died) -> None:
        match word:
            case Note(text):
                self._set(note=text)
            case Ready(backends):
                self._lived, self._failures = True, 0
                self._set(state="live", backends=backends, note="")
            case Vitals(memory_mib, gpu):
                self._set(memory_mib=memory_mib, gpu=gpu)
            case Died(reason, final):
                self._last_words = reason
                self._hopeless = final and not self._lived

    def _how_it_died(self) -> str:
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def _set(self, **changes: Any) -> None:
        with self._lock:  # the camera thread and the one that mends both have things to say
            self._status = replace(self._status, **changes)

"""The engine as a child process: it may crash, hang or be killed, and costs only frames.

Three places for processes. `live` makes the frames. `next` is being loaded with another face and
takes over when it is ready. `spare` has started and imported everything but knows no face yet, so
that both a switch and a recovery save the time that a new process takes.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable

from vcam.audio.ring import RingBuffer
from vcam.engine import Finished
from vcam.link.process import HISTORY, EngineProcess
from vcam.media import AudioChunk
from vcam.profile import Profile
from vcam.stats import EngineStatus

SILENT_LOOKS = 120  # looks at a live engine (6 s of them) without a word: it hangs. Counted in
# looks, not in seconds, because on a starved machine whoever looks is late as well
PATIENCE = (0.0, 0.5, 1.0, 2.0, 5.0)  # seconds before the first, second, ... restart in a row


class ChildLink:
    """Runs the engine in processes of its own, passes sound and frames, and starts it again.

    `send` is called on the audio thread, `receive` on the camera thread, the rest on one other.
    """

    def __init__(
        self, profile: Profile, fps: int, size: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._shape, self._now = (fps, size), now
        self._profile = profile
        self._ring = RingBuffer()  # what a process that takes over has to hear first
        self._lock = threading.Lock()  # while processes change places
        self._spare: EngineProcess | None = None
        self._next: EngineProcess | None = None
        self._live = self._idle()
        self._live.open(profile, self._history())
        self._failures = self._restarts = 0  # in a row; in all
        self._due: float | None = None  # when to start again
        self._state, self._note = "starting", ""

    @property
    def pid(self) -> int:
        """The live engine's process number."""
        return self._live.pid

    def send(self, sound: AudioChunk) -> None:
        """Write the sound where the engines read it."""
        with self._lock:
            self._ring.take(sound)
            for process in (self._live, self._next):
                if process is not None:
                    process.send(sound)

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """Copy out the frames the live engine has announced."""
        self._change_faces(shown)
        return self._live.receive(shown, wait)

    def status(self) -> EngineStatus:
        """How the engine is."""
        live = self._live
        return EngineStatus(
            state=self._state,
            backends=live.ready.backends if live.ready else (),
            note=self._note or live.note or live.vitals.remarks,
            restarts=self._restarts,
            memory_mib=live.vitals.memory_mib,
            speaking=live.speaking,
            gpu=live.vitals.gpu,
        )

    def switch(self, profile: Profile) -> None:
        """Load another face beside the one on show, and change over when it is ready."""
        process = self._idle()
        with self._lock:
            process.open(profile, self._history())
            abandoned, self._next = self._next, process
        self._note = f"loading {profile.title}"
        if abandoned is not None:
            abandoned.close(0.0)

    def mend(self) -> None:
        """Notice a death or a hang, start again after a growing pause, keep a spare ready."""
        if self._state in ("failed", "closed"):
            return
        if self._due is not None:
            self._restart_when_due()
        elif not self._live.alive:
            self._fall(self._live.end)
        elif self._live.ready:
            self._look()
        self._drop_failed_switch()

    def close(self) -> None:
        """End all processes."""
        self._state = "closed"
        for process in (self._live, self._next, self._spare):
            if process is not None:
                process.close()

    def _look(self) -> None:
        """At a live engine: it must say something now and then."""
        if self._state != "live":
            self._state, self._failures, self._note = "live", 0, ""
        if self._spare is None:
            self._spare = EngineProcess(self._context, *self._shape)
        self._live.silent_looks += 1
        if self._live.silent_looks > SILENT_LOOKS:
            self._fall("the engine hung and was killed")

    def _fall(self, reason: str) -> None:
        final = self._live.last_words is not None and self._live.last_words.final
        self._live.close(0.0)
        self._state, self._note = "restarting", reason
        if final and not self._restarts and self._live.ready is None:
            self._state = "failed"  # it would end the same way again
            return
        self._due = self._now() + PATIENCE[min(self._failures, len(PATIENCE) - 1)]
        self._failures, self._restarts = self._failures + 1, self._restarts + 1

    def _restart_when_due(self) -> None:
        if self._due is None or self._now() < self._due:
            return
        process = self._idle()
        with self._lock:
            process.open(self._profile, self._history())
            self._live, self._due = process, None

    def _change_faces(self, shown: int) -> None:
        """Let the next process take over once it is ready."""
        following = self._next
        if following is None:
            return
        following.receive(shown, 0.0)
        if following.ready and following.profile:
            with self._lock:
                before, self._live, self._next = self._live, following, None
            self._profile, self._note, self._due = following.profile, "", None
            threading.Thread(target=before.close, daemon=True).start()

    def _drop_failed_switch(self) -> None:
        failed = self._next
        if failed is not None and not failed.alive and failed.ready is None:
            self._next, self._note = None, f"cannot switch: {failed.end}"
            failed.close(0.0)

    def _idle(self) -> EngineProcess:
        """A process that waits for a face: the spare one, or else a new one."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.alive:
            return spare
        if spare is not None:
            spare.close(0.0)
        return EngineProcess(self._context, *self._shape)

    def _history(self) -> AudioChunk:
        return self._ring.read(self._ring.end - HISTORY, self._ring.end)

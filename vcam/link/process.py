"""One engine process as the rim sees it: its memory, its pipe, its words."""

from __future__ import annotations

import contextlib
import math
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any, TypeAlias

import psutil

from vcam import access
from vcam.engine.engine import Finished
from vcam.link.memory import SharedMemory
from vcam.link.serve import HISTORY, Died, Note, Order, Ready, Shown, Vitals, serve
from vcam.media import AudioChunk, Frame
from vcam.monitor.logs import log
from vcam.monitor.stats import Change
from vcam.motion.gestures import Begun
from vcam.profiles.profile import Profile
from vcam.system import signals
from vcam.system.exits import ending

__all__ = ["HISTORY", "EngineProcess", "close_all", "dismiss", "spare"]

MOST_CHANGES = 32
CLOSING = 1.0  # seconds that one with a face may take to end
Main: TypeAlias = "Callable[[Connection, SharedMemory, int], None]"


class EngineProcess:
    """Spawned idle; `open` gives it a face. It may die at any moment, which raises nothing here."""

    def __init__(self, context: SpawnContext, fps: int, size: int, main: Main = serve) -> None:
        """`main` is what the process runs: a local engine, or a link to a far one."""
        self._memory = SharedMemory.create(context, size)
        self._ring = self._memory.ring()
        with ExitStack() as failing:
            self._pipe, theirs = context.Pipe()
            failing.callback(self._pipe.close)
            with theirs:
                self._process = context.Process(
                    target=main, args=(theirs, self._memory, fps), daemon=True, name="vcam-engine"
                )
                if sys.platform != "win32":  # which has none
                    resource_tracker.ensure_running()  # now, because it lets Ctrl-C through
                with signals.held():
                    self._process.start()
            failing.pop_all()
        self.profile: Profile | None = None
        self.ready: Ready | None = None  # once it is live
        self.note = ""
        self.vitals = Vitals()
        self.changes: deque[Change] = deque(maxlen=MOST_CHANGES)  # that nobody has looked at yet
        self.level = self.reason = ""  # which it is on, and why
        self.speaking = False
        self.last_words: Died | None = None
        self.silent_looks = 0  # looks since its last word
        self._expressed = 0  # gestures so far
        self._worked = math.nan  # processor seconds, half of the patience ago

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid or -1

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    @property
    def whole(self) -> bool:
        """Whether it has all of its stages, as far as is known."""
        return self.vitals.whole and (self.ready is None or self.ready.whole)

    @property
    def end(self) -> str:
        """Why it ended, for people."""
        if self.last_words:
            return self.last_words.reason
        return f"the engine died ({ending(self._process.exitcode)})"

    def never_opens(self, tried: bool) -> bool:
        """Whether it ended while it opened and would again, as it said or as was `tried`."""
        words = self.last_words
        return self.ready is None and (tried or (words is not None and not words.later))

    def stands_still(self, looks: int) -> bool:
        """Whether it has said nothing for `looks` looks, nor worked in the second half of them."""
        if self.silent_looks == looks // 2:
            self._worked = self._work()
        return self.silent_looks >= looks and self._work() == self._worked

    def _work(self) -> float:
        """Processor time it has used, in seconds; NaN, equal to nothing, when it is gone."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return math.nan
        return float(times.user + times.system)

    def open(self, profile: Profile, history: AudioChunk, patient: bool = False) -> None:
        """Load `profile` and go live, continuing after the sound of `history`.

        `patient`: compile its networks first, even if that takes minutes.
        """
        self.profile = profile
        self.send(history)
        self._order(Order(profile, patient))

    def build(self, profile: Profile) -> None:
        """Compile the networks of `profile`, and end."""
        self._order(Order(profile, patient=True, build=True))

    def _order(self, order: Order) -> None:
        try:
            self._pipe.send(order)
        except OSError:  # it is dead already; whoever looks after it will see
            self.note = self.end

    def send(self, sound: AudioChunk) -> None:
        """Write the sound where the process reads it."""
        self._ring.take(sound)

    def rest(self, resting: bool) -> None:
        """Make no frames for a while, or make them again."""
        self._memory.rest(resting)

    def express(self, gesture: Begun) -> None:
        """Write down a gesture where the process reads it."""
        self._memory.express(self._expressed, gesture)
        self._expressed += 1

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """The frames it has announced; what else it says is noted. Waits for the first word."""
        self._memory.show(shown)
        finished: list[Finished] = []
        for word in self._words(wait):
            if isinstance(word, Shown):
                finished += self._fetch(word)
            else:
                self._take(word)
        return finished

    def wait(self, seconds: float, *others: socket.socket) -> None:
        """Until it has said something, one of `others` can be read, or so long at most."""
        with contextlib.suppress(OSError):  # it is closed; whoever looks after it will see
            connection.wait([self._pipe, *others], seconds)

    def hang_up(self) -> None:
        """Ask it to end, without waiting; `close` has to follow."""
        self._pipe.close()

    def close(self, patience: float = CLOSING) -> None:
        """Ask it to end; kill it if it has not after `patience` seconds."""
        self.hang_up()
        self._process.join(patience)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _words(self, wait: float) -> list[Any]:
        words: list[Any] = []
        try:
            while self._pipe.poll(0 if words else wait):
                words.append(self._pipe.recv())
                self.silent_looks = 0
        except (EOFError, OSError):  # it is gone; whoever looks after it will see
            time.sleep(wait)
        return words

    def _fetch(self, word: Shown) -> list[Finished]:
        self.speaking = word.speaking
        pixels = self._memory.take(word.number)
        frame = [] if pixels is None else [Frame(word.at, pixels)]
        return [Finished(each, word.took, word.lasts, word.behind) for each in frame]

    def _take(self, word: Note | Ready | Vitals | Change | Died) -> None:
        match word:
            case Note(text):
                self.note = text
            case Ready():
                self.ready, self.note = word, ""
            case Vitals():
                self.vitals, self.level = word, word.level
            case Change():
                self.changes.append(word)
                self.level, self.reason = word.after, word.reason
            case Died():
                self.last_words = word


def spare(start: Callable[[], EngineProcess]) -> EngineProcess | None:
    """A process for later, if the system has room for one more; told in the log if not."""
    try:
        return start()
    except OSError as error:
        log.warning("no spare engine: %s", access.explained(error))
        return None


def dismiss(process: EngineProcess, patience: float = 0.0) -> None:
    """End a process without waiting for it: one that holds a GPU can take seconds to go."""
    threading.Thread(target=process.close, args=(patience,), daemon=True).start()


def close_all(processes: Iterable[EngineProcess]) -> None:
    """End several at once; one that is still starting has nothing to finish and is killed."""
    every = list(processes)
    for process in every:
        process.hang_up()
    for process in every:
        process.close(CLOSING if process.ready else 0.0)

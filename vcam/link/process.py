"""One engine process as the rim sees it: its memory, its pipe, its words."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from multiprocessing.context import SpawnContext
from typing import Any

import psutil

from vcam.engine import Finished
from vcam.link.memory import SharedMemory
from vcam.link.serve import HISTORY, Died, Note, Order, Ready, Shown, Vitals, serve
from vcam.media import AudioChunk, Frame
from vcam.profile import Profile
from vcam.stats import Change

__all__ = ["HISTORY", "EngineProcess", "dismiss"]

MOST_CHANGES = 32


class EngineProcess:
    """Spawned idle; `open` gives it a face. It may die at any moment, which raises nothing here."""

    def __init__(self, context: SpawnContext, fps: int, size: int) -> None:
        self._memory = SharedMemory.create(context, size)
        self._ring = self._memory.ring()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, self._memory, fps), daemon=True, name="vcam-engine"
        )
        self._process.start()
        theirs.close()
        self.profile: Profile | None = None
        self.ready: Ready | None = None  # once it is live
        self.note = ""
        self.vitals = Vitals()
        self.changes: deque[Change] = deque(maxlen=MOST_CHANGES)  # that nobody has looked at yet
        self.rung = self.reason = ""  # where it stands on its ladder, and why
        self.speaking = False
        self.last_words: Died | None = None
        self.silent_looks = 0  # looks since its last word
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
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return f"the engine died ({how})"

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

    def close(self, patience: float = 1.0) -> None:
        """Ask it to end; kill it if it has not after `patience` seconds."""
        self._pipe.close()
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
                self.vitals, self.rung = word, word.rung
            case Change():
                self.changes.append(word)
                self.rung, self.reason = word.after, word.reason
            case Died():
                self.last_words = word


def dismiss(process: EngineProcess, patience: float = 0.0) -> None:
    """End a process without waiting for it: one that holds a GPU can take seconds to go."""
    threading.Thread(target=process.close, args=(patience,), daemon=True).start()

"""An engine process that is none: told by a test what to say and when to die."""

from __future__ import annotations

from collections import deque

import numpy as np

from vcam.engine.engine import Finished
from vcam.link.process import EngineProcess
from vcam.link.serve import Died, Ready, Vitals
from vcam.media import AudioChunk, Frame
from vcam.monitor.stats import Change
from vcam.motion.gestures import Begun
from vcam.profiles.profile import Profile


class FakeProcess(EngineProcess):
    """Draws a frame whenever it is asked, once a test has let it go live."""

    pid = 7

    def __init__(self) -> None:
        self.profile: Profile | None = None
        self.ready: Ready | None = None
        self.note = ""
        self.vitals = Vitals()
        self.changes, self.level, self.reason = deque(maxlen=32), "", ""
        self.speaking = False
        self.last_words: Died | None = None
        self.silent_looks = 0
        self.heard: list[AudioChunk] = []
        self.closed = self._dead = self.resting = self.frameless = False
        self.patient, self.built = False, None
        self._at = 0
        self.begun: list[Begun] = []

    @property
    def alive(self) -> bool:
        return not self._dead

    @property
    def end(self) -> str:
        return self.last_words.reason if self.last_words else "the engine died (signal 9)"

    def open(self, profile: Profile, history: AudioChunk, patient: bool = False) -> None:
        self.profile, self.patient = profile, patient
        self.send(history)

    def rest(self, resting: bool) -> None:
        self.resting = resting

    def express(self, gesture: Begun) -> None:
        self.begun.append(gesture)

    def stands_still(self, looks: int) -> bool:
        return False

    def send(self, sound: AudioChunk) -> None:
        self.heard = [sound]

    def receive(self, shown: int, wait: float) -> list[Finished]:
        if self.ready is None or self._dead:
            return []
        self.silent_looks = 0
        if self.resting or self.frameless:
            return []
        self._at += 1600
        return [Finished(Frame(self._at, np.zeros((2, 2, 3), np.uint8)), {}, 1600, 0)]

    def hang_up(self) -> None:
        pass

    def close(self, patience: float = 1.0) -> None:
        self.closed = self._dead = True

    def build(self, profile: Profile) -> None:
        self.built = profile

    def go_live(self, whole: bool = True, compiled: bool = True) -> None:
        self.ready = Ready(("motion", "renderer", "mouth"), "", whole, compiled)

    def die(self, words: Died | None = None) -> None:
        self._dead, self.last_words = True, words

    def change(self, change: Change, whole: bool = True) -> None:
        self._take(change)
        self._take(Vitals(level=change.after, whole=whole))

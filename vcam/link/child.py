"""The engine as a child process: it may crash, hang or be killed, and costs only frames.

Three places for processes. `live` makes the frames. `next` is being loaded and takes over with its
first frame. `spare` has started and imported everything but knows no face yet, so that both a
switch and a recovery save the time that a new process takes.

A face that needs the GPU is played by two (`vcam.cast`): the understudy, embedded, which
opens in a moment and is on the camera first and whenever the star cannot be; and the star. One
that became too slow for every rung of its ladder waits in the wings, as `next`, until it has room.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable

from vcam.audio.ring import RingBuffer
from vcam.cast import Cast, cast
from vcam.engine import Finished
from vcam.ladder import EMBEDDED
from vcam.link.process import HISTORY, EngineProcess, dismiss
from vcam.link.star import Star, waits
from vcam.media import AudioChunk
from vcam.profile import Profile
from vcam.stats import Change, EngineStatus

SILENT_LOOKS = 120  # looks at a live engine (6 s of them) without a word: it hangs. Counted in
# looks, not in seconds, because on a starved machine whoever looks is late as well
STILL_LOOKS = 30  # looks (1.5 s) without a word, in whose second half it has not worked either:
# stopped, or locked for ever. One that is starved or loads something works now and then
PATIENCE = (0.0, 0.5, 1.0, 2.0, 5.0)  # seconds before the first, second, ... restart in a row
TIMELINE = 32  # steps remembered


class ChildLink:
    """Runs the engine in processes of its own, passes sound and frames, and starts it again.

    `send` is called on the audio thread, `receive` on the camera thread, the rest on one other.
    """

    def __init__(
        self,
        profile: Profile,
        fps: int,
        size: int,
        now: Callable[[], float] = time.monotonic,
        start: Callable[[], EngineProcess] | None = None,
        casting: Callable[[Profile], Cast] = cast,
    ) -> None:
        """`start` spawns a process that waits for a face; `casting` finds the understudy."""
        context = multiprocessing.get_context("spawn")
        self._start = start or (lambda: EngineProcess(context, fps, size))
        self._now, self._casting, self._star = now, casting, Star(casting(profile), now)
        self._ring = RingBuffer()  # what a process that takes over has to hear first
        self._lock = threading.Lock()  # while processes change places
        self._spare: EngineProcess | None = None
        self._next: EngineProcess | None = None
        self._next_star, self._next_since = self._star, 0.0
        self._failures = self._restarts = 0  # of what is live: in a row; in all
        self._due: float | None = None  # when to start it again
        self._timeline: deque[Change] = deque(maxlen=TIMELINE)
        self._state, self._note, self._resting = "starting", "", False
        self._live = self._idle()
        self._play(self._live)

    @property
    def pid(self) -> int:
        """The live engine's process number."""
        return self._live.pid

    def send(self, sound: AudioChunk) -> None:
        """Write the sound where the engines read it."""
        with self._lock:
            self._ring.take(sound)
            for process in filter(None, (self._live, self._next)):
                process.send(sound)

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """Copy out the frames the live engine has announced."""
        following = self._next
        first = following.receive(-1, 0.0) if following else []  # what is on show is not its own
        if following and (first or (self._resting and following.ready and not waits(following))):
            self._take_over(following)
            return first
        return self._live.receive(shown, wait)

    def status(self) -> EngineStatus:
        """How the engine is."""
        live = self._live
        return EngineStatus(
            state=self._state,
            backends=live.ready.backends if live.ready else (),
            note=self._note or live.note or self._star.builder.note or live.vitals.remarks,
            restarts=self._restarts,
            memory_mib=live.vitals.memory_mib,
            speaking=live.speaking and not self._resting,
            gpu=live.vitals.gpu,
            mode=live.ready.mode if live.ready else "",
            rung=self._star.rung(live),
            load=live.vitals.load,
            reason=self._why_not_all(),
            timeline=tuple(self._timeline),
        )

    @property
    def profile(self) -> Profile:
        """The face on show; another one only once its engine has taken over."""
        return self._star.cast.star

    def rest(self, resting: bool) -> None:
        """Let the live engine sleep, loaded, or wake it."""
        with self._lock:
            self._resting = resting
            for process in filter(None, (self._live, self._next)):
                process.rest(resting)

    def switch(self, profile: Profile) -> None:
        """Load another face beside the one on show, and change over when it is ready."""
        chosen = Star(self._casting(profile), self._now)
        self._load(chosen.cast.understudy, chosen)
        self._note = f"loading {profile.title}"

    def mend(self) -> None:
        """Notice a death or a hang, start again after a growing pause, keep a spare ready."""
        if self._state in ("failed", "closed"):
            return
        if self._due is not None:
            self._restart_when_due()
        elif not self._live.alive:
            self._fall(self._live.end)
        elif waits(self._live):
            self._step_aside()
        elif self._live.ready:
            self._look()
        self._mind_next()
        self._note_changes()

    def close(self) -> None:
        """End all processes."""
        self._state = "closed"
        self._star.builder.close()
        for process in filter(None, (self._live, self._next, self._spare)):
            process.close()

    def _look(self) -> None:
        """At a live engine: it must say something now and then."""
        if self._state != "live":
            self._state, self._failures, self._note = "live", 0, ""
        if self._spare is None:
            self._spare = self._start()
        self._live.silent_looks += 1
        still = not self._resting and self._live.stands_still(STILL_LOOKS)
        if still or self._live.silent_looks > SILENT_LOOKS:
            self._fall("the engine hung and was killed")

    def _fall(self, reason: str) -> None:
        """What was live is no more."""
        gone = self._live
        words, starred = gone.last_words, self._star.is_played_by(gone)
        self._state, self._note = "restarting", reason
        if starred:
            self._note_changes()
            self._stepped(self._star.rung(gone), EMBEDDED.name, reason)
            self._star.fell(gone, reason)
        elif words and words.final and not self._restarts and gone.ready is None:
            self._state = "failed"  # it would end the same way again
            dismiss(gone)
            return
        pause = 0.0 if starred else PATIENCE[min(self._failures, len(PATIENCE) - 1)]
        self._due = self._now() + pause
        self._failures += not starred
        self._restarts += 1
        self._restart_when_due()
        dismiss(gone)

    def _step_aside(self) -> None:
        """What is live is too slow on every rung: the understudy plays, and it waits."""
        slow = self._live
        if self._next is not None or not self._star.is_played_by(slow):
            self._fall(slow.reason)
            return
        self._note_changes()
        self._state, self._note = "restarting", slow.reason
        understudy = self._idle()
        with self._lock:
            self._play(understudy)
            self._live, self._next = understudy, slow
            self._next_star, self._next_since = self._star, self._now()

    def _restart_when_due(self) -> None:
        if self._due is None or self._now() < self._due:
            return
        process = self._idle()
        with self._lock:
            if self._due is None:  # the next process has just taken over
                self._spare = process
                return
            self._play(process)
            self._live, self._due = process, None

    def _mind_next(self) -> None:
        """Give up on what did not load; load the star when its time has come."""
        following, live, star = self._next, self._live, self._star
        star.look_at(live)
        if following is not None:
            reason = star.worthless(following, live, self._now() - self._next_since)
            if reason is not None:
                self._give_up(following, reason)
        elif self._state == "live" and star.is_due(live):
            self._load(star.cast.star, star)
        elif star.is_played_by(live) and live.ready and not live.ready.compiled:
            star.builder.mind(self._start)
            if star.builder.take():
                self._load(star.cast.star, star, patient=True)

    def _give_up(self, failed: EngineProcess, reason: str) -> None:
        """On a next process: another face, or the star of this one."""
        with self._lock:
            if self._next is not failed:  # it has just taken over
                return
            self._next = None
        if self._next_star is not self._star:
            self._note = f"cannot switch: {reason}"
        else:
            self._star.did_not_open(failed, reason)
        dismiss(failed)

    def _take_over(self, following: EngineProcess) -> None:
        """The next process has made its first frame."""
        with self._lock:
            if self._next is not following:
                return
            before, self._live, self._next = self._live, following, None
            self._due, self._note = None, ""
        rung, why = self._star.rung(before), "it is ready"
        if self._next_star is not self._star:
            self._star.builder.close()
            self._star, why = self._next_star, "another face"
        elif self._star.is_played_by(following):
            self._star.is_on()
        if not any(change.before == EMBEDDED.name for change in following.changes):
            self._stepped(rung, self._star.rung(following), why)  # else it says so itself
        dismiss(before, patience=1.0)

    def _play(self, process: EngineProcess) -> None:
        """Have `process` open who is on first: the understudy, or else the face itself."""
        cast = self._star.cast
        process.rest(self._resting)
        process.open(cast.understudy, self._history(), not cast.doubled)

    def _load(self, profile: Profile, chosen: Star, patient: bool = False) -> None:
        """Open `profile` beside what is live."""
        process = self._idle()
        with self._lock:
            process.rest(self._resting)
            process.open(profile, self._history(), patient or not chosen.cast.doubled)
            abandoned, self._next = self._next, process
            self._next_star, self._next_since = chosen, self._now()
        if abandoned is not None:
            dismiss(abandoned)

    def _idle(self) -> EngineProcess:
        """A process that waits for a face: the spare one, or else a new one."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.alive:
            return spare
        if spare is not None:
            dismiss(spare)
        return self._start()

    def _history(self) -> AudioChunk:
        return self._ring.read(self._ring.end - HISTORY, self._ring.end)

    def _why_not_all(self) -> str:
        mine = self._next_star is self._star
        return self._star.why_not(self._live, self._next if mine else None)

    def _stepped(self, before: str, after: str, reason: str) -> None:
        if before != after:
            self._timeline.append(Change(self._ring.end, before, after, reason))

    def _note_changes(self) -> None:
        """What the live engine has said of its own ladder."""
        while self._live.changes:
            self._timeline.append(self._live.changes.popleft())

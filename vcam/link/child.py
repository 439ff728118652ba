"""The engine as a child process: it may crash, hang or be killed, and costs only frames.

Three places for processes. `live` makes the frames. `next` is being loaded and takes over with its
first frame. A spare one knows no face yet (`vcam.link.standby`).

A face that needs the GPU has two engines (`vcam.engine.failover`): the fallback, embedded, which
opens in a moment and is on the camera first and whenever the primary cannot be; and the
primary. One that became too slow for every level waits on standby, as `next`, until it has room.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import deque
from collections.abc import Callable

from vcam import access, clock
from vcam.audio.ring import RingBuffer
from vcam.engine.degradation import EMBEDDED
from vcam.engine.engine import Finished
from vcam.engine.failover import Failover, failover
from vcam.link.primary import Primary, waits
from vcam.link.process import HISTORY, EngineProcess, close_all, dismiss
from vcam.link.standby import Standby
from vcam.link.timeline import Timeline
from vcam.media import AudioChunk
from vcam.monitor.logs import log
from vcam.monitor.stats import EngineStatus
from vcam.motion.gestures import MOST, Begun
from vcam.profiles.profile import Profile

SILENT_LOOKS = 120  # looks at a live engine (6 s of them) without a word: it hangs. Counted in
# looks, not in seconds, because on a starved machine whoever looks is late as well
STILL_LOOKS = 30  # looks (1.5 s) without a word, in whose second half it has not worked either:
# stopped, or locked for ever. One that is starved or loads something works now and then
PATIENCE = (0.0, 0.5, 1.0, 2.0, 5.0)  # seconds before the first, second, ... restart in a row


class ChildLink:
    """Runs the engine in processes of its own, passes sound and frames, and starts it again.

    `send` is called on the audio thread, `receive` on the camera thread, the rest on one other.
    """

    def __init__(
        self,
        profile: Profile,
        fps: int,
        size: int,
        now: Callable[[], float] = clock.now,
        start: Callable[[], EngineProcess] | None = None,
        failover_for: Callable[[Profile], Failover] = failover,
        start_primary: Callable[[], EngineProcess] | None = None,
    ) -> None:
        """`start` spawns a process that waits for a face; `failover_for` finds the fallback.

        `start_primary` spawns one whose frames are made elsewhere, for the primary alone.
        """
        context = multiprocessing.get_context("spawn")
        begin = start or (lambda: EngineProcess(context, fps, size))
        self._standby, self._fps, self._side = Standby(begin, start_primary), fps, size
        self._now, self._failover_for = now, failover_for
        self._primary = Primary(failover_for(profile), now)
        self._ring = RingBuffer()  # what a process that takes over has to hear first
        self._lock = threading.Lock()  # while processes change places
        self._next: EngineProcess | None = None
        self._next_primary, self._next_since = self._primary, 0.0
        self._begun: deque[Begun] = deque(maxlen=MOST)  # gestures, the newest
        self._failures = self._restarts = 0  # of what is live: in a row; in all
        self._opened = False  # whether there ever was an engine
        self._due: float | None = None  # when to start it again
        self._timeline = Timeline(self._ring)
        self._state, self._note, self._resting = "starting", "", False
        self._live = self._standby.take()
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
        live, mine = self._live, self._next_primary is self._primary
        return EngineStatus(
            state=self._state,
            fps=self._fps,
            side=self._side,
            backends=live.ready.backends if live.ready else (),
            note=self._note or live.note or self._primary.builder.note or live.vitals.remarks,
            restarts=self._restarts,
            memory_mib=live.vitals.memory_mib,
            speaking=live.speaking and not self._resting,
            gpu=live.vitals.gpu,
            far=live.vitals.far,
            mode=live.ready.mode if live.ready else "",
            level=self._primary.level(live),
            load=live.vitals.load,
            reason=self._primary.why_not(live, self._next if mine else None),
            timeline=self._timeline.steps,
        )

    @property
    def profile(self) -> Profile:
        """The face on show; another one only once its engine has taken over."""
        return self._primary.failover.primary

    def rest(self, resting: bool) -> None:
        """Let the live engine sleep, loaded, or wake it."""
        with self._lock:
            self._resting = resting
            for process in filter(None, (self._live, self._next)):
                process.rest(resting)

    def express(self, gesture: Begun) -> None:
        """Write it down for every engine that may show it, and for those that start meanwhile."""
        with self._lock:
            self._begun.append(gesture)
            for process in filter(None, (self._live, self._next)):
                process.express(gesture)

    def switch(self, profile: Profile) -> None:
        """Load another face beside the one on show, and change over when it is ready."""
        chosen = Primary(self._failover_for(profile), self._now)
        self._load(chosen.failover.fallback, chosen)
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
        self._timeline.note(self._live)

    def close(self) -> None:
        """End all processes."""
        self._state = "closed"
        self._primary.builder.close()
        close_all(filter(None, (self._live, self._next, self._standby.spare)))

    def _look(self) -> None:
        """At a live engine: it must say something now and then."""
        if self._state != "live":
            self._state, self._failures, self._note = "live", 0, ""
            self._opened = True
        self._standby.keep()
        self._live.silent_looks += 1
        still = not self._resting and self._live.stands_still(STILL_LOOKS)
        if still or self._live.silent_looks > SILENT_LOOKS:
            self._fall("the engine hung and was killed")

    def _fall(self, reason: str) -> None:
        """What was live is no more."""
        gone = self._live
        words, was_primary = gone.last_words, self._primary.is_run_by(gone)
        self._state, self._note = "restarting", reason
        if words and words.trace:
            log.error("%s", words.trace)
        if was_primary:
            self._timeline.note(self._live)
            self._timeline.stepped(self._primary.level(gone), EMBEDDED.name, reason)
            self._primary.fell(gone, reason)
        elif not self._opened and gone.never_opens(self._failures >= len(PATIENCE)):
            self._state = "failed"
            dismiss(gone)
            return
        pause = 0.0 if was_primary else PATIENCE[min(self._failures, len(PATIENCE) - 1)]
        self._due = self._now() + pause
        self._failures += not was_primary
        self._restarts += 1
        self._restart_when_due()
        dismiss(gone)

    def _step_aside(self) -> None:
        """What is live is too slow on every level: the fallback plays, and it waits."""
        slow = self._live
        if self._next is not None or not self._primary.is_run_by(slow):
            self._fall(slow.reason)
            return
        self._timeline.note(self._live)
        self._state, self._note = "restarting", slow.reason
        fallback = self._standby.take()
        with self._lock:
            self._play(fallback)
            self._live, self._next = fallback, slow
            self._next_primary, self._next_since = self._primary, self._now()

    def _restart_when_due(self) -> None:
        if self._due is None or self._now() < self._due:
            return
        try:
            process = self._standby.take()
        except OSError as error:  # too many files or processes, for now
            self._note, self._due = access.explained(error), self._now() + PATIENCE[-1]
            return
        with self._lock:
            if self._due is None:  # the next process has just taken over
                self._standby.put_back(process)
                return
            self._play(process)
            self._live, self._due = process, None

    def _mind_next(self) -> None:
        """Give up on what did not load; load the primary when its time has come."""
        following, live, primary = self._next, self._live, self._primary
        primary.look_at(live)
        if following is not None:
            reason = primary.worthless(following, live, self._now() - self._next_since)
            if reason is not None:
                self._give_up(following, reason)
        elif self._state == "live" and primary.is_due(live):
            self._load(primary.failover.primary, primary)
        elif primary.is_run_by(live) and live.ready and not live.ready.compiled:
            primary.builder.mind(self._standby.start)
            if primary.builder.take():
                self._load(primary.failover.primary, primary, patient=True)

    def _give_up(self, failed: EngineProcess, reason: str) -> None:
        """On a next process: another face, or the primary of this one."""
        with self._lock:
            if self._next is not failed:  # it has just taken over
                return
            self._next = None
        if self._next_primary is not self._primary:
            self._note = f"cannot switch: {reason}"
        else:
            self._primary.did_not_open(failed, reason)
        dismiss(failed)

    def _take_over(self, following: EngineProcess) -> None:
        """The next process has made its first frame."""
        with self._lock:
            if self._next is not following:
                return
            before, self._live, self._next = self._live, following, None
            self._due, self._note = None, ""
        level, why = self._primary.level(before), "it is ready"
        if self._next_primary is not self._primary:
            self._primary.builder.close()
            self._primary, why = self._next_primary, "another face"
        elif self._primary.is_run_by(following):
            self._primary.is_on()
        says_so = any(change.before == EMBEDDED.name for change in following.changes)
        if not says_so:
            self._timeline.stepped(level, self._primary.level(following), why)
        dismiss(before, patience=1.0)

    def _play(self, process: EngineProcess) -> None:
        """Have `process` open who is on first: the fallback, or else the face itself."""
        failover = self._primary.failover
        self._prepare(process)
        process.open(failover.fallback, self._history(), not failover.has_fallback)

    def _load(self, profile: Profile, chosen: Primary, patient: bool = False) -> None:
        """Open `profile` beside what is live."""
        process = self._standby.take_for(profile, chosen.failover)
        with self._lock:
            self._prepare(process)
            process.open(profile, self._history(), patient or not chosen.failover.has_fallback)
            abandoned, self._next = self._next, process
            self._next_primary, self._next_since = chosen, self._now()
        if abandoned is not None:
            dismiss(abandoned)

    def _prepare(self, process: EngineProcess) -> None:
        """It goes on where the one before it is."""
        process.rest(self._resting)
        for gesture in self._begun:
            process.express(gesture)

    def _history(self) -> AudioChunk:
        return self._ring.read(self._ring.end - HISTORY, self._ring.end)

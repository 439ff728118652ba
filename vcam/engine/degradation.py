"""The degradation levels: what an engine leaves out when its frames cost more time than they last.

Levels go from everything to nothing. `Degradation` hears what each step of the engine cost, by the
engine's own clock, and says which level to stand on. It counts its time in ticks of sound, so that
tests crank it by hand and a stalled machine does not hurry it.

On the lowest level another engine is on show. This one stays loaded and probes: now and then it
makes a few frames that nobody sees, and steps up when they cost little enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vcam.media import TICKS_PER_SECOND, frame_ticks
from vcam.monitor.stats import Change

WINDOW = 16  # frames whose cost is judged together
BUSY = 1.0  # seconds of work that are judged even if they made fewer frames
TOO_DEAR = 0.9  # share of a frame's duration that it may cost
FAR_TOO_DEAR = 1.6  # at which one window is enough to step down
STRIKES = 2  # windows in a row that are too dear
ROOM = 0.75  # the level above is tried when it is expected to cost no more than this
MOST_DEARER = 2.0  # no level costs more than so many times the one below it
UNKNOWN_ROOM = 0.6  # the same, where nobody knows what it costs
REST = 3 * TICKS_PER_SECOND // 2  # between two probes
PATIENCE = 4 * TICKS_PER_SECOND  # of room before a step up; half of it before the next one
MOST_PATIENCE = 120 * TICKS_PER_SECOND
PROBATION = 10 * TICKS_PER_SECOND  # a step up that does not last so long has failed
PROVEN = 60 * TICKS_PER_SECOND  # one that lasts so long makes up for those that failed


@dataclass(frozen=True, slots=True)
class Level:
    """A way to run the engine."""

    name: str  # for people
    detail: int = 0  # steps below the mouth's best, where its painter knows cheaper ways
    paint: int = 1  # the mouth is painted anew on every so many frames; 0: never
    fps: int | None = None  # a slower rate of frames; None: the one asked for
    given_up: bool = False  # show no frames: another engine must


FULL = Level("full")
STEADY = Level("mouth's reference kept", detail=1)
SOFT = Level("softer mouth", detail=2)
HALF_MOUTH = Level("mouth every second frame", detail=2, paint=2)
NO_MOUTH = Level("mouth off", paint=0)
SLOW = Level("25 fps", paint=0, fps=25)
EMBEDDED = Level("embedded avatar", paint=0, given_up=True)


def levels(fps: int, paints: bool, holds: bool, paces: bool, details: int = 0) -> tuple[Level, ...]:
    """The levels of an engine at `fps` that can fall back to the embedded avatar.

    Whether its mouth `paints` at all, `holds` a painted mouth for a frame, and whether its motion
    can be had at another pace; `details`: cheaper ways to paint that its mouth knows.
    """
    found = [FULL, *(STEADY, SOFT)[:details]]
    if paints and holds:
        found.append(HALF_MOUTH)
    if paints:
        found.append(NO_MOUTH)
    if paces and fps > 25:
        found.append(SLOW)
    return (*found, EMBEDDED)


class Degradation:
    """Which level to stand on, from what frames cost."""

    def __init__(self, levels: Sequence[Level], fps: int) -> None:
        """`levels` from the best to the cheapest; a single one never changes."""
        self._levels, self._fps = list(levels), fps
        self._plain = [level for level in levels if not level.paint]
        self._place = 0
        self._frames, self._spent = 0, 0.0  # of the window
        self._strikes = 0
        self._dearer: dict[Level, float] = {}  # a level's cost in those of the level below it
        self._priced: dict[Level, float] = {}  # the same, as it was measured before
        self._fallen: float | None = None  # load at which we stepped down, until it is compared
        self._stood = self._judged = 0  # ticks of the last step, and of the last window's end
        self._roomy: int | None = None  # tick since when there has been room
        self._risen: int | None = None  # tick of the last step up
        self._patience = PATIENCE
        self.load = 0.0  # cost of the newest window's frames, in shares of their duration

    @property
    def levels(self) -> tuple[Level, ...]:
        """All of them, from the best to the cheapest."""
        return tuple(self._levels)

    @property
    def level(self) -> Level:
        """Where we stand."""
        return self._levels[self._place]

    @property
    def fps(self) -> int:
        """Frames per second to make."""
        return self.level.fps or self._fps

    @property
    def paints(self) -> bool:
        """Whether the mouth may still be painted, now or later."""
        return any(level.paint for level in self._levels)

    @property
    def falls(self) -> bool:
        """Whether there is anywhere to go."""
        return len(self._levels) > 1

    def start(self, costs: Sequence[tuple[Level, float]]) -> Change | None:
        """Take these levels, from the best to the cheapest, and stand on the best that is in time.

        Each comes with what its frames cost on this machine, in shares of their duration.
        """
        self._levels = [*(level for level, _ in costs), *(r for r in self._levels if r.given_up)]
        self._priced = {
            above: dear / max(cheap, 1e-9) for (above, dear), (_, cheap) in pairwise(costs)
        }
        self._dearer = dict(self._priced)
        fitting = (level for level, load in costs if load <= TOO_DEAR)
        chosen = next(fitting, costs[-1][0])
        self.load = costs[0][1]
        return None if chosen is self.level else self._stepped(0, chosen, self._reason())

    def probes(self, at: int) -> bool:
        """Whether to work at tick `at`, although nobody sees it: until a window is full."""
        return at - self._judged >= REST

    def worked(self, at: int, frames: int, spent: float) -> Change | None:
        """A step ended at tick `at`: it made `frames` frames in `spent` seconds."""
        self._frames, self._spent = self._frames + frames, self._spent + spent
        if self._frames < WINDOW and self._spent < BUSY:
            return None
        duration = frame_ticks(self.fps) / TICKS_PER_SECOND
        self.load = self._spent / (max(1, self._frames) * duration)
        self._frames, self._spent, self._judged = 0, 0.0, at
        self._compare(at)
        return self._descended(at) if self.load > TOO_DEAR else self._ascended(at)

    def ran_out(self, at: int, stage: str) -> Change:
        """`stage` ran out of memory at tick `at`: let the mouth go, or else all.

        From then on no level paints: what the mouth needs is not there.
        """
        reason = f"the GPU's memory is full: none for {stage}"
        if NO_MOUTH not in self._plain or not self.paints:
            return self._stepped(at, EMBEDDED, reason)
        before, stays = self.level, not self.level.paint
        self._levels = list(self._plain)
        return self._stepped(at, before if stays else NO_MOUTH, reason, before)

    def _descended(self, at: int) -> Change | None:
        self._strikes += 1
        self._roomy = None
        bearable = self.load < FAR_TOO_DEAR and self._strikes < STRIKES
        if bearable or self._place + 1 == len(self._levels):
            return None
        if self._risen is not None:
            self._learn_patience(at - self._risen)
        self._risen = None
        change = self._stepped(at, self._levels[self._place + 1], self._reason())
        self._fallen = None if self.level.given_up else self.load
        return change

    def _ascended(self, at: int) -> Change | None:
        self._strikes = 0
        if self._place == 0 or not self._has_room():
            self._roomy = None
            return None
        self._roomy = at if self._roomy is None else self._roomy
        climbing = self._risen is not None and at - self._risen < PROBATION
        if at - self._roomy < self._patience // (1 + climbing):
            return None
        self._risen = at
        return self._stepped(at, self._levels[self._place - 1], f"room again: {self._reason()}")

    def _has_room(self) -> bool:
        """Whether the level above is expected to be cheap enough: a probe costs what it does."""
        if self.level.given_up:
            return self.load < ROOM
        dearer = self._dearer.get(self._levels[self._place - 1])
        return self.load < UNKNOWN_ROOM if dearer is None else self.load * dearer < ROOM

    def _compare(self, at: int) -> None:
        """Learn what the level above costs: by the load just before and just after a step down.

        Whoever else uses the machine may have come or gone between the two, so this is believed
        within bounds only, and not for ever.
        """
        if self._fallen is not None:
            above = self._levels[self._place - 1]
            self._dearer[above] = min(max(self._fallen / max(self.load, 1e-9), 1.0), MOST_DEARER)
            self._fallen = None
        elif at - self._stood > MOST_PATIENCE:
            self._dearer = dict(self._priced)

    def _learn_patience(self, lasted: int) -> None:
        """From how long the last step up lasted."""
        if lasted < PROBATION:
            self._patience = min(2 * self._patience, MOST_PATIENCE)
        elif lasted >= PROVEN:
            self._patience = PATIENCE

    def _reason(self) -> str:
        duration = 1000 / self.fps
        return f"a frame takes {self.load * duration:.0f} of {duration:.0f} ms"

    def _stepped(
        self, at: int, following: Level, reason: str, before: Level | None = None
    ) -> Change:
        change = Change(at, (before or self.level).name, following.name, reason)
        self._place = self._levels.index(following)
        self._strikes, self._roomy, self._fallen, self._stood = 0, None, None, at
        return change

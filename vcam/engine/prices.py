"""What each level of an engine costs on this machine, and the order in which to give things up.

A level of the degradation is worth leaving for the next by the milliseconds that it saves for what
people lose. The losses are judgements; the milliseconds are measured, once the engine is warm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vcam import clock
from vcam.engine.degradation import HALF_MOUTH, NO_MOUTH, SLOW, SOFT, STEADY, Level
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.monitor.stats import Stopwatch

if TYPE_CHECKING:
    from vcam.engine.engine import Engine

# How much worse each step looks than the one before it, where every second mouth is 1.
LOSSES = {STEADY: 0.1, SOFT: 0.5, HALF_MOUTH: 1.0, NO_MOUTH: 4.0}
SLOWER = 0.5  # the same, of 25 frames a second
LEAST = 0.02  # of a frame's cost: what saves less is not worth a step
HOP = TICKS_PER_SECOND // 25  # ticks of sound that one motion of ARTalk takes
FRAMES = 10  # timed for each level, after as many that are not
PICTURE = 25  # frames a second of the slower levels


@dataclass(frozen=True, slots=True)
class Prices:
    """Milliseconds: of a frame on each level, apart from its motion, and of a hop of 40 ms."""

    frames: Mapping[Level, float]
    hop: float = 0.0

    def share(self, level: Level, fps: int) -> float:
        """What a frame costs on `level`, motion included, in shares of its duration."""
        rate = level.fps or fps
        frame = self.frames[replace(level, fps=None, name=_at_full_rate(level).name)]
        return (frame * rate + self.hop * PICTURE) / 1000


def ordered(levels: Sequence[Level], prices: Prices, fps: int) -> list[tuple[Level, float]]:
    """The levels with their shares of a frame's duration, the best bargain first.

    A softer mouth comes before every second one, and that before none; frames become fewer where
    that saves more for what is lost. A step that saves next to nothing is left out.
    """
    chain = _worthwhile([r for r in levels if not r.given_up and not r.fps], prices)
    paces = any(level.fps for level in levels)
    found = list[Level]()
    for index, level in enumerate(chain):
        found.append(level)
        following = chain[index + 1] if index + 1 < len(chain) else None
        if paces and _slows_first(level, following, prices, fps):
            found += (slower(each) for each in chain[index:])
            break
    return [(level, prices.share(level, fps)) for level in found]


def slower(level: Level) -> Level:
    """The same at 25 frames a second."""
    if level == NO_MOUTH:
        return SLOW
    return replace(level, fps=PICTURE, name=f"{level.name}, {PICTURE} fps")


def _at_full_rate(level: Level) -> Level:
    """What `slower` was given."""
    if level == SLOW:
        return NO_MOUTH
    return replace(level, fps=None, name=level.name.removesuffix(f", {PICTURE} fps"))


def _worthwhile(chain: Sequence[Level], prices: Prices) -> list[Level]:
    found = list(chain[:1])
    for level in chain[1:]:
        if level == NO_MOUTH or prices.frames[level] < (1 - LEAST) * prices.frames[found[-1]]:
            found.append(level)
    return found


def _slows_first(level: Level, following: Level | None, prices: Prices, fps: int) -> bool:
    """Whether fewer frames save more for what is lost than the next step of the mouth."""
    if following is None:
        return True
    spared = (fps - PICTURE) * prices.frames[level] / SLOWER
    saved = fps * (prices.frames[level] - prices.frames[following])
    return spared > saved / LOSSES[following]


def measure(
    engine: Engine, levels: Sequence[Level], now: Callable[[], float] = clock.now
) -> Prices:
    """Run a warm engine on each level for some frames of noise, and reset it."""
    path, at = engine.pipeline, 0
    before, path.watch, kept = path.level, Stopwatch(now), path.watch
    noise = np.random.default_rng(1).normal(0, 0.05, HOP).astype(np.float32)
    spent, hops = dict[Level, float](), list[float]()
    for path.level in levels:
        total, timed, made = 0.0, 0, 0
        while not timed or made < 2 * FRAMES:
            frames, took, hop = _timed(engine, AudioChunk(at, noise), now)
            if made >= FRAMES:
                total, timed = total + took, timed + frames
                hops.append(hop)
            at, made = at + HOP, made + frames
        spent[path.level] = total / timed  # of painted and held ones alike
    path.level, path.watch = before, kept
    path.reset()
    return Prices(spent, float(np.median(hops)))


def _timed(engine: Engine, sound: AudioChunk, now: Callable[[], float]) -> tuple[int, float, float]:
    """One step: frames made, milliseconds of all apart from motion, and of the motion."""
    began, hop, frames = now(), 0.0, 0
    for finished in engine.step_all(sound):
        frames += 1
        hop += finished.took.get("motion", 0.0)
    hop += engine.pipeline.watch.lap().get("motion", 0.0)
    return frames, 1000 * (now() - began) - hop, hop

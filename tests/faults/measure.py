"""From what camera and meeting got to the figures of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.faults.voice import Heard
from vcam.media import TICKS_PER_SECOND

BEFORE = 2.0  # seconds before a fault that tell how it should be
CURRENT = 0.25  # seconds that picture and voice may be older or younger than before a fault
OUTPUT = 0.05  # seconds that the voice takes beside the presentation delay
RAW = 0.75  # of all that, by which what was not delayed is younger
STEADY = 1.0  # seconds that they must stay so
SHARE = 0.9  # of the moments in that time
BURST = 0.1  # seconds in which a burst of frames would be seen
LIVELY = 20.0  # frames a second
NEVER = float("inf")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Outage:
    """A fault: when it began, and when its cause was gone, in monotonic seconds."""

    begin: float
    cured: float


@dataclass(frozen=True)
class Seen:
    """What the camera showed of a fault."""

    gap: float  # seconds, longest time without a frame
    recovery: float  # seconds from the cure to a living, current face
    burst: int  # most frames in a tenth of a second


@dataclass(frozen=True)
class Spoken:
    """What the meeting heard of a fault."""

    gap: float  # seconds, longest silence
    recovery: float  # seconds from the cure to a current voice
    stale: float  # seconds of voice after the cure that were older than they should be
    foreign: float  # seconds of what another microphone heard
    raw: float  # seconds that were far too young: the microphone itself


Delays = Sequence[tuple[float, float]]  # monotonic second, presentation delay in seconds


def seen(
    frames: list[tuple[float, int]], delays: Delays, outage: Outage, end: float, away: bool
) -> Seen:
    """`frames` are (monotonic second, tick); `away`: there was no camera until the cure."""
    times = np.array([at for at, _ in frames])
    ages = times - np.array([tick for _, tick in frames]) / TICKS_PER_SECOND - _at(times, delays)
    usual = float(np.median(ages[(times > outage.begin - BEFORE) & (times < outage.begin)]))
    first = outage.cured if away else outage.begin
    after = np.concatenate([[first], times[(times >= first) & (times < end)], [end]])
    return Seen(
        float(np.diff(after).max()),
        _recovery(times, np.abs(ages - usual) < CURRENT, outage.cured),
        int(max(np.sum((after >= at) & (after < at + BURST)) for at in after)),
    )


def counted(looks: Sequence[Mapping[str, Any]], outage: Outage) -> Seen:
    """By the run's own counters, where its camera takes no notes."""
    after = [look for look in looks if look["at"] >= outage.cured]
    lively = [look["at"] for look in after if look["fps"] > LIVELY and not look["engine"]["note"]]
    recovery = lively[0] - outage.cured if lively else NEVER
    return Seen(looks[-1]["gap_ms"] / 1000, recovery, burst=0)


def spoken(heard: Heard, delays: Delays, outage: Outage, end: float, away: bool) -> Spoken:
    """`away`: the microphone or the meeting's device were not there until the cure."""
    times = np.array([when for when, _, _ in heard.moments])
    ages = np.array([age for _, age, _ in heard.moments]) - _at(times, delays)
    before = ages[(times > outage.begin - BEFORE) & (times < outage.begin)]
    usual = float(np.median(before)) if len(before) else NEVER
    raw = (times > outage.begin) & _is_raw(ages, usual, _at(times, delays))
    recovery = _recovery(times, ~raw & (np.abs(ages - usual) < CURRENT), outage.cured)
    since = outage.cured + recovery if away else outage.begin
    gaps = [b - max(a, since) for a, b in heard.silences if b > since and a < end]
    stale = (times > outage.cured) & (ages > usual + CURRENT) & (ages < usual + 10)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    foreign = sum(microphone != 0 for _, _, microphone in heard.moments)
    return Spoken(
        max([0.0, *gaps]),
        recovery,
        float(stale.sum()) * step,
        foreign * step,
        float(raw.sum()) * step,
    )


def _is_raw(ages: Numbers, usual: float, delays: Numbers) -> NDArray[np.bool_]:
    """Which moments are far younger than `delays` make them. What is very old wraps around.

    Ages are all off by what the speaker's player holds, up to 0.1 s, which changes when it begins
    anew: so only the difference tells, and most of the way to the microphone itself.
    """
    younger = np.isfinite(usual) & (ages - usual < -RAW * (delays + OUTPUT))
    return younger & (ages + delays > -CURRENT)


def _at(times: Numbers, delays: Delays) -> Numbers:
    """The presentation delay at each of `times`."""
    return np.interp(times, *zip(*delays, strict=True))


def _recovery(times: Numbers, good: NDArray[np.bool_], cured: float) -> float:
    """Seconds from `cured` to the first moment from which on nearly all is good."""
    for start in np.flatnonzero(good & (times >= cured)):
        window = (times >= times[start]) & (times < times[start] + STEADY)
        if good[window].mean() >= SHARE and times[-1] >= times[start] + 0.8 * STEADY:
            return float(times[start] - cured)
    return NEVER

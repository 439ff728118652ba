"""What others get now, in one word, and what to do when something is wrong, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vcam.monitor.recent import Recent
from vcam.monitor.stats import EngineStatus, Snapshot
from vcam.monitor.streams import harmless

IN_TIME = 0.95  # share of frames below which others see it stutter
FEW, SMALL = 25, 384  # frames a second, and pixels of the square, for a slow computer
LOUD = -1.0  # dB from which on a voice is distorted
SWITCHES = ("hidden", "paused", "real", "muted", "idle")
UNWATCHED = "nobody watches"


@dataclass(frozen=True)
class Verdict:
    """The word, its colour, and the switches that it does not tell."""

    word: str
    style: str
    also: tuple[str, ...] = ()


def switches(presence: str) -> set[str]:
    """What is on, of a snapshot's presence."""
    return set(presence.replace(", ", ",").split(","))


def verdict(now: Snapshot, recent: Recent) -> Verdict:
    """What others get: first what is hidden from them, then what is wrong, then the rest."""
    on = switches(now.presence)
    chosen = [switch for switch in SWITCHES if switch in on]
    word, style = _word(now, recent, on)
    return Verdict(word, style, tuple(each for each in chosen if each.upper() != word))


def company(now: Snapshot) -> str:
    """Who sees and hears it, as far as that is known: "seen by zoom, heard by nobody"."""
    seen = _by("seen", now.readers, now.watchers)
    listeners = now.listeners if now.voice else None
    heard = _by("heard", None if listeners is None else len(listeners), listeners or ())
    return ", ".join(filter(None, (seen, heard)))


def _by(how: str, count: int | None, names: Sequence[str]) -> str:
    """Of a count that is not known at all, nothing is said."""
    if count == 0:
        return f"{how} by nobody"
    unnamed = (count or 0) - len(names)
    others = f"{unnamed} program{'' if unnamed == 1 else 's'}" if unnamed > 0 else ""
    all_of_them = " and ".join(filter(None, (*map(harmless, names), others)))
    return f"{how} by {all_of_them}" if all_of_them else ""


def advice(now: Snapshot, recent: Recent) -> str:
    """What is wrong besides lost devices, and what to do about it; "" when all is well."""
    engine = now.engine
    if engine.state in ("restarting", "failed"):
        return (
            f"the engine {'ended' if engine.state == 'failed' else 'starts again'}: {engine.note}"
        )
    if _is_slow(now, recent):
        return _slow(engine, f"{recent.on_time:.0%} of the frames are in time")
    if recent.lacks_sound and now.microphone:
        return f"no sound arrives from {now.microphone}; others: vcam devices"
    if recent.peak_db > LOUD:
        return "your voice is too loud and distorted: turn the microphone down"
    if UNWATCHED in switches(now.presence):
        names = " or ".join(f'"{name}"' for name in now.camera_listed)
        return f"nobody reads the camera; in the meeting choose {names or now.camera}"
    return engine.reason or (engine.note if engine.state == "live" else "")


def _slow(engine: EngineStatus, in_time: str) -> str:
    """Who is too slow, and what helps."""
    if engine.far is None:
        return f"this computer is too slow now, {in_time}: close other programs{_cheaper(engine)}"
    if engine.load > 1:
        cheaper = _cheaper(engine)
        return f"{engine.far.host} is too slow now, {in_time}: close other programs there{cheaper}"
    return f"too few frames come from {engine.far.host}, {in_time}: the way there is bad now"


def _cheaper(engine: EngineStatus) -> str:
    """What costs less than what runs, as options; "" where it runs so already."""
    options = [f"--fps {FEW}"] if engine.fps != FEW else []
    if engine.side == 0 or engine.side > SMALL:
        options.append(f"--size {SMALL}")
    return f", or run with {' '.join(options)}" if options else ""


def _word(now: Snapshot, recent: Recent, on: set[str]) -> tuple[str, str]:
    state = now.engine.state
    if "hidden" in on:
        return "HIDDEN", "white on blue"
    if "paused" in on:
        return "PAUSED", "black on yellow"
    if "real" in on:  # before all that may be wrong besides: nobody may be on it unknowingly
        return "REAL", "white on magenta"
    if now.trouble or state in ("restarting", "failed"):
        return "TROUBLE", "white on red"
    if state != "live":
        return "STARTING", "black on yellow"
    if "muted" in on:
        return "MUTED", "black on yellow"
    if "idle" in on:
        return "IDLE", "black on cyan"
    if _is_slow(now, recent):
        return "TROUBLE", "white on red"
    return "LIVE", "black on green"


def _is_slow(now: Snapshot, recent: Recent) -> bool:
    on = switches(now.presence)
    resting = on & {"hidden", "paused", UNWATCHED}
    return now.engine.state == "live" and not resting and recent.on_time < IN_TIME

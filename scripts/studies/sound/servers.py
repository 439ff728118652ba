#!/usr/bin/env python3
"""PipeWire beside PulseAudio, one after another in one session: what a run gives on each.

    .venv/bin/python scripts/studies/sound/servers.py [--seconds 20] [VARIANT...]

A voice that says which moment it is goes into a microphone of a server of our own. Latency and
frames on time are the run's own figures. How much later the voice leaves than it was heard is found
by cross-correlation of two listeners, at the microphone itself and at vcam's; how far it is from
its picture, by the moments in the voice and the ticks of the frames. A Markdown table; the last
line is the same as JSON. The load of the machine stands beside each row.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.fakes import MachineStalls
from tests.faults.rig import Rig, running
from tests.faults.server import MICROPHONES, PipeWire, missing
from tests.faults.soak import AHEAD
from tests.faults.voice import Listener, Piece, dated, heard, lost
from vcam.media import TICKS_PER_SECOND

VARIANTS = {  # the server, and what is forced on it
    "PulseAudio": ("pulseaudio", "", 0),
    "PipeWire": ("pipewire", "", 0),
    "PipeWire, quantum 32": ("pipewire", "quantum", 32),
    "PipeWire, quantum 2048": ("pipewire", "quantum", 2048),
    "PipeWire, 44.1 kHz": ("pipewire", "rate", 44_100),
    "PipeWire, 96 kHz": ("pipewire", "rate", 96_000),
}
SETTLING = 10.0  # seconds after the first frames in which the delay is still learned
LIFE = 60.0  # seconds to come to life: a busy machine takes long
WINDOW = 3.0  # seconds that are correlated at once; the voice repeats after four
LONGEST = 0.6  # seconds by which the voice may be behind
ON_ITS_WAY = 0.3  # seconds that sound may take to be heard


@dataclass(frozen=True)
class Result:
    """A row; times in ms."""

    variant: str
    latency: tuple[float, float, float]  # p50, p95, p99 from microphone to frame
    on_time: float  # share of the frames of the time that counts
    frames: int
    behind: tuple[float, float]  # the voice after the microphone: median, and 5-95 % wide
    offset: tuple[float, float]  # the voice after its picture: as told; by ear, 5-95 % wide
    drift_ppm: float
    silences: tuple[float, ...]  # in the voice, that the microphone had not
    underflows: int
    load: float  # of the machine, in its last minute
    stall: float  # the machine's longest


def measured(variant: str, seconds: float) -> Result:
    """Live for so long on one of `VARIANTS`."""
    server, key, value = VARIANTS[variant]
    os.environ["VCAM_SOUND_SERVER"] = server
    with (
        MachineStalls() as machine,
        tempfile.TemporaryDirectory(prefix="vcam-servers.") as name,
        running(Path(name), True, ahead=AHEAD) as rig,
    ):
        assert rig.server is not None
        with contextlib.closing(
            Listener(f"{MICROPHONES[0]}_mic", rig.server.environment)
        ) as microphone:
            assert rig.wait(lambda: rig.now()["fresh"] > 60, LIFE), rig.now()
            if isinstance(rig.server, PipeWire) and key:
                rig.server.set(key, value)
            time.sleep(SETTLING)
            begin, before = time.monotonic(), rig.now()
            time.sleep(seconds)
            row = _result(variant, rig, microphone, begin, before)
    return replace(row, stall=1000 * machine.longest)


def _result(
    variant: str,
    rig: Rig,
    microphone: Listener,
    begin: float,
    before: dict[str, float],
) -> Result:
    assert rig.listener is not None
    now, end = rig.now(), time.monotonic() - ON_ITS_WAY
    fresh, late = (now[name] - before[name] for name in ("fresh", "late"))
    voice, said = (heard(ear.takes, begin, end) for ear in (rig.listener, microphone))
    looks = [look for look in rig.seen if look["at"] >= begin]
    told = float(np.median([look["voice_offset_ms"] for look in looks]))
    return Result(
        variant,
        (now["latency_ms"]["p50"], now["latency_ms"]["p95"], now["latency_ms"]["p99"]),
        fresh / max(1, fresh + late),
        int(fresh + late),
        _spread(_lags(microphone.takes, rig.listener.takes, begin, end)),
        (told, _spread(_offsets(rig.frames(), voice.moments))[1]),
        float(np.median([look["drift_ppm"] for look in looks])),
        tuple(round(1000 * (b - a)) for a, b in lost(voice, said)),
        int(now["underflows"] - before["underflows"]),
        os.getloadavg()[0],
        0.0,
    )


def _lags(
    said: list[list[Piece]], voice: list[list[Piece]], begin: float, end: float
) -> list[float]:
    """By how much the second sound is behind the first, window after window, in ms."""
    lags = []
    for at in np.arange(begin, end - WINDOW - LONGEST, WINDOW):
        early = [each for take in list(said) for each in list(take) if at <= each.at < at + WINDOW]
        late = [
            each for take in list(voice) for each in list(take)
            if at <= each.at < at + WINDOW + LONGEST
        ]  # fmt: skip
        (times, first), (later, second) = dated(early), dated(late)
        if len(first) and len(second):
            lags.append(1000 * (_shift(first, second) + later[0] - times[0]))
    return lags


def _shift(first: np.ndarray, second: np.ndarray) -> float:
    """Seconds by which `second` [m] is to be moved back so that it fits `first` [n]."""
    size = 1 << (len(first) + len(second)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    reach = int(LONGEST * TICKS_PER_SECOND)
    place = int(np.argmax(np.concatenate([alike[-reach:], alike[:reach]]))) - reach
    return place / TICKS_PER_SECOND


def _offsets(
    frames: list[tuple[float, int]], moments: list[tuple[float, float, int]]
) -> list[float]:
    """How much older the voice is than the picture that is shown with it, in ms."""
    if not (frames and moments):
        return []
    times, ticks = np.array(frames).T
    whens, ages, _ = np.array(moments).T
    return list(1000 * (ages - np.interp(whens, times, times - ticks / TICKS_PER_SECOND)))


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """The median, and how wide nine tenths lie; not a number where there are none."""
    if not len(values):
        return float("nan"), float("nan")
    low, middle, high = np.percentile(values, (5, 50, 95))
    return float(middle), float(high - low)


def line(row: Result) -> str:
    """As Markdown."""
    silences = f"{len(row.silences)}, {max(row.silences, default=0):.0f}"
    cells = (
        row.variant,
        " / ".join(f"{each:.0f}" for each in row.latency),
        f"{row.on_time:.1%} of {row.frames}",
        "{:.0f} ({:.0f})".format(*row.behind),
        "{:+.0f} ({:.0f})".format(*row.offset),
        f"{row.drift_ppm:+.0f}",
        silences,
        f"{row.underflows}",
        f"{row.load:.0f}; {row.stall:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """All variants, or those named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=", ".join(VARIANTS))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each that count")
    options = parser.parse_args()
    if unknown := set(options.variants) - set(VARIANTS):
        parser.error(f"there is no {', '.join(unknown)}")
    print(
        "| | microphone to frame, ms: p50 / p95 / p99 | on time | voice behind the microphone, ms "
        "(5-95 % wide) | voice after its picture as the run says, ms (by ear, 5-95 % wide) "
        "| drift, ppm | silences made, longest ms | underflows | load; "
        "longest stall ms |\n|---|---|---|---|---|---|---|---|---|"
    )
    results = []
    for variant in options.variants or VARIANTS:
        if reason := missing(VARIANTS[variant][0]):
            print(f"| {variant} | not here: {reason} |" + " |" * 7)
            continue
        results.append(measured(variant, options.seconds))
        print(line(results[-1]), flush=True)
    print(json.dumps([asdict(each) for each in results]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

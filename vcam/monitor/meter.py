"""The level meter, in dB."""

from __future__ import annotations

from rich.text import Text

from vcam.monitor.stats import Snapshot

QUIETEST, LOUDEST = -60.0, 0.0  # dB shown by the level meter
ZONES = ((-6.0, "red"), (-18.0, "yellow"), (QUIETEST, "green"))  # from so many dB on


def meter(now: Snapshot, peak: float, width: int) -> Text:
    """The meter: green as it should be, yellow loud, red too loud; | is the loudest moment."""
    shown = bar(now.level_db, peak, width)
    shown.append(
        " speaking" if now.engine.speaking else " silent", "" if now.level_db > QUIETEST else "dim"
    )
    return shown


def bar(level: float, peak: float, width: int) -> Text:
    """`level` and `peak`, dB, as so many cells and a number."""
    filled, held = (round(width * _share(each)) for each in (level, peak))
    drawn = Text(no_wrap=True)
    for cell in range(width):
        sound = "█" if cell < filled else "·"
        drawn.append("|" if cell == held - 1 and held > filled else sound, _zone(cell / width))
    drawn.append(f" {level:4.0f} dB")
    return drawn


def _share(level: float) -> float:
    """Of the meter, 0..1."""
    return (min(max(level, QUIETEST), LOUDEST) - QUIETEST) / (LOUDEST - QUIETEST)


def _zone(share: float) -> str:
    level = QUIETEST + share * (LOUDEST - QUIETEST)
    return next(style for above, style in ZONES if level >= above)

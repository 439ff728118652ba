"""Who is baked: blends of MakeHuman's targets, and how far from life they are drawn, for `head`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Person:
    """One head. Shares of sexes, ages and origins sum to 1 each; `details` are targets' weights."""

    sexes: Mapping[str, float]
    ages: Mapping[str, float]
    origins: Mapping[str, float]
    details: Mapping[str, float] = field(default_factory=dict)
    eyes: float = 1.0  # how much the eyes are enlarged: 0 not at all, 1 a cartoon's
    low: float = 0.95  # height of what lies below the eyes, against MakeHuman's
    smile: float = 0.16  # of each side, always
    lips: float = 1.0  # height of the red, against MakeHuman's
    brow: float = 0.0  # units that the brows lie higher than the child's


def _both(name: str) -> tuple[str, str]:
    """A target of the left side, and of the right."""
    folder, file = name.split("/")
    return f"{folder}/l-{file}", f"{folder}/r-{file}"


def _sided(details: Mapping[str, float], sided: Mapping[str, float]) -> dict[str, float]:
    return {**details, **{name: weight for key, weight in sided.items() for name in _both(key)}}


CHILD = Person(
    {"female": 0.6, "male": 0.4},
    {"young": 0.65, "child": 0.35},
    {"african": 0.30, "asian": 0.35, "caucasian": 0.35},
    _sided(
        {
            "head/head-round": 0.5,
            "nose/nose-scale-vert-decr": 0.6,
            "nose/nose-volume-decr": 0.35,
            "nose/nose-scale-horiz-decr": 0.3,
            "nose/nose-flaring-decr": 0.6,
            "nose/nose-point-width-incr": 0.6,
            "nose/nose-point-up": 0.45,
            "mouth/mouth-scale-horiz-incr": 0.3,
            "mouth/mouth-upperlip-volume-incr": 0.4,
            "mouth/mouth-lowerlip-volume-incr": 0.3,
            "mouth/mouth-angles-up": 0.75,
            "neck/neck-scale-horiz-decr": 0.4,
        },
        {
            "cheek/cheek-volume-incr": 0.5,
            "eyes/eye-bag-decr": 0.8,
            "eyes/eye-height1-incr": 0.4,
            "eyes/eye-height2-incr": 0.8,
            "eyes/eye-height3-incr": 0.4,
        },
    ),
    lips=0.8,
)
_OPEN_EYES = {"eyes/eye-bag-decr": 0.5, "eyes/eye-height2-incr": 0.5, "eyes/eye-height1-incr": 0.2}
PEOPLE: dict[str, Person] = {
    "child": CHILD,
    "woman": Person(
        {"female": 1.0},
        {"young": 0.92, "old": 0.08},
        {"african": 0.15, "asian": 0.35, "caucasian": 0.50},
        _sided(
            {
                "head/head-oval": 0.45,
                "nose/nose-volume-decr": 0.25,
                "nose/nose-flaring-decr": 0.4,
                "nose/nose-point-up": 0.15,
                "mouth/mouth-angles-up": 0.5,
                "mouth/mouth-upperlip-volume-incr": 0.3,
                "mouth/mouth-lowerlip-volume-incr": 0.2,
                "chin/chin-width-decr": 0.3,
                "neck/neck-scale-horiz-decr": 0.35,
            },
            {**_OPEN_EYES, "cheek/cheek-bones-incr": 0.3},
        ),
        eyes=0.55,
        low=1.0,
        smile=0.22,
        lips=0.85,
        brow=-0.012,
    ),
    "man": Person(
        {"male": 1.0},
        {"young": 0.85, "old": 0.15},
        {"african": 0.20, "asian": 0.20, "caucasian": 0.60},
        _sided(
            {
                "head/head-rectangular": 0.4,
                "nose/nose-volume-decr": 0.1,
                "mouth/mouth-angles-up": 0.45,
                "chin/chin-width-incr": 0.25,
                "chin/chin-prominent-incr": 0.2,
            },
            {**_OPEN_EYES, "cheek/cheek-volume-decr": 0.2},
        ),
        eyes=0.38,
        low=1.02,
        smile=0.20,
        lips=0.72,
        brow=-0.030,
    ),
    "matron": Person(
        {"female": 0.9, "male": 0.1},
        {"young": 0.45, "old": 0.55},
        {"african": 0.55, "asian": 0.15, "caucasian": 0.30},
        _sided(
            {
                "head/head-round": 0.3,
                "head/head-fat-incr": 0.25,
                "mouth/mouth-angles-up": 0.6,
                "nose/nose-point-width-incr": 0.3,
                "mouth/mouth-laugh-lines-in": 0.4,
            },
            {**_OPEN_EYES, "cheek/cheek-volume-incr": 0.3},
        ),
        eyes=0.45,
        low=0.99,
        smile=0.24,
        lips=0.75,
        brow=-0.015,
    ),
    "elder": Person(
        {"male": 1.0},
        {"young": 0.35, "old": 0.65},
        {"african": 0.10, "asian": 0.45, "caucasian": 0.45},
        _sided(
            {
                "head/head-oval": 0.3,
                "nose/nose-hump-incr": 0.3,
                "mouth/mouth-angles-up": 0.6,
                "mouth/mouth-laugh-lines-in": 0.5,
                "chin/chin-height-incr": 0.2,
            },
            {**_OPEN_EYES, "cheek/cheek-bones-incr": 0.4},
        ),
        eyes=0.35,
        low=1.02,
        smile=0.22,
        lips=0.62,
        brow=-0.020,
    ),
}

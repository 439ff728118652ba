"""What a profile may turn about the painted mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from vcam.errors import ConfigError

Blend = Literal["bands", "soft", "jaw", "raw", "neck"]
Coder = Literal["auto", "exact", "tiny", "tiny-encoder", "tiny-decoder", "tiny-reference"]


@dataclass(frozen=True, slots=True)
class MouthSettings:
    """Where the mouth is painted and how it is blended in.

    `blend`: "bands" mixes coarse and fine detail through a wide and a narrow mask and matches
    colour and sharpness to the skin around; "soft" does the same through one mask; "jaw", "raw"
    and "neck" are MuseTalk's own masks (`original`), without matching. `coder`: see `coders`;
    "auto" paints softer before it paints every second mouth.
    """

    bbox_shift: float = 0.0  # pixels the middle of the crop moves down; up when negative
    extra_margin: float = 10.0  # pixels below the chin
    left_cheek: int = 90  # of 512 across the expanded crop, from the middle, the viewer's left
    right_cheek: int = 90
    blend: Blend = "bands"
    strength: float = 1.0  # 0 leaves the renderer's mouth, 1 replaces it
    lookahead: int = 6  # feature positions of 20 ms heard from the frame on; fewer: less delay
    coder: Coder = "auto"  # exact, tiny, one part tiny, or what this machine holds
    reference: int = 8  # frames that one encoded reference may serve where the coder is not exact

    def __post_init__(self) -> None:
        if self.blend not in get_args(Blend):
            raise ConfigError(f"blend is {self.blend!r}; known are {', '.join(get_args(Blend))}")
        if self.coder not in get_args(Coder):
            raise ConfigError(f"coder is {self.coder!r}; known are {', '.join(get_args(Coder))}")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}; it must lie between {low} and {high}")


_RANGES = (
    ("bbox_shift", -100, 100),
    ("extra_margin", 0, 100),
    ("left_cheek", 10, 256),
    ("right_cheek", 10, 256),
    ("strength", 0, 1),
    ("lookahead", 1, 6),
    ("reference", 1, 120),
)

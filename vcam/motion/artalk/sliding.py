"""Talk mode's decoding rule: four-second windows, slid frame by frame, stitched without a jump.

Each window says afresh what the last four seconds looked like; only its newest frames are shown.
Windows agree on the lips, which the sound pins down, but not quite on their level, and not on the
head. So expression and jaw keep the new window's motion and let the gap to what was shown die away,
and the head follows a critically damped spring. Neither delays the lips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.errors import ConfigError
from vcam.media import FloatArray

WINDOW = 100  # frames that one decoding covers
CHANNELS = 106
HEAD = slice(100, 103)

_FACE = np.r_[0:100, 103:106]
_SPRING = 1.678  # the half-life of a critically damped spring, times its rate
_LIMITS = {
    "hop": (1, 25),
    "look_ahead": (0, 25),
    "soft_levels": (0, 5),
    "stitch_rate": (0.0, 100.0),
    "head_half_life": (0.0, 25.0),
    "face_half_life": (0.0, 5.0),
    "loudness_floor": (0.0, 1.0),
    "voice_level": (0.0, 1.0),
    "head_gain": (0.0, 3.0),
    "head_limit": (0.05, 3.2),
    "rest_after": (0.0, 60.0),
    "rest_fade": (0.04, 10.0),
}


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """How talk mode decodes and how the head bears itself. Lives in the profile."""

    hop: int = 1  # frames per decoding
    look_ahead: int = 2  # frames of sound heard after the newest frame shown
    soft_levels: int = 1  # finest levels read as expectations, not bits
    stitch_rate: float = 0.35  # per frame, at which the gap between windows dies
    head_half_life: float = 3.0  # frames, of the head's spring; 0: none
    face_half_life: float = 0.0  # frames, of a spring on expression and jaw; 0: none
    loudness_floor: float = 0.4  # share of the speaker's level that sound is divided by at least
    voice_level: float = 0.0  # the speaker's level (standard deviation); 0: not known yet
    head_gain: float = 1.0
    head_limit: float = 0.6  # radians about each axis, softly kept
    rest_after: float = 1.0  # seconds without a voice before the mouth comes to rest
    rest_fade: float = 0.3  # seconds
    blinks: bool = True  # blink while silent, which ARTalk does not
    cache_convolutions: bool = False  # keep sound features as first normalised: cheaper, inexact

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"talk setting {name} is {value}, not within {least}..{most}")

    @property
    def behind(self) -> int:
        """Frames that the sound is ahead of the first frame of a hop."""
        return self.hop + self.look_ahead


def naive(hop: int = 1, look_ahead: int = 2) -> TalkSettings:
    """Plain sliding: hard bits, the newest frames as they come. For comparison."""
    return TalkSettings(hop, look_ahead, 0, stitch_rate=100.0, head_half_life=0.0)


class Spring:
    """A critically damped spring of a given half-life in frames, exact for each frame."""

    def __init__(self, half_life: float) -> None:
        self._rate = _SPRING / half_life if half_life else 0.0
        self._position: FloatArray | None = None
        self._velocity: FloatArray = np.zeros(1, np.float32)

    def step(self, target: FloatArray) -> FloatArray:
        """One frame towards `target`, of any shape, the same at every call."""
        if not self._rate:
            return target
        if self._position is None:  # begin at rest where the motion begins
            self._position, self._velocity = target.copy(), np.zeros_like(target)
        rate, decay = np.float32(self._rate), np.float32(np.exp(-self._rate))
        away = self._position - target
        push = self._velocity + rate * away
        self._position = (target + (away + push) * decay).astype(np.float32)
        self._velocity = ((self._velocity - rate * push) * decay).astype(np.float32)
        return self._position


class Stitcher:
    """What was shown, and how the next window joins it. Arrays may have axes before the last two,
    for several voices at a time."""

    def __init__(self, settings: TalkSettings, voices: tuple[int, ...] = ()) -> None:
        self._settings = settings
        self._shown = np.zeros((*voices, 2 * WINDOW, CHANNELS), np.float32)
        self._head, self._face = Spring(settings.head_half_life), Spring(settings.face_half_life)
        frames = np.arange(1, settings.hop + 1, dtype=np.float32)
        self._decay = np.exp(-np.float32(settings.stitch_rate) * frames)[:, None]

    def past(self) -> FloatArray:
        """The frames [..., 100, 106] before the next window, as the decoder knows them."""
        behind = self._settings.behind
        return self._shown[..., behind : behind + WINDOW, :]

    def join(self, window: FloatArray) -> FloatArray:
        """The decoded window [..., 100, 106] -> the frames it shows, [..., hop, 106]."""
        hop, first = self._settings.hop, WINDOW - self._settings.behind
        gap = self._shown[..., -1:, :] - window[..., first - 1 : first, :]
        frames = window[..., first : first + hop, :].copy()
        offset = gap * self._decay
        offset[..., HEAD] = 0
        frames += offset
        self._shown = np.concatenate([self._shown[..., hop:, :], frames], axis=-2)
        shown = frames.copy()
        for index in range(hop):
            shown[..., index, HEAD] = self._head.step(frames[..., index, HEAD])
            if self._settings.face_half_life:
                shown[..., index, _FACE] = self._face.step(frames[..., index, _FACE])
        return shown

    def hold(self) -> FloatArray:
        """What to join when there is no usable window: the newest frame, unmoving."""
        return np.repeat(self._shown[..., -1:, :], WINDOW, axis=-2)

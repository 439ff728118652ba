"""How a person moved in a tracked clip: how they rest, as a loop, and what style they speak in.

`motion.safetensors` in a profile holds `idle` [T, 103] at 25 fps (deviations of 100 expressions,
then the head's rotation) and the `shape` code; `style.safetensors` a clip for ARTalk, [50, 106].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.errors import ConfigError
from vcam.media import FloatArray, frame_ticks

MOTION, STYLE = "motion.safetensors", "style.safetensors"
GAIN = 0.7  # of the recorded expression, on a face at rest
_FRAME = frame_ticks(25)
_WIDTH = 103
_LONGEST = 60 * 25  # frames
_EXPRESSION, _HEAD = 6.0, 0.9  # as far as a face moves: codes, radians


class IdleClip:
    """A loop of recorded rest, a pure function of the tick: it goes on where it was."""

    def __init__(self, rows: FloatArray) -> None:
        """rows [T, 103]. Raises ConfigError for another shape or numbers that are not finite."""
        fits = rows.ndim == 2 and rows.shape[1] == _WIDTH and 2 <= len(rows) <= _LONGEST
        if not fits or not np.isfinite(rows).all():
            raise ConfigError(f"an idle clip is rows of {_WIDTH} finite numbers, not {rows.shape}")
        self._rows = np.concatenate(
            [
                GAIN * np.clip(rows[:, :100], -_EXPRESSION, _EXPRESSION),
                np.clip(rows[:, 100:], -_HEAD, _HEAD),
            ],
            1,
        ).astype(np.float32)

    @classmethod
    def load(cls, folder: Path) -> IdleClip:
        """The clip of a profile. Raises ConfigError when it has none, or WeightsError."""
        from vcam.tensors.checkpoint import read_state

        path = folder / MOTION
        if not path.is_file():
            raise ConfigError(
                f"{folder.name} asks for idle: tracked and holds no {MOTION}: import tracked "
                "frames, or take that line out of its profile.yaml"
            )
        state = read_state(path)
        if "idle" not in state:
            raise ConfigError(f"{path} holds no idle motion: the clip was shorter than 6 s")
        return cls(state["idle"].float().numpy())

    def at(self, tick: int) -> tuple[FloatArray, FloatArray]:
        """Expression [100] and head [3] to be added at a tick; between frames they are mixed."""
        whole, part = divmod(tick, _FRAME)
        here, after = (self._rows[(whole + step) % len(self._rows)] for step in (0, 1))
        row = here + np.float32(part / _FRAME) * (after - here)
        return row[:100], row[100:]


def check_motion(folder: Path) -> None:
    """Raise unless the recorded motion in a folder, if there is any, is in order."""
    from vcam.tensors.checkpoint import read_state

    path = folder / MOTION
    if path.is_file() and "idle" in read_state(path):
        IdleClip.load(folder)


def style_of(folder: Path | None) -> Path | None:
    """The style that a profile's person speaks in, if it was recorded."""
    path = folder / STYLE if folder else None
    return path if path and path.is_file() else None

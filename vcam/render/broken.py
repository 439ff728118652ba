"""What a renderer of FLAME faces does with a motion that is not finite: it holds its last frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vcam.media import FloatArray, Frame, Motion
from vcam.render.gagavatar.pose_limits import ROW, flame_row


class BrokenMotions:
    """Counts them, and remembers the frame to show instead."""

    def __init__(self) -> None:
        self.count = 0
        self.last: Frame | None = None  # since the last `reset`

    @property
    def remark(self) -> str:
        """What there is to tell people."""
        return f"{self.count} broken motions: the last frame was held" if self.count else ""

    def row(self, motion: Motion) -> FloatArray | Frame:
        """The motion as a row [106]; or the frame to show again. A first one is a head at rest.

        Raises `ConfigError` for a face that is not in FLAME's terms.
        """
        row = flame_row(motion)
        if row is not None:
            return row
        self.count += 1
        if self.last is not None:
            return replace(self.last, at=motion.at)
        return np.zeros(ROW, np.float32)

    def drawn(self, frame: Frame) -> Frame:
        """Remember a frame that was drawn, and give it back."""
        self.last = frame
        return frame

    def reset(self) -> None:
        """Forget everything drawn; what was counted stays."""
        self.last = None

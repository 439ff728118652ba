"""What became of the frames given to a mouth painter, for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PaintCounts:
    """What became of the frames, for the HUD."""

    painted: int = 0
    held: int = 0  # the mouth painted before, put on the next picture
    silent: int = 0  # nobody spoke: the renderer's mouth is right
    no_face: int = 0  # no landmarks, or none that can be used
    off_picture: int = 0  # too much of the face lies outside the picture

    def remark(self, overflowed: int) -> str:
        """Frames that were not painted though somebody spoke."""
        counts = {
            "without a face": self.no_face,
            "with the face off the picture": self.off_picture,
            "overflowed": overflowed,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count]
        return f"mouths not painted: {', '.join(told)}" if told else ""

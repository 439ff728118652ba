"""The mouth as the renderer drew it."""

from __future__ import annotations

from vcam.media import AudioChunk, Frame


class Passthrough:
    """A mouth painter that paints nothing: the embedded renderers draw good mouths themselves."""

    context = 0

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        """The same frame."""
        return frame

    def reset(self) -> None:
        """Nothing is remembered."""

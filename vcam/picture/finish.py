"""What the rim does to a frame before the camera gets it: compose, disclose, number."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from vcam import __version__, tickcode
from vcam.media import Frame, Image, frame_ticks
from vcam.picture.badge import Badge, Stamp, provenance
from vcam.picture.compose import Composer, Framing

Finish = Callable[[Frame], Frame]


def finishing(
    framing: Framing,
    badge: Badge,
    picture: tuple[int, int],
    fps: int,
    surround: Image | None = None,
) -> Finish:
    """The head composed into `picture` (width, height), with the badge that discloses it.

    `surround` [h, w, 3] shows what is beside the head's square, see `vcam.picture.surround`.

    With VCAM_TICK_CODE set each frame also carries its number as a bar code, for device tests.
    """
    steps: list[Finish] = [Composer(picture, framing, surround), Stamp(badge)]
    if os.environ.get("VCAM_TICK_CODE"):
        steps.append(lambda frame: _numbered(frame, fps))

    def finish(frame: Frame) -> Frame:
        for step in steps:
            frame = step(frame)
        return frame

    return finish


def facts(title: str, backends: tuple[str, ...], badge: Badge) -> dict[str, str]:
    """What a recorded file says about itself."""
    return provenance(title, __version__, backends, badge)


def _numbered(frame: Frame, fps: int) -> Frame:
    pixels = frame.array().copy()
    tickcode.stamp(pixels, max(0, frame.at) // frame_ticks(fps))
    return replace(frame, pixels=pixels)

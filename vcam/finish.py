"""What the rim does to a frame before the camera gets it: compose, disclose, number."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from vcam import __version__, tickcode
from vcam.badge import Stamp, provenance
from vcam.compose import Composer
from vcam.media import Frame, frame_ticks
from vcam.profile import Profile

Finish = Callable[[Frame], Frame]


def finishing(profile: Profile, picture: tuple[int, int], fps: int) -> Finish:
    """The head composed into `picture` (width, height), with the profile's badge.

    With VCAM_TICK_CODE set each frame also carries its number as a bar code, for device tests.
    """
    steps: list[Finish] = [Composer(picture, profile.framing), Stamp(profile.badge)]
    if os.environ.get("VCAM_TICK_CODE"):
        steps.append(lambda frame: _numbered(frame, fps))

    def finish(frame: Frame) -> Frame:
        for step in steps:
            frame = step(frame)
        return frame

    return finish


def facts(profile: Profile, backends: tuple[str, ...] = ()) -> dict[str, str]:
    """What a recorded file says about itself; without `backends`, those the profile names."""
    backends = backends or (profile.motion, profile.renderer, profile.mouth)
    return provenance(profile.title, __version__, backends, profile.badge)


def _numbered(frame: Frame, fps: int) -> Frame:
    pixels = frame.array().copy()
    tickcode.stamp(pixels, max(0, frame.at) // frame_ticks(fps))
    return replace(frame, pixels=pixels)

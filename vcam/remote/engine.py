"""A link whose primary engine is on another machine; the fallback is here."""

from __future__ import annotations

import multiprocessing
from functools import partial

from vcam.engine.failover import Failover, embedded
from vcam.link.child import ChildLink
from vcam.link.process import EngineProcess
from vcam.profiles.profile import Profile
from vcam.remote.address import Far
from vcam.remote.fetch import fetch


def remote_link(far: Far, profile: Profile, fps: int, size: int) -> ChildLink:
    """Frames from a `far` engine; the embedded face plays until and unless they come."""
    context = multiprocessing.get_context("spawn")
    main = partial(fetch, far)
    return ChildLink(
        profile,
        fps,
        size,
        failover_for=lambda chosen: Failover(chosen, embedded(chosen)),
        start_primary=lambda: EngineProcess(context, fps, size, main),
    )

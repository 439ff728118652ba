"""Which stage does which job: tables of openers, tried in order, every failure reported.

Motion models and renderers must speak of the same kind of face; "auto" takes the first renderer
that opens together with a motion model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vcam.engine import openers
from vcam.engine.openers import Asked, Face
from vcam.errors import ConfigError, VcamError
from vcam.media import BlendshapeFace, FlameFace
from vcam.motion.gestures import Gestures
from vcam.stages import MotionModel, MouthPainter, Renderer

__all__ = ["MOTION", "MOUTH", "RENDERER", "Asked", "Backend", "Opened", "open_stages"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Backend(Generic[S]):
    """How to open a stage, and the kind of face it speaks or hears of (None: any).

    One that is not `usual` is opened only where the profile names it.
    """

    open: Callable[[Asked], S]
    face: Face | None = None
    usual: bool = True


MOTION: dict[str, Backend[MotionModel]] = {
    "artalk": Backend(openers.artalk, FlameFace),
    "visemes": Backend(openers.visemes, BlendshapeFace),
}
RENDERER: dict[str, Backend[Renderer]] = {
    "gagavatar": Backend(openers.gagavatar, FlameFace),
    "puppet": Backend(openers.puppet, BlendshapeFace),
    "head3d": Backend(openers.head3d, BlendshapeFace),
    "gaussiantalker": Backend(openers.gaussiantalker, usual=False),
    "flashavatar": Backend(openers.rigged("flashavatar"), FlameFace, usual=False),
    "splattingavatar": Backend(openers.rigged("splattingavatar"), FlameFace, usual=False),
}
MOUTH: dict[str, Backend[MouthPainter]] = {
    "musetalk": Backend(openers.musetalk),
    "passthrough": Backend(openers.passthrough),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """The three stages of a path, their names, and how its faces make gestures."""

    motion: MotionModel
    renderer: Renderer
    mouth: MouthPainter
    names: tuple[str, str, str]
    gestures: Gestures = field(default_factory=Gestures)


def open_stages(asked: Asked, opened: Callable[[str], None] = lambda name: None) -> Opened:
    """The stages a profile asks for; raises ConfigError that lists why each candidate failed.

    `opened` hears the name of each backend once it is ready: loaded, compiled and recorded.
    """
    profile, failures = asked.profile, list[str]()
    for name in _candidates(RENDERER, profile.renderer):
        face = RENDERER[name].face
        fitting = {key: found for key, found in MOTION.items() if face in (None, found.face)}
        if profile.motion not in ("auto", *fitting):
            failures.append(f"  {name}: it takes no motion of {profile.motion}")
            continue
        try:
            renderer = RENDERER[name].open(asked)
            opened(name)
            motion_name, motion = _first_that_opens(fitting, profile.motion, asked)
        except (ImportError, VcamError) as error:
            failures.append(f"  {name}: {error}")
            continue
        opened(motion_name)
        mouth_name, mouth = _first_that_opens(MOUTH, profile.mouth, asked)
        opened(mouth_name)
        names = (motion_name, name, mouth_name)
        return Opened(motion, renderer, mouth, names, openers.gestures(asked, face))
    if len(failures) == 1:
        raise ConfigError(f"no renderer opens for this profile: {failures[0].strip()}")
    raise ConfigError("no renderer opens for this profile\n" + "\n".join(failures))


def _first_that_opens(table: Mapping[str, Backend[S]], name: str, asked: Asked) -> tuple[str, S]:
    failures = []
    for candidate in _candidates(table, name):
        try:
            return candidate, table[candidate].open(asked)
        except (ImportError, VcamError) as error:
            failures.append(f"{candidate}: {error}")
    raise ConfigError("; ".join(failures))


def _candidates(table: Mapping[str, Backend[S]], name: str) -> tuple[str, ...]:
    usual = tuple(key for key, backend in table.items() if backend.usual)
    return usual if name == "auto" else (name,)

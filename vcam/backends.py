"""Which stage does which job: tables of openers, tried in order, every failure reported.

An opener imports its backend only when it is called, so that the CPU path never loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from vcam.errors import ConfigError, VcamError
from vcam.stages import MotionModel, MouthPainter, Renderer

if TYPE_CHECKING:
    from vcam.profile import Profile

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an opener may need to know."""

    profile: Profile
    fps: int
    size: int  # pixels, square


def _visemes(asked: Asked) -> MotionModel:
    from vcam.motion.visemes import VisemeMotion

    return VisemeMotion(fps=asked.fps, seed=asked.profile.seed)


def _head3d(asked: Asked) -> Renderer:
    from vcam.render.head3d import LOOKS, Head3dRenderer

    if asked.profile.look not in LOOKS:
        raise ConfigError(f"unknown look {asked.profile.look}; known are {', '.join(LOOKS)}")
    return Head3dRenderer(asked.size, LOOKS[asked.profile.look])


def _puppet(asked: Asked) -> Renderer:
    from vcam.render.puppet import open_puppet

    profile = asked.profile
    if profile.folder is None:
        raise ConfigError("the puppet needs a photo: vcam profile create NAME --photo ME.jpg")
    return open_puppet(profile.folder, profile.background, asked.size)


def _passthrough(asked: Asked) -> MouthPainter:
    from vcam.mouth.passthrough import Passthrough

    return Passthrough()


MOTION: dict[str, Callable[[Asked], MotionModel]] = {"visemes": _visemes}
RENDERER: dict[str, Callable[[Asked], Renderer]] = {"head3d": _head3d, "puppet": _puppet}
MOUTH: dict[str, Callable[[Asked], MouthPainter]] = {"passthrough": _passthrough}


def first_that_opens(
    table: Mapping[str, Callable[[Asked], S]], name: str, asked: Asked
) -> tuple[str, S]:
    """The backend called `name`, or for "auto" the first of `table` that opens.

    Raises ConfigError that lists why each candidate failed.
    """
    failures = []
    for candidate in table if name == "auto" else (name,):
        try:
            return candidate, table[candidate](asked)
        except (ImportError, VcamError) as error:
            failures.append(f"  {candidate}: {error}")
    raise ConfigError("no backend opens for this profile\n" + "\n".join(failures))

"""How each stage is opened, from what was asked for.

An opener imports its backend only when it is called, and looks for weights and a GPU before that,
so that the CPU path never loads torch.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcam.engine import networks
from vcam.errors import ConfigError
from vcam.media import AudioChunk, BlendshapeFace, FlameFace
from vcam.motion.gestures import Gestures
from vcam.motion.idle import Idle
from vcam.motion.tracked import IdleClip, style_of
from vcam.stages import MotionModel, MouthPainter, Renderer
from vcam.system import missing

if TYPE_CHECKING:
    import torch

    from vcam.profiles.profile import Profile

Face = type[FlameFace] | type[BlendshapeFace]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an opener may need to know."""

    profile: Profile
    fps: int
    size: int  # pixels, square
    batch: int = 1  # frames whose mouths are painted at once; more than one only without a clock
    doing: Callable[[str], None] = field(default=lambda step: None, compare=False)  # hears progress
    painting: Callable[[], AbstractContextManager[None]] = field(default=nullcontext, compare=False)

    @property
    def networks(self) -> networks.Networks:
        """Where the neural stages' networks come from."""
        return networks.source(self.profile.weights, self.doing)


def artalk(asked: Asked) -> MotionModel:
    """ARTalk, at the frame rate that is asked for."""
    source = asked.networks
    source.require("artalk", "flame")
    asked.doing("loading artalk: imports")
    with _importing():
        device = source.device("ARTalk")
        from vcam.motion.artalk.flame_basis import flame_basis
        from vcam.motion.artalk.model import ArtalkMotion
        from vcam.motion.interpolate import ResampledMotion

        _get_ready(device)
    profile = asked.profile
    asked.doing("loading artalk: its network")
    net = source.artalk()
    asked.doing("loading artalk: onto its device")
    model = ArtalkMotion(
        net,
        profile.mode,
        style_of(profile.folder) or source.style(),
        profile.seed,
        profile.talk,
        flame_basis(source.flame()),
        device,
        IdleClip.load(profile.folder) if profile.idle == "tracked" and profile.folder else None,
    )
    asked.doing("loading artalk: compiled kernels and graph")
    if device.type == "cuda" and profile.mode == "talk":  # compile and record with the first hop
        model.step(AudioChunk(0, np.zeros(2 * model.delay, np.float32)))
        model.reset()
        _give_back_memory()
    return ResampledMotion(model, asked.fps)


def visemes(asked: Asked) -> MotionModel:
    """Mouth shapes from sound, on the CPU."""
    from vcam.motion.visemes.model import VisemeMotion

    return VisemeMotion(fps=asked.fps, seed=asked.profile.seed)


def gagavatar(asked: Asked) -> Renderer:
    """A head of Gaussians from one photo."""
    source, profile = asked.networks, asked.profile
    if profile.weights == "released":
        _photo_folder(profile)
    source.require("gagavatar", "flame")
    asked.doing("loading gagavatar: imports")
    with _importing():
        device = source.device("GAGAvatar")
        from vcam.render.gagavatar.renderer import GagavatarRenderer

        _get_ready(device)
    asked.doing("loading gagavatar: its network")
    net, person, flame = source.gagavatar(), source.person(profile.folder), source.flame()
    asked.doing("loading gagavatar: identity, compiled kernels and graphs")
    return GagavatarRenderer.of(
        net, person, flame, asked.size, profile.background, device, torso=profile.torso
    )


def puppet(asked: Asked) -> Renderer:
    """The profile's own photo, moved."""
    folder = _photo_folder(asked.profile)
    from vcam.render.puppet.renderer import open_puppet

    return open_puppet(folder, asked.profile.background, asked.size)


def head3d(asked: Asked) -> Renderer:
    """The embedded head, in the look that the profile names."""
    from vcam.render.head3d.renderer import LOOKS, Head3dRenderer

    if asked.profile.look not in LOOKS:
        raise ConfigError(f"unknown look {asked.profile.look}; known are {', '.join(LOOKS)}")
    return Head3dRenderer(asked.size, LOOKS[asked.profile.look])


def gaussiantalker(asked: Asked) -> Renderer:
    """An avatar that hears for itself."""
    avatar = asked.profile.avatar
    if avatar is None or not avatar.is_file():
        raise ConfigError("no GaussianTalker is in this profile: vcam profile import FOLDER")
    missing.TORCH.require()
    asked.doing("loading gaussiantalker: imports")
    with _importing():
        from vcam.render.gaussiantalker.opening import open_renderer

    asked.doing("loading gaussiantalker: points, network, front end")
    blinks = Idle(asked.profile.seed).last_blink
    return open_renderer(avatar, asked.size, asked.profile.background, blinks)


def rigged(kind: str) -> Callable[[Asked], Renderer]:
    """The opener of an avatar that rides on FLAME."""

    def opened(asked: Asked) -> Renderer:
        folder = asked.profile.folder
        if folder is None:
            raise ConfigError(f"no {kind} is in this profile: vcam profile import FOLDER")
        missing.TORCH.require()
        asked.doing(f"loading {kind}: imports")
        with _importing():
            device = asked.networks.device(kind)
            from vcam.render.avatars.renderer import open_avatar

            _get_ready(device)
        asked.doing(f"loading {kind}: identity, compiled kernels and graph")
        profile = asked.profile
        return open_avatar(
            folder,
            kind,
            profile.background,
            asked.size,
            device,
            profile.torso,
            Idle(profile.seed).gaze,
        )

    return opened


def musetalk(asked: Asked) -> MouthPainter:
    """MuseTalk's mouth, warmed up for the picture's size."""
    source = asked.networks
    source.require("musetalk")
    asked.doing("loading musetalk: imports")
    with _importing():
        device = source.device("MuseTalk")
        from vcam.mouth.musetalk.painter import MuseTalkMouth

        _get_ready(device)
    settings = asked.profile.musetalk
    asked.doing("loading musetalk: its networks")
    networks = source.musetalk()
    asked.doing("loading musetalk: onto its device")
    mouth = MuseTalkMouth.of(*networks, settings, device, batch=asked.batch)
    asked.doing("loading musetalk: compiled kernels and graphs")
    if device.type == "cuda":
        with asked.painting():  # where it is recorded is where it runs
            mouth.warm_up(asked.size, asked.size)
        _give_back_memory()
    return mouth


def passthrough(asked: Asked) -> MouthPainter:
    """The mouth as it was drawn."""
    from vcam.mouth.passthrough import Passthrough

    return Passthrough()


def gestures(asked: Asked, face: Face | None) -> Gestures:
    """With FLAME's own ways to smile and to raise the brows, where faces are FLAME's."""
    if face is not FlameFace:
        return Gestures()
    from vcam.motion.artalk.flame_basis import flame_landmarks
    from vcam.motion.flame_shapes import flame_shapes

    return Gestures(flame_shapes(*flame_landmarks(asked.networks.flame())))


def _photo_folder(profile: Profile) -> Path:
    if profile.folder is None or profile.portrait is None:
        raise ConfigError("there is no photo in this profile: vcam profile create NAME --photo ME")
    return profile.folder


@contextmanager
def _importing() -> Iterator[None]:
    """Thousands of modules are made, and none is garbage: searching them again and again for
    garbage would take a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _get_ready(device: torch.device) -> None:
    """Import what reading compiled kernels takes, and go back to where the stage shall work: those
    of the stage before have left the part of the GPU that was asked for."""
    from vcam.gpu import compile_cache, compiled, part

    if device.type == "cuda":
        part.resume()
    if device.type == "cuda" and not compiled.plain():
        compile_cache.get_ready()


def _give_back_memory() -> None:
    """What compiling and recording needed is wanted by the next stage, and by other programs."""
    import torch

    torch.cuda.empty_cache()

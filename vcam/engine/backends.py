"""Which stage does which job: tables of openers, tried in order, every failure reported.

An opener imports its backend only when it is called, and looks for weights and a GPU before that,
so that the CPU path never loads torch. Motion models and renderers must speak of the same kind of
face; "auto" takes the first renderer that opens together with a motion model.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from vcam.engine import networks
from vcam.errors import ConfigError, VcamError
from vcam.media import AudioChunk, BlendshapeFace, FlameFace
from vcam.motion.gestures import Gestures
from vcam.motion.idle import Idle
from vcam.motion.tracked import IdleClip, style_of
from vcam.stages import MotionModel, MouthPainter, Renderer
from vcam.system import missing

if TYPE_CHECKING:
    import torch

    from vcam.profiles.profile import Profile

S = TypeVar("S")
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


@dataclass(frozen=True, slots=True)
class Backend(Generic[S]):
    """How to open a stage, and the kind of face it speaks or hears of (None: any).

    One that is not `usual` is opened only where the profile names it.
    """

    open: Callable[[Asked], S]
    face: Face | None = None
    usual: bool = True


def _artalk(asked: Asked) -> MotionModel:
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


def _visemes(asked: Asked) -> MotionModel:
    from vcam.motion.visemes.model import VisemeMotion

    return VisemeMotion(fps=asked.fps, seed=asked.profile.seed)


def _gagavatar(asked: Asked) -> Renderer:
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


def _puppet(asked: Asked) -> Renderer:
    folder = _photo_folder(asked.profile)
    from vcam.render.puppet.renderer import open_puppet

    return open_puppet(folder, asked.profile.background, asked.size)


def _head3d(asked: Asked) -> Renderer:
    from vcam.render.head3d.renderer import LOOKS, Head3dRenderer

    if asked.profile.look not in LOOKS:
        raise ConfigError(f"unknown look {asked.profile.look}; known are {', '.join(LOOKS)}")
    return Head3dRenderer(asked.size, LOOKS[asked.profile.look])


def _gaussiantalker(asked: Asked) -> Renderer:
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


def _rigged(kind: str) -> Callable[[Asked], Renderer]:
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


def _musetalk(asked: Asked) -> MouthPainter:
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


def _passthrough(asked: Asked) -> MouthPainter:
    from vcam.mouth.passthrough import Passthrough

    return Passthrough()


def _gestures(asked: Asked, face: Face | None) -> Gestures:
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


MOTION: dict[str, Backend[MotionModel]] = {
    "artalk": Backend(_artalk, FlameFace),
    "visemes": Backend(_visemes, BlendshapeFace),
}
RENDERER: dict[str, Backend[Renderer]] = {
    "gagavatar": Backend(_gagavatar, FlameFace),
    "puppet": Backend(_puppet, BlendshapeFace),
    "head3d": Backend(_head3d, BlendshapeFace),
    "gaussiantalker": Backend(_gaussiantalker, usual=False),
    "flashavatar": Backend(_rigged("flashavatar"), FlameFace, usual=False),
    "splattingavatar": Backend(_rigged("splattingavatar"), FlameFace, usual=False),
}
MOUTH: dict[str, Backend[MouthPainter]] = {
    "musetalk": Backend(_musetalk),
    "passthrough": Backend(_passthrough),
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
        return Opened(motion, renderer, mouth, names, _gestures(asked, face))
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

"""Where the neural stages' networks come from: released files, or made up from a seed.

`source` imports nothing heavy; torch is loaded when a network is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vcam.errors import ConfigError, DeviceError
from vcam.profiles.profile import WEIGHTS
from vcam.system import missing
from vcam.weights import manifest

if TYPE_CHECKING:
    import torch

    from vcam.engine.synthetic import Synthetic
    from vcam.flame.model import FlameModel
    from vcam.nets.artalk import ArtalkNet
    from vcam.nets.gagavatar import GagavatarNet
    from vcam.nets.musetalk import Inpainter, SpeechEncoder
    from vcam.render.gagavatar.tracked import Tracked


class Person(NamedTuple):
    """Who is drawn, and where the prepared identity is kept (None: nowhere)."""

    tracked: Tracked
    cache: Path | None


class Networks(Protocol):
    """What the openers of `vcam.engine.backends` load.

    Networks come on the CPU, as their files keep them; of a file only what is used is read.
    """

    def require(self, *models: str) -> None:
        """Raise WeightsError, which says what to type, unless these models are there."""
        ...

    def device(self, what: str) -> torch.device:
        """Where the stage called `what` runs. Raises DeviceError."""
        ...

    def artalk(self) -> ArtalkNet: ...

    def style(self) -> Path | None:
        """A clip of motion that ARTalk speaks in the manner of, if there is one."""
        ...

    def flame(self) -> FlameModel: ...

    def gagavatar(self) -> GagavatarNet: ...

    def person(self, folder: Path | None) -> Person:
        """Who the profile in `folder` shows. Raises ConfigError when it has no photo."""
        ...

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]: ...


def source(name: str, say: Callable[[str], None] = lambda step: None) -> Networks:
    """The networks called released, synthetic (of the same sizes) or small.

    `say` hears what takes long besides loading.
    """
    if name not in WEIGHTS:
        raise ConfigError(f"weights {name:.40} are none of {', '.join(WEIGHTS)}")
    if name == "released":
        return Released(manifest.folder)
    return Small() if name == "small" else FullSize(lambda: _made_up(say))


class _Files:
    """Networks in files, laid out as in the models' folder."""

    def __init__(self, locate: Callable[[], Path]) -> None:
        """`locate` finds the folder, when it is first wanted."""
        self._locate = locate

    @cached_property
    def root(self) -> Path:
        """The folder."""
        return self._locate()

    def path(self, model: str) -> Path:
        """The first file of a model."""
        return self.root / manifest.manifest()[model].files[0].to

    def require(self, *models: str) -> None:
        """Everything is always there."""

    def device(self, what: str) -> torch.device:
        """An NVIDIA GPU."""
        return _cuda(what)

    def artalk(self) -> ArtalkNet:
        """Its checkpoint."""
        from vcam.nets.artalk import ArtalkNet

        return ArtalkNet.load(self.path("artalk"))

    def style(self) -> Path | None:
        """The neutral style beside the checkpoint."""
        path = self.path("artalk").parent / "style_motion" / "natural_0.safetensors"
        return path if path.is_file() else None

    def flame(self) -> FlameModel:
        """FLAME as its authors publish it."""
        from vcam.flame.model import FlameModel

        return FlameModel.load(self.path("flame"))

    def gagavatar(self) -> GagavatarNet:
        """Its checkpoint."""
        from vcam.nets.gagavatar import GagavatarNet

        return GagavatarNet.load(self.path("gagavatar"))

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]:
        """MuseTalk, its image coder and Whisper."""
        from vcam.nets.musetalk import load_inpainter, load_speech

        return load_inpainter(self.root), load_speech(self.root)


class Released(_Files):
    """The files that `vcam models pull` brought."""

    def path(self, model: str) -> Path:
        """The first file of a model, if all it needs is there."""
        return manifest.find(model)

    def require(self, *models: str) -> None:
        """A look at the files, before anything large is read."""
        for name in models:
            manifest.find(name)

    def person(self, folder: Path | None) -> Person:
        """The tracked photo of a profile; what is made of it is kept beside it."""
        if folder is None or not (folder / "portrait.png").is_file():
            raise ConfigError(
                "there is no photo in this profile: vcam profile create NAME --photo ME"
            )
        from vcam.render.gagavatar.identity import cache_path
        from vcam.render.gagavatar.tracked import load_profile

        tracked = load_profile(folder)
        return Person(tracked, cache_path(folder, tracked, self.path("gagavatar")))


class FullSize(_Files):
    """`vcam.engine.synthetic` in files of our own: nothing is downloaded, nobody is shown."""

    def person(self, folder: Path | None) -> Person:
        """Always the same nobody; what is made of it is kept beside the networks."""
        from vcam.engine.synthetic import Synthetic
        from vcam.render.gagavatar.identity import cache_path

        tracked = Synthetic().person()
        return Person(tracked, cache_path(self.root, tracked, self.path("gagavatar")))


class Small:
    """Small networks made up from a seed, computed anew each time."""

    def require(self, *models: str) -> None:
        """Everything is always there."""

    def device(self, what: str) -> torch.device:
        """An NVIDIA GPU, or the CPU where there is none."""
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def artalk(self) -> ArtalkNet:
        """Noise in its form."""
        return self._made.artalk()

    def style(self) -> Path | None:
        """None: the network's own null style."""
        return None

    def flame(self) -> FlameModel:
        """An egg with a face."""
        return self._made.flame()

    def gagavatar(self) -> GagavatarNet:
        """Noise in its form."""
        return self._made.gagavatar()

    def person(self, folder: Path | None) -> Person:
        """Always the same nobody."""
        return Person(self._made.person(), None)

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]:
        """Noise in their form."""
        return self._made.musetalk()

    @property
    def _made(self) -> Synthetic:
        from vcam.engine.synthetic import Synthetic

        return Synthetic(small=True)


def _made_up(say: Callable[[str], None]) -> Path:
    from vcam.engine.synthetic import Synthetic
    from vcam.engine.synthetic_files import kept

    return kept(Synthetic(), say)


def _cuda(what: str) -> torch.device:
    missing.TORCH.require()
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(f"{what} needs an NVIDIA GPU; `vcam doctor` tells what torch finds")
    return torch.device("cuda")

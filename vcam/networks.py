"""Where the neural stages' networks come from: released files, or made up from a seed.

`source` imports nothing heavy; torch is loaded when a network is asked for.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vcam import weights
from vcam.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    import torch

    from vcam.flame import FlameModel
    from vcam.nets.artalk import ArtalkNet
    from vcam.nets.gagavatar import GagavatarNet
    from vcam.nets.musetalk import Inpainter, SpeechEncoder
    from vcam.render.tracked import Tracked
    from vcam.synthetic import Synthetic

WEIGHTS = ("released", "synthetic", "small")


class Person(NamedTuple):
    """Who is drawn, and where the prepared identity is kept (None: nowhere)."""

    tracked: Tracked
    cache: Path | None


class Networks(Protocol):
    """What the openers of `vcam.backends` load. Networks come on the CPU, in float32."""

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


def source(name: str) -> Networks:
    """The networks called released, synthetic (of the same sizes) or small."""
    if name not in WEIGHTS:
        raise ConfigError(f"weights {name:.40} are none of {', '.join(WEIGHTS)}")
    return Released() if name == "released" else MadeUp(name == "small")


class Released:
    """The files that `vcam models pull` brought."""

    def require(self, *models: str) -> None:
        """A look at the files, before anything large is read."""
        for name in models:
            weights.find(name)

    def device(self, what: str) -> torch.device:
        """An NVIDIA GPU."""
        return _cuda(what)

    def artalk(self) -> ArtalkNet:
        """Its checkpoint."""
        from vcam.nets.artalk import ArtalkNet

        return ArtalkNet.load(weights.find("artalk"))

    def style(self) -> Path | None:
        """The neutral style beside the checkpoint."""
        path = weights.find("artalk").parent / "style_motion" / "natural_0.safetensors"
        return path if path.is_file() else None

    def flame(self) -> FlameModel:
        """FLAME as its authors publish it."""
        from vcam.flame import FlameModel

        return FlameModel.load(weights.find("flame"))

    def gagavatar(self) -> GagavatarNet:
        """Its checkpoint."""
        from vcam.nets.gagavatar import GagavatarNet

        return GagavatarNet.load(weights.find("gagavatar"))

    def person(self, folder: Path | None) -> Person:
        """The tracked photo of a profile; what is made of it is kept beside it."""
        if folder is None or not (folder / "portrait.png").is_file():
            raise ConfigError(
                "there is no photo in this profile: vcam profile create NAME --photo ME"
            )
        from vcam.render.identity import cache_path
        from vcam.render.tracked import load_profile

        tracked = load_profile(folder)
        return Person(tracked, cache_path(folder, tracked, weights.find("gagavatar")))

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]:
        """MuseTalk, its image coder and Whisper."""
        from vcam.nets.musetalk import load_inpainter, load_speech

        return load_inpainter(weights.folder()), load_speech(weights.folder())


class MadeUp:
    """`vcam.synthetic`: nothing is downloaded, nobody is shown."""

    def __init__(self, small: bool) -> None:
        self._small = small

    def require(self, *models: str) -> None:
        """Everything is always there."""

    def device(self, what: str) -> torch.device:
        """An NVIDIA GPU; for small networks the CPU where there is none."""
        if not self._small:
            return _cuda(what)
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def artalk(self) -> ArtalkNet:
        """Noise of its size."""
        return self._made.artalk()

    def style(self) -> Path | None:
        """None: the network's own null style."""
        return None

    def flame(self) -> FlameModel:
        """An egg with a face."""
        return self._made.flame()

    def gagavatar(self) -> GagavatarNet:
        """Noise of its size."""
        return self._made.gagavatar()

    def person(self, folder: Path | None) -> Person:
        """Always the same nobody."""
        return Person(self._made.person(), None)

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]:
        """Noise of their sizes."""
        return self._made.musetalk()

    @property
    def _made(self) -> Synthetic:
        from vcam.synthetic import Synthetic

        return Synthetic(self._small)


def _cuda(what: str) -> torch.device:
    if importlib.util.find_spec("torch") is None:
        raise DeviceError(f"{what} needs torch: pip install 'vcam[neural]'")
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(f"{what} needs an NVIDIA GPU; `vcam doctor` tells what torch finds")
    return torch.device("cuda")

"""The whole network, and how it is read from `deformation.pth`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.errors import WeightsError
from vcam.nets.gaussiantalker import condition
from vcam.nets.gaussiantalker.condition import AudioAttention, AudioNet, Mlp
from vcam.nets.gaussiantalker.deform import COEFFICIENTS, OUTPUTS, Offsets, Transformer, head
from vcam.nets.gaussiantalker.planes import TriPlane
from vcam.tensors.checkpoint import hollow, load_strict, read_state

PREFIX = "deformation_net."
# In the file for the sake of training; a file without them is as good.
_TRAINING = re.compile(
    r"(pos|rotation_scaling|opacity)_poc"
    r"|deformation_net\.(tri_plane\.(feature_out|scales|rotations|opacity|shs)"
    r"|aud_ch_att_net|eye_att_net|enc_x_mlp)\..*"
)
_WHAT = "GaussianTalker's deformation.pth"


@dataclass(frozen=True, slots=True)
class TalkerConfig:
    """Sizes, all of which a checkpoint tells by its shapes."""

    channels: int = 29  # of the audio features: 29 DeepSpeech, 44 or 32 wav2vec 2.0, 1024 HuBERT
    layers: int = 1
    width: int = 64
    hidden: int = 128
    plane_channels: int = 32
    sides: tuple[int, ...] = (64, 128)

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> TalkerConfig:
        """What made `state`. Raises WeightsError when that cannot be told."""
        grids = [state[key].shape for key in _planes_of(state)]
        layers = {key.split(".")[2] for key in state if key.startswith("transformer.layers.")}
        try:
            config = cls(
                channels=state["audio_net.encoder_conv.0.weight"].shape[1],
                layers=len(layers),
                width=state["null_vector"].shape[-1],
                hidden=state["transformer.layers.0.ffn.linear1.weight"].shape[0],
                plane_channels=grids[0][1],
                sides=tuple(shape[-1] for shape in grids),
            )
        except (KeyError, IndexError) as error:
            raise WeightsError(f"{_WHAT} does not hold a GaussianTalker: no {error}") from error
        if config.width != len(grids) * config.plane_channels or config.width % 2:
            raise WeightsError(f"{_WHAT} has planes of another width than {config.width}")
        return config


def _planes_of(state: Mapping[str, Tensor]) -> list[str]:
    """The first plane of each scale."""
    return sorted(key for key in state if re.fullmatch(r"tri_plane\.grid\.grids\.\d+\.0", key))


class GaussianTalkerNet(nn.Module):
    """Sound, eyes and camera -> how a person's Gaussians depart from where they rest."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.tri_plane = TriPlane(config.plane_channels, config.sides)
        self.audio_net, self.audio_att_net = AudioNet(config.channels), AudioAttention()
        self.audio_mlp = Mlp(condition.AUDIO, width)
        self.eye_mlp = Mlp(condition.AUDIO, width)
        self.cam_mlp = Mlp(condition.CAMERA, width)
        self.null_vector = nn.Parameter(torch.zeros(1, 1, width))
        self.transformer = Transformer(config.layers, width, config.hidden)
        for name, count in OUTPUTS.items():
            setattr(self, f"{name}_deform", head(width, config.hidden, count))

    @classmethod
    def load(cls, path: Path) -> GaussianTalkerNet:
        """Read `deformation.pth`, on the CPU. Raises WeightsError."""
        return cls.of(read_state(path))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> GaussianTalkerNet:
        """From the state dict of a trained identity. Raises WeightsError naming what is wrong."""
        used = {
            key.removeprefix(PREFIX): value
            for key, value in state.items()
            if not _TRAINING.fullmatch(key)
        }
        config = TalkerConfig.of(used)
        with hollow():
            net = cls(config)
        load_strict(net, used, _WHAT)
        return net.eval().requires_grad_(False)

    def features(self, points: Tensor) -> Tensor:
        """What is known of each resting Gaussian: points [N, 3] -> [N, width]."""
        features: Tensor = self.tri_plane(points)
        return features

    def queries(self, features: Tensor) -> Tensor:
        """What each of them asks first: [N, width]; the same in every frame."""
        return self.transformer.queries(features)

    def audio_code(self, windows: Tensor) -> Tensor:
        """windows [8, C, 16] of audio features -> [32]."""
        codes: Tensor = self.audio_net(windows)
        code: Tensor = self.audio_att_net(codes) @ codes
        return code

    def tokens(self, windows: Tensor, openness: Tensor, camera: Tensor) -> Tensor:
        """Windows [8, C, 16], openness [] float64 (`eye_code`), camera [12] -> [4, width]."""
        heard = self.audio_mlp(self.audio_code(windows))
        eyes = self.eye_mlp(condition.eye_code(openness))
        return torch.stack([heard, eyes, self.cam_mlp(camera), self.null_vector[0, 0]])

    @property
    def pointwise(self) -> list[nn.Module]:
        """What runs for every Gaussian in every frame: it may do so in half precision."""
        return [self.transformer, *(getattr(self, f"{name}_deform") for name in OUTPUTS)]

    def deform(self, features: Tensor, queries: Tensor, tokens: Tensor) -> Offsets:
        """features, queries [N, width], tokens [4, width] -> what changes for each Gaussian."""
        seen = self.transformer(features, queries, tokens)
        points, scales, rotations, logits, colours = (
            getattr(self, f"{name}_deform")(seen) for name in OUTPUTS
        )
        harmonics = colours.view(-1, COEFFICIENTS, 3)
        return Offsets(points, scales, rotations, logits[:, 0], harmonics)

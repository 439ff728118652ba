"""What a frame shall look like, as four tokens: its sound, its eyes, its camera, and nothing."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

AUDIO = 32  # numbers that say what is heard
WINDOWS, STEPS = 8, 16  # windows around a frame, and rows of features in each, at 50 a second
CAMERA = 12  # numbers that say where the camera stands
_SLOPE = 0.02  # of what is negative, in the audio networks
_ENCODER, _ATTENTION = (32, 32, 64, 64), (16, 8, 4, 2, 1)  # channels


class AudioNet(nn.Module):
    """A window of audio features -> 32 numbers. After AD-NeRF (Guo et al., ICCV 2021)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((channels, *_ENCODER)):
            layers += (nn.Conv1d(before, after, 3, 2, padding=1), nn.LeakyReLU(_SLOPE))
        self.encoder_conv = nn.Sequential(*layers)
        width = _ENCODER[-1]
        self.encoder_fc1 = nn.Sequential(
            nn.Linear(width, width), nn.LeakyReLU(_SLOPE), nn.Linear(width, AUDIO)
        )

    def forward(self, windows: Tensor) -> Tensor:
        """windows [B, C, 16] -> [B, 32]."""
        out: Tensor = self.encoder_fc1(self.encoder_conv(windows)[..., 0])
        return out


class AudioAttention(nn.Module):
    """How much each of the windows around a frame matters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((AUDIO, *_ATTENTION)):
            layers += (nn.Conv1d(before, after, 3, padding=1), nn.LeakyReLU(_SLOPE))
        self.attentionConvNet = nn.Sequential(*layers)
        self.attentionNet = nn.Sequential(nn.Linear(WINDOWS, WINDOWS))

    def forward(self, windows: Tensor) -> Tensor:
        """windows [8, 32] -> weights [8], whose sum is 1."""
        scores: Tensor = self.attentionNet(self.attentionConvNet(windows.T))
        return scores[0].softmax(-1)


class Mlp(nn.Module):
    """Two layers without biases, the first rectified."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            (nn.Linear(before, width, bias=False), nn.Linear(width, width, bias=False))
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [..., before] -> [..., width]."""
        first, second = self.net
        out: Tensor = second(torch.relu(first(x)))
        return out


def eye_code(openness: Tensor) -> Tensor:
    """openness [...] float64 (AU45, clipped to 0..2, halved) -> [..., 32] float32.

    Sines and cosines in turn, of frequencies 10000^(k / 16). In float32 the highest would be off by
    1e-4.
    """
    powers = torch.arange(AUDIO // 2, dtype=torch.float32, device=openness.device)
    frequencies = (10_000 ** (powers / (AUDIO // 2))).double()
    angles = openness.double()[..., None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2).float()

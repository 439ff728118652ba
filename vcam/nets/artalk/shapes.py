"""ARTalk's numbers: what is how long, and how large its networks are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

MOTION = 106
EXPRESSION, HEAD, JAW = slice(0, 100), slice(100, 103), slice(103, 106)
LEVELS = (1, 5, 25, 50, 100)  # tokens per level
TOKENS = sum(LEVELS)  # 181
FRAMES = LEVELS[-1]  # of one window
CODE = 32  # bits per token
STYLE = 128
SAMPLES = 64_000  # of one window, 16 kHz
FEATURES = 199  # audio frames of one window, 50 Hz
ENDS = tuple(sum(LEVELS[: level + 1]) for level in range(len(LEVELS)))  # 1, 6, 31, 81, 181


@dataclass(frozen=True, slots=True)
class SpeechConfig:
    """Sizes of the speech encoder; the defaults are XLS-R 300M."""

    channels: int = 512
    width: int = 1024
    layers: int = 24
    heads: int = 16
    hidden: int = 4096
    position_kernel: int = 128
    position_groups: int = 16


@dataclass(frozen=True, slots=True)
class ArtalkConfig:
    """Sizes of the network; the defaults are those of the released checkpoint."""

    depth: int = 12
    heads: int = 12
    width: int = 768
    codec_depth: int = 8
    codec_heads: int = 8
    codec_width: int = 512
    speech: SpeechConfig = field(default_factory=SpeechConfig)

    @classmethod
    def small(cls) -> ArtalkConfig:
        """The same network at a size for tests: 37 M parameters."""
        speech = SpeechConfig(channels=32, layers=2, hidden=256, position_kernel=16)
        return cls(depth=2, codec_depth=2, codec_heads=4, codec_width=64, speech=speech)


class Past(NamedTuple):
    """The 100 frames before a window as the generator and the codec see them."""

    bits: Tensor  # [B, 181, 32] bool
    features: Tensor  # [B, 100, 32], for the codec's decoder
    inputs: Tensor  # [B, 180, 32], for the generator's context


class Generated(NamedTuple):
    """What the generator says about a window."""

    bits: Tensor  # [B, 181, 32] bool
    features: Tensor  # [B, 100, 32], for the codec's decoder
    logits: list[Tensor]  # per level [B, 1 | 6 | 31 | 81 | 181, 64], two classes per bit

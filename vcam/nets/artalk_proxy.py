"""A stand-in for ARTalk, to study decoding rules without the released weights.

The codec and the generator are ARTalk's own at smaller sizes; log-mel features, two convolutions
and two attention layers take the place of wav2vec 2.0. The face it learns is *synthetic*: motion
computed from speech by fixed rules, so that the truth is known exactly. What it says about rules
holds for windows that disagree as much as its own do; it says nothing of the released model's lips.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.nets.artalk import (
    EXPRESSION,
    HEAD,
    JAW,
    MOTION,
    ArtalkConfig,
    ArtalkNet,
    SpeechConfig,
    SpeechLayer,
)
from vcam.tensors.checkpoint import load_strict, read_state

RATE = 16_000
FPS = 25
LIPS = 10  # lip shapes, each with deviation 1 in the clean truth

_SPEECH = SpeechConfig(width=256, layers=2, heads=4, hidden=1024)
CONFIG = ArtalkConfig(
    depth=6, heads=6, width=384, codec_depth=4, codec_heads=4, codec_width=256, speech=_SPEECH
)
_BANDS, _FACE_BANDS = 40, 24
_RANDOM = 0.22  # share of the lips that no sound tells
_BROWS = 3
_BLINKS_A_SECOND = 17 / 60
_BLINK = (0.3, 0.9, 1.0, 0.8, 0.5, 0.25, 0.1)  # of the lids, frame by frame


class LogMel(nn.Module):
    """Sound [B, samples] at 16 kHz -> log-mel frames [B, frames, bands] of 25 ms."""

    window: Tensor
    bank: Tensor

    def __init__(self, bands: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.hann_window(400))
        self.register_buffer("bank", _mel_bank(bands))

    def forward(self, audio: Tensor) -> Tensor:
        frames = audio.float().unfold(1, 400, self.hop) * self.window
        power = torch.fft.rfft(frames).abs().square() / 400
        mel: Tensor = torch.log(power @ self.bank + 1e-2)
        return mel


def _mel_bank(bands: int) -> Tensor:
    """Triangles [201, bands] from 60 to 7600 Hz."""
    mel = torch.linspace(_mel(60), _mel(7600), bands + 2)
    edges = 700 * (torch.exp(mel / 1127) - 1)
    hertz = torch.linspace(0, RATE / 2, 201)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    bank = torch.minimum(rising, falling).clamp(min=0)
    return bank / bank.sum(0).clamp(min=1e-6)


def _mel(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)


class MelEncoder(nn.Module):
    """Normalised sound [B, 64000] -> [B, 199, 256]."""

    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        width = _SPEECH.width
        self.mel = LogMel(_BANDS, 320)
        self.near = nn.Conv1d(_BANDS, width, 5, padding=2)
        self.far = nn.Conv1d(width, width, 5, padding=2)
        self.layers = nn.ModuleList(SpeechLayer(_SPEECH) for _ in range(_SPEECH.layers))
        self.norm = nn.LayerNorm(width)
        angles = torch.arange(199)[:, None] * torch.exp(torch.linspace(0, -7, width // 2))
        self.register_buffer("places", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        x = F.gelu(self.near(self.mel(audio).transpose(1, 2) / 3))
        x = F.gelu(self.far(x)).transpose(1, 2) + self.places
        for layer in self.layers:
            x = layer(x)
        heard: Tensor = self.norm(x)
        return heard


def proxy_net() -> ArtalkNet:
    """A new stand-in, untrained: 20 M parameters."""
    return ArtalkNet(CONFIG, MelEncoder())


def load_proxy(path: Path) -> ArtalkNet:
    """A stand-in that scripts/train/proxy wrote. Raises WeightsError."""
    net = proxy_net()
    load_strict(net, read_state(path), str(path))
    return net.eval().requires_grad_(False)


class SyntheticFace(nn.Module):
    """Speech -> the motion a synthetic face makes of it, the same at each call with one seed.

    Lips are saturating functions of the spectrum, smoothed over about +-150 ms and centred between
    60 ms before and 20 ms after the sound, plus a random part; the head wanders slowly and nods
    with loudness; brows wander; lids blink. Expression mixes lips, brows and lids.
    """

    spectrum: Tensor
    kernels: Tensor
    middle: Tensor
    spread: Tensor
    mix: Tensor
    noise: Tensor

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.mel = LogMel(_FACE_BANDS, 160)
        weights = torch.randn(LIPS, _FACE_BANDS, generator=draw) * _FACE_BANDS**-0.5
        self.register_buffer("spectrum", weights)
        width = 0.04 + 0.03 * torch.rand(LIPS, 1, generator=draw)  # seconds
        centre = -0.06 + 0.08 * torch.rand(LIPS, 1, generator=draw)
        kernels = torch.exp(-0.5 * ((torch.arange(-15, 16) / 100 + centre) / width) ** 2)
        self.register_buffer("kernels", (kernels / kernels.sum(1, keepdim=True))[:, None])
        self.register_buffer("middle", torch.zeros(LIPS))
        self.register_buffer("spread", torch.ones(LIPS))
        mix = torch.randn(LIPS + _BROWS + 1, 100, generator=draw) * 0.15
        self.register_buffer("mix", mix)
        self.register_buffer("noise", 0.03 + 0.3 * torch.rand(MOTION, generator=draw))

    def readout(self) -> Tensor:
        """The matrix [106, 10] that reads the lips from motion, as lip vertices do of FLAME's."""
        matrix = torch.zeros(MOTION, LIPS, device=self.mix.device)
        matrix[EXPRESSION] = torch.linalg.pinv(self.mix)[:, :LIPS]
        return matrix

    def fit(self, audio: Tensor) -> None:
        """Set the lips' middle and spread from speech [N, samples], so that they have mean 0 and
        deviation 1."""
        drive = self._drive(audio)
        self.middle.copy_(drive.mean((0, 2)))
        self.spread.copy_(drive.std((0, 2)))
        bent = torch.tanh(1.2 * self._standard(drive))
        self.middle += bent.mean((0, 2)) * self.spread / 1.2

    def forward(self, audio: Tensor, seed: int) -> Tensor:
        """Speech [N, samples] -> clean motion [N, samples / 640, 106]."""
        draw = torch.Generator(device=audio.device).manual_seed(seed)
        said = torch.tanh(1.2 * self._standard(self._drive(audio)))[:, :, 2::4] / 0.68
        clips, _, frames = said.shape
        chance = _wander(draw, (clips, LIPS, frames), 2.0)
        lips = (1 - _RANDOM**2) ** 0.5 * said + _RANDOM * chance
        brows = _wander(draw, (clips, _BROWS, frames), 10.0)
        lids = _blinks(draw, clips, frames)
        latent = torch.cat([lips, brows, lids], dim=1).transpose(1, 2)
        motion = torch.zeros(clips, frames, MOTION, device=audio.device)
        motion[..., EXPRESSION] = latent @ self.mix
        motion[..., HEAD] = 0.1 * _wander(draw, (clips, 3, frames), 15.0).transpose(1, 2)
        motion[..., HEAD.start] += 0.03 * _smoothed(said.mean(1, keepdim=True), 4.0)[:, 0]
        motion[..., JAW.start] = 0.08 + 0.05 * lips[:, 0]
        motion[..., JAW.start + 1] = 0.01 * lips[:, 1]
        return motion

    def tracked(self, motion: Tensor, seed: int) -> Tensor:
        """Clean motion [N, T, 106] with a tracker's noise: what a network is trained on."""
        draw = torch.Generator(device=motion.device).manual_seed(seed)
        white = torch.randn(motion.shape, generator=draw, device=motion.device)
        return motion + white * self.noise * motion.std((0, 1))

    def _drive(self, audio: Tensor) -> Tensor:
        """What the spectrum asks of the lips, [N, 10, samples / 160]."""
        level = audio.std(1, keepdim=True)
        mel = self.mel(F.pad(audio / level, (200, 200)))[:, : audio.shape[1] // 160]
        return F.conv1d(
            (mel @ self.spectrum.T).transpose(1, 2), self.kernels, padding=15, groups=LIPS
        )

    def _standard(self, drive: Tensor) -> Tensor:
        return (drive - self.middle[:, None]) / self.spread[:, None]


def _smoothed(x: Tensor, width: float) -> Tensor:
    """[N, C, T] through a Gaussian of `width` frames."""
    reach = math.ceil(3 * width)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / width) ** 2)
    rows = F.pad(x.flatten(0, 1)[:, None], (reach, reach), mode="replicate")
    smooth: Tensor = F.conv1d(rows, (kernel / kernel.sum())[None, None])[:, 0].view(x.shape)
    return smooth


def _wander(draw: torch.Generator, shape: tuple[int, int, int], width: float) -> Tensor:
    """Smooth random curves of deviation 1."""
    curve = _smoothed(torch.randn(shape, generator=draw, device=draw.device), width)
    unit: Tensor = curve * (2 * width * math.pi**0.5) ** 0.5
    return unit


def _blinks(draw: torch.Generator, clips: int, frames: int) -> Tensor:
    """[N, 1, T]: 0 open, 1 shut."""
    chance = torch.rand(clips, 1, frames, generator=draw, device=draw.device)
    starts = (chance < _BLINKS_A_SECOND / FPS).float()
    shape = torch.tensor(_BLINK, device=draw.device).flip(0)[None, None]
    return F.conv1d(F.pad(starts, (len(_BLINK) - 1, 0)), shape).clamp(max=1)

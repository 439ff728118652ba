"""MuseTalk's networks small enough for a test, faces to paint on, and a stand-in network."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch

from tests.parity.musetalk import filled
from vcam.arkit import INDEX
from vcam.media import AudioChunk, BlendshapeFace, Frame, Motion
from vcam.mouth.musetalk.painter import MuseTalkMouth
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.nets import musetalk as nets
from vcam.render.head3d.renderer import Head3dRenderer

DATA = Path(__file__).parents[1] / "data"
PARITY = DATA / "parity"
TICKS = 1920
SIZE = 256  # of the pictures


@cache
def networks() -> tuple[nets.Inpainter, nets.SpeechEncoder]:
    """The small in-painter and speech encoder, filled from the parity manifests."""
    coder, unet, speech = (
        filled(PARITY, f"musetalk_small_{part}", 31) for part in ("vae", "unet", "whisper")
    )
    net = nets.Inpainter(nets.build_coder(*coder), nets.build_unet(*unet))
    return net, nets.build_speech(*speech)


def small_mouth(**settings: object) -> MuseTalkMouth:
    """A painter with the small networks."""
    net, speech = networks()
    return MuseTalkMouth(net, speech, MouthSettings(**settings))


@cache
def _renderer() -> Head3dRenderer:
    return Head3dRenderer(SIZE)


@cache
def face(jaw: float = 0.0, turn: float = 0.0, at: int = 0) -> Frame:
    """A rendered head, its jaw 0..1 open, turned by radians; its chin put where chins are."""
    weights = np.zeros(52, np.float32)
    weights[INDEX["jawOpen"]] = jaw
    head = np.array([0, turn, 0], np.float32)
    return _renderer().step(Motion(at, head, BlendshapeFace(weights)))


def speech_like(seconds: float, level: float = 0.1) -> np.ndarray:
    """Noise in syllables, 48 kHz."""
    ticks = np.arange(round(48_000 * seconds))
    noise = np.random.default_rng(3).normal(size=len(ticks))
    syllables = 0.6 + 0.4 * np.sin(2 * math.pi * 4 * ticks / 48_000)
    return (level * noise * syllables).astype(np.float32)


def around(voice: np.ndarray, at: int, context: int) -> AudioChunk:
    """`context` ticks of `voice` on both sides of tick `at`, silence outside."""
    index = np.arange(at - context, at + context)
    known = (index >= 0) & (index < len(voice))
    samples = np.where(known, voice[np.clip(index, 0, len(voice) - 1)], 0)
    return AudioChunk(at - context, samples.astype(np.float32))


class _Plain(torch.nn.Module):
    """Encodes a picture as itself."""

    side = 128

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


class _Chosen(torch.nn.Module):
    """Gives the whole crop back, or what `change` makes of it."""

    def __init__(self, change: object) -> None:
        super().__init__()
        self.change = change

    def forward(self, latents: torch.Tensor, speech: torch.Tensor) -> torch.Tensor:
        crop = (latents[:, 3:] + 1) / 2
        return self.change(crop) if self.change else crop


class StandIn(torch.nn.Module):
    """A network whose answer is known: the crop itself, or `change` of it."""

    paired = nets.Inpainter.paired
    views = nets.Inpainter.views

    def __init__(self, change: object = None) -> None:
        super().__init__()
        self.coder, self.unet, self.tiny = _Plain(), _Chosen(change), None

    def picture(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


def stand_in_mouth(change: object = None, **settings: object) -> MuseTalkMouth:
    """A painter whose network answers with `change` of the crop [1, 3, 128, 128]."""
    return MuseTalkMouth(StandIn(change), networks()[1], MouthSettings(**settings))


def talk(
    mouth: MuseTalkMouth, frames: list[Frame], voice: np.ndarray, first: int = 0
) -> list[Frame]:
    """Paint `frames`, one after another from frame number `first` on, hearing `voice`."""
    painted = []
    for index, frame in enumerate(frames, start=first):
        dated = Frame(index * TICKS, frame.pixels, frame.landmarks)
        painted.append(mouth.step(dated, around(voice, dated.at, mouth.context)))
    return painted

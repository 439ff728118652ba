"""ARTalk as a stage: speech -> FLAME motion at 25 fps.

Two modes. *Broadcast* is upstream's: chunks of four seconds, each decoded once, then upstream's
smoother; exact, and 4.16 s behind. *Talk* slides the window frame by frame (`sliding`) and
is 120 ms behind by its algorithm, plus what a decoding takes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vcam.audio.resample import FACTOR, Decimator
from vcam.errors import ConfigError
from vcam.media import AudioChunk, FlameFace, FloatArray, Motion, frame_ticks
from vcam.motion.artalk.modes import FPS, Broadcast, Decoded, Mode, Talk, live_decoder
from vcam.motion.artalk.sliding import CHANNELS, TalkSettings
from vcam.motion.head_pose import FaceBasis, HeadPose
from vcam.motion.tracked import IdleClip
from vcam.nets.artalk import ArtalkNet
from vcam.tensors.checkpoint import read_tensor

MODES = ("talk", "broadcast")

_FRAME = frame_ticks(FPS)  # ticks
_STYLE = (50, CHANNELS)


class ArtalkMotion:
    """The neural motion model. A chunk that does not start where the last ended starts anew."""

    def __init__(
        self,
        weights: Path | ArtalkNet,
        mode: str = "talk",
        style: Path | FloatArray | None = None,
        seed: int = 0,
        settings: TalkSettings | None = None,
        basis: FaceBasis | None = None,
        device: torch.device | None = None,
        rest: IdleClip | None = None,
    ) -> None:
        """`style` is a clip of motion [50, 106] or a file with one; `settings`, `basis` and `rest`
        shape talk mode. The device defaults to CUDA where there is one. Raises ConfigError for an
        unknown mode or a misshapen style, WeightsError for a checkpoint that does not fit."""
        if mode not in MODES:
            raise ConfigError(f"unknown ARTalk mode {mode}; known are {', '.join(MODES)}")
        settings = settings or TalkSettings()
        device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        clip = read_style(style) if isinstance(style, Path) else style
        net = ArtalkNet.load(weights) if isinstance(weights, Path) else weights
        with torch.inference_mode():
            condition = net.style(None if clip is None else torch.from_numpy(_checked(clip))[None])
        self._mode: Mode = (
            Talk(live_decoder(net, settings.soft_levels, device), condition, settings)
            if mode == "talk"
            else Broadcast(net, condition, device)
        )
        self._head_pose = HeadPose(settings, seed, basis, rest) if mode == "talk" else None
        self._decimator = Decimator()
        self.delay = self._mode.behind * _FRAME + Decimator.delay
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        for part in (self._decimator, self._mode, self._head_pose):
            if part is not None:
                part.reset()
        self._heard: int | None = None  # tick after the last sample
        self._at = 0  # tick of the next motion
        self._skip = 0  # samples at 16 kHz that lie before the first frame
        self.speaking = False

    @property
    def voice_level(self) -> float:
        """The speaker's level as learnt so far, 0 when unknown; `vcam.profiles.voice` keeps it."""
        return self._mode.level if isinstance(self._mode, Talk) else 0.0

    def step(self, sound: AudioChunk) -> list[Motion]:
        """Hear `sound`; give the motions it completes, oldest first, at multiples of a frame."""
        if sound.start != self._heard:
            self._begin(sound.start)
        self._heard = sound.end
        samples = self._decimator.step(usable(sound.samples))
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        return self._motions(self._mode.step(samples[skipped:]))

    def finish(self) -> list[Motion]:
        """The motions of what was heard and not shown yet, for work without a clock. Broadcast
        mode pads its last chunk with silence, as upstream; talk mode stops where it is."""
        return self._motions(self._mode.finish())

    def _begin(self, start: int) -> None:
        self.reset()
        self._at = -(-start // _FRAME) * _FRAME
        self._skip = -(-(self._at - start + Decimator.delay) // FACTOR)

    def _motions(self, frames: list[Decoded]) -> list[Motion]:
        motions = []
        for frame, silence in frames:
            self.speaking = silence <= 0
            if self._head_pose is None:
                jaw = np.array([frame[103], 0, 0], np.float32)
                motions.append(Motion(self._at, frame[100:103], FlameFace(frame[:100], jaw)))
            else:
                motions.append(self._head_pose.step(self._at, frame, silence))
            self._at += _FRAME
        return motions


def usable(samples: FloatArray) -> FloatArray:
    """Sound without NaN or infinity (silence in their place), within -1..1."""
    finite: FloatArray = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(finite, -1.0, 1.0)


def read_style(path: Path) -> FloatArray:
    """A style clip [50, 106]. Raises WeightsError or ConfigError."""
    try:
        return _checked(read_tensor(path).float().numpy())
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _checked(clip: FloatArray) -> FloatArray:
    if clip.shape != _STYLE:
        raise ConfigError(f"a style clip is two seconds of motion, {_STYLE}; this is {clip.shape}")
    if not np.isfinite(clip).all():
        raise ConfigError("the style clip holds numbers that are not finite")
    return np.ascontiguousarray(clip, np.float32)

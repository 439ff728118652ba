"""ARTalk's two ways through 16 kHz speech: upstream's chunks, and the sliding window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from vcam.audio.vad import VoiceActivity
from vcam.gpu.compiled import plain
from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import FloatArray
from vcam.motion.artalk.exchange import Exchange
from vcam.motion.artalk.fast import FastDecoder
from vcam.motion.artalk.fused import fits_fused
from vcam.motion.artalk.loudness import Loudness
from vcam.motion.artalk.pieces import can_compile
from vcam.motion.artalk.savgol import HELD, SmoothStream
from vcam.motion.artalk.sliding import CHANNELS, WINDOW, Stitcher, TalkSettings
from vcam.nets.artalk import FEATURES, SAMPLES, ArtalkNet, normalise

FPS = 25

_HOP = SAMPLES // WINDOW  # samples of a frame: 640
_BEFORE, _UNUSED = 320, 240  # samples that a hop's first feature reaches back, and none covers


class Decoded(NamedTuple):
    """One frame of motion."""

    motion: FloatArray  # [106]
    silence: float  # seconds that nobody has spoken by then


class Mode(Protocol):
    """Speech at 16 kHz -> decoded frames: what the two modes share."""

    behind: int  # frames of sound heard past a frame's start before it comes out, at worst

    def step(self, samples: FloatArray) -> list[Decoded]:
        """Samples [n] at 16 kHz -> the frames now complete, oldest first."""
        ...

    def finish(self) -> list[Decoded]:
        """What is left at the end of the sound."""
        ...

    def reset(self) -> None: ...


@dataclass
class _BroadcastState:
    pending: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    past: Tensor = field(default_factory=lambda: torch.zeros(1, WINDOW, CHANNELS))
    smooth: SmoothStream = field(default_factory=SmoothStream)
    broken: int = 0  # chunks that came out with numbers that are not finite


class Broadcast:
    """Upstream's decoding, four seconds at a time, in float32."""

    behind = WINDOW + HELD

    def __init__(self, net: ArtalkNet, style: Tensor, device: torch.device) -> None:
        self._net, self._style, self._device = net.to(device), style.to(device), device
        self.reset()

    def reset(self) -> None:
        """Begin a clip."""
        self._state = _BroadcastState()

    def step(self, samples: FloatArray) -> list[Decoded]:
        """Samples [n] at 16 kHz -> smoothed frames, a chunk at a time."""
        pending = np.concatenate([self._state.pending, samples])
        frames: list[Decoded] = []
        while len(pending) >= SAMPLES:
            frames += self._smoothed(self._decode(pending[:SAMPLES]))
            pending = pending[SAMPLES:]
        self._state.pending = pending.copy()
        return frames

    @property
    def broken(self) -> int:
        """Chunks since `reset` that could not be used because they were not finite."""
        return self._state.broken

    def finish(self) -> list[Decoded]:
        """The padded last chunk, cut to the sound's length, and the smoother's last frames."""
        rest, frames = self._state.pending, []
        if len(rest):
            padded = np.pad(rest, (0, SAMPLES - len(rest)))
            frames += self._smoothed(self._decode(padded)[: -(-len(rest) // _HOP)])
        frames += [Decoded(frame, 0.0) for frame in self._state.smooth.finish()]
        self.reset()
        return frames

    def _smoothed(self, motion: FloatArray) -> list[Decoded]:
        return [Decoded(frame, 0.0) for frame in self._state.smooth.step(motion)]

    @torch.inference_mode()
    def _decode(self, samples: FloatArray) -> FloatArray:
        state = self._state
        audio = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self._device)
        decoded = self._net.decode(audio, state.past.to(self._device), self._style)
        motion: FloatArray = decoded[0].cpu().numpy()
        if np.isfinite(motion).all():
            state.past = decoded
            return motion
        state.broken += 1
        return np.repeat(state.past[0, -1:].cpu().numpy(), WINDOW, axis=0)


class Window:
    """The last four seconds of sound, one stretch of memory that moves on through a larger one."""

    def __init__(self) -> None:
        self._room, self._end = np.zeros(2 * SAMPLES, np.float32), SAMPLES

    @property
    def samples(self) -> FloatArray:
        """[64000], which the next blocks leave alone for some seconds."""
        return self._room[self._end - SAMPLES : self._end]

    def take(self, block: FloatArray) -> None:
        """The next samples, at most four seconds of them."""
        if self._end + len(block) > len(self._room):
            self._room[:SAMPLES] = self.samples.copy()
            self._end = SAMPLES
        self._room[self._end : self._end + len(block)] = block
        self._end += len(block)


@dataclass
class _TalkState:
    window: Window
    stitcher: Stitcher
    loudness: Loudness
    features: Tensor | None = None  # [1, 199, C], when convolutions are cached
    pending: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    heard: int = 0  # frames of sound
    broken: int = 0  # windows that came out with numbers that are not finite


def live_decoder(
    net: ArtalkNet, soft: int, device: torch.device, compiled: bool = True, fused: bool = True
) -> FastDecoder:
    """The decoder that talk mode wants: half precision, compiled pieces and, for one voice, each
    stack of layers in one launch where there is CUDA; `soft` levels are read as expectations. A
    process that must not wait for compilers stays layer by layer."""
    cuda = device.type == "cuda"
    dtype = torch.float16 if cuda else torch.float32
    compiled = compiled and cuda and can_compile()
    fused = fused and compiled and fits_fused(net.config) and not plain()
    return FastDecoder(net, device, dtype, compiled, soft, fused)


class Talk:
    """The sliding window, one stream at a time."""

    def __init__(
        self, fast: FastDecoder, style: Tensor, settings: TalkSettings, graph: bool = True
    ) -> None:
        """`graph`: run each decoding as one CUDA graph, where there is CUDA."""
        cuda = fast.device.type == "cuda"
        self._settings, self._style, self.behind = settings, style.to(fast.device), settings.behind
        self._fast, self._vad = fast, VoiceActivity()
        self._exchange = Exchange(fast.decode, self._style, fast.device, graph)
        self._next: Callable[..., tuple[Tensor, Tensor]] = cuda_graph(
            fast.decode_next, cuda and graph
        )
        self.reset()

    def reset(self) -> None:
        """Silence came before, and a face that had not moved."""
        self._vad.reset()
        self._state = _TalkState(
            Window(),
            Stitcher(self._settings, (1,)),
            Loudness(self._settings.loudness_floor, self._settings.voice_level),
        )

    @property
    def level(self) -> float:
        """The speaker's level as learnt so far."""
        return self._state.loudness.level

    @property
    def broken(self) -> int:
        """Windows since `reset` that could not be used because they were not finite."""
        return self._state.broken

    def step(self, samples: FloatArray) -> list[Decoded]:
        """Samples [n] at 16 kHz -> the frames they complete."""
        pending = np.concatenate([self._state.pending, samples])
        whole = len(pending) // _HOP * _HOP
        self._state.pending = pending[whole:].copy()
        frames = []
        for block in pending[:whole].reshape(-1, _HOP):
            frames += self._hear(block)
        return frames

    def finish(self) -> list[Decoded]:
        """Nothing: what has not been heard has not been said."""
        return []

    def _hear(self, block: FloatArray) -> list[Decoded]:
        """One frame of sound [640]. While the device decodes it, the host listens for a voice: what
        it learns of the speaker's level is the next window's floor."""
        state, settings = self._state, self._settings
        state.window.take(block)
        state.heard += 1
        ready = state.heard - settings.behind
        coming = None if ready < 0 or ready % settings.hop else self._decoding()
        state.loudness.step(state.window.samples, any(self._vad.step(block)))
        if coming is None:
            return []
        shown = state.stitcher.join(self._usable(coming()))[0]
        quiet = state.loudness.quiet - settings.behind
        return [Decoded(frame, (quiet + index + 1) / FPS) for index, frame in enumerate(shown)]

    @torch.inference_mode()
    def _decoding(self) -> Callable[[], FloatArray]:
        """Begin with the newest window; what comes is its motion [1, 100, 106], which the next one
        overwrites."""
        state = self._state
        past, window = state.stitcher.past(), state.window.samples
        if not self._settings.cache_convolutions:
            return self._exchange.begin(window, past, state.loudness.floor)
        decoded = self._slide(torch.from_numpy(np.ascontiguousarray(past))).cpu().numpy()
        return lambda: decoded

    def _usable(self, decoded: FloatArray) -> FloatArray:
        """What was decoded, or what was shown last where that is not finite."""
        if np.isfinite(decoded).all():
            return decoded
        self._state.broken += 1
        return self._state.stitcher.hold()

    def _slide(self, past: Tensor) -> Tensor:
        """Decode with the features of sound heard before, as they were normalised then."""
        state = self._state
        length = _HOP * self._settings.hop
        floor = torch.tensor([[state.loudness.floor]], dtype=torch.float32)
        audio = normalise(torch.from_numpy(state.window.samples)[None], floor)
        if state.features is None:
            silence = torch.zeros(1, SAMPLES, device=self._fast.device)
            state.features = self._fast.speech.convolve(silence)
        tail = audio[:, SAMPLES - length - _BEFORE : SAMPLES - _UNUSED]
        tail, past = self._there(tail.contiguous(), past)
        motion, features = self._next(tail, state.features, past, self._style)
        state.features = features.clone()
        assert features.shape[1] == FEATURES, features.shape
        return motion

    def _there(self, *tensors: Tensor) -> list[Tensor]:
        return [tensor.to(self._fast.device) for tensor in tensors]

"""Speech features addressed by tick: Whisper's states over a window that grows with the voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from vcam.audio.resample import FACTOR, Decimator
from vcam.media import AudioChunk
from vcam.nets.musetalk import (
    BEFORE,
    POSITION,
    WINDOW,
    LogMel,
    SpeechEncoder,
    speech_windows,
    token_positions,
)

POSITION_TICKS = POSITION * FACTOR  # 960: 20 ms
KEPT = 500  # positions a full window begins anew with: 10 s of past for the next frame


def context_ticks(lookahead: int) -> int:
    """Ticks of sound past a frame's start that `lookahead` positions need; 6 is all of them.

    The last position hears two mel frames (Whisper's convolutions) past its own two, and the last
    of these half of its window of 400 samples.
    """
    return lookahead * POSITION_TICKS + 200 * FACTOR + Decimator.delay


class Listener(nn.Module):
    """Sound to the tokens that the network hears: plain tensors of fixed shapes, for any graph."""

    def __init__(self, encoder: SpeechEncoder) -> None:
        super().__init__()
        weight = encoder.conv1.weight
        self._dtype = weight.dtype
        self.mel = LogMel(weight.shape[1]).to(weight.device)
        self.encoder = encoder
        self.encode: Callable[[Tensor], Tensor] = encoder.forward  # or the same, compiled
        count, width = WINDOW * (len(encoder.layers) + 1), encoder.embed_positions.weight.shape[1]
        self.register_buffer("places", token_positions(count, width).to(weight), persistent=False)
        self.places: Tensor

    def forward(self, samples: Tensor, first: Tensor, end: Tensor) -> Tensor:
        """samples [B, n] at 16 kHz -> tokens [B, 10 s, width] of positions `first` [B] and on.

        Positions from `end` [B] on count as unknown: they are zero.
        """
        return speech_windows(self.states(samples), first, end) + self.places

    def states(self, samples: Tensor) -> Tensor:
        """samples [B, n] -> states [B, n / 320, s, width]."""
        return self.encode(self.mel(samples).to(self._dtype))


@dataclass(frozen=True, slots=True)
class Span:
    """Which of the window's positions a frame hears: 10 from `first` on, none from `end` on."""

    first: int
    end: int


@dataclass
class _Heard:
    """Sound since `origin` (a tick, whole positions), at 16 kHz; `end` is the next tick wanted."""

    origin: int = 0
    end: int | None = None
    count: int = 0  # samples in the window
    lead: int = 0  # samples of the decimator's delay still to drop
    decimator: Decimator = field(default_factory=Decimator)


class SpeechFeatures:
    """What the network hears at a tick: `samples`, and the span of them that a frame needs.

    The encoder sees a window of `positions` that begins with silence behind the newest sound, as
    in training at a clip's end, and is computed anew whenever there is more sound; when it is
    full it begins again with its last `kept` positions. Upstream cuts at 30 s with nothing kept.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        lookahead: int = 6,
        positions: int = 1500,
        kept: int = KEPT,
    ) -> None:
        assert 0 < kept < positions - 1, (kept, positions)
        self.listener = Listener(encoder)
        self._lookahead, self._positions, self._kept = lookahead, positions, kept
        device = encoder.conv1.weight.device
        self.samples = torch.zeros(1, positions * POSITION, device=device)  # 16 kHz, the window
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self._heard = _Heard()
        self.samples.zero_()

    def hear(self, sound: AudioChunk) -> None:
        """Take in what is new of `sound`; what was missed in between is silence."""
        heard = self._heard
        if heard.end is None or not -self._span() < sound.start - heard.end < self._span():
            self._begin(sound.start)
        missed = sound.start - self._end()
        new = sound.samples[max(-missed, 0) :]
        if missed > 0:
            new = np.concatenate([np.zeros(missed, np.float32), new])
        self._append(new)

    def span(self, at: int) -> Span:
        """What the frame at tick `at` hears of the window as it is now."""
        position = (at - self._heard.origin) // POSITION_TICKS
        known = min(self._heard.count // POSITION, position + self._lookahead)
        return Span(position - BEFORE, max(known, 0))

    @torch.inference_mode()
    def window(self, at: int) -> Tensor:
        """The tokens [10 s, width] of the frame at tick `at`, positions added."""
        span = self.span(at)
        ends = torch.tensor([[span.first], [span.end]], device=self.samples.device)
        tokens: Tensor = self.listener(self.samples, *ends)
        return tokens[0]

    def _span(self) -> int:
        return self._positions * POSITION_TICKS

    def _end(self) -> int:
        assert self._heard.end is not None
        return self._heard.end

    def _begin(self, tick: int) -> None:
        self.reset()
        origin = (tick // POSITION_TICKS - BEFORE) * POSITION_TICKS
        self._heard.origin = self._heard.end = origin
        self._heard.lead = Decimator.delay // FACTOR

    def _append(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        heard = self._heard
        if not len(samples):
            return
        heard.end = self._end() + len(samples)
        low = heard.decimator.step(samples)
        dropped = min(heard.lead, len(low))
        heard.lead -= dropped
        room = (self._positions - self._kept - 1) * POSITION
        low = low[dropped:]
        for part in (low[start : start + room] for start in range(0, len(low), room)):
            self._make_room(len(part))
            target = self.samples[0, heard.count : heard.count + len(part)]
            target.copy_(torch.from_numpy(part), non_blocking=True)
            heard.count += len(part)

    def _make_room(self, count: int) -> None:
        heard = self._heard
        if heard.count + count <= self.samples.shape[1]:
            return
        gone = max(heard.count // POSITION - self._kept, 0)
        rest = self.samples[:, gone * POSITION : heard.count].clone()
        self.samples.zero_()
        self.samples[:, : rest.shape[1]] = rest
        heard.count = rest.shape[1]
        heard.origin += gone * POSITION_TICKS

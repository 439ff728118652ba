"""MuseTalk 1.5 as a mouth painter: every fresh frame of the renderer, live.

Where upstream prepares latents and masks of a looped video, vcam takes the crop's place from the
landmarks that come with the frame, and paints the difference. In silence the network sleeps and
the renderer's own mouth shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vcam.errors import DeviceError
from vcam.media import AudioChunk, FloatArray, Frame
from vcam.mouth.blend import FOLLOW, Seam
from vcam.mouth.box import OUTSIDE, FaceBox, SteadyLandmarks, face_box
from vcam.mouth.brush import FLOATS, Brush, Place
from vcam.mouth.features import SpeechFeatures, context_ticks
from vcam.mouth.graph import captured
from vcam.mouth.knobs import MouthKnobs
from vcam.mouth.masks import original_mask
from vcam.mouth.speaking import SpeechGate
from vcam.nets.musetalk import Inpainter, SpeechEncoder, load_inpainter, load_speech


@dataclass
class PaintCounts:
    """What became of the frames, for the HUD."""

    painted: int = 0
    silent: int = 0  # nobody spoke: the renderer's mouth is right
    no_face: int = 0  # no landmarks, or none that can be used
    off_picture: int = 0  # too much of the face lies outside the picture


@dataclass
class _State:
    """What a stream remembers besides its stages' own memory."""

    gate: SpeechGate = field(default_factory=SpeechGate)
    steady: SteadyLandmarks = field(default_factory=SteadyLandmarks)
    seam: Seam | None = None  # None: nothing was painted in the frame before


class MuseTalkMouth:
    """Paints mouths with MuseTalk 1.5. Frames come oldest first and carry landmarks."""

    context: int  # ticks of sound wanted on each side of the frame

    def __init__(
        self,
        net: Inpainter,
        encoder: SpeechEncoder,
        knobs: MouthKnobs | None = None,
        compiled: bool = False,
    ) -> None:
        """Networks on one device, in the precision they shall run in.

        `compiled`: let torch.compile fuse the networks first; the first frame of each size then
        takes a minute or two. On CUDA a frame is one graph launch either way.
        """
        self._knobs = knobs or MouthKnobs()
        self._device = next(encoder.parameters()).device
        self.context = context_ticks(self._knobs.lookahead)
        self._speech = SpeechFeatures(encoder, self._knobs.lookahead)
        matched = self._knobs.blend in ("bands", "soft")
        faster = torch.compile if compiled else None
        self._brush = Brush(net, matched, faster).to(self._device).eval()
        self._strokes: dict[tuple[int, ...], Callable[..., tuple[Tensor, ...]]] = {}
        self._overflowed = torch.zeros((), dtype=torch.int64, device=self._device)
        self.counts = PaintCounts()
        self.reset()

    @classmethod
    def open(
        cls,
        folder: Path,
        knobs: MouthKnobs | None = None,
        device: str = "cuda",
        compiled: bool = True,
    ) -> MuseTalkMouth:
        """The released weights below `folder`: in half precision on CUDA, in single on the CPU.

        The CPU takes many seconds a frame: for films only. Raises DeviceError when CUDA is asked
        for and absent, WeightsError for files that are missing or wrong.
        """
        if device == "cpu":
            return cls(load_inpainter(folder), load_speech(folder), knobs)
        if not torch.cuda.is_available():
            raise DeviceError("MuseTalk needs an NVIDIA GPU with CUDA; choose mouth: passthrough")
        encoder = load_speech(folder).to(device, torch.float16)
        return cls(on_gpu(load_inpainter(folder), compiled), encoder, knobs, compiled)

    @property
    def remark(self) -> str:
        """Frames that were not painted though somebody spoke."""
        counts = {
            "without a face": self.counts.no_face,
            "with the face off the picture": self.counts.off_picture,
            "overflowed": self.overflowed,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count]
        return f"mouths not painted: {', '.join(told)}" if told else ""

    @property
    def overflowed(self) -> int:
        """Frames left unpainted because half precision overflowed in the network."""
        return int(self._overflowed)

    def reset(self) -> None:
        """Forget the voice, the face and the seam; counts go on."""
        self._speech.reset()
        self._state = _State()

    def warm_up(self, height: int, width: int) -> None:
        """Compile and capture for pictures of this size before the first one comes."""
        pixels = torch.zeros(height, width, 3, dtype=torch.uint8, device=self._device)
        self._speech.hear(AudioChunk(0, np.zeros(2 * self.context, np.float32)))
        box = FaceBox(width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        grid = np.linspace(box.left, box.right, 68, dtype=np.float32)
        place = Place(box, np.stack([grid, grid], axis=1), weight=1.0, follow=1.0)
        self._paint(pixels, place, self._speech.window(self.context))
        self.reset()

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        """Repaint the mouth of `frame`; `sound` covers `context` ticks on both sides of it.

        The frame itself comes back in silence and when its face cannot be painted; the painted
        pixels stay on the network's device, host pixels come back to the host from the CPU.
        """
        self._speech.hear(sound)
        share = self._state.gate.step(frame.at, sound)
        place = self._find(frame, share * self._knobs.strength)
        if place is None:
            self._rest()
            return frame
        pixels = torch.as_tensor(frame.pixels, device=self._device)
        painted = self._paint(pixels, place, self._speech.window(frame.at))
        self.counts.painted += 1
        on_host = isinstance(frame.pixels, np.ndarray) and self._device.type == "cpu"
        return replace(frame, pixels=painted.numpy() if on_host else painted)

    def _find(self, frame: Frame, weight: float) -> Place | None:
        """Where to paint; None, counted, when there is nothing to."""
        height, width = frame.pixels.shape[:2]
        points = _usable(frame.landmarks)
        steady = None if points is None else self._state.steady.step(points)
        box = None if steady is None else face_box(steady, height, self._knobs)
        if steady is None or box is None:
            self.counts.no_face += 1
            self._state.gate.close()  # the painted mouth fades in again when the face is back
        elif box.outside(height, width) > OUTSIDE:
            self.counts.off_picture += 1
            self._state.gate.close()
        elif weight == 0.0:
            self.counts.silent += 1
        else:
            follow = 1.0 if self._state.seam is None else FOLLOW
            return Place(box, steady, weight, follow)
        return None

    def _rest(self) -> None:
        self._state.seam = None

    @torch.inference_mode()
    def _paint(self, pixels: Tensor, place: Place, speech: Tensor) -> Tensor:
        seam = self._state.seam or self._brush.blender.rest()
        mask = original_mask(place.points, place.box, self._knobs, self._brush.side)
        row = place.row(self._knobs).to(self._device, non_blocking=True)
        arguments = (pixels, row, speech, mask.to(self._device), seam.colour, seam.gain)
        key = (*pixels.shape, mask.numel())
        if key not in self._strokes:
            self._strokes[key] = captured(self._stroke, self._device)
        painted, colour, gain, finite = self._strokes[key](*arguments)
        self._overflowed += ~finite
        self._state.seam = Seam(colour.clone(), gain.clone())
        return painted.clone()

    def _stroke(
        self, pixels: Tensor, row: Tensor, speech: Tensor, mask: Tensor, *seam: Tensor
    ) -> tuple[Tensor, ...]:
        assert row.shape == (FLOATS,), row.shape
        painted, now, finite = self._brush(pixels, row, speech, mask, Seam(*seam))
        return painted, now.colour, now.gain, finite


def on_gpu(net: Inpainter, compiled: bool) -> Inpainter:
    """The network in half precision on CUDA, in the memory layout that is fastest there.

    Channels-last wins in the UNet; in the image coder only once group norms are fused.
    """
    net = net.to("cuda", torch.float16)
    channels_last(net.unet)
    if compiled:
        channels_last(net.coder)
    return net


def channels_last(net: nn.Module) -> None:
    """Lay the weights of convolutions out with channels last; activations follow."""
    for weight in net.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)


def _usable(points: FloatArray | None) -> FloatArray | None:
    """Landmarks that are there, 68 of them, and numbers."""
    if points is None or points.shape != (68, 2) or not np.isfinite(points).all():
        return None
    return points.astype(np.float32, copy=False)

"""MuseTalk 1.5 as a mouth painter: every fresh frame of the renderer, live.

Where upstream prepares latents and masks of a looped video, vcam takes the crop's place from the
landmarks that come with the frame, and paints the difference. In silence the network sleeps and
the renderer's own mouth shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.errors import DeviceError
from vcam.media import AudioChunk, Frame
from vcam.mouth.blend import FOLLOW, Seam
from vcam.mouth.box import OUTSIDE, FaceBox, SteadyLandmarks, face_box, usable
from vcam.mouth.brush import Brush, Painted, Place
from vcam.mouth.features import SpeechFeatures, context_ticks
from vcam.mouth.graph import captured, on_gpu
from vcam.mouth.knobs import MouthKnobs
from vcam.mouth.masks import original_mask
from vcam.mouth.speaking import SpeechGate
from vcam.nets.musetalk import Inpainter, SpeechEncoder, load_inpainter, load_speech


@dataclass
class PaintCounts:
    """What became of the frames, for the HUD."""

    painted: int = 0
    held: int = 0  # the mouth painted before, put on the next picture
    silent: int = 0  # nobody spoke: the renderer's mouth is right
    no_face: int = 0  # no landmarks, or none that can be used
    off_picture: int = 0  # too much of the face lies outside the picture


@dataclass
class _State:
    """What a stream remembers besides its stages' own memory."""

    gate: SpeechGate = field(default_factory=SpeechGate)
    steady: SteadyLandmarks = field(default_factory=SteadyLandmarks)
    painting: bool = False  # the frame before shows a painted mouth
    seam: Seam | None = None
    crop: Tensor | None = None  # [1, 3, S, S], as the network painted it last


@dataclass(frozen=True, slots=True)
class _Asked:
    """All that painting one picture takes, on the device."""

    pixels: Tensor  # [h, w, 3] uint8
    place: Place
    samples: Tensor  # [1, n], the speech window


class MuseTalkMouth:
    """Paints mouths with MuseTalk 1.5. Frames come oldest first and carry landmarks."""

    context: int  # ticks of sound wanted on each side of the frame

    def __init__(
        self,
        net: Inpainter,
        encoder: SpeechEncoder,
        knobs: MouthKnobs | None = None,
        compiled: bool = False,
        batch: int = 1,
    ) -> None:
        """Networks on one device, in the precision they shall run in.

        `compiled`: let the compiler fuse the networks first; the first frame of each size then
        takes a minute or two. On CUDA a frame is one graph launch either way. `batch`: how many
        frames `step_many` paints at once; the networks then run on that many whatever they get.
        """
        self._knobs = knobs or MouthKnobs()
        self._device = next(encoder.parameters()).device
        self.context = context_ticks(self._knobs.lookahead)
        self._speech = SpeechFeatures(encoder, self._knobs.lookahead)
        self.batch = batch
        matched = self._knobs.blend in ("bands", "soft")
        self._brush = Brush(net, self._speech.listener, matched, compiled).to(self._device).eval()
        self._graphs: dict[tuple[object, ...], Callable[..., Painted]] = {}
        self._overflowed = torch.zeros((), dtype=torch.int64, device=self._device)
        self._no_masks = torch.zeros(batch, 0, device=self._device)
        self.counts = PaintCounts()
        self.reset()

    @classmethod
    def open(
        cls,
        folder: Path,
        knobs: MouthKnobs | None = None,
        device: str = "cuda",
        compiled: bool = True,
        batch: int = 1,
    ) -> MuseTalkMouth:
        """The released weights below `folder`: in half precision on CUDA, in single on the CPU.

        The CPU takes many seconds a frame: for films only. Raises DeviceError when CUDA is asked
        for and absent, WeightsError for files that are missing or wrong.
        """
        if device != "cpu" and not torch.cuda.is_available():
            raise DeviceError("MuseTalk needs an NVIDIA GPU with CUDA; choose mouth: passthrough")
        networks = load_inpainter(folder), load_speech(folder)
        return cls.of(*networks, knobs, torch.device(device), compiled, batch)

    @classmethod
    def of(
        cls,
        net: Inpainter,
        encoder: SpeechEncoder,
        knobs: MouthKnobs | None,
        device: torch.device,
        compiled: bool = True,
        batch: int = 1,
    ) -> MuseTalkMouth:
        """Networks as they are loaded: in half precision on CUDA, in single on the CPU.

        The CPU paints one by one whatever the `batch`: it gains nothing from more.
        """
        if device.type == "cpu":
            return cls(net.float(), encoder.float(), knobs)
        encoder = encoder.to(device, torch.float16)
        return cls(on_gpu(net, compiled), encoder, knobs, compiled, batch)

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
        box = FaceBox(width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        grid = np.linspace(box.left, box.right, 68, dtype=np.float32)
        place = Place(box, np.stack([grid, grid], axis=1), weight=1.0, follow=1.0)
        self._paint([_Asked(pixels, place, self._speech.samples)])
        self._repeat(pixels, place)
        self.reset()

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        """Repaint the mouth of `frame`; `sound` covers `context` ticks on both sides of it.

        The frame itself comes back in silence and when its face cannot be painted; the painted
        pixels stay on the network's device, host pixels come back to the host from the CPU.
        """
        return self.step_many([frame], [sound])[0]

    def step_many(self, frames: Sequence[Frame], sounds: Sequence[AudioChunk]) -> list[Frame]:
        """What `step` gives for each in turn, painted `batch` at a time: for work without a clock.

        All of one size. On CUDA batches round differently: pictures agree to over 50 dB.
        """
        painted = []
        for start in range(0, len(frames), self.batch):
            some = slice(start, start + self.batch)
            painted += self._painted(frames[some], sounds[some])
        return painted

    def hold(self, frame: Frame, sound: AudioChunk) -> Frame:
        """`frame` with the mouth that was painted last, at its place: a twentieth of the work.

        For frames in between when there is no time to paint all. The frame itself comes back where
        `step` would give it, and where nothing was painted in the frame before.
        """
        going_on = self._state.painting
        place = self._listen(frame, sound)
        if place is None:
            return frame
        if not going_on:
            self._state.painting = False
            self._state.gate.close()  # the next painted mouth fades in from nothing
            return frame
        self.counts.held += 1
        return self._repainted(frame, self._repeat(self._here(frame), place))

    def _painted(self, frames: Sequence[Frame], sounds: Sequence[AudioChunk]) -> list[Frame]:
        """At most `batch` frames, those painted that can be and shall be."""
        asked = [self._ask(frame, sound) for frame, sound in zip(frames, sounds, strict=True)]
        wanted = [each for each in asked if each is not None]
        fresh = iter(self._paint(wanted) if wanted else ())
        self.counts.painted += len(wanted)
        return [
            frame if each is None else self._repainted(frame, next(fresh))
            for frame, each in zip(frames, asked, strict=True)
        ]

    def _ask(self, frame: Frame, sound: AudioChunk) -> _Asked | None:
        """What it takes to paint `frame`; None when it stays as it is."""
        place = self._listen(frame, sound)
        if place is None:
            return None
        # In a batch each frame hears no more than it would alone.
        samples = self._speech.samples if self.batch == 1 else self._speech.samples.clone()
        return _Asked(self._here(frame), place, samples)

    def _listen(self, frame: Frame, sound: AudioChunk) -> Place | None:
        """Hear on and look where to paint; None when there is nothing to."""
        self._speech.hear(sound)
        share = self._state.gate.step(frame.at, sound)
        place = self._find(frame, share * self._knobs.strength)
        self._state.painting = place is not None
        return place

    def _here(self, frame: Frame) -> Tensor:
        return torch.as_tensor(frame.pixels, device=self._device)

    def _repainted(self, frame: Frame, pixels: Tensor) -> Frame:
        on_host = isinstance(frame.pixels, np.ndarray) and self._device.type == "cpu"
        return replace(frame, pixels=pixels.numpy() if on_host else pixels)

    def _find(self, frame: Frame, weight: float) -> Place | None:
        """Where to paint; None, counted, when there is nothing to."""
        height, width = frame.pixels.shape[:2]
        points = usable(frame.landmarks)
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
            follow = FOLLOW if self._state.painting else 1.0
            return Place(box, steady, weight, follow, self._speech.span(frame.at))
        return None

    @torch.inference_mode()
    def _paint(self, asked: Sequence[_Asked]) -> list[Tensor]:
        """The pixels [h, w, 3] of at most `batch` pictures, painted."""
        count = len(asked)
        full = [*asked, *[asked[-1]] * (self.batch - count)]
        places = np.stack([each.place.row(self._knobs) for each in full])
        places[count:, -1] = 0.0  # what only fills the batch leaves the seam as it is
        pixels = _stacked([each.pixels for each in full])
        samples = torch.cat([each.samples for each in full])
        masks = self._masks([each.place for each in full])
        painted = self._run(self._brush, pixels, torch.from_numpy(places), samples, masks)
        self._state.crop = painted.crops[count - 1 : count]
        self._overflowed += painted.lost[:count].sum()
        return list(painted.pixels[:count].unbind())

    @torch.inference_mode()
    def _repeat(self, pixels: Tensor, place: Place) -> Tensor:
        """The pixels [h, w, 3] with the crop that was painted last."""
        assert self._state.crop is not None
        row = torch.from_numpy(place.row(self._knobs))[None]
        masks = self._masks([place])
        again = self._run(self._brush.again, pixels[None], row, self._state.crop, masks)
        self._overflowed += again.lost[0]
        return again.pixels[0]

    def _run(self, function: Callable[..., Painted], pixels: Tensor, *rest: Tensor) -> Painted:
        """`function` as a graph of its own for each size; keeps the seam it leaves."""
        seam = self._state.seam or self._brush.blender.rest()
        key = (function == self._brush, *pixels.shape)
        if key not in self._graphs:
            self._graphs[key] = captured(function, self._device)
        results = self._graphs[key](pixels, *rest, seam.colour, seam.gain)
        painted = Painted(*(each.clone() for each in results))  # others' graphs may overwrite it
        self._state.seam = Seam(painted.colour, painted.gain)
        return painted

    def _masks(self, places: Sequence[Place]) -> Tensor:
        """MuseTalk's own masks [B, S, S] where they are asked for, else [B, 0]."""
        knobs, side = self._knobs, self._brush.side
        drawn = [original_mask(place.points, place.box, knobs, side) for place in places]
        masks = [mask for mask in drawn if mask is not None]
        return torch.stack(masks).to(self._device) if masks else self._no_masks[: len(places)]


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Along a new first axis; one alone is not copied."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))

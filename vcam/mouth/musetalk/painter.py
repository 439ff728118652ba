"""MuseTalk 1.5 as a mouth painter: every fresh frame of the renderer, live.

Where upstream prepares latents and masks of a looped video, vcam takes the crop's place from the
landmarks that come with the frame, and paints the difference. In silence the network sleeps and
the renderer's own mouth shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.errors import DeviceError
from vcam.media import AudioChunk, Frame
from vcam.mouth.musetalk.asked import Asked, Stream, batched
from vcam.mouth.musetalk.blend import FOLLOW, Seam
from vcam.mouth.musetalk.box import OUTSIDE, FaceBox, face_box, usable
from vcam.mouth.musetalk.coders import Manner, manners, needed
from vcam.mouth.musetalk.features import SpeechFeatures, context_ticks
from vcam.mouth.musetalk.graph import captured, on_gpu
from vcam.mouth.musetalk.inpainter import CropInpainter, Painted, Place
from vcam.mouth.musetalk.masks import original_mask
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.mouth.musetalk.tally import PaintCounts
from vcam.nets.musetalk import Inpainter, SpeechEncoder, load_inpainter, load_speech


class MuseTalkMouth:
    """Paints mouths with MuseTalk 1.5. Frames come oldest first and carry landmarks."""

    context: int  # ticks of sound wanted on each side of the frame

    def __init__(
        self,
        net: Inpainter,
        encoder: SpeechEncoder,
        settings: MouthSettings | None = None,
        compiled: bool = False,
        batch: int = 1,
    ) -> None:
        """Networks on one device, in the precision they shall run in.

        `compiled`: let the compiler fuse the networks first; the first frame of each size then
        takes a minute or two. On CUDA a frame is one graph launch either way. `batch`: how many
        frames `step_many` paints at once; the networks then run on that many whatever they get.
        """
        self._settings = settings or MouthSettings()
        net = needed(net, self._settings.coder)
        self.manners = manners(net, self._settings.coder, self._settings.reference)
        self.manner = self.manners[0]  # of painting; whoever steps may change it between two
        self._device = next(encoder.parameters()).device
        self.context = context_ticks(self._settings.lookahead)
        self._speech = SpeechFeatures(encoder, self._settings.lookahead)
        self.batch = batch
        matched = self._settings.blend in ("bands", "soft")
        self._inpainter = (
            CropInpainter(net, self._speech.listener, matched, compiled).to(self._device).eval()
        )
        self._graphs: dict[tuple[object, ...], Callable[..., Painted]] = {}
        self._overflowed = torch.zeros((), dtype=torch.int64, device=self._device)
        self._no_masks = torch.zeros(batch, 0, device=self._device)
        self.counts = PaintCounts()
        self.reset()

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: MouthSettings | None = None,
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
        return cls.of(*networks, settings, torch.device(device), compiled, batch)

    @classmethod
    def of(
        cls,
        net: Inpainter,
        encoder: SpeechEncoder,
        settings: MouthSettings | None,
        device: torch.device,
        compiled: bool = True,
        batch: int = 1,
    ) -> MuseTalkMouth:
        """Networks as they are loaded: in half precision on CUDA, in single on the CPU.

        The CPU paints one by one whatever the `batch`: it gains nothing from more.
        """
        net = needed(net, (settings or MouthSettings()).coder)
        if device.type == "cpu":
            return cls(net.float(), encoder.float(), settings)
        encoder = encoder.to(device, torch.float16)
        return cls(on_gpu(net, compiled), encoder, settings, compiled, batch)

    @property
    def remark(self) -> str:
        """Frames that were not painted though somebody spoke."""
        return self.counts.remark(self.overflowed)

    @property
    def overflowed(self) -> int:
        """Frames left unpainted because half precision overflowed in the network."""
        return int(self._overflowed)

    @property
    def details(self) -> int:
        """Ways to paint besides the best."""
        return len(self.manners) - 1

    def soften(self, detail: int) -> None:
        """Paint in the best way, or so many steps below it."""
        self.manner = self.manners[min(detail, self.details)]

    def reset(self) -> None:
        """Forget the voice, the face and the seam; counts go on."""
        self._speech.reset()
        self._state = Stream()

    def warm_up(self, height: int, width: int) -> None:
        """Compile and capture for pictures of this size before the first one comes."""
        pixels = torch.zeros(height, width, 3, dtype=torch.uint8, device=self._device)
        box = FaceBox(width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        grid = np.linspace(box.left, box.right, 68, dtype=np.float32)
        place = Place(box, np.stack([grid, grid], axis=1), weight=1.0, follow=1.0)
        asked = [Asked(pixels, place, self._speech.samples)]
        for way in self.manners if self.batch == 1 else self.manners[:1]:  # films never soften
            self._strokes(asked, way, None)
            if way.lasting > 1 and self.batch == 1:
                self._strokes(asked, way, self._state.reference.latents)
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

    def _ask(self, frame: Frame, sound: AudioChunk) -> Asked | None:
        """What it takes to paint `frame`; None when it stays as it is."""
        place = self._listen(frame, sound)
        if place is None:
            return None
        # In a batch each frame hears no more than it would alone.
        samples = self._speech.samples if self.batch == 1 else self._speech.samples.clone()
        return Asked(self._here(frame), place, samples)

    def _listen(self, frame: Frame, sound: AudioChunk) -> Place | None:
        """Hear on and look where to paint; None when there is nothing to."""
        self._speech.hear(sound)
        share = self._state.gate.step(frame.at, sound)
        place = self._find(frame, share * self._settings.strength)
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
        box = None if steady is None else face_box(steady, height, self._settings)
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

    def _paint(self, asked: Sequence[Asked]) -> list[Tensor]:
        """The pixels [h, w, 3] of at most `batch` pictures, painted."""
        way, kept, place = self.manner, self._state.reference, asked[-1].place
        if way.lasting == 1 or self.batch > 1:
            return self._strokes(asked, way, None)
        serves = kept.serves(place.box, place.points, way.lasting)
        return self._strokes(asked, way, kept.latents if serves else None)

    @torch.inference_mode()
    def _strokes(
        self, asked: Sequence[Asked], way: Manner, reference: Tensor | None
    ) -> list[Tensor]:
        """The same with this reference [1, 4, s, s], or with one of their own."""
        count = len(asked)
        places = [each.place for each in asked]
        masks = self._masks([*places, *[places[-1]] * (self.batch - count)])
        inputs = (*batched(asked, self.batch, self._settings), masks)
        stroke = partial(self._inpainter, manner=way)
        given = () if reference is None else (reference,)
        painted = self._run((way.parts, len(given)), stroke, inputs, given)
        self._state.crop = painted.crops[count - 1 : count]
        self._overflowed += painted.lost[:count].sum()
        if way.lasting > 1 and self.batch == 1:
            self._keep_reference(painted, asked[-1].place, reference is None)
        return list(painted.pixels[:count].unbind())

    def _keep_reference(self, painted: Painted, place: Place, made: bool) -> None:
        kept = self._state.reference
        if made:
            kept.made(painted.reference, place.box, place.points)
        kept.painted(painted.light[0])

    @torch.inference_mode()
    def _repeat(self, pixels: Tensor, place: Place) -> Tensor:
        """The pixels [h, w, 3] with the crop that was painted last."""
        assert self._state.crop is not None
        row = torch.from_numpy(place.row(self._settings))[None]
        masks = self._masks([place])
        inputs = (pixels[None], row, self._state.crop, masks)
        again = self._run(("again",), self._inpainter.again, inputs)
        self._overflowed += again.lost[0]
        return again.pixels[0]

    def _run(
        self,
        name: tuple[object, ...],
        function: Callable[..., Painted],
        inputs: tuple[Tensor, ...],
        more: tuple[Tensor, ...] = (),
    ) -> Painted:
        """`function` as a graph of its own for each size of pictures; keeps the seam it leaves."""
        seam = self._state.seam or self._inpainter.blender.rest()
        key = (*name, *inputs[0].shape)
        if key not in self._graphs:
            self._graphs[key] = captured(function, self._device)
        results = self._graphs[key](*inputs, seam.colour, seam.gain, *more)
        painted = Painted(*(each.clone() for each in results))  # others' graphs may overwrite it
        self._state.seam = Seam(painted.colour, painted.gain)
        return painted

    def _masks(self, places: Sequence[Place]) -> Tensor:
        """MuseTalk's own masks [B, S, S] where they are asked for, else [B, 0]."""
        settings, side = self._settings, self._inpainter.side
        drawn = [original_mask(place.points, place.box, settings, side) for place in places]
        masks = [mask for mask in drawn if mask is not None]
        return torch.stack(masks).to(self._device) if masks else self._no_masks[: len(places)]

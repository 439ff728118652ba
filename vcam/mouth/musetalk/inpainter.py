"""One stroke: pictures, places and speech -> pictures with the mouth repainted, on one device.

The whole stroke has fixed shapes, so that it can be captured as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from vcam.gpu.compile_cache import CompileCached
from vcam.gpu.compiled import plain
from vcam.media import FloatArray
from vcam.mouth.musetalk.blend import Blender, Masks, Seam, face_masks
from vcam.mouth.musetalk.box import FaceBox
from vcam.mouth.musetalk.coders import EXACT, Manner
from vcam.mouth.musetalk.features import Listener, Span
from vcam.mouth.musetalk.fused_tiny import FusedTiny
from vcam.mouth.musetalk.graph import tensor_cores
from vcam.mouth.musetalk.sampling import apart, crop_matrix, paste_matrix
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.nets.musetalk import Inpainter

CHEEK_UNITS = 512 / 1.5  # the cheek settings count in 512ths of the expanded crop, 1.5 boxes wide
_POINTS = slice(4, 4 + 68 * 2)
FLOATS = _POINTS.stop + 6  # a place as one row, so that it travels in one copy

SILENCE = Span(0, 0)

Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how strongly to paint one picture, and what it hears."""

    box: FaceBox
    points: FloatArray  # [68, 2] pixels
    weight: float  # 0..1
    follow: float  # 0..1, of this picture's own seam correction
    heard: Span = SILENCE

    def row(self, settings: MouthSettings) -> FloatArray:
        """[FLOATS]: box, landmarks in shares of it, cheeks likewise, span, weight, follow."""
        box, row = self.box, np.empty(FLOATS, np.float32)
        row[:4] = box.left, box.top, box.width, box.height
        row[_POINTS] = ((self.points - row[:2]) / row[2:4]).ravel()
        side = max(box.width, box.height) / box.width / CHEEK_UNITS
        row[-6:-4] = settings.left_cheek * side, settings.right_cheek * side
        row[-4:] = self.heard.first, self.heard.end, self.weight, self.follow
        return row


class Painted(NamedTuple):
    """What a stroke leaves behind."""

    pixels: Tensor  # [B, h, w, 3] uint8
    colour: Tensor  # the seam's, after the last picture
    gain: Tensor
    lost: Tensor  # [B] int64: 1 where the network overflowed; the pixels are those given
    crops: Tensor  # [B, 3, S, S], what the network painted
    reference: Tensor  # [B, 4, s, s], of the whole crops; of a crop painted before: none
    light: Tensor  # [B, 3], mean colours of the crops' upper halves


class CropInpainter(nn.Module):
    """The in-painting network with its hearing, crop, masks and blend."""

    def __init__(
        self,
        net: Inpainter,
        listener: Listener,
        matched: bool,
        faster: bool = False,
    ) -> None:
        """`faster`: each part compiled."""
        super().__init__()
        self.net, self.listener = net, listener
        self.side = net.coder.side
        self.blender = Blender(self.side, matched)

        def wrap(function: Function, owner: nn.Module | None, scaled: bool = False) -> Function:
            if not faster:
                return function
            scale = f" {net.coder.scale}" if scaled else ""
            return CompileCached(function, owner, f"{matched} {self.side}{scale}")

        listener.encode = wrap(listener.encoder.forward, listener.encoder)
        self.encode = wrap(net.coder.encode, net.coder, scaled=True)
        self.inpaint = wrap(net.unet.forward, net.unet)
        self.decode = wrap(net.picture, net.coder, scaled=True)
        if net.tiny is not None and faster and not plain():
            self.few = FusedTiny(net.tiny)
            self.encode_tiny = wrap(self.few.encode, self.few)
            self.decode_tiny = wrap(self.few.picture, self.few)
        elif net.tiny is not None:
            self.encode_tiny, self.decode_tiny = net.tiny.encode, net.tiny_picture
        self.cut, self.mix = wrap(self._cut, None), wrap(self._mix, self.blender)
        on_gpu = listener.places.is_cuda
        self._aside = torch.cuda.Stream(listener.places.device) if on_gpu else None  # type: ignore[no-untyped-call]  # torch leaves it bare

    def forward(
        self,
        pixels: Tensor,
        places: Tensor,
        samples: Tensor,
        masks: Tensor,
        colour: Tensor,
        gain: Tensor,
        reference: Tensor | None = None,
        manner: Manner = EXACT,
    ) -> Painted:
        """pixels [B, h, w, 3] uint8, places [B, FLOATS], samples [B, n] at 16 kHz.

        `masks` [B, S, S] replace the masks drawn from the landmarks, unless they are empty; the
        seam's colour and gain are those before the first picture, which the next ones take over in
        turn. The speech encoder works beside the image encoder. `reference` [B, 4, s, s] is used
        instead of what the whole crops would be encoded to.
        """
        speech = self._listened(samples, places)
        with tensor_cores():
            crops, both = self.cut(pixels, places)
        both = both.to(self.listener.places.dtype)
        # In one layout, whoever encoded: a compiled network is one for each layout of its inputs.
        latents = self.net.paired(self._encoded(both, reference, manner)).contiguous()
        self._join()
        decode = self.decode_tiny if manner.decoder else self.decode
        painted = decode(self.inpaint(latents, speech))
        outs, losses, seam = [], [], [colour, gain]
        with tensor_cores():
            for each in zip(pixels, places, crops, painted, masks, strict=True):
                out, *seam, lost = self.mix(*each, *seam)
                outs.append(out)
                losses.append(lost)
        light = crops[:, :, : self.side // 2].mean(dim=(2, 3))
        used = latents.chunk(2, dim=1)[1]
        pixels, lost = torch.stack(outs), torch.stack(losses)
        return Painted(pixels, seam[0], seam[1], lost, painted, used, light)

    def _encoded(self, both: Tensor, reference: Tensor | None, manner: Manner) -> Tensor:
        """Latents [2 B, 4, s, s] of masked and whole crops [2 B, 3, S, S], these if need be."""
        first, second = (
            self.encode_tiny if tiny else self.encode for tiny in (manner.masked, manner.whole)
        )
        if reference is None and manner.masked == manner.whole:
            out: Tensor = first(both)
            return out
        masked, whole = both.chunk(2)
        latents = second(whole) if reference is None else reference
        return torch.cat([first(masked), latents])

    def again(
        self, pixels: Tensor, place: Tensor, painted: Tensor, mask: Tensor, *seam: Tensor
    ) -> Painted:
        """A crop painted before, `painted` [1, 3, S, S], blended into another picture [1, h, w, 3].

        Everything else as in `forward`, without its networks.
        """
        with tensor_cores():
            crops, _ = self.cut(pixels, place)
            out, colour, gain, lost = self.mix(
                pixels[0], place[0], crops[0], painted[0], mask[0], *seam
            )
        none = painted[:, 0, :0, 0]
        return Painted(out[None], colour, gain, lost[None], painted, none, none)

    def _listened(self, samples: Tensor, places: Tensor) -> Tensor:
        """Tokens [B, 10 s, width], being made on a stream of their own where there are streams."""
        if self._aside is None:
            return self._tokens(samples, places)
        self._aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._aside):
            return self._tokens(samples, places)

    def _tokens(self, samples: Tensor, places: Tensor) -> Tensor:
        first, end = places[:, -4].long(), places[:, -3].long()
        tokens: Tensor = self.listener(samples, first, end)
        return tokens

    def _join(self) -> None:
        if self._aside is not None:
            torch.cuda.current_stream().wait_stream(self._aside)

    def _cut(self, pixels: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """The crops [B, 3, S, S] in 0..1, and what is encoded of them [2 B, 3, S, S]."""
        height, width = pixels.shape[1:3]
        crops = []
        for picture, place in zip(pixels, places, strict=True):
            rows = crop_matrix(place[1], place[3], self.side, height)
            columns = crop_matrix(place[0], place[2], self.side, width)
            crops.append(apart(picture.permute(2, 0, 1).float() / 255.0, rows, columns))
        crop = torch.stack(crops).clamp(0.0, 1.0)
        return crop, self.net.views(crop)

    def _mix(
        self,
        pixels: Tensor,
        place: Tensor,
        crop: Tensor,
        painted: Tensor,
        mask: Tensor,
        colour: Tensor,
        gain: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The painted crop [3, S, S] blended into the picture."""
        finite = painted.isfinite().all()
        painted = torch.where(finite, painted.float(), crop)
        cheeks, weight, follow = place[-6:-4], place[-2], place[-1]
        masks = (
            Masks(mask, mask, mask)
            if mask.numel()
            else face_masks(place[_POINTS].view(-1, 2), cheeks, self.side)
        )
        change, seam = self.blender(crop, painted, masks, Seam(colour, gain), follow)
        pasted = self._pasted(pixels, place, torch.cat([change, crop, masks.lips[None]]))
        picture = pixels.permute(2, 0, 1).float() / 255.0
        # Under the lips the picture's finer detail is the old mouth's: take it out as well.
        old_detail = pasted[6] * (picture - pasted[3:6])
        new = picture + weight * (pasted[:3] - old_detail)
        out = torch.where(finite, new, picture).clamp(0.0, 1.0) * 255.0
        pixels = out.round().byte().permute(1, 2, 0).contiguous()
        return pixels, seam.colour, seam.gain, (~finite).long()

    def _pasted(self, pixels: Tensor, place: Tensor, crops: Tensor) -> Tensor:
        """crops [C, S, S] at their place in a picture [C, h, w], zero elsewhere."""
        height, width, _ = pixels.shape
        rows = paste_matrix(place[1], place[3], self.side, height)
        columns = paste_matrix(place[0], place[2], self.side, width)
        return apart(crops, rows, columns)

"""The eager path that the MuseTalk benchmark measures the painter against."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from vcam.media import Frame
from vcam.mouth import original
from vcam.mouth.box import face_box
from vcam.mouth.knobs import MouthKnobs
from vcam.nets import musetalk as nets


class UpstreamPath:
    """The same networks as upstream runs them: eager, encodes in turn, paste on the CPU."""

    def __init__(
        self, net: nets.Inpainter, speech: nets.SpeechEncoder, frame: Callable[[int], Frame]
    ) -> None:
        weight = speech.embed_positions.weight
        self.net, self.frame = net, frame
        self.device, self.dtype = weight.device, weight.dtype
        tokens = nets.WINDOW * (len(speech.layers) + 1)
        shape = (1, tokens, weight.shape[1])
        self.speech = torch.randn(shape, device=self.device, dtype=self.dtype)
        self.took: dict[str, list[float]] = {}

    @torch.inference_mode()
    def __call__(self, index: int) -> np.ndarray:
        """Paint one frame, noting how long each part took."""
        coder, frame = self.net.coder, self.frame(index)
        height, width = frame.pixels.shape[:2]
        box = face_box(frame.landmarks, height, MouthKnobs()).whole(height, width)
        crop = original.crop_face(frame.pixels, box, coder.side)
        with self._part("encode x2"):
            pixels = torch.from_numpy((crop / 255.0).astype(np.float32)).permute(2, 0, 1)[None]
            pixels = pixels.to(self.device, self.dtype)
            latents = [coder.encode(nets.masked(pixels)), coder.encode(pixels * 2 - 1)]
        with self._part("UNet"):
            out = self.net.unet(torch.cat(latents, dim=1), self.speech)
        with self._part("decode"):
            image = (self.net.picture(out)[0].float() * 255).round().byte()
            face = image.permute(1, 2, 0).cpu().numpy()
        with self._part("blend"):
            square = original.expanded_box(box)
            mask = np.full((square[3] - square[1], square[2] - square[0]), 128, np.uint8)
            return original.paste_face(frame.pixels, face, box, mask)

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[None]:
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.took.setdefault(name, []).append(1000 * (time.perf_counter() - start))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

"""The same networks as their authors run them, for comparison: eager, one after the other.

ARTalk and GAGAvatar in float32, MuseTalk in half precision; every stage hands its result to the
host, where upstream crops and blends with OpenCV and Pillow.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from vcam.media import Frame, Image
from vcam.motion.artalk.sliding import CHANNELS, WINDOW
from vcam.mouth.musetalk import original
from vcam.mouth.musetalk.box import face_box
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.nets import musetalk as nets
from vcam.nets.artalk import SAMPLES, ArtalkNet


class EagerMotion:
    """ARTalk's plain network, a window at a time."""

    def __init__(self, net: ArtalkNet, device: torch.device) -> None:
        self._net = net.to(device)
        self._past = torch.zeros(1, WINDOW, CHANNELS, device=device)
        noise = np.random.default_rng(0).normal(0, 0.05, (1, SAMPLES)).astype(np.float32)
        self._audio = torch.from_numpy(noise)
        self._device = device

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """One hop of talk mode: sound from the host in, motion [1, 100, 106] on the host out."""
        style = self._net.style(None)
        motion = self._net.decode(self._audio.to(self._device), self._past, style, soft=1)
        return motion.cpu()


class EagerMouth:
    """MuseTalk's own path: encodes in turn, a blend on the CPU."""

    def __init__(
        self,
        net: nets.Inpainter,
        speech: nets.SpeechEncoder,
        device: torch.device,
        part: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    ) -> None:
        """Networks as they are loaded; half precision on CUDA. `part` is entered for each step:
        encode x2, speech, UNet, decode, blend."""
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._net, self._whisper = net.to(device, dtype), speech.to(device, dtype)
        self._mel = nets.LogMel(speech.conv1.weight.shape[1]).to(device)
        self._sound = torch.randn(1, nets.SEGMENT, device=device) * 0.05
        self._device, self._dtype, self._part = device, dtype, part

    @torch.inference_mode()
    def __call__(self, frame: Frame) -> Image:
        """A frame on the host with its mouth repainted."""
        assert isinstance(frame.pixels, np.ndarray), type(frame.pixels)
        assert frame.landmarks is not None
        height, width = frame.pixels.shape[:2]
        found = face_box(frame.landmarks, height, MouthSettings())
        assert found is not None
        box = found.whole(height, width)
        crop = original.crop_face(frame.pixels, box, self._net.coder.side)
        face = self._painted(crop)
        with self._part("blend"):
            square = original.expanded_box(box)
            mask = np.full((square[3] - square[1], square[2] - square[0]), 128, np.uint8)
            return original.paste_face(frame.pixels, face, box, mask)

    @torch.inference_mode()
    def listen(self) -> Tensor:
        """Whisper over its 30 seconds -> the tokens of a frame [1, 10 s, width]."""
        states = self._whisper(self._mel(self._sound).to(self._dtype))[0]
        return nets.speech_window(states, 100)[None]

    def _painted(self, crop: Image) -> Image:
        coder, part = self._net.coder, self._part
        with part("encode x2"):
            pixels = torch.from_numpy((crop / 255.0).astype(np.float32)).permute(2, 0, 1)[None]
            pixels = pixels.to(self._device, self._dtype)
            latents = [coder.encode(nets.masked(pixels)), coder.encode(pixels * 2 - 1)]
        with part("speech"):
            speech = self.listen()
        with part("UNet"):
            out = self._net.unet(torch.cat(latents, dim=1), speech)
        with part("decode"):
            image = (self._net.picture(out)[0].float() * 255).round().byte()
            face: Image = image.permute(1, 2, 0).cpu().numpy()
        return face

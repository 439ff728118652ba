"""The renderer: sound, a pose and a blink -> a frame of one person, by GaussianTalker.

Its mouth follows the sound itself (`rows`, `letters`); of a motion it takes the head, for which a
recorded frame stands (`replay`), and the tick. Its torso and room are pictures of that frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vcam.audio.resample import Decimator
from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import AudioChunk, FloatArray, Frame, Image, Motion
from vcam.nets.gaussiantalker import GaussianTalkerNet, Offsets
from vcam.render.gaussiantalker import poses, rows
from vcam.render.gaussiantalker.blinks import Blinks
from vcam.render.gaussiantalker.identity import TalkerIdentity
from vcam.render.gaussiantalker.points import Resting, moved, posed
from vcam.render.gaussiantalker.replay import Replay
from vcam.render.gaussiantalker.rows import ROW, FrontEnd, Rows
from vcam.render.splat.choose import Splatting
from vcam.render.splat.cloud import Cloud, covariances
from vcam.render.splat.coloured import coloured
from vcam.render.splat.harmonics import colours
from vcam.system import opencv as cv2

_KEPT = 64  # composed backgrounds, in float32: 200 MB at 512x512


@dataclass(frozen=True, slots=True)
class Moment:
    """What a picture is made of, on the host."""

    windows: Tensor  # [8, C, 16]
    openness: float  # of the eye code
    pose: int  # the recorded frame


class PaintStep:
    """Tokens' ingredients and a camera -> head in front of a background, on the device."""

    def __init__(
        self,
        identity: TalkerIdentity,
        net: GaussianTalkerNet,
        device: torch.device,
        splatting: Splatting,
        half: bool = False,
    ) -> None:
        """`half`: what is computed for every point in float16, over 55 dB against float32. The
        network is moved and converted in place."""
        self._net = net
        self._rest = Resting(*(value.to(device) for value in identity.rest))
        features = net.features(self._rest.points)
        self._dtype = torch.float16 if half else torch.float32
        self._queries = net.queries(features).to(self._dtype)
        self._features = features.to(self._dtype)
        for part in net.pointwise:
            part.to(self._dtype)
        self._splatter = coloured(
            identity.camera.whole,
            len(self._rest.points),
            device,
            splatting,
        )
        self.capturable = self._splatter.capturable

    def __call__(self, windows: Tensor, openness: Tensor, view: Tensor, behind: Tensor) -> Tensor:
        """windows [8, C, 16], openness [], view [3, 4], behind [H, W, 3] float
        0..255 -> [H, W, 3] uint8.

        Bytes are cut off, not rounded, as the original writes them.
        """
        tokens = self._net.tokens(windows, openness, poses.camera_numbers(view))
        by = self._net.deform(self._features, self._queries, tokens.to(self._dtype))
        now = posed(moved(self._rest, Offsets(*(offset.float() for offset in by))))
        seen = Cloud(
            now.points,
            covariances(now.scales, now.rotations),
            now.opacities,
            colours(now.harmonics, now.points, poses.centre(view)),
        )
        head, coverage = self._splatter.draw(seen, view)
        picture = head.permute(1, 2, 0) + (1 - coverage[..., None]) * (behind / 255)
        return (picture.clamp(0, 1) * 255).to(torch.uint8)


def behind(torso: Image, room: Image) -> FloatArray:
    """torso [H, W, 4] over room [H, W, 3] -> what is behind the head, [H, W, 3] float 0..255."""
    alpha = torso[..., 3:] / np.float32(255)
    mixed = torso[..., :3] * alpha + room * (1 - alpha)
    return mixed.astype(np.float32)


class GaussianTalkerRenderer:
    """One person, drawn by GaussianTalker. Takes any motion and is `Listening`."""

    def __init__(
        self,
        identity: TalkerIdentity,
        front: FrontEnd,
        size: int,
        device: torch.device,
        last_blink: Callable[[int], int | None],
        room: Image | None = None,
        splatting: Splatting = "auto",
        half: bool = True,
    ) -> None:
        """`room` [H, W, 3] stands in place of the video's own; `size` is the frame's side.
        `half` is for a GPU; a CPU works in float32.

        `last_blink` says when the newest blink before a tick began (`vcam.motion.idle`).
        """
        self.delay = rows.look_ahead(front)
        self._front, self._device, self._size = front, device, size
        self._camera = identity.camera
        self._recording, self._landmarks = identity.recording, identity.landmarks
        self._views = poses.views(identity.recording.euler, identity.recording.translation)
        self._room = identity.room.numpy() if room is None else room
        self._last_blink, self._blinks = last_blink, Blinks(identity.blinks.double().numpy())
        self._replay = Replay(identity.recording.euler)
        self._decimator, self._rows = Decimator(), Rows(front.channels, device)
        with torch.inference_mode():
            net = identity.net.to(device)
            paint = PaintStep(identity, net, device, splatting, half and device.type == "cuda")
        self._paint = cuda_graph(paint, device.type == "cuda" and paint.capturable)
        self._behind = lru_cache(maxsize=_KEPT)(self._composed)
        self.reset()
        self._draw(Moment(self._rows.windows(0), self._blinks.rest, 0))  # compile and record

    def reset(self) -> None:
        """Forget everything heard and drawn."""
        self._start: int | None = None
        self._decimator.reset()
        self._front.reset()
        self._rows.reset()
        self._replay.reset()

    def hear(self, sound: AudioChunk) -> None:
        """See `Listening.hear`."""
        if self._start is None:
            self._start = sound.start
        self._rows.add(self._front.hear(self._decimator.step(sound.samples)))

    def step(self, motion: Motion) -> Frame:
        """Draw the person as the sound around `motion` makes them speak."""
        head = np.nan_to_num(motion.head, posinf=0, neginf=0)
        place = (motion.at - (self._start or 0)) / ROW
        pose = self._replay.choose(head, motion.at)
        openness = self._blinks.at(motion.at, self._last_blink(motion.at))
        moment = Moment(self._rows.windows(place), openness, pose)
        return Frame(motion.at, self._framed(self._draw(moment)), self._marks(pose))

    def _draw(self, moment: Moment) -> Tensor:
        """[H, W, 3] uint8 on the device; the next one overwrites it."""
        to = self._device
        with torch.inference_mode():
            return self._paint(
                moment.windows.to(to),
                torch.tensor(moment.openness, dtype=torch.float64, device=to),
                self._views[moment.pose].to(to),
                self._behind(moment.pose),
            )

    def _composed(self, pose: int) -> Tensor:
        """The torso of a recorded frame over the room, [H, W, 3] float 0..255 on the device."""
        mixed = behind(self._recording.torso(pose), self._room)
        return torch.from_numpy(mixed).to(self._device)

    def _framed(self, picture: Tensor) -> Image:
        """The middle square of a picture, at the size asked for."""
        top, left, side = self._square()
        square: Image = picture[top : top + side, left : left + side].cpu().numpy()
        if side == self._size:
            return square.copy()
        how = cv2.INTER_AREA if side > self._size else cv2.INTER_CUBIC
        resized: Image = cv2.resize(square, (self._size, self._size), interpolation=how)
        return resized

    def _square(self) -> tuple[int, int, int]:
        side = min(self._camera.width, self._camera.height)
        return (self._camera.height - side) // 2, (self._camera.width - side) // 2, side

    def _marks(self, pose: int) -> FloatArray | None:
        if self._landmarks is None:
            return None
        top, left, side = self._square()
        marks = self._landmarks[pose].numpy() - np.array([left, top], np.float32)
        scaled: FloatArray = ((marks + 0.5) * (self._size / side) - 0.5).astype(np.float32)
        return scaled

"""The neural renderer: FLAME motion -> a photoreal frame of one person, by GAGAvatar.

Once for an identity, the network turns a photo into Gaussians (`identity`). For each frame, FLAME
poses the head's points, the head's rotation moves the camera, the Gaussians are splatted to 32
channels (`splat`) and the StyleUNet makes the picture. On a GPU both halves of a frame are CUDA
graphs, and the StyleUNet runs in half precision, channels last, optionally compiled.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.errors import DeviceError
from vcam.flame import JAW, JOINTS, FlameHead, FlameModel, rotation_matrices, yaw_of
from vcam.graphed import graphed
from vcam.kept import Kept
from vcam.media import FloatArray, Frame, Motion
from vcam.nets.gagavatar import FOCAL, GagavatarNet
from vcam.nets.styleunet import Noise, StyleUnet
from vcam.render import viewpoint
from vcam.render.background import background
from vcam.render.forehead import VERTICES, Forehead
from vcam.render.identity import Identity, cache_path, prepared
from vcam.render.plausible import ROW, flame_row
from vcam.render.splat.choose import Splatting, splatter
from vcam.render.splat.cloud import Cloud
from vcam.render.tracked import Tracked, load_profile
from vcam.render.upsample import Upsample

FLAME_SCALE = 5.0  # the network was trained on a head five times as large
LANDMARKS = 68

Speed: TypeAlias = Literal["plain", "graphed", "compiled"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How frames are computed; the picture is the same within the tolerances stated here.

    Half precision: over 50 dB against float32. Graphed: equal to plain. Compiled: over 50 dB.
    """

    half: bool = True  # the StyleUNet in float16; float32 on a CPU in any case
    speed: Speed = "compiled"  # "plain" on a CPU in any case
    splatting: Splatting = "auto"  # "tables" on a GPU, "exact" on a CPU
    noise: Noise = "stored"  # "fresh", as upstream draws it, flickers
    host: bool = False  # bring the pixels to the host at once


@dataclass(frozen=True, slots=True)
class Picture:
    """What one motion looks like, on the renderer's device; the next one overwrites it."""

    pixels: Tensor  # [S, S, 3] uint8, in front of the background
    coverage: Tensor  # [S, S] float, 1 where the person hides the background
    landmarks: FloatArray  # [68, 2] pixels, on the host


@dataclass
class RenderState:
    """What is remembered between frames, apart from the forehead."""

    last: Frame | None = None


class GagavatarRenderer:
    """One person, drawn by GAGAvatar. Takes `FlameFace` motion."""

    def __init__(
        self,
        identity: Identity,
        upsampler: StyleUnet,
        flame: FlameModel,
        behind: Tensor | None = None,
        size: int | None = None,
        manner: Manner | None = None,
    ) -> None:
        """`behind` [3, s, s] 0..1 is the background (black if None); `size` the frame's side.

        Everything runs where `identity` lies. The upsampler is converted in place.
        """
        self.held = 0  # motions that were not finite: the last good frame was shown instead
        self._device = identity.transform.device
        self._manner = manner or Manner()
        head = FlameHead(flame, identity.shape.cpu(), FLAME_SCALE).to(self._device)
        net_size = upsampler.config.size
        self._scale = (size or net_size) / net_size
        self._pose = PoseStep(identity, head, net_size)
        self._paint = PaintStep(identity.cloud, upsampler, behind, size or net_size, self._manner)
        self._row = pinned(torch.zeros(ROW), self._device)
        self._points = pinned(torch.zeros(LANDMARKS, 2), self._device)
        self._pixels = pinned(torch.zeros(*(size or net_size,) * 2, 3).byte(), self._device)
        on_gpu = self._device.type == "cuda" and self._manner.speed != "plain"
        self._run_pose = graphed(self._pose, on_gpu)
        self._run_paint = graphed(self._paint, on_gpu and self._paint.capturable)
        self._warm_up()

    @property
    def remark(self) -> str:
        """Motions that were not finite."""
        return f"{self.held} broken motions: the last frame was held" if self.held else ""

    @classmethod
    def open(
        cls,
        folder: Path,
        weights: Path,
        flame: Path,
        size: int = 512,
        wanted_background: str = "black",
        device: torch.device | None = None,
        manner: Manner | None = None,
    ) -> GagavatarRenderer:
        """The renderer of the profile in `folder`, with a released checkpoint and FLAME file.

        The prepared identity is kept in the profile's folder. Raises `ConfigError` for a profile
        without camera or shape, `WeightsError` for files of another kind.
        """
        device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        require_compiler(device)  # before reading 700 MB
        tracked, net = load_profile(folder), GagavatarNet.load(weights)
        person = (tracked, cache_path(folder, tracked, weights))
        model = FlameModel.load(flame)
        return cls.of(net, person, model, size, wanted_background, device, manner)

    @classmethod
    def of(
        cls,
        net: GagavatarNet,
        person: tuple[Tracked, Path | None],
        flame: FlameModel,
        size: int,
        wanted_background: str,
        device: torch.device,
        manner: Manner | None = None,
    ) -> GagavatarRenderer:
        """The renderer of a person, whose prepared identity is kept at the path, if there is one.

        In the folder of that path lies what `wanted_background` may speak of, see `background`.
        Raises `DeviceError` when a GPU cannot be used for want of a C compiler.
        """
        require_compiler(device)
        identity = prepared(net, *person, device)
        tracked, cache = person
        behind = background(wanted_background, size, tracked.image, cache and cache.parent)
        upsampler = net.upsampler.to(device)
        return cls(identity, upsampler, flame, behind.to(device), size, manner)

    def step(self, motion: Motion) -> Frame:
        """Draw the head as `motion` poses it. A motion that is not finite repeats the last frame.

        Raises `ConfigError` for a face that is not in FLAME's terms.
        """
        row = flame_row(motion)
        if row is None:
            self.held += 1
            if self._state.last is not None:
                return replace(self._state.last, at=motion.at)
            row = np.zeros(ROW, np.float32)
        if self._state.last is not None:
            self._pose.forehead.pace(motion.at - self._state.last.at)
        picture = self.draw(row)
        frame = Frame(motion.at, self._lasting(picture.pixels), picture.landmarks)
        self._state.last = frame
        return frame

    def draw(self, row: NDArray[np.float32]) -> Picture:
        """row [106]: expression 100, head 3, jaw 3 -> what it looks like."""
        with torch.inference_mode():
            self._row.copy_(torch.from_numpy(row))
            points, seen, marks = self._run_pose(self._row.to(self._device, non_blocking=True))
            self._points.copy_(marks, non_blocking=True)
            posed = self._mark()
            pixels, coverage = self._run_paint(points, seen)
            if posed is not None:
                posed.synchronize()  # the pose alone: the picture is still being painted
        return Picture(pixels, coverage, self._points.numpy() * np.float32(self._scale))

    def reset(self) -> None:
        """Forget everything drawn."""
        self._pose.forehead.reset()
        self._state = RenderState()

    def _lasting(self, pixels: Tensor) -> NDArray[np.uint8] | Tensor:
        """Pixels that the next frame does not overwrite."""
        if not (self._manner.host or self._device.type == "cpu"):
            return pixels.clone()
        self._pixels.copy_(pixels, non_blocking=True)
        if (copied := self._mark()) is not None:
            copied.synchronize()
        lasting: NDArray[np.uint8] = self._pixels.numpy().copy()
        return lasting

    def _mark(self) -> torch.cuda.Event | None:
        """A point in the GPU's work to wait for."""
        if self._device.type != "cuda":
            return None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it bare
        event.record()
        return event

    def _warm_up(self) -> None:
        """Compile and record everything; the first frame must be as fast as the hundredth."""
        self.draw(np.zeros(ROW, np.float32))
        self.reset()


class PoseStep:
    """Motion -> where the Gaussians are, where the camera is, where the landmarks fall."""

    def __init__(self, identity: Identity, head: FlameHead, size: int) -> None:
        self.forehead = Forehead(identity.transform.device, brow_of(identity.head_points))
        self._head, self._size = head, size
        self._transform = identity.transform
        self._points = identity.cloud.points.clone()
        self._rotations = self._points.new_zeros(JOINTS, 3)

    def __call__(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """row [106] -> points [N, 3], view [3, 4], landmarks [68, 2] in pixels."""
        self._rotations[JAW].copy_(row[103:])
        vertices = self.forehead.smoothed(self._head(row[:100], self._rotations))
        self._points[: len(vertices)].copy_(vertices)
        camera = viewpoint.turned(self._transform, row[100:103])
        yaw = yaw_of(rotation_matrices(row[100:103]))
        marks = self._head.landmarks(vertices, yaw)[:LANDMARKS]
        return self._points, viewpoint.view(camera), viewpoint.project(marks, camera, self._size)


class PaintStep:
    """Points and camera -> the picture in front of its background."""

    def __init__(
        self, cloud: Cloud, upsampler: StyleUnet, behind: Tensor | None, size: int, manner: Manner
    ) -> None:
        device = cloud.points.device
        self._dtype = torch.float16 if manner.half and device.type == "cuda" else torch.float32
        self._splatter = splatter(
            cloud, upsampler.config.size, manner.splatting, self._dtype, FOCAL
        )
        upsampler.to(device).settle(self._dtype)
        behind = None if behind is None else behind.to(device, torch.float32)
        upsample = Upsample(upsampler, behind, size, manner.noise)
        on_gpu = manner.speed != "plain" and device.type == "cuda"
        compiled = manner.speed == "compiled" and on_gpu
        finish = Kept(upsample.forward, upsample, upsample.about) if compiled else upsample.forward
        self.capturable = self._splatter.capturable
        # After a splatter that waits for the GPU, what follows it can be a graph all the same.
        self._finish = graphed(finish, on_gpu and not self.capturable)

    def __call__(self, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """points [N, 3], view [3, 4] -> pixels [S, S, 3] uint8, coverage [S, S]."""
        features, coverage = self._splatter.draw(points, seen)
        return self._finish(features[None].to(self._dtype), coverage[None])


def require_compiler(device: torch.device) -> None:
    """For a GPU Triton and torch.compile build small launchers in C. Raises `DeviceError`."""
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    if device.type == "cuda" and not any(map(shutil.which, compilers)):
        raise DeviceError(
            "GAGAvatar on a GPU needs a C compiler (no CUDA toolkit): sudo apt install gcc"
        )


def brow_of(head_points: int) -> tuple[int, ...]:
    """The forehead's vertices; of a smaller head than FLAME's, those that it has."""
    return tuple(vertex for vertex in VERTICES if vertex < head_points)


def pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """A host tensor that a GPU can copy from and to without waiting."""
    return tensor.pin_memory() if device.type == "cuda" else tensor

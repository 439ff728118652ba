"""The neural renderer: FLAME motion -> a photoreal frame of one person, by GAGAvatar.

Once for an identity, the network turns a photo into Gaussians (`identity`). For each frame, FLAME
poses the head's points, the head's rotation moves the camera, the Gaussians are splatted to 32
channels (`splat`) and the StyleUNet makes the picture. On a GPU both halves of a frame are CUDA
graphs, and the StyleUNet runs in half precision, channels last, optionally compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.errors import DeviceError
from vcam.flame.model import FlameHead, FlameModel
from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import FloatArray, Frame, Motion
from vcam.nets.gagavatar import GagavatarNet
from vcam.nets.styleunet import StyleUnet
from vcam.render.broken import BrokenMotions
from vcam.render.gagavatar.background import background
from vcam.render.gagavatar.identity import Identity, cache_path, prepared
from vcam.render.gagavatar.pose_limits import ROW
from vcam.render.gagavatar.steps import FLAME_SCALE, LANDMARKS, Manner, PaintStep, PoseStep
from vcam.render.gagavatar.tracked import Tracked, load_profile
from vcam.render.torso.breath import sway
from vcam.render.torso.opening import Shoulders, open_shoulders
from vcam.system import missing


@dataclass(frozen=True, slots=True)
class Picture:
    """What one motion looks like, on the renderer's device; the next one overwrites it."""

    pixels: Tensor  # [S, S, 3] uint8, in front of the background
    coverage: Tensor  # [S, S] float, 1 where the person hides the background
    landmarks: FloatArray  # [68, 2] pixels, on the host


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
        shoulders: Shoulders | None = None,
    ) -> None:
        """`behind` [3, s, s] 0..1 is the background (black if None); `size` the frame's side.

        Where there are `shoulders`, their room is the background, and the head turns on the neck.
        Everything runs where `identity` lies. The upsampler is converted in place.
        """
        self._broken = BrokenMotions()
        self._device = identity.transform.device
        self._manner = manner or Manner()
        head = FlameHead(flame, identity.shape.cpu(), FLAME_SCALE).to(self._device)
        net_size = upsampler.config.size
        self._size = size or net_size
        self._pose = PoseStep(identity, head, self._size, on_neck=shoulders is not None)
        with torch.inference_mode():
            torso = self._pose.torso(shoulders) if shoulders else None
        self._paint = PaintStep(identity.cloud, upsampler, behind, self._size, self._manner, torso)
        self._row = pinned(torch.zeros(ROW + 2), self._device)  # and how far the shoulders sway
        self._points = pinned(torch.zeros(LANDMARKS, 2), self._device)
        self._pixels = pinned(torch.zeros(self._size, self._size, 3).byte(), self._device)
        on_gpu = self._device.type == "cuda" and self._manner.speed != "plain"
        self._run_pose = cuda_graph(self._pose, on_gpu)
        self._run_paint = cuda_graph(self._paint, on_gpu and self._paint.capturable)
        self._warm_up()

    @property
    def remark(self) -> str:
        """Motions that were not finite."""
        return self._broken.remark

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
        torso: bool = True,
    ) -> GagavatarRenderer:
        """The renderer of a person, whose prepared identity is kept at the path, if there is one.

        In the folder of that path lies what `wanted_background` may speak of, see `background`,
        and the `torso`, if it is wanted.
        Raises `DeviceError` when a GPU cannot be used for want of a C compiler.
        """
        require_compiler(device)
        identity = prepared(net, *person, device)
        tracked, cache = person
        folder, upsampler = cache and cache.parent, net.upsampler.to(device)
        shoulders = open_shoulders(folder, wanted_background, size) if folder and torso else None
        behind = None
        if shoulders is None:
            behind = background(wanted_background, size, tracked.image, folder).to(device)
        return cls(identity, upsampler, flame, behind, size, manner, shoulders)

    def step(self, motion: Motion) -> Frame:
        """Draw the head as `motion` poses it. A motion that is not finite repeats the last frame.

        Raises `ConfigError` for a face that is not in FLAME's terms.
        """
        row = self._broken.row(motion)
        if isinstance(row, Frame):
            return row
        if (last := self._broken.last) is not None:
            self._pose.forehead.pace(motion.at - last.at)
        picture = self.draw(row, motion.at)
        lasting = self._lasting(picture.pixels)
        return self._broken.drawn(Frame(motion.at, lasting, picture.landmarks))

    def draw(self, row: NDArray[np.float32], at: int = 0) -> Picture:
        """row [106]: expression 100, head 3, jaw 3 -> what it looks like.

        Shoulders are drawn as they sway at tick `at`.
        """
        with torch.inference_mode():
            self._row[:ROW].copy_(torch.from_numpy(row))
            self._row[ROW:].copy_(torch.from_numpy(sway(at, self._size)))
            given = self._row.to(self._device, non_blocking=True)
            points, seen, marks, stance = self._run_pose(given[:ROW])
            self._points.copy_(marks, non_blocking=True)
            posed = self._mark()
            pixels, coverage = self._run_paint(points, seen, stance, given[ROW:])
            if posed is not None:
                posed.synchronize()  # the pose alone: the picture is still being painted
        return Picture(pixels, coverage, self._points.numpy().copy())

    def reset(self) -> None:
        """Forget everything drawn."""
        self._pose.forehead.reset()
        self._broken.reset()

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


def require_compiler(device: torch.device) -> None:
    """For a GPU Triton and torch.compile build small launchers in C. Raises `DeviceError`."""
    if device.type == "cuda" and missing.compiler() is None:
        raise DeviceError(
            "GAGAvatar on a GPU needs a C compiler (no CUDA toolkit); "
            f"run: {missing.INSTALL_COMPILER}"
        )


def pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """A host tensor that a GPU can copy from and to without waiting."""
    return tensor.pin_memory() if device.type == "cuda" else tensor

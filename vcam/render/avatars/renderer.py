"""Draws a face that others have trained. Takes `FlameFace` motion; landmarks go with the frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import FloatArray, Frame, Motion
from vcam.photo import picture
from vcam.photo.enrolled import PORTRAIT
from vcam.render.avatars import identity
from vcam.render.avatars.gaze import Gaze, eyes
from vcam.render.avatars.rig import Gaussians, Posed, Rig, standing
from vcam.render.broken import BrokenMotions
from vcam.render.gagavatar.background import background
from vcam.render.gagavatar.pose_limits import ROW
from vcam.render.gagavatar.renderer import require_compiler
from vcam.render.splat.choose import Splatting
from vcam.render.splat.cloud import Cloud, covariances
from vcam.render.splat.coloured import coloured
from vcam.render.torso.breath import sway
from vcam.render.torso.layer import TorsoLayer
from vcam.render.torso.opening import Shoulders, open_shoulders
from vcam.render.torso.stance import Stance, eye_distance

_GREEN = (0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Manner:
    """How frames are computed.

    A graph is equal to the same calls one by one. Half precision: over 55 dB against float32.
    """

    graphed: bool = True  # on a GPU, where the splatter allows it
    half: bool = True  # a network in float16; float32 on a CPU in any case
    splatting: Splatting = "auto"


class AvatarRenderer:
    """One person, drawn from Gaussians that ride on FLAME."""

    def __init__(
        self,
        rig: Rig,
        behind: Tensor | None,
        size: int,
        device: torch.device,
        manner: Manner | None = None,
        shoulders: Shoulders | None = None,
        gaze: Gaze | None = None,
    ) -> None:
        """`behind` [3, size, size] 0..1 stands behind the person; None: the colour of training.

        Where there are `shoulders`, their room does. `gaze` says where the eyes look; None: where
        the face does.
        """
        self._broken, self._gaze = BrokenMotions(), gaze
        self._device, self._size = device, size
        manner = manner or Manner()
        assert isinstance(rig, nn.Module)
        if manner.half and device.type == "cuda":
            rig.halve()
        rig.to(device)
        with torch.inference_mode():
            step = DrawStep(rig, behind, size, device, manner, shoulders)
        self._draw = cuda_graph(step, manner.graphed and device.type == "cuda" and step.capturable)
        self.draw(np.zeros(ROW, np.float32))  # compile and record before the first frame
        self.reset()

    @property
    def remark(self) -> str:
        """Motions that were not finite."""
        return self._broken.remark

    def step(self, motion: Motion) -> Frame:
        """Draw the head as `motion` poses it. A motion that is not finite repeats the last frame.

        Raises `ConfigError` for a face that is not in FLAME's terms.
        """
        row = self._broken.row(motion)
        if isinstance(row, Frame):
            return row
        pixels, landmarks = self.draw(row, motion.at)
        on_cpu = self._device.type == "cpu"
        shown = pixels.numpy().copy() if on_cpu else pixels.clone()
        return self._broken.drawn(Frame(motion.at, shown, landmarks))

    def draw(self, row: FloatArray, at: int = 0) -> tuple[Tensor, FloatArray]:
        """row [106] -> pixels [S, S, 3] uint8, overwritten by the next call; landmarks [68, 2].

        Shoulders sway and eyes look as they do at tick `at`.
        """
        looking = eyes(self._gaze(at), row[100:103]) if self._gaze else np.zeros(3, np.float32)
        given = np.concatenate([row, looking, sway(at, self._size)])
        with torch.inference_mode():
            pixels, landmarks = self._draw(torch.from_numpy(given).to(self._device))
            return pixels, landmarks.cpu().numpy().copy()

    def reset(self) -> None:
        """Forget everything drawn."""
        self._broken.reset()


def open_avatar(
    folder: Path,
    kind: str,
    wanted_background: str,
    size: int,
    device: torch.device,
    torso: bool = True,
    gaze: Gaze | None = None,
) -> AvatarRenderer:
    """The renderer of the profile in `folder`, with its `torso` if it has one.

    "keep" is the torso's room; where there is none, the colour of training.

    Raises `ConfigError`, `WeightsError`, and `DeviceError` for a GPU without a C compiler.
    """
    require_compiler(device)
    rig = identity.load(folder, kind)
    if torso and (shoulders := open_shoulders(folder, wanted_background, size)):
        return AvatarRenderer(rig, None, size, device, shoulders=shoulders, gaze=gaze)
    behind = None
    if wanted_background != "keep":
        shown = picture.read_picture(folder / PORTRAIT).colours
        pixels = torch.from_numpy(shown).permute(2, 0, 1).float() / 255
        behind = background(wanted_background, size, pixels, folder)
    return AvatarRenderer(rig, behind, size, device, gaze=gaze)


class DrawStep:
    """Motion -> picture and landmarks, without reading anything back."""

    def __init__(
        self,
        rig: Rig,
        behind: Tensor | None,
        size: int,
        device: torch.device,
        manner: Manner,
        shoulders: Shoulders | None = None,
    ) -> None:
        self._rig, self._lens = rig, rig.camera.lens(size)
        count = len(rig.opacities)
        self._splatter = coloured(self._lens, count, device, manner.splatting)
        self.capturable = self._splatter.capturable
        kept = behind is None and shoulders is None
        self._spill = not kept and rig.trained_before.tolist() == list(_GREEN)
        before = rig.trained_before[:, None, None].expand(3, size, size)
        self._behind = (before if behind is None else behind).to(device, torch.float32)
        self._torso: TorsoLayer | None = None
        if shoulders is not None:
            at_rest = rig.pose(torch.zeros(ROW, device=device), torch.zeros(3, device=device))
            marks, neck = standing(rig, at_rest, self._lens)
            rest = Stance.of(marks, neck)
            self._torso = TorsoLayer(shoulders, rest, eye_distance(marks), device)

    def __call__(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """given [111]: a row of 106, eyes 3, sway 2 in pixels -> pixels [S, S, 3] uint8, landmarks
        [68, 2]."""
        row, looking, swayed = given[:ROW], given[ROW : ROW + 3], given[ROW + 3 :]
        posed = self._rig.pose(row, looking)
        marks, neck = standing(self._rig, posed, self._lens)
        return self._picture(self._light(posed, Stance.of(marks, neck), swayed)), marks

    def _picture(self, light: Tensor) -> Tensor:
        """[S, S, 3] uint8; cut off, not rounded, as both authors write their pictures."""
        pixels = (light.clamp(0, 1) * 255).to(torch.uint8)
        return pixels.permute(1, 2, 0).contiguous()

    def _light(self, posed: Posed, stance: Stance, swayed: Tensor) -> Tensor:
        """[3, S, S] before bytes are made of it; values above 1 occur."""
        cloud = as_cloud(posed.gaussians, self._rig.opacities)
        colours, cover = self._splatter.draw(cloud, posed.view)
        if self._spill:
            colours = without_spill(colours, cover)
        if self._torso is not None:
            return self._torso.over(colours, cover, stance, swayed)
        return colours + (1 - cover) * self._behind


def as_cloud(gaussians: Gaussians, opacities: Tensor) -> Cloud:
    """What a splatter draws."""
    shapes = covariances(gaussians.scales, gaussians.rotations)
    return Cloud(gaussians.points, shapes, opacities, gaussians.colours)


def without_spill(colours: Tensor, cover: Tensor) -> Tensor:
    """Take the training's green off a rim: colours [3, S, S] over black, cover [S, S].

    Green above the other two is taken away as far as the pixel is see-through; opaque skin and a
    green pullover stay.
    """
    red, green, blue = colours
    spill = (green - torch.maximum(red, blue)).clamp_min(0) * (1 - cover)
    return torch.stack((red, green - spill, blue))

"""The two halves of a frame, each a function of tensors alone: a pose, and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from vcam.flame.model import JAW, JOINTS, ROOT, FlameHead, rotation_matrices, yaw_of
from vcam.flame.neck import neck_top
from vcam.gpu.compile_cache import CompileCached
from vcam.gpu.compiled import plain
from vcam.gpu.cuda_graph import cuda_graph
from vcam.nets.gagavatar import FOCAL
from vcam.nets.styleunet import Noise, StyleUnet
from vcam.render.gagavatar import viewpoint
from vcam.render.gagavatar.forehead import VERTICES, Forehead
from vcam.render.gagavatar.identity import Identity
from vcam.render.gagavatar.upsample import Upsample, as_bytes, quicken
from vcam.render.splat.choose import Splatting, splatter
from vcam.render.splat.cloud import Cloud
from vcam.render.torso.layer import TorsoLayer
from vcam.render.torso.opening import Shoulders
from vcam.render.torso.stance import Stance, eye_distance

FLAME_SCALE = 5.0  # the network was trained on a head five times as large
LANDMARKS = 68

Speed: TypeAlias = Literal["plain", "graphed", "compiled"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How frames are computed; the picture is the same within the tolerances stated here.

    Half precision: over 50 dB against float32. CudaGraph: equal to plain. Compiled: over 50 dB.
    """

    half: bool = True  # the StyleUNet in float16; float32 on a CPU in any case
    speed: Speed = "compiled"  # "plain" on a CPU in any case
    splatting: Splatting = "auto"  # "tables" on a GPU, "exact" on a CPU
    noise: Noise = "stored"  # "fresh", as upstream draws it, flickers
    host: bool = False  # bring the pixels to the host at once


class PoseStep:
    """Motion -> where the Gaussians are, where the camera is, where the landmarks fall."""

    def __init__(self, identity: Identity, head: FlameHead, size: int, on_neck: bool) -> None:
        """`size` is the frame's; `on_neck` turns the head about its root, which stays where the
        photo has it, instead of about the middle of the skull."""
        self.forehead = Forehead(identity.transform.device, brow_of(identity.head_points))
        self._head, self._size = head, size
        self._neck = neck_top(head)
        self._pivot = FLAME_SCALE * head.joint_template[ROOT] if on_neck else None
        self._transform = identity.transform
        self._points = identity.cloud.points.clone()
        self._rotations = self._points.new_zeros(JOINTS, 3)

    def __call__(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """row [106] -> points [N, 3], view [3, 4], landmarks [68, 2] in pixels, the head's stance
        [3, 2]."""
        self._rotations[JAW].copy_(row[103:])
        vertices = self.forehead.smoothed(self._head(row[:100], self._rotations))
        self._points[: len(vertices)].copy_(vertices)
        camera = viewpoint.turned(self._transform, row[100:103], self._pivot)
        yaw = yaw_of(rotation_matrices(row[100:103]))
        marks, stance = self._standing(vertices, camera, yaw)
        return self._points, viewpoint.view(camera), marks, stance.packed()

    def torso(self, shoulders: Shoulders) -> TorsoLayer:
        """The shoulders under this head, which stands in their photo as it was tracked there."""
        vertices = self._head(self._points.new_zeros(100), torch.zeros_like(self._rotations))
        marks, rest = self._standing(vertices, self._transform, self._points.new_zeros(()))
        return TorsoLayer(shoulders, rest, eye_distance(marks), self._points.device)

    def _standing(self, vertices: Tensor, camera: Tensor, yaw: Tensor) -> tuple[Tensor, Stance]:
        """Landmarks [68, 2] and the head's stance, pixels of the frame."""
        marks = self._head.landmarks(vertices, yaw)[:LANDMARKS]
        places = viewpoint.project(torch.cat([marks, self._neck[None]]), camera, self._size)
        return places[:-1], Stance.of(places[:-1], places[-1])


class PaintStep:
    """Points and camera -> the picture in front of its background."""

    def __init__(
        self,
        cloud: Cloud,
        upsampler: StyleUnet,
        behind: Tensor | None,
        size: int,
        manner: Manner,
        torso: TorsoLayer | None = None,
    ) -> None:
        device = cloud.points.device
        self._dtype = torch.float16 if manner.half and device.type == "cuda" else torch.float32
        self._splatter = splatter(
            cloud, upsampler.config.size, manner.splatting, self._dtype, FOCAL
        )
        upsampler.to(device).settle(self._dtype)
        behind = None if behind is None else behind.to(device, torch.float32)
        self._torso = torso
        upsample = Upsample(upsampler, behind, size, manner.noise, alone=torso is not None)
        on_gpu = manner.speed != "plain" and device.type == "cuda"
        compiled = manner.speed == "compiled" and on_gpu
        if compiled and self._dtype == torch.float16 and not plain():
            quicken(upsampler)
        finish = (
            CompileCached(upsample.forward, upsample, upsample.about)
            if compiled
            else upsample.forward
        )
        self.capturable = self._splatter.capturable
        # After a splatter that waits for the GPU, what follows it can be a graph all the same.
        self._finish = cuda_graph(finish, on_gpu and not self.capturable)

    def __call__(
        self, points: Tensor, seen: Tensor, stance: Tensor, swayed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """points [N, 3], view [3, 4], stance [3, 2], swayed [2] -> pixels [S, S, 3] uint8,
        coverage [S, S]."""
        features, coverage = self._splatter.draw(points, seen)
        picture, covered = self._finish(features[None].to(self._dtype), coverage[None])
        if self._torso is None:
            return picture, covered
        return as_bytes(self._torso.over(picture, covered, Stance(*stance), swayed)), covered


def brow_of(head_points: int) -> tuple[int, ...]:
    """The forehead's vertices; of a smaller head than FLAME's, those that it has."""
    return tuple(vertex for vertex in VERTICES if vertex < head_points)

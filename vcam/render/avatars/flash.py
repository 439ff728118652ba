"""FlashAvatar: points on FLAME's surface with learnt offsets.

Xiang et al., "FlashAvatar: High-fidelity Head Avatar with Efficient Gaussian Embedding", CVPR 2024.
The head stands still and the camera moves, as its tracker has it. Constants of the person (mesh at
rest, positional code, first layer) are folded once.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vcam.flame.model import JAW, JOINTS, LEFT_EYE, RIGHT_EYE, FlameHead, rotation_matrices, yaw_of
from vcam.flame.neck import neck_top
from vcam.nets.flashavatar import FlashNet
from vcam.render.avatars import turns
from vcam.render.avatars.rig import Gaussians, Posed, camera_centre
from vcam.render.splat import harmonics
from vcam.render.splat.camera import Camera
from vcam.tensors.checkpoint import hollow, load_strict

STILL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # six numbers of no rotation
NET = "net."


class FlashRig(nn.Module):
    """One person of FlashAvatar; every tensor is a buffer, so `to` moves all of it."""

    corners: Tensor  # [N, 3] vertices
    shares: Tensor  # [N, 3]
    harmonics: Tensor  # [N, K, 3]
    log_scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4]
    lids: Tensor  # [2, V, 3]
    view: Tensor  # [3, 4]
    pivot: Tensor  # [3]
    lid_bias: Tensor  # [2]
    lid_follow: Tensor  # [100, 2]
    lid_range: Tensor  # [2, 2]
    jaw_follow: Tensor  # [3, 100]
    trained_before: Tensor  # [3]
    opacities: Tensor  # [N]
    rest: Tensor  # [N, 3] the points, nothing moved
    settled: Tensor  # [N, 256] the first layer's constant part
    neck: Tensor  # [3] on its axis, as high as the chin
    still: Tensor
    upright: Tensor

    def __init__(self, state: Mapping[str, Tensor], head: FlameHead, camera: Camera) -> None:
        """`state` holds the tensors that `vcam.render.avatars.identity` describes."""
        super().__init__()
        self.head, self.camera = head, camera
        with hollow():
            self.net = FlashNet()
        net = {name.removeprefix(NET): state[name] for name in state if name.startswith(NET)}
        load_strict(self.net, net, "FlashAvatar's network")
        self.net.requires_grad_(False)
        for name in ("corners", "shares", "harmonics", "log_scales", "rotations", "lids",
                     "view", "pivot", "lid_bias", "lid_follow", "lid_range", "jaw_follow",
                     "trained_before"):  # fmt: skip
            self.register_buffer(name, state[name])
        self.register_buffer("opacities", torch.sigmoid(state["logits"]))
        rest = head.bent(torch.zeros(100), torch.eye(3).expand(JOINTS, 3, 3))
        self.register_buffer("rest", self.on_mesh(rest))
        self.register_buffer("settled", self.net.settle(self.rest))
        self.register_buffer("neck", neck_top(head))
        self.register_buffer("still", torch.tensor(STILL))
        self.register_buffer("upright", torch.eye(3))

    def pose(self, row: Tensor, eyes: Tensor) -> Posed:
        """See `Rig.pose`; the jaw of a person whose jaw was not tracked moves by expression."""
        expression, head, jaw = row[:100], row[100:103], row[103:]
        fixed = self.jaw_follow.abs().amax() > 0
        expression = expression + jaw @ self.jaw_follow
        six = torch.where(fixed, self.still, turns.to_six(rotation_matrices(jaw)))
        lids = self.lid_bias + expression @ self.lid_follow
        lids = torch.minimum(torch.maximum(lids, self.lid_range[0]), self.lid_range[1])
        turn = rotation_matrices(head)
        both = turns.to_six(rotation_matrices(eyes)).repeat(2)
        return self.drawn(expression, six, both, lids, self.turned(turn), yaw_of(turn))

    def turned(self, turn: Tensor) -> Tensor:
        """turn [3, 3] of the head -> the camera [3, 4] that sees the head so turned."""
        rotation, pivot = self.view[:, :3], self.pivot
        shift = self.view[:, 3] + rotation @ (pivot - turn @ pivot)
        return torch.cat([rotation @ turn, shift[:, None]], 1)

    def drawn(
        self, expression: Tensor, jaw: Tensor, eyes: Tensor, lids: Tensor, view: Tensor, yaw: Tensor
    ) -> Posed:
        """A frame of the tracker: expression [100], jaw [6], eyes [12], lids [2], view [3, 4]."""
        vertices = self.mesh(expression, jaw, eyes, lids)
        raw = self.offsets(expression, jaw, eyes, lids)
        return Posed(self.gaussians(vertices, raw, view), view, vertices, yaw, self.neck)

    def mesh(self, expression: Tensor, jaw: Tensor, eyes: Tensor, lids: Tensor) -> Tensor:
        """Vertices [V, 3]; root and neck never turn."""
        matrices = self.upright.expand(JOINTS, 3, 3).clone()
        for joint, six in ((JAW, jaw), (LEFT_EYE, eyes[:6]), (RIGHT_EYE, eyes[6:])):
            matrices[joint] = turns.from_six(six)
        return self.head.bent(expression, matrices) + (lids[:, None, None] * self.lids).sum(0)

    def offsets(self, expression: Tensor, jaw: Tensor, eyes: Tensor, lids: Tensor) -> Tensor:
        """[N, 10] before the tanh."""
        condition = torch.cat([expression, jaw, eyes, lids])
        out: Tensor = self.net(self.settled, condition.to(self.settled.dtype))
        return out.float()

    def halve(self) -> None:
        """See `Rig.halve`."""
        self.net.half()
        self.settled = self.settled.half()

    def gaussians(self, vertices: Tensor, raw: Tensor, view: Tensor) -> Gaussians:
        """What the network's numbers mean: note the scale's factor inside the exponent."""
        moved, turn, grown = torch.split(torch.tanh(raw), [3, 4, 3], 1)
        points = self.on_mesh(vertices) + moved
        return Gaussians(
            points,
            (self.log_scales * grown.exp()).exp(),
            normalize(self.turned_base(turn), dim=1),
            harmonics.colours(self.harmonics, points, camera_centre(view)),
        )

    def turned_base(self, turn: Tensor) -> Tensor:
        """turn [N, 4] -> the stored rotation times it, not normalised."""
        return turns.product(self.rotations, torch.cat([turn[:, :1].exp(), turn[:, 1:]], 1))

    def on_mesh(self, vertices: Tensor) -> Tensor:
        """Where the points lie on a mesh [V, 3]; shares do not sum to 1, and must not."""
        return (vertices[self.corners] * self.shares[..., None]).sum(1)

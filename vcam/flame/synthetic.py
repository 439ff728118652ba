"""A made-up head in FLAME's layout: an ellipsoid with smooth random bases, not a person's data.

For tests, and for measuring a machine before FLAME is there: eyes, nose, mouth and jaw line lie
where a face has them, so that everything behind FLAME finds a face of the usual size.
"""

from __future__ import annotations

from typing import TypeAlias

import torch

from vcam.flame.model import CONTOUR_BINS, FlameModel, LandmarkTable

SHAPES, EXPRESSIONS = 300, 100
SMALL = (24, 36)  # rings and spokes: 864 vertices
FULL = (81, 62)  # with the pole that closes it 5023, as FLAME has

Found: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # faces [...] and shares in them [..., 3]


def made_up_model(seed: int = 0, mesh: tuple[int, int] = SMALL) -> FlameModel:
    """An egg 22 cm tall with eyes, nose and mouth where they belong."""
    rng = torch.Generator().manual_seed(seed)
    template, faces = _egg(*mesh)
    shape = _waves(template, SHAPES, rng) * _sizes(SHAPES, 0.0003)
    expression = _waves(template, EXPRESSIONS, rng) * _sizes(EXPRESSIONS, 0.0003)
    expression *= (template[:, 2] > 0).float()[:, None, None]
    weights = torch.zeros(len(template), 5)
    jaw = torch.sigmoid((-0.035 - template[:, 1]) / 0.012) * (template[:, 2] > 0)
    weights[:, 2] = jaw
    weights[:, 0] = 1 - jaw
    regressor = torch.zeros(5, len(template))
    for joint, spot in enumerate(
        [(0, -0.1, -0.02), (0, -0.08, -0.02), (0, -0.02, 0.01), (0.032, 0.03, 0.06),
         (-0.032, 0.03, 0.06)]
    ):  # fmt: skip
        near = (template - torch.tensor(spot)).norm(dim=1).argsort()[:8]
        regressor[joint, near] = 1 / 8
    for side, joint in ((0.032, 3), (-0.032, 4)):
        ball = (template[:, :2] - torch.tensor([side, 0.03])).norm(dim=1) < 0.006
        weights[ball & (template[:, 2] > 0)] = torch.eye(5)[joint]
    return FlameModel(
        faces,
        template,
        shape,
        expression,
        torch.randn(36, 3 * len(template), generator=rng) * 1e-4,
        regressor,
        (-1, 0, 1, 1, 1),
        weights,
        landmark_table(template, faces),
    )


def _egg(rings: int, spokes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices [V, 3] and faces [F, 3]; a mesh of FLAME's size has one vertex more, at the pole."""
    up = torch.linspace(0.02, 0.98, rings) * torch.pi
    around = torch.arange(spokes) / spokes * 2 * torch.pi
    polar, turn = torch.meshgrid(up, around, indexing="ij")
    x, z = torch.sin(polar) * torch.sin(turn), torch.sin(polar) * torch.cos(turn)
    points = torch.stack([0.075 * x, 0.11 * torch.cos(polar), 0.095 * z], -1)
    nose = torch.exp(-((points[..., 0] / 0.012) ** 2 + (points[..., 1] / 0.02) ** 2))
    points[..., 2] += 0.025 * nose * (points[..., 2] > 0)
    ring, spoke = torch.meshgrid(torch.arange(rings - 1), torch.arange(spokes), indexing="ij")
    a, b = ring * spokes + spoke, ring * spokes + (spoke + 1) % spokes
    first = torch.stack([a, a + spokes, b], -1).reshape(-1, 3)
    second = torch.stack([b, a + spokes, b + spokes], -1).reshape(-1, 3)
    vertices = points.reshape(-1, 3)
    if (rings, spokes) == FULL:
        vertices = torch.cat([vertices, torch.tensor([[0.0, 0.11, 0.0]])])
    return vertices, torch.cat([first, second])


def _waves(points: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
    """Smooth fields [V, 3, count]: random waves of some centimetres, as symmetric as faces are.

    Summed in double, so that the same seed gives the same head wherever it is drawn.
    """
    points = points.double()
    direction = 28 * torch.randn(count, 3, generator=rng).double()
    phase = 6.28 * torch.rand(count, generator=rng).double()
    size = torch.randn(3, count, generator=rng).double()
    mirror = torch.tensor([-1.0, 1.0, 1.0]).double()
    field, twin = (
        torch.sin(at @ direction.T + phase)[:, None, :] * size for at in (points, points * mirror)
    )
    even = (field + twin * mirror[:, None]) / 2**0.5
    return _without_poses(0.95 * even + 0.3 * field, points).float()


def _sizes(count: int, first: float) -> torch.Tensor:
    """Standard deviations of a basis, metres: they fall as FLAME's do."""
    return first * torch.exp(-torch.arange(count) / 8) + 0.00001


def _without_poses(fields: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Fields [V, 3, n] without what turns, shifts or scales the face.

    FLAME's bases come from aligned scans; with such parts in them no pose could be told from a
    shape, whatever the method.
    """
    zero, one = torch.zeros_like(points[:, 0]), torch.ones_like(points[:, 0])
    x, y, z = points.T
    poses = torch.stack(
        [
            *(
                torch.stack(a, -1)
                for a in ((one, zero, zero), (zero, one, zero), (zero, zero, one))
            ),
            *(torch.stack(a, -1) for a in ((zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z))),
        ],
        -1,
    )
    face = (points[:, 2] > 0.03) & (points[:, 1].abs() < 0.07)
    inside = fields[face].flatten(0, 1)
    share = torch.linalg.lstsq(poses[face].flatten(0, 1), inside).solution
    return fields - torch.einsum("vck,kn->vcn", poses, share)


# Where the 68 points of a face are on a frontal head, metres: x to the picture's right, y up.
_SPOTS = [
    *((-0.045 + 0.01 * i, 0.05) for i in range(5)), *((0.005 + 0.01 * i, 0.05) for i in range(5)),
    *((0.0, 0.03 - 0.012 * i) for i in range(4)), *((-0.012 + 0.006 * i, -0.012) for i in range(5)),
    (-0.045, 0.03), (-0.038, 0.035), (-0.03, 0.035), (-0.018, 0.03), (-0.03, 0.025),
    (-0.038, 0.025),
    (0.018, 0.03), (0.03, 0.035), (0.038, 0.035), (0.045, 0.03), (0.038, 0.025), (0.03, 0.025),
    (-0.025, -0.04), (-0.015, -0.034), (-0.006, -0.032), (0, -0.033), (0.006, -0.032),
    (0.015, -0.034), (0.025, -0.04), (0.015, -0.048), (0.006, -0.051), (0, -0.051),
    (-0.006, -0.051), (-0.015, -0.048), (-0.02, -0.04), (-0.008, -0.038), (0, -0.038),
    (0.008, -0.038), (0.02, -0.04),
    (0.008, -0.043), (0, -0.043), (-0.008, -0.043),
]  # fmt: skip


def landmark_table(points: torch.Tensor, faces: torch.Tensor) -> LandmarkTable:
    """Landmarks on a head in FLAME's metres and axes, where a face usually has them."""
    contours = []
    for row in range(CONTOUR_BINS):
        yaw = row if row < 40 else 39 - row
        turns = torch.linspace(0, torch.pi, 17)
        line = torch.stack([-0.07 * torch.cos(turns) + 0.0004 * yaw, 0.02 - 0.1 * turns.sin()], 1)
        contours.append(line)
    outer = _found(torch.cat(contours), points, faces)
    inner = _found(torch.tensor(_SPOTS), points, faces)
    eyes = _found(torch.tensor([(0.032, 0.03), (-0.032, 0.03)]), points, faces)
    rows = (CONTOUR_BINS, 17)
    return LandmarkTable(outer[0].view(*rows), outer[1].view(*rows, 3), *inner, *eyes)


def _found(spots: torch.Tensor, points: torch.Tensor, faces: torch.Tensor) -> Found:
    """The front triangle under each of the spots [n, 2], and their barycentric shares."""
    centre = points[faces].mean(1)
    away = torch.cdist(spots, centre[:, :2]) + 10 * (centre[:, 2] < 0)
    near = away.argsort(1)[:, :12]
    corners = points[faces][near][..., :2].mT  # [n, 12, 2, 3]
    system = torch.cat([corners, torch.ones_like(corners[..., :1, :])], -2)
    flat = torch.linalg.det(system).abs() < 1e-10
    system[flat] = torch.eye(3)
    wanted = torch.cat([spots, torch.ones(len(spots), 1)], 1)[:, None]
    shares = torch.linalg.solve(system, wanted.expand(-1, 12, -1))
    shares[flat] = -torch.inf
    best = shares.amin(-1).argmax(1)
    each = torch.arange(len(spots))
    share = shares[each, best].clamp(0, 1)
    return near[each, best], share / share.sum(1, keepdim=True)

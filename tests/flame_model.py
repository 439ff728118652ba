"""A made-up head in FLAME's layout: an ellipsoid with smooth random bases, not a person's data."""

from __future__ import annotations

import torch

from vcam.flame import CONTOUR_BINS, FlameModel, LandmarkTable

RINGS, SPOKES = 24, 36
SHAPES, EXPRESSIONS = 300, 100


def made_up_model(seed: int = 0) -> FlameModel:
    """An egg 22 cm tall with eyes, nose and mouth where they belong."""
    rng = torch.Generator().manual_seed(seed)
    template, faces = _egg()
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
        _table(template, faces),
    )


def as_published(model: FlameModel) -> dict[str, object]:
    """The model in the layout of the file that upstream publishes."""
    table, count = model.landmarks, len(model.template)
    eyes = torch.zeros(1, 70, dtype=torch.int64), torch.zeros(1, 70, 3)
    eyes[0][0, 68:], eyes[1][0, 68:] = table.eye_faces, table.eye_weights
    return {
        "flame_model": {
            "f": model.faces,
            "v_template": model.template,
            "shapedirs": torch.cat([model.shape_basis, model.expression_basis], 2),
            "posedirs": model.pose_basis.T.reshape(count, 3, -1).contiguous(),
            "J_regressor": model.regressor,
            "kintree_table": torch.tensor([[0, *model.parents[1:]], [0, 1, 2, 3, 4]]),
            "weights": model.weights,
        },
        "lmk_embeddings": {
            "dynamic_lmk_faces_idx": table.contour_faces,
            "dynamic_lmk_bary_coords": table.contour_weights,
            "static_lmk_faces_idx": table.inner_faces,
            "static_lmk_bary_coords": table.inner_weights,
            "full_lmk_faces_idx_with_eye": eyes[0],
            "full_lmk_bary_coords_with_eye": eyes[1],
        },
    }


def _egg() -> tuple[torch.Tensor, torch.Tensor]:
    up = torch.linspace(0.02, 0.98, RINGS) * torch.pi
    around = torch.arange(SPOKES) / SPOKES * 2 * torch.pi
    polar, turn = torch.meshgrid(up, around, indexing="ij")
    x, z = torch.sin(polar) * torch.sin(turn), torch.sin(polar) * torch.cos(turn)
    points = torch.stack([0.075 * x, 0.11 * torch.cos(polar), 0.095 * z], -1)
    nose = torch.exp(-((points[..., 0] / 0.012) ** 2 + (points[..., 1] / 0.02) ** 2))
    points[..., 2] += 0.025 * nose * (points[..., 2] > 0)
    ring, spoke = torch.meshgrid(torch.arange(RINGS - 1), torch.arange(SPOKES), indexing="ij")
    a, b = ring * SPOKES + spoke, ring * SPOKES + (spoke + 1) % SPOKES
    first = torch.stack([a, a + SPOKES, b], -1).reshape(-1, 3)
    second = torch.stack([b, a + SPOKES, b + SPOKES], -1).reshape(-1, 3)
    return points.reshape(-1, 3), torch.cat([first, second])


def _waves(points: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
    """Smooth fields [V, 3, count]: random waves of some centimetres, as symmetric as faces are."""
    direction = torch.randn(count, 3, generator=rng) * 28
    phase = torch.rand(count, generator=rng) * 6.28
    size = torch.randn(3, count, generator=rng)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    field, twin = (
        torch.sin(at @ direction.T + phase)[:, None, :] * size for at in (points, points * mirror)
    )
    even = (field + twin * mirror[:, None]) / 2**0.5
    return _without_poses(0.95 * even + 0.3 * field, points)


def _sizes(count: int, first: float) -> torch.Tensor:
    """Standard deviations of a basis, metres: they fall as FLAME's do."""
    return first * torch.exp(-torch.arange(count) / 8) + 0.00001


def _without_poses(fields: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Fields [V, 3, n] without what turns, shifts or scales the face.

    FLAME's bases come from aligned scans; with such parts in them no pose could be told from a
    shape, whatever the method.
    """
    zero, one = torch.zeros(len(points)), torch.ones(len(points))
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


def _table(points: torch.Tensor, faces: torch.Tensor) -> LandmarkTable:
    contour = []
    for row in range(CONTOUR_BINS):
        yaw = row if row < 40 else 39 - row
        shift = 0.0004 * yaw
        line = [
            (
                -0.07 * torch.cos(torch.tensor(t)).item() + shift,
                0.02 - 0.1 * float(torch.sin(torch.tensor(t))),
            )
            for t in torch.linspace(0, torch.pi, 17).tolist()
        ]
        contour.append(_found(line, points, faces))
    inner = _found(_SPOTS, points, faces)
    eyes = _found([(0.032, 0.03), (-0.032, 0.03)], points, faces)
    return LandmarkTable(
        torch.stack([face for face, _ in contour]),
        torch.stack([share for _, share in contour]),
        *inner,
        *eyes,
    )


def _found(
    spots: list[tuple[float, float]], points: torch.Tensor, faces: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The front triangle under each spot, and its barycentric shares."""
    corners = points[faces]
    chosen, shares = [], []
    for x, y in spots:
        spot = torch.tensor([x, y])
        centre = corners.mean(1)
        away = (centre[:, :2] - spot).norm(dim=1) + 10 * (centre[:, 2] < 0)
        best = None
        for face in away.argsort()[:12].tolist():
            system = torch.cat([corners[face, :, :2].T, torch.ones(1, 3)])
            if torch.linalg.det(system).abs() < 1e-10:
                continue
            share = torch.linalg.solve(system, torch.tensor([x, y, 1.0]))
            if best is None or share.min() > best[1].min():
                best = (face, share)
        share = best[1].clamp(0, 1)
        chosen.append(best[0])
        shares.append(share / share.sum())
    return torch.tensor(chosen), torch.stack(shares)

"""FlashAvatar: `chkpnt<iteration>.pth`, the tracker's frames, and five files of FLAME's world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.enroll.own_avatar import assets, uv
from vcam.enroll.own_avatar.found import Found, demand_all
from vcam.enroll.own_avatar.frames import NAME, Clip, frame_files, read_clip
from vcam.enroll.own_avatar.kinds import Brought
from vcam.enroll.own_avatar.motion import motion_of
from vcam.enroll.own_avatar.rigged import Made, sizes
from vcam.errors import ConfigError, WeightsError
from vcam.flame.model import JOINTS, FlameHead
from vcam.render.avatars import turns
from vcam.render.avatars.flash import NET
from vcam.tensors.checkpoint import flatten, read_nested
from vcam.tensors.npy import read_npy
from vcam.tensors.obj import read_obj
from vcam.tensors.old_pickles import read_pickle

CHECKPOINT = r"chkpnt\d+\.pth"
GREEN = (0.0, 1.0, 0.0)
CALM = "#3c4043"  # behind a person who was filmed before a green wall that nobody wants to see
_NEEDED = {
    NAME: "the tracker's frames (metrical-tracker's .../checkpoint/00000.frame)",
    r"FlameMesh\.obj": "FlameMesh.obj (in FlashAvatar's repository, flame/)",
    r"FLAME_masks\.pkl": "FLAME_masks.pkl (FLAME's site, vertex masks)",
    r"l_eyelid\.npy": "l_eyelid.npy (in both repositories, flame/blendshapes/)",
    r"r_eyelid\.npy": "r_eyelid.npy (beside l_eyelid.npy)",
}
_RIDGE = 0.1  # of the variance: so much must expression explain before a lid follows it


@dataclass(frozen=True, slots=True)
class Learnt:
    """What of a checkpoint is used."""

    net: Mapping[str, Tensor]
    harmonics: Tensor  # [N, 16, 3]
    log_scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4]
    logits: Tensor  # [N]


def recognise(found: Found) -> bool:
    """By the checkpoint's name."""
    return bool(found.like(CHECKPOINT))


def bring(found: Found, folder: Path) -> Brought:
    """The identity, of several checkpoints the one trained longest, written into `folder`."""
    checkpoint = found.newest(CHECKPOINT)
    assert checkpoint is not None  # `recognise` has seen one
    return make(found, checkpoint).keep(folder)


def demand(found: Found) -> None:
    """Raise ConfigError that names all that is not among the files."""
    demand_all("FlashAvatar", lacking(found))


def lacking(found: Found) -> list[str]:
    """What is not among the files, and where users have it."""
    lacks = [what for pattern, what in _NEEDED.items() if not found.like(pattern)]
    return lacks + ([] if assets.flame_is_here(found) else [assets.MISSING])


def make(found: Found, checkpoint: Path) -> Made:
    """The identity and its recorded motion. Raises ConfigError or WeightsError."""
    learnt, clip = read_checkpoint(checkpoint), read_clip(frame_files(found))
    model, notes = assets.flame_model(found)
    head = FlameHead(model, clip.shape)
    corners, shares = binding(found, len(model.template))
    if len(corners) != len(learnt.logits):
        raise ConfigError(
            f"{checkpoint} has {len(learnt.logits)} points, but FlameMesh.obj and FLAME_masks.pkl "
            f"make {len(corners)}: one of the files is not that which it was trained with"
        )
    height, width = clip.size
    told = f"{checkpoint.name}: {len(corners)} points; {len(clip.lids)} frames of {width}x{height}"
    notes = (told, *notes)
    if clip.jaw_is_fixed:
        notes += ("its tracker never moved the jaw: expressions move it instead",)
    screen = GREEN if found.wish.screen is None else found.wish.screen
    if found.wish.screen is None:
        notes += ("taken to be trained before green; if it was white: --screen '#ffffff'",)
    state = {
        **assets.head_state(head), **learnt.net, **_camera(clip, head), **_lids(clip),
        "harmonics": learnt.harmonics, "log_scales": learnt.log_scales,
        "rotations": learnt.rotations, "logits": learnt.logits,
        "corners": torch.from_numpy(corners), "shares": torch.from_numpy(shares),
        "lids": eyelids(found, len(model.template)), "trained_before": torch.tensor(screen),
        "jaw_follow": jaw_by_expression(head) if clip.jaw_is_fixed else torch.zeros(3, 100),
    }  # fmt: skip
    return Made(
        "flashavatar",
        state,
        motion=motion_of(clip),
        background=CALM if screen == GREEN else "keep",
        notes=notes,
    )


def read_checkpoint(path: Path) -> Learnt:
    """The network and the Gaussians; Adam's moments are left behind. Raises WeightsError."""
    match read_nested(path):
        case (dict(net), _), (int(degree), _, flat, rest, scales, turned, logits, *_), _:
            parts = [
                part for part in (flat, rest, scales, turned, logits) if isinstance(part, Tensor)
            ]
        case _:
            raise WeightsError(f"{path} is no checkpoint of FlashAvatar: it is nested otherwise")
    if len(parts) < 5 or degree not in range(4):
        raise WeightsError(f"{path} is no checkpoint of FlashAvatar: it holds other things")
    count = parts[0].shape[0] if parts[0].ndim else 0
    wanted = ((count, 1, 3), (count, 15, 3), (count, 3), (count, 4), (count, 1))
    for part, shape in zip(parts, wanted, strict=True):
        if tuple(part.shape) != shape or not part.isfinite().all() or not count:
            raise WeightsError(f"{path}: {tuple(part.shape)} where finite {shape} are wanted")
    flat, rest, scales, turned, logits = (part.detach().float().contiguous() for part in parts)
    used = torch.cat([flat, rest], 1)[:, : (degree + 1) ** 2].contiguous()
    named = {f"{NET}{name}": value.float() for name, value in flatten(net, path, nested=False)}
    return Learnt(named, used, scales, turned, logits[:, 0].contiguous())


def binding(found: Found, vertices: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where the points sit: vertices [N, 3] and shares [N, 3]."""
    mesh = read_obj(_path(found, r"FlameMesh\.obj"))
    masks = read_pickle(path := _path(found, r"FLAME_masks\.pkl"))
    if "boundary" not in masks or masks["boundary"].dtype.kind not in "iu":
        raise WeightsError(f"{path} has no vertices called boundary; is it FLAME's?")
    if len(mesh.vertices) != vertices:
        raise ConfigError(f"FlameMesh.obj has {len(mesh.vertices)} vertices, FLAME {vertices}")
    _, corners, shares = uv.bound(mesh, masks["boundary"].astype(np.int64))
    return corners, shares


def eyelids(found: Found, vertices: int) -> Tensor:
    """How shutting the left and the right eye moves the mesh, [2, V, 3] metres."""
    fields = []
    for side in "lr":
        path = _path(found, rf"{side}_eyelid\.npy")
        fields.append(sizes(read_npy(path), (vertices, 3), str(path)).astype(np.float32))
    return torch.from_numpy(np.stack(fields))


def _path(found: Found, pattern: str) -> Path:
    path = found.first(pattern)
    assert path is not None, pattern  # `bring` has named what lacks
    return path


def _camera(clip: Clip, head: FlameHead) -> dict[str, Tensor]:
    """A camera that sees the mean pose, the joint where it is on average; the principal point is
    the picture's middle, whatever the tracker says, for so the Gaussians were trained."""
    height, width = clip.size
    pivot = head.joint_template[0]
    rotation = turns.mean_turn(clip.rotation)
    shift = (clip.rotation @ pivot + clip.shift).mean(0) - rotation @ pivot
    lens = [float(clip.lens[0, 0]), float(clip.lens[1, 1]), width / 2, height / 2]
    return {
        "camera": torch.tensor([width, height, *lens], dtype=torch.float64),
        "view": torch.cat([rotation, shift[:, None]], 1),
        "pivot": pivot,
    }


def _lids(clip: Clip) -> dict[str, Tensor]:
    """Lids as this person's expression moves them (ridge regression), within their usual range."""
    mean, middle = clip.expression.mean(0), clip.lids.mean(0)
    centred = clip.expression - mean
    normal = centred.T @ centred
    ridge = (_RIDGE * normal.diagonal().mean() + 1e-6) * torch.eye(100)
    follow = torch.linalg.solve(normal + ridge, centred.T @ (clip.lids - middle))
    low, high = (torch.quantile(clip.lids, share, dim=0) for share in (0.01, 0.99))
    return {
        "lid_bias": middle - mean @ follow,
        "lid_follow": follow,
        "lid_range": torch.stack([low, high]),
    }


def jaw_by_expression(head: FlameHead) -> Tensor:
    """Expressions [3, 100] that come closest to turning the jaw by one radian about each axis."""
    step = 0.1
    still = head(torch.zeros(100), torch.zeros(JOINTS, 3))
    basis = head.basis[:100].T.double()
    moved = []
    for axis in range(3):
        rotations = torch.zeros(JOINTS, 3)
        rotations[2, axis] = step
        moved.append((head(torch.zeros(100), rotations) - still).flatten() / (step * head.scale))
    normal = basis.T @ basis
    ridge = 1e-2 * normal.diagonal().mean() * torch.eye(100, dtype=torch.float64)
    wanted = torch.stack(moved, 1).double()
    found: Tensor = torch.linalg.solve(normal + ridge, basis.T @ wanted).T.float()
    return found.contiguous()

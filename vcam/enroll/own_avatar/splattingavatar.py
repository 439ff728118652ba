"""SplattingAvatar: `embedding.json`, its mesh and points, and the subject's `flame_params.json`."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vcam.enroll.own_avatar import assets
from vcam.enroll.own_avatar.found import Found, demand_all
from vcam.enroll.own_avatar.frames import demand_filmed
from vcam.enroll.own_avatar.kinds import Brought
from vcam.enroll.own_avatar.rigged import Made, sizes
from vcam.errors import ConfigError, WeightsError
from vcam.flame.model import FlameHead, rotation_matrices
from vcam.photo.picture import read_picture
from vcam.render.avatars import turns
from vcam.render.avatars.splatting import SCALE
from vcam.tensors.obj import read_obj
from vcam.tensors.ply import columns, read_vertices

WHITE = (1.0, 1.0, 1.0)
EMBEDDING = r"embedding\.json"
PARAMETERS = r"flame_params\.json"
_LARGEST_JSON = 512 << 20  # bytes; a subject's frames are some 20 MB
_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def recognise(found: Found) -> bool:
    """By the embedding's name."""
    return bool(found.like(EMBEDDING))


def bring(found: Found, folder: Path) -> Brought:
    """The identity, of several embeddings the one trained longest, written into `folder`."""
    return make(found, _embedding(found)).keep(folder)


def demand(found: Found) -> None:
    """Raise ConfigError that names all that is not among the files."""
    embedding = _embedding(found)
    needed = {
        "point_cloud.ply (beside embedding.json)": (embedding.parent / "point_cloud.ply").is_file(),
        "flame_params.json (beside the subject's pictures)": bool(found.like(PARAMETERS)),
        assets.MISSING: assets.flame_is_here(found),
    }
    demand_all("SplattingAvatar", (what for what, here in needed.items() if not here))


def _embedding(found: Found) -> Path:
    embedding = found.newest(EMBEDDING)
    assert embedding is not None  # `recognise` has seen one
    return embedding


def make(found: Found, embedding: Path) -> Made:
    """The identity. Raises ConfigError or WeightsError."""
    (parameters, *more) = found.like(PARAMETERS)
    if more:
        raise ConfigError(
            f"there are several subjects ({parameters}, {more[0]}); name one's folder"
        )
    subject, riding = _json(parameters), points(embedding)
    picture = found.wish.picture or _picture_size(subject, parameters)
    filmed = _camera(subject, picture, parameters)
    model, notes = assets.flame_model(found)
    if len(riding["canonical"]) != len(model.template):
        raise WeightsError(
            f"the mesh of {embedding} has not FLAME's {len(model.template)} vertices"
        )
    shape = _numbers(subject, "shape_params", (-1,), parameters)[:100]
    head = FlameHead(model, assets.padded(shape), SCALE)
    state = {
        **assets.head_state(head), **riding,
        **filmed,
        "trained_before": torch.tensor(WHITE if found.wish.screen is None else found.wish.screen),
    }  # fmt: skip
    count, (width, height) = len(riding["which"]), picture
    frames = f"{len(subject['frames'])} frames of {width}x{height}"
    told = f"{embedding.parent.name}: {count} points; {frames}"
    return Made("splattingavatar", state, notes=(told, *notes))


def points(embedding: Path) -> dict[str, Tensor]:
    """What the points are and where they ride, from the three files of a training step."""
    table, ply = _json(embedding), read_vertices(cloud := embedding.parent / "point_cloud.ply")
    rows = len(next(iter(ply.values())))
    if any(name.startswith("f_rest_") for name in ply):
        raise ConfigError(f"{embedding.parent} has colours of a higher degree, an experiment")
    which = _numbers(table, "sample_fidxs", (rows,), embedding).long()
    name = table.get("cano_mesh", table.get("mesh_fn", "embedding.obj"))
    mesh = read_obj(embedding.parent / PurePosixPath(str(name).replace("\\", "/")).name)
    if not 0 <= int(which.min()) <= int(which.max()) < len(mesh.faces):
        raise WeightsError(f"{embedding} rides on faces that its mesh does not have")
    shares = "sample_bary" if "sample_bary" in table else "_sample_bary"
    turned = columns(ply, *(f"rot_{at}" for at in range(4)), path=cloud)
    if "_rotation" in table:
        turned = _numbers(table, "_rotation", (rows, 4), embedding)
    return {
        "faces": torch.from_numpy(mesh.faces),
        "canonical": torch.from_numpy(mesh.vertices.astype(np.float32)),
        "which": which,
        "shares": _numbers(table, shares, (rows, 3), embedding),
        "heights": _numbers(table, "_xyz", (rows, 3), embedding)[:, 2].contiguous(),
        "rotations": turned,
        "log_scales": columns(ply, *(f"scale_{at}" for at in range(3)), path=cloud),
        "harmonics": columns(ply, *(f"f_dc_{at}" for at in range(3)), path=cloud)[
            :, None
        ].contiguous(),
        "logits": columns(ply, "opacity", path=cloud)[:, 0].contiguous(),
    }


def frame_camera(frame: dict[str, Any], where: Path) -> Tensor:
    """`world_mat`, which has OpenGL's axes -> [3, 4] in OpenCV's."""
    return _OPENGL @ _numbers(frame, "world_mat", (3, 4), where)


def lens(
    subject: dict[str, Any], size: tuple[int, int], where: Path
) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in pixels; the file has shares of width and height, often negative."""
    width, height = size
    shares = _numbers(subject, "intrinsics", (4,), where).double().abs()
    fx, fy, cx, cy = (shares * torch.tensor([width, height, width, height])).tolist()
    return fx, fy, cx, cy


def _camera(subject: dict[str, Any], size: tuple[int, int], where: Path) -> dict[str, Tensor]:
    """The camera of the frame whose head is nearest to the mean, and the pose there."""
    frames = subject.get("frames")
    if not isinstance(frames, list) or not frames or not all(isinstance(f, dict) for f in frames):
        raise WeightsError(f"{where} has no frames")
    views = torch.stack([frame_camera(frame, where) for frame in frames])
    poses = torch.stack([_numbers(frame, "pose", (15,), where) for frame in frames])
    heads = views[:, :, :3] @ rotation_matrices(poses[:, :3])
    mean = turns.mean_turn(heads)
    nearest = int((heads - mean).flatten(1).norm(dim=1).argmin())
    fx, fy, cx, cy = lens(subject, size, where)
    demand_filmed(heads, views[:, :, 3], fy, size[1], SCALE, where)
    root = views[nearest, :, :3].T @ mean
    reference = torch.cat([turns.axis_angle(root), poses[:, 3:6].mean(0), torch.zeros(9)])
    return {
        "camera": torch.tensor([*size, fx, fy, cx, cy], dtype=torch.float64),
        "view": views[nearest],
        "reference": reference,
    }


def _picture_size(subject: dict[str, Any], where: Path) -> tuple[int, int]:
    """Width and height of one of the subject's pictures, for no file says them."""
    frames = subject.get("frames")
    names = [frame.get("file_path") for frame in frames[:50]] if isinstance(frames, list) else []
    for name in names:
        stem = PurePosixPath(str(name).replace("\\", "/"))
        if stem.is_absolute() or ".." in stem.parts:
            continue
        for ending in ("", ".png", ".jpg"):
            path = where.parent / f"{stem}{ending}"
            if path.is_file():
                height, width = read_picture(path).colours.shape[:2]
                return width, height
    raise ConfigError(
        f"none of the pictures that {where} names is there, and no file says how large they were: "
        "add --picture WIDTHxHEIGHT (512x512 for the released subjects)"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise WeightsError(f"{path} is larger than such a file can be")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise WeightsError(f"{path} is damaged: {error!s:.80}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds no names")
    return content


def _numbers(table: dict[str, Any], name: str, shape: tuple[int, ...], where: Path) -> Tensor:
    try:
        array = np.array(table[name], np.float64)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise WeightsError(f"{where} has no numbers called {name}") from error
    narrow = sizes(array, shape, f"{where}: {name}").astype(np.float32)
    return torch.from_numpy(sizes(narrow, shape, f"{where}: {name}"))

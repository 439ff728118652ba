"""FLAME and what belongs to it, from the person's own files or from vcam's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.enroll.own_avatar.found import Found
from vcam.enroll.own_avatar.rigged import sizes
from vcam.errors import ConfigError, WeightsError
from vcam.flame.model import EXPRESSIONS, JOINTS, FlameHead, FlameModel
from vcam.flame.synthetic import landmark_table
from vcam.render.avatars.identity import HEAD
from vcam.tensors.old_pickles import read_pickle
from vcam.weights import manifest

SHAPES = 300
PUBLISHED = r"FLAME_with_eye\.(pt|safetensors)"
LICENSED = r"generic_model\.pkl"
MISSING = (
    "FLAME 2020: generic_model.pkl from flame.is.tue.mpg.de, or `vcam models pull` for the file "
    "that ARTalk and GAGAvatar use"
)
FOUND_BY_PLACE = (
    "FLAME's landmark table is not here: lips and eyes were taken to be where a face has them"
)


def flame_is_here(found: Found) -> bool:
    """Whether a model of FLAME is among the files or among vcam's models."""
    return bool(found.like(PUBLISHED) or found.like(LICENSED) or installed())


def installed() -> Path | None:
    """vcam's own FLAME file."""
    try:
        return manifest.find("flame")
    except WeightsError:
        return None


def flame_model(found: Found) -> tuple[FlameModel, tuple[str, ...]]:
    """FLAME, and what should be said about it. Raises ConfigError or WeightsError."""
    if path := found.first(PUBLISHED):
        return FlameModel.load(path), ()
    own = installed()
    if path := found.first(LICENSED):
        return _licensed(path, FlameModel.load(own) if own else None)
    if own is None:
        raise ConfigError(f"missing {MISSING}")
    return FlameModel.load(own), ()


def _licensed(path: Path, published: FlameModel | None) -> tuple[FlameModel, tuple[str, ...]]:
    """`generic_model.pkl` has no landmarks; the published file of the same mesh lends its own."""
    arrays = {
        name: _tensor(value)
        for name, value in read_pickle(path).items()
        if value.dtype.kind in "fiu"
    }
    wanted = ("f", "v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
    if missing := [name for name in wanted if name not in arrays]:
        raise WeightsError(f"{path} has no {', '.join(missing)}; is it FLAME's generic_model.pkl?")
    faces, template = arrays["f"], arrays["v_template"]
    dirs, parents = arrays["shapedirs"], arrays["kintree_table"]
    count = len(template)
    fits = (
        template.shape == (count, 3) and faces.ndim == 2 and faces.shape[1:] == (3,)
        and int(faces.min()) >= 0 and int(faces.max()) < count
        and dirs.shape == (count, 3, SHAPES + EXPRESSIONS)
        and arrays["posedirs"].shape == (count, 3, 36)
        and arrays["J_regressor"].shape == (JOINTS, count)
        and arrays["weights"].shape == (count, JOINTS) and parents.shape == (2, JOINTS)
    )  # fmt: skip
    if not fits:
        raise WeightsError(f"{path} is no FLAME 2020 model with 300 shapes and 100 expressions")
    shared = published is not None and torch.equal(published.faces, faces)
    table = published.landmarks if shared and published else landmark_table(template, faces)
    model = FlameModel(
        faces, template, dirs[..., :SHAPES].contiguous(), dirs[..., SHAPES:].contiguous(),
        arrays["posedirs"].reshape(3 * count, -1).T.contiguous(), arrays["J_regressor"],
        (-1, *parents[0, 1:].tolist()), arrays["weights"], table,
    )  # fmt: skip
    return model, () if shared else (FOUND_BY_PLACE,)


def _tensor(value: NDArray[Any]) -> Tensor:
    kind = np.float32 if value.dtype.kind == "f" else np.int64
    return torch.from_numpy(np.ascontiguousarray(value.astype(kind)))


def head_state(head: FlameHead) -> dict[str, Tensor]:
    """A folded head under the names of `vcam.render.avatars.identity`."""
    state = {f"{HEAD}{name}": value for name, value in head.state_dict().items()}
    return state | {"parents": torch.tensor(head.parents)}


def padded(code: Tensor) -> Tensor:
    """A shape code of fewer numbers, filled with zeros to FLAME's 300."""
    sizes(code.numpy(), (-1,), "the shape code")
    return torch.cat([code, code.new_zeros(SHAPES - len(code))])

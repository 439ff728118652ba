"""One person as upstream's tracker sees them: a photo, its camera, and FLAME's shape code.

Tracking itself is not done here. Upstream publishes identities in `tracked.pt`, a file of arrays
that comes from elsewhere and is read without running anything from it. An imported identity is a
profile folder: profile.yaml, portrait.png, and tracked.safetensors with camera and shape.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.errors import ConfigError, WeightsError
from vcam.nets.gagavatar import FOCAL
from vcam.photo import picture
from vcam.system import opencv as cv2
from vcam.tensors.arrays import read_numbers
from vcam.tensors.checkpoint import read_state

SHAPES = 300
HEAD_TALL = 1.25  # of the mesh that GAGAvatar draws
TALL = (0.2, 2.5)  # of the picture, that a photographed head may take
TENSORS = "tracked.safetensors"
PORTRAIT = "portrait.png"


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a renderer must know of a person."""

    image: Tensor  # [3, S, S] RGB 0..1, the head on black
    transform: Tensor  # [3, 4] camera of the photo, see `viewpoint`
    shape: Tensor  # [300] FLAME

    def __post_init__(self) -> None:
        side = self.image.shape[-1] if self.image.ndim else 0
        if self.image.shape != (3, side, side) or side < 64:
            raise WeightsError(f"the portrait is {tuple(self.image.shape)}, not [3, size, size]")
        if self.transform.shape != (3, 4):
            raise WeightsError(f"the camera is {tuple(self.transform.shape)}, not [3, 4]")
        if self.shape.ndim != 1:
            raise WeightsError(f"the shape code is {tuple(self.shape.shape)}, not one row")
        for name in ("image", "transform", "shape"):
            if not getattr(self, name).isfinite().all():
                raise WeightsError(
                    f"the tracked {name} holds NaN or infinity; track the photo anew"
                )
        _demand_camera(self.transform)


def _demand_camera(transform: Tensor) -> None:
    """Refuse a camera in another tracker's units or axes, which would draw a blob.

    GAGAvatar's head is five times a real one, seen through a lens of 12 half pictures.
    """
    depth = float(transform[2, 3])
    tall = FOCAL / 2 * HEAD_TALL / depth if depth > 0 else 0.0
    if not TALL[0] <= tall <= TALL[1]:
        raise WeightsError(
            f"with the camera {depth:.3g} away the head would be {tall:.2g} of the picture high; "
            "these are not GAGAvatar's units (it stands some 9 away): track the photo with "
            "GAGAvatar's tracker, or let `vcam profile create` do it"
        )
    if transform[1, 1] <= 0 or transform[2, 2] >= 0:
        raise WeightsError(
            "the camera sees the head upside down or from behind: it is not in pytorch3d's axes; "
            "track the photo with GAGAvatar's tracker, or let `vcam profile create` do it"
        )


def read_tracked(path: Path) -> dict[str, Tracked]:
    """Every identity in upstream's `tracked.pt`, by the name of its photo.

    Raises `WeightsError` for a file with foreign objects (none of them is created), a damaged one,
    or an entry without image, camera or shape code.
    """
    people = {}
    for name, entry in read_numbers(path).items():
        if not isinstance(entry, dict):
            raise WeightsError(f"{path}: {name} is no tracked identity")
        parts = [entry.get(key) for key in ("image", "transform_matrix", "shapecode")]
        if not all(isinstance(part, Tensor) for part in parts):
            raise WeightsError(f"{path}: {name} lacks image, transform_matrix or shapecode")
        image, transform, shape = (part.float() for part in parts if isinstance(part, Tensor))
        if transform.numel() != 12:
            raise WeightsError(f"{path}: the camera of {name} is {tuple(transform.shape)}")
        people[name] = Tracked(image, transform.reshape(3, 4), shape.reshape(-1))
    return people


def save_profile(person: Tracked, folder: Path, title: str) -> Path:
    """Write the profile of `person` into `folder`, which must not exist; give it back."""
    folder.mkdir(parents=True)
    save_identity(person, folder)
    (folder / "profile.yaml").write_text(
        f"version: 1\ntitle: {json.dumps(title)}\nrenderer: gagavatar\n", encoding="utf-8"
    )
    return folder


def save_identity(person: Tracked, folder: Path) -> None:
    """Write the photo, its camera and the shape code into `folder`."""
    from safetensors.torch import save_file

    pixels = (person.image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    cv2.imwrite(str(folder / PORTRAIT), np.ascontiguousarray(pixels[..., ::-1]))
    save_file(
        {"transform_matrix": person.transform.contiguous(), "shapecode": person.shape.contiguous()},
        folder / TENSORS,
    )


def load_profile(folder: Path) -> Tracked:
    """The person of a profile folder. Raises `ConfigError` when it has no camera or shape code."""
    path = folder / TENSORS
    if not path.is_file():
        raise ConfigError(
            f"{folder.name} has no {TENSORS}: import the identity, or track its photo"
        )
    state = read_state(path)
    for key, what in (("shapecode", "shape code"), ("transform_matrix", "camera")):
        if key not in state:
            raise ConfigError(f"{path} holds no {what} ({key}): import the identity anew")
    photo = picture.read_picture(folder / PORTRAIT)
    image = torch.from_numpy(photo.colours).permute(2, 0, 1).float() / 255
    if photo.alpha is not None:  # the person's outline
        image = image * (torch.from_numpy(photo.alpha).float() / 255)
    return Tracked(image, state["transform_matrix"].float(), state["shapecode"].float())


def profile_name(photo: str) -> str:
    """A profile's name from a photo's: `tom.hanks.jpg` -> `tom-hanks`."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", Path(photo).stem).strip("-")[:64]
    return name or "imported"

"""A clip of metrical-tracker's frames (Zielonka et al., "Towards Metrical Reconstruction of Human
Faces", ECCV 2022): `00000.frame` and so on, one dictionary of arrays each.

`img_size` is height, width. Six-number rotations are not quite orthonormal. The camera is given
twice, in pytorch3d's convention and in OpenCV's: when the two do not agree, or the head is not
where a head is filmed, the numbers are of another tracker and are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vcam.enroll.own_avatar.found import Found
from vcam.errors import ConfigError
from vcam.render.avatars import turns
from vcam.render.avatars.flash import STILL
from vcam.tensors.arrays import Numbers, read_numbers

NAME = r"\d{5,}\.frame"
HEAD_TALL = 0.25  # metres
TALL = (0.2, 2.5)  # of a picture's height, that a filmed head may take
_SIZES = {
    "flame.exp": 100, "flame.shape": 300, "flame.eyes": 12, "flame.eyelids": 2, "flame.jaw": 6,
    "camera.R": 6, "camera.t": 3, "opencv.R": 9, "opencv.t": 3, "opencv.K": 9, "img_size": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clip:
    """T frames of one person by one camera."""

    expression: Tensor  # [T, 100]
    jaw: Tensor  # [T, 6]
    eyes: Tensor  # [T, 12]
    lids: Tensor  # [T, 2] left, right; not within 0..1
    rotation: Tensor  # [T, 3, 3] world to camera, OpenCV's axes
    shift: Tensor  # [T, 3]
    lens: Tensor  # [3, 3]
    size: tuple[int, int]  # height, width
    shape: Tensor  # [300]

    @property
    def jaw_is_fixed(self) -> bool:
        """Whether the tracker never moved the jaw, its default."""
        return bool((self.jaw == torch.tensor(STILL)).all())

    @property
    def head(self) -> Tensor:
        """The head's rotations [T, 3, 3] in FLAME's axes, from their mean: the camera's tilt is
        on their left."""
        turned = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ self.rotation
        return turns.mean_turn(turned).T @ turned


def frame_files(found: Found) -> list[Path]:
    """The frames of the one clip there is. Raises ConfigError when there are several."""
    files = found.like(NAME)
    folders = sorted({path.parent for path in files})
    if len(folders) > 1:
        raise ConfigError(
            f"there are tracked frames in {len(folders)} folders ({folders[0]}, {folders[1]}); "
            "name the one that belongs to this person"
        )
    return sorted(files, key=lambda path: int(path.stem))


def read_clip(files: list[Path]) -> Clip:
    """Read and check frames. Raises ConfigError or WeightsError; nothing in them is run."""
    rows = [_flat(read_numbers(path), path) for path in files]
    stacked = {name: torch.stack([row[name] for row in rows]) for name in _SIZES}
    clip = Clip(
        stacked["flame.exp"], stacked["flame.jaw"], stacked["flame.eyes"],
        stacked["flame.eyelids"], stacked["opencv.R"].view(-1, 3, 3), stacked["opencv.t"],
        stacked["opencv.K"][0].view(3, 3),
        (int(stacked["img_size"][0, 0]), int(stacked["img_size"][0, 1])), stacked["flame.shape"][0],
    )  # fmt: skip
    where = files[0].parent
    if (stacked["img_size"] != stacked["img_size"][0]).any():
        raise ConfigError(f"{where} mixes pictures of several sizes; keep one clip in a folder")
    if (stacked["flame.shape"] - clip.shape).abs().max() > 1e-6:
        raise ConfigError(f"{where} mixes several people; keep one person's frames in a folder")
    six = torch.cat([clip.jaw, clip.eyes, stacked["camera.R"]], 1).view(len(files), -1, 3)
    if six.norm(dim=2).min() < 0.1:
        raise ConfigError(f"{where} holds rotations of no length; track the clip anew")
    _demand_convention(clip, stacked, where)
    return clip


def _flat(content: Numbers, path: Path) -> dict[str, Tensor]:
    """The numbers of one frame, each a row of the size expected."""
    row = {}
    for name, size in _SIZES.items():
        value: Numbers | Tensor | None = content
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if not isinstance(value, Tensor) or value.numel() != size or not value.isfinite().all():
            raise ConfigError(
                f"{path} has no {size} finite numbers as {name}; is it metrical-tracker's?"
            )
        row[name] = value.reshape(-1) if name == "img_size" else value.reshape(-1).float()
    return row


def _demand_convention(clip: Clip, stacked: dict[str, Tensor], where: Path) -> None:
    """Refuse cameras that are not metrical-tracker's: they would draw a blob."""
    flip = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    camera = flip @ turns.from_six(stacked["camera.R"]).mT
    apart = (camera - clip.rotation).abs().max()
    apart = torch.maximum(apart, (stacked["camera.t"] @ flip - clip.shift).abs().max())
    if apart > 1e-3:
        raise ConfigError(
            f"{where}: the two cameras of a frame, camera and opencv, differ by {apart:.3g}; these "
            "are not metrical-tracker's conventions, and the head would be drawn elsewhere"
        )
    demand_filmed(clip.rotation, clip.shift, float(clip.lens[1, 1]), clip.size[0], 1.0, where)


def demand_filmed(
    rotation: Tensor, shift: Tensor, focal: float, height: float, scale: float, where: Path
) -> None:
    """Refuse cameras [T, 3, 3], [T, 3] (OpenCV's axes) that do not film a head's face.

    `focal` and `height` are pixels; the head is `scale` times a real one, in metres.
    """
    off = (rotation @ rotation.mT - torch.eye(3)).abs().amax()
    depth = float(shift[:, 2].median())
    tall = focal * HEAD_TALL * scale / depth / height if depth > 0 else -1.0
    if off > 1e-2 or (torch.linalg.det(rotation) < 0).any():
        raise ConfigError(f"{where}: the camera does not rotate, it distorts; track the clip anew")
    if not TALL[0] <= tall <= TALL[1] or not 10 < height < 1e5:
        raise ConfigError(
            f"{where}: with the camera {depth:.3g} away the head would be {max(tall, 0):.2g} of "
            "the picture high: these numbers are in another tracker's units"
        )
    facing = turns.mean_turn(rotation)
    if facing[2, 2] > 0 or facing[1, 1] > 0:
        raise ConfigError(
            f"{where}: the camera sees the head from behind or upside down: its axes are of "
            "another convention (OpenCV's are wanted: x right, y down, z forward)"
        )

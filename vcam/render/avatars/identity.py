"""The identity of a face that others have trained, on disk: `flashavatar.safetensors` or
`splattingavatar.safetensors` in a profile.

It is written once, by an import, and holds all that drawing needs: FLAME with the person's shape
folded in, the Gaussians and where on the mesh they sit, the network if there is one, the camera.
`LAYOUTS` names every tensor. Letters are sizes: N points, V vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from vcam.errors import ConfigError, WeightsError
from vcam.flame.model import CONTOUR_BINS, JOINTS, FlameHead
from vcam.nets.flashavatar import FlashNet
from vcam.render.avatars.flash import NET, FlashRig
from vcam.render.avatars.rig import Rig
from vcam.render.avatars.splatting import SCALE, SplattingRig
from vcam.render.splat.camera import Camera
from vcam.tensors.checkpoint import hollow, read_state
from vcam.tensors.tensorfile import read_header

KINDS = ("flashavatar", "splattingavatar")
HEAD = "head."
MOST_POINTS = 2_000_000

_Shape = tuple[int | str, ...]
_HEAD: dict[str, _Shape] = {
    "head.template": ("V", 3),
    "head.basis": (136, "3V"),
    "head.joint_template": (JOINTS, 3),
    "head.joint_basis": (JOINTS, 3, 100),
    "head.weights": ("V", JOINTS),
    "head.corners": (CONTOUR_BINS, 17, 3),
    "head.corner_weights": (CONTOUR_BINS, 17, 3),
    "head.fixed": (53, 3),
    "head.fixed_weights": (53, 3),
    "parents": (JOINTS,),
    "camera": (6,),  # width, height, fx, fy, cx, cy
    "view": (3, 4),  # world to camera, OpenCV's axes
    "trained_before": (3,),  # the colour behind the person in training, 0..1
    "logits": ("N",),  # of opacity
    "harmonics": ("N", "K", 3),
    "log_scales": ("N", 3),
    "rotations": ("N", 4),  # as stored, not normalised
    "shares": ("N", 3),  # barycentric; FlashAvatar's do not quite sum to 1
}
_FLASH: dict[str, _Shape] = {
    "corners": ("N", 3),  # the vertices that each point lies between
    "lids": (2, "V", 3),  # how shutting the left and the right eye moves the mesh
    "pivot": (3,),  # the joint about which the head turns
    "lid_bias": (2,),  # the person's lids as a linear function of expression
    "lid_follow": (100, 2),
    "lid_range": (2, 2),  # lowest, highest
    "jaw_follow": (3, 100),  # the jaw by expression, of a person whose jaw was not tracked; else 0
}
_SPLATTING: dict[str, _Shape] = {
    "faces": ("F", 3),
    "which": ("N",),  # the face that each point rides on
    "heights": ("N",),  # over the face
    "canonical": ("V", 3),  # the mesh of the first frame
    "reference": (3 * JOINTS,),  # the pose of a frame at rest, axis-angle
}
with hollow():
    _NET: dict[str, _Shape] = {
        f"{NET}{name}": tuple(value.shape) for name, value in FlashNet().state_dict().items()
    }
LAYOUTS = {"flashavatar": _HEAD | _FLASH | _NET, "splattingavatar": _HEAD | _SPLATTING}
_INDICES = {"head.corners": "V", "head.fixed": "V", "corners": "V", "faces": "V", "which": "F"}


def file_in(folder: Path, kind: str) -> Path:
    """Where a profile keeps it."""
    return folder / f"{kind}.safetensors"


def save(state: Mapping[str, Tensor], folder: Path, kind: str) -> None:
    """Write an identity; it is checked as if it had been read. Raises `WeightsError`."""
    from safetensors.torch import save_file

    path = file_in(folder, kind)
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, path)
    load(folder, kind)


def load(folder: Path, kind: str) -> Rig:
    """The person of a profile, on the CPU. Raises `ConfigError` or `WeightsError`."""
    path = file_in(folder, kind)
    check_header(folder, kind)
    state = read_state(path)
    _check_values(state, path)
    return build(state, kind)


def build(state: Mapping[str, Tensor], kind: str) -> Rig:
    """The person that a state in order describes."""
    head = FlameHead.of_state(
        {name.removeprefix(HEAD): state[name] for name in state if name.startswith(HEAD)},
        state["parents"].tolist(),
        SCALE if kind == "splattingavatar" else 1.0,
    )
    width, height, *lens = state["camera"].tolist()
    camera = Camera(round(width), round(height), (lens[0], lens[1]), (lens[2], lens[3]))
    make = SplattingRig if kind == "splattingavatar" else FlashRig
    return make(state, head, camera)


def check_header(folder: Path, kind: str) -> None:
    """Look at the names and shapes of a profile's identity alone. Raises `ConfigError`."""
    path = file_in(folder, kind)
    if not path.is_file():
        raise ConfigError(
            f"{folder.name} holds no {path.name}: vcam profile import FOLDER --as NAME makes one"
        )
    found = {name: entry.shape for name, entry in read_header(path).items()}
    faults = list(_faults(found, LAYOUTS[kind]))
    if faults:
        raise ConfigError(f"{path} is no {kind}: {'; '.join(faults[:3])}; import it anew")


def _faults(found: Mapping[str, tuple[int, ...]], layout: Mapping[str, _Shape]) -> Iterator[str]:
    sizes: dict[str, int] = {}
    for name in found:
        if name not in layout:
            yield f"surplus {name:.40}"
    for name, wanted in layout.items():
        shape = found.get(name)
        if shape is None:
            yield f"missing {name}"
        elif len(shape) != len(wanted) or not all(map(_fits, shape, wanted, [sizes] * len(shape))):
            yield f"{name} is {shape}, not {wanted}"
    if not 0 < sizes.get("N", 1) <= MOST_POINTS:
        yield f"{sizes['N']} points"
    if sizes.get("K", 1) not in (1, 4, 9, 16):
        yield f"{sizes['K']} harmonics"


def _fits(size: int, wanted: int | str, sizes: dict[str, int]) -> bool:
    """Whether a size is the number wanted, or what its letter was before."""
    if isinstance(wanted, int):
        return size == wanted
    letter = wanted[-1]
    times = int(wanted[:-1] or 1)
    return size == times * sizes.setdefault(letter, size // times)


def _check_values(state: Mapping[str, Tensor], path: Path) -> None:
    sizes = {"V": len(state["head.template"]), "F": len(state.get("faces", ()))}
    for name, value in state.items():
        whole = name in _INDICES or name == "parents"
        if value.is_floating_point() == whole or not value.isfinite().all():
            raise WeightsError(f"{path}: {name} holds other than finite numbers; import it anew")
        if name in _INDICES and not _within(value, sizes[_INDICES[name]]):
            raise WeightsError(f"{path}: {name} points outside of the mesh; import it anew")
    parents = state["parents"].tolist()
    if parents[0] != -1 or not all(0 <= p < own for own, p in enumerate(parents[1:], 1)):
        raise WeightsError(f"{path}: a joint hangs on a later one; import it anew")
    width, height, *lens = state["camera"].tolist()
    if not (16 <= width <= 8192 and 16 <= height <= 8192 and min(lens[:2]) > 1):
        raise WeightsError(f"{path}: no camera has {width:g}x{height:g} pixels of such a lens")


def _within(value: Tensor, size: int) -> bool:
    return value.dtype == torch.int64 and bool(((value >= 0) & (value < size)).all())

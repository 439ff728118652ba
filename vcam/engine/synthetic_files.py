"""Made-up networks as files, in the very form in which `vcam models pull` keeps released ones.

Drawing some 1.2 thousand million numbers takes longer than reading them, and nobody who has real
weights waits for that: a start with these files measures what a start with released ones takes.
They are written once, to a temporary folder that is renamed when it is whole.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from vcam import places
from vcam.engine.synthetic import MouthPart, Synthetic
from vcam.errors import ConfigError
from vcam.flame.model import FlameModel
from vcam.weights import convert
from vcam.weights.manifest import Asset, manifest

SIZE = 5 << 30  # bytes of disk that the files of full-size networks need, and a little more
_PART, _LOCK = "partial", "lock"
_SOURCES = (
    "engine/synthetic.py",
    "flame/synthetic.py",
    "engine/synthetic_files.py",
    "weights/weights.yaml",
)

_MOUTH: dict[MouthPart, str] = {
    "unet": "musetalk",
    "vae": "sd-vae-ft-mse",
    "whisper": "whisper-tiny",
}


def kept(made: Synthetic, say: Callable[[str], None] = lambda step: None) -> Path:
    """The folder with the files of `made`, written now unless they are there.

    It is laid out as the models' folder; `say` hears that it is being written. Those of other
    seeds, sizes or versions are removed first. Raises ConfigError when the disk is too full.
    """
    root = places.cache("synthetic")
    folder = root / _digest(made)
    if folder.is_dir():
        return folder
    say(f"making up networks, once ({SIZE >> 30} GB in {root})")
    with _alone(root):
        if folder.is_dir():  # another process was faster
            return folder
        _make_room(root, made)
        part = root / _PART
        try:
            _write(made, part)
            part.rename(folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise ConfigError(f"cannot write {root}: {error.strerror}") from error
    return folder


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait until no other process is writing; where the system has such locks."""
    if importlib.util.find_spec("fcntl") is None:
        yield
        return
    import fcntl

    with (root / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(made: Synthetic) -> str:
    """Of all that the files depend on: the random numbers differ between CPU and GPU."""
    sources = [(Path(__file__).parents[1] / name).read_bytes() for name in _SOURCES]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    about = f"{made.seed} {made.small} {torch.__version__} {device}"
    return hashlib.sha256(b"".join([about.encode(), *sources])).hexdigest()[:24]


def _make_room(root: Path, made: Synthetic) -> None:
    for other in root.iterdir():
        if other.is_dir():
            shutil.rmtree(other)
    if not made.small and (free := shutil.disk_usage(root).free) < SIZE:
        needed = f"{SIZE >> 30} GB, there are {free / 2**30:.1f}"
        raise ConfigError(f"made-up networks need {needed} in {root}: set VCAM_CACHE")


def _write(made: Synthetic, folder: Path) -> None:
    for asset, state in _tensors(made):
        path = folder / asset.to
        path.parent.mkdir(parents=True, exist_ok=True)
        assert asset.convert is not None
        with path.open("wb") as file:
            convert.write(state, convert.planned(state, asset.convert), file)
    for part, model in _MOUTH.items():
        asset = next(each for each in manifest()[model].files if _is_settings(each))
        (folder / asset.to).write_text(json.dumps(made.config(part)))


def _tensors(made: Synthetic) -> Iterator[tuple[Asset, Mapping[str, Tensor]]]:
    """What each file is to hold, under its published names; one at a time, for they are large."""
    yield _first("artalk"), made.artalk().state_dict()
    yield _first("gagavatar"), made.gagavatar().state_dict()
    yield _first("flame"), published(made.flame())
    yield _first("musetalk"), made.mouth_state("unet")
    yield _first("sd-vae-ft-mse"), made.mouth_state("vae")
    whisper = made.mouth_state("whisper")
    yield _first("taesd"), made.mouth_state("tiny")
    yield _first("whisper-tiny"), {f"model.encoder.{key}": whisper[key] for key in whisper}


def _first(model: str) -> Asset:
    return manifest()[model].files[0]


def _is_settings(asset: Asset) -> bool:
    return asset.to.endswith(("/config.json", "/musetalk.json"))


def published(model: FlameModel) -> dict[str, Tensor]:
    """A FLAME model under the names of the published file, nested with dots."""
    table, count = model.landmarks, len(model.template)
    eyes = torch.zeros(1, 70, dtype=torch.int64), torch.zeros(1, 70, 3)
    eyes[0][0, 68:], eyes[1][0, 68:] = table.eye_faces, table.eye_weights
    return {
        "flame_model.f": model.faces,
        "flame_model.v_template": model.template,
        "flame_model.shapedirs": torch.cat([model.shape_basis, model.expression_basis], 2),
        "flame_model.posedirs": model.pose_basis.T.reshape(count, 3, -1).contiguous(),
        "flame_model.J_regressor": model.regressor,
        "flame_model.kintree_table": torch.tensor([[0, *model.parents[1:]], [0, 1, 2, 3, 4]]),
        "flame_model.weights": model.weights,
        "lmk_embeddings.dynamic_lmk_faces_idx": table.contour_faces,
        "lmk_embeddings.dynamic_lmk_bary_coords": table.contour_weights,
        "lmk_embeddings.static_lmk_faces_idx": table.inner_faces,
        "lmk_embeddings.static_lmk_bary_coords": table.inner_weights,
        "lmk_embeddings.full_lmk_faces_idx_with_eye": eyes[0],
        "lmk_embeddings.full_lmk_bary_coords_with_eye": eyes[1],
    }

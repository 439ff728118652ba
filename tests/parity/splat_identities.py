"""FlashAvatar and SplattingAvatar against the originals: imported from their files, then drawn."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tests.parity import flash_synth
from tests.parity.report import Report
from vcam.errors import ConfigError
from vcam.render.avatars.renderer import as_cloud
from vcam.render.avatars.rig import Gaussians
from vcam.render.splat.camera import Camera
from vcam.render.splat.coloured import coloured
from vcam.render.splat.exact import flatten


class Stored:
    """The tensors of one reference file; rows and pixels are thinned as their names say."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            self.info = json.loads(file.metadata()["info"])
        self.tensors = load_file(path)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def frames(self) -> Iterator[int]:
        """Numbers of the frames."""
        found = {int(m[1]) for name in self.tensors if (m := re.match(r"frame(\d+)\.", name))}
        return iter(sorted(found))

    def compare(self, report: Report, name: str, ours: Tensor, atol: float) -> None:
        """`name`, whole or thinned, against all of ours."""
        for key, stored in self.tensors.items():
            if match := re.fullmatch(re.escape(name) + r"(?:_s(\d+))?", key):
                report.close(key, ours[:: int(match[1] or 1)], stored, atol)

    def compare_turns(self, report: Report, name: str, ours: Tensor, atol: float) -> None:
        """Quaternions, whose sign means nothing."""
        for key, stored in self.tensors.items():
            if match := re.fullmatch(re.escape(name) + r"(?:_s(\d+))?", key):
                thinned = ours[:: int(match[1] or 1)].cpu()
                same = (thinned * stored).sum(1, keepdim=True).sign()
                report.close(key, thinned * same, stored, atol)


@lru_cache(maxsize=2)
def assets(seed: int) -> tempfile.TemporaryDirectory[str]:
    """The five files of FLAME's world of a seed, in a folder that goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="vcam-parity-")
    flash_synth.write_assets(folder.name, seed)
    return folder


def view_of(matrix: Tensor) -> Tensor:
    """A stored view [4, 4] -> [3, 4]."""
    return matrix[:3]


def check_pictures(
    ref: Stored, frame: int, gaussians: Gaussians, opacities: Tensor, report: Report,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    """The picture of a frame with every splatter: limits on the mean error, and on the share of
    values that differ by more than 1e-3."""
    width, height = ref.info.get("size", ref.info.get("size_wh"))
    fx, fy, cx, cy, *_ = ref[f"frame{frame}.intrinsics"].tolist()
    lens = Camera(width, height, (fx, fy), (cx, cy)).whole
    device = gaussians.points.device
    view = view_of(ref[f"frame{frame}.view"]).to(device)
    cloud = as_cloud(gaussians, opacities)
    radii = flatten(cloud, view, lens).radii[::4].cpu().int()
    wrong = int((radii != ref[f"frame{frame}.radii_s4"]).sum())
    report.at_most(f"frame{frame}.radii_s4 that differ", wrong, 1)
    for kind in ("exact",) if device.type == "cpu" else ("tables", "gsplat"):
        try:
            splatter = coloured(lens, len(opacities), device, kind)
        except ConfigError as error:
            print(f"left out: {error}")
            continue
        drawn, cover = splatter.draw(cloud, view)
        behind = torch.tensor(ref.info["background"], dtype=torch.float32, device=device)
        picture = (drawn.float() + (1 - cover) * behind[:, None, None]).cpu()
        _check_picture(ref, f"frame{frame}", picture, report, kind, limits)


def _check_picture(
    ref: Stored, at: str, picture: Tensor, report: Report, kind: str, limits: tuple[float, float]
) -> None:
    mean, share = (3e-4, 1.0) if kind == "gsplat" else limits
    parts = {"image_s8": picture[:, ::8, ::8]}
    if f"{at}.crop_at" in ref.tensors:
        y, x = ref[f"{at}.crop_at"].tolist()
        parts["image_crop"] = picture[:, y : y + 48, x : x + 48]
    for name, ours in parts.items():
        error = (ours - ref[f"{at}.{name}"]).abs()
        report.at_most(f"{at}.{name} {kind}: mean", float(error.mean()), mean)
        report.at_most(f"{at}.{name} {kind}: > 1e-3", float((error > 1e-3).float().mean()), share)
    if f"{at}.image_u8_rows" in ref.tensors and kind != "gsplat":
        rows = picture[:, ref[f"{at}.crop_at"][0] :][:, :48].permute(1, 2, 0)
        ours = (rows.clamp(0, 1) * 255).to(torch.uint8).int()
        steps = (ours - ref[f"{at}.image_u8_rows"].int()).abs()
        report.at_most(f"{at}.image_u8_rows {kind}: steps", int(steps.max()), 1)
        report.at_most(f"{at}.image_u8_rows {kind}: > 0", float((steps > 0).float().mean()), 1e-3)


def checking(
    folder: Path, name: str, report: Report, check: Callable[[Stored, Path], None]
) -> None:
    """Run `check` with the reference file and the folder of identities, if they are there."""
    path, identity = folder / f"{name}.safetensors", folder / "identities" / name
    report.heading(name)
    if not path.is_file() or not identity.is_dir():
        report.missing(name)
        return
    with torch.inference_mode():
        check(Stored(path), identity)


def at_whole_numbers(array: object) -> Tensor:
    """Indices as the reference keeps them."""
    return torch.from_numpy(np.asarray(array)).int()

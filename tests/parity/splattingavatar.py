"""SplattingAvatar against the original: its files imported by our importer, every frame stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.parity.report import Report
from tests.parity.splat_identities import Stored, assets, check_pictures, checking, view_of
from vcam.enroll.own_avatar import splattingavatar
from vcam.enroll.own_avatar.found import Wish, look
from vcam.flame.model import rotation_matrices
from vcam.render.avatars import identity
from vcam.render.avatars.rig import camera_centre
from vcam.render.avatars.splatting import SplattingRig, vertex_normals

LIMITS = 4e-6, 1e-4


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Everything in FOLDER/splattingavatar.safetensors; `small` draws one of its frames."""

    def run(ref: Stored, files: Path) -> None:
        found = look(
            [files, Path(assets(ref.info["flame_seed"]).name)],
            Wish(picture=tuple(ref.info["size_wh"])),
        )
        embedding = found.like(r"embedding\.json")[0]
        made = splattingavatar.make(found, embedding)
        rig = identity.build(made.identity, "splattingavatar")
        assert isinstance(rig, SplattingRig)
        ref.compare(report, "canonical.face_areas", rig.areas, 1e-6)
        ref.compare(report, "colors", rig.colours, 5e-6)
        ref.compare(report, "opacities", rig.opacities[:, None], 1e-6)
        subject = json.loads(found.like(splattingavatar.PARAMETERS)[0].read_text())
        rig.to(device)
        for frame in ref.frames():
            drawn = not small or frame == 0
            _check_frame(ref, frame, subject, rig, report, device, drawn)

    checking(folder, "splattingavatar", report, run)


def _check_frame(
    ref: Stored, frame: int, subject: dict[str, list[dict[str, object]]], rig: SplattingRig,
    report: Report, device: str, drawn: bool,
) -> None:  # fmt: skip
    at, told = f"frame{frame}", subject["frames"][ref.info["json_frames"][frame]]
    expression, pose = torch.tensor(told["expression"]), torch.tensor(told["pose"])
    report.equal(f"{at}.expression", expression, ref[f"{at}.expression"])
    report.equal(f"{at}.pose", pose, ref[f"{at}.pose"])
    padded = torch.cat([expression, torch.zeros(50)]).to(device)
    vertices = rig.head.bent(padded, rotation_matrices(pose.view(5, 3)).to(device))
    gaussians = rig.gaussians(vertices)
    close: dict[str, tuple[Tensor, float]] = {
        "vertices": (vertices, 1e-6), "normals": (vertex_normals(vertices, rig.faces), 1e-4),
        "area_ratio": (rig.area_ratio(vertices), 4e-5), "means": (gaussians.points, 1e-6),
        "scales": (gaussians.scales, 3e-6),
    }  # fmt: skip
    for name, (ours, atol) in close.items():
        ref.compare(report, f"{at}.{name}", ours, atol)
    ref.compare_turns(report, f"{at}.face_quats", rig.face_turns(vertices), 1.5e-4)
    ref.compare_turns(report, f"{at}.vertex_quats", rig.vertex_turns(vertices), 5e-5)
    ref.compare_turns(report, f"{at}.rotations", gaussians.rotations, 1.5e-5)
    where = Path("flame_params.json")
    view = splattingavatar.frame_camera(told, where)
    report.close(f"{at}.view", view, view_of(ref[f"{at}.view"]), 1e-6)
    report.close(f"{at}.campos", camera_centre(view), ref[f"{at}.campos"], 3e-6)
    size = rig.camera.width, rig.camera.height
    lens = splattingavatar.lens(subject, size, where)
    report.close(f"{at}.intrinsics", np.array(lens), ref[f"{at}.intrinsics"][:4], 1e-3)
    if drawn:
        check_pictures(ref, frame, gaussians, rig.opacities, report, LIMITS)

"""FlashAvatar against the original: its files imported by our importer, and every frame stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.parity.report import Report
from tests.parity.splat_identities import (
    Stored,
    assets,
    at_whole_numbers,
    check_pictures,
    checking,
    view_of,
)
from vcam.enroll.own_avatar import flashavatar, uv
from vcam.enroll.own_avatar.found import look
from vcam.enroll.own_avatar.frames import Clip, frame_files, read_clip
from vcam.nets.flashavatar import positional_code
from vcam.render.avatars import identity
from vcam.render.avatars.flash import FlashRig
from vcam.render.avatars.rig import camera_centre
from vcam.tensors.obj import read_obj
from vcam.tensors.old_pickles import read_pickle

LIMITS = 5e-5, 2e-3


def check(folder: Path, report: Report, device: str = "cpu", small: bool = False) -> None:
    """Everything in FOLDER/flashavatar.safetensors; `small` draws two of its frames."""

    def run(ref: Stored, files: Path) -> None:
        flame = Path(assets(ref.info["flame_seed"]).name)
        found = look([files, files.parent / "tracker", flame])
        made = flashavatar.make(found, found.like(flashavatar.CHECKPOINT)[0])
        rig = identity.build(made.identity, "flashavatar")
        assert isinstance(rig, FlashRig)
        _check_binding(ref, flame, report)
        _check_rest(ref, rig, report)
        clip = read_clip(frame_files(found))
        rig.to(device)
        for frame in ref.frames():
            drawn = not small or frame == 0
            _check_frame(ref, frame, clip, rig, report, device, drawn)

    checking(folder, "flashavatar", report, run)


def _check_binding(ref: Stored, flame: Path, report: Report) -> None:
    mesh = read_obj(flame / "FlameMesh.obj")
    boundary = read_pickle(flame / "FLAME_masks.pkl")["boundary"]
    face_of, _ = uv.covered(mesh)
    texels, corners, shares = uv.bound(mesh, boundary)
    report.equal(
        "uv.covered_texel", at_whole_numbers(np.flatnonzero(face_of >= 0)), ref["uv.covered_texel"]
    )
    report.equal("uv.texel", at_whole_numbers(texels), ref["uv.texel"])
    report.equal("uv.face", at_whole_numbers(face_of[texels]), ref["uv.face"])
    report.equal("uv.vertices", at_whole_numbers(corners), ref["uv.vertices"])
    report.close("uv.bary", shares, ref["uv.bary"], 2e-5)


def _check_rest(ref: Stored, rig: FlashRig, report: Report) -> None:
    rest = rig.head(torch.zeros(100), torch.zeros(5, 3))
    ref.compare(report, "canonical.vertices", rest, 3e-7)
    ref.compare(report, "canonical.points", rig.rest, 5e-7)
    ref.compare(report, "canonical.code", positional_code(rig.rest), 1e-5)
    ref.compare(report, "opacities", rig.opacities[:, None], 1e-6)


def _check_frame(
    ref: Stored, frame: int, clip: Clip, rig: FlashRig, report: Report, device: str, drawn: bool
) -> None:
    number, at = ref.info["tracker_frames"][frame], f"frame{frame}"
    inputs = (clip.expression, clip.jaw, clip.eyes, clip.lids)
    for name, values in zip(("expr", "jaw_pose", "eyes_pose", "eyelids"), inputs, strict=True):
        report.equal(f"{at}.{name}", values[number], ref[f"{at}.{name}"])
    row = [values[number].to(device) for values in inputs]
    view = torch.cat([clip.rotation[number], clip.shift[number][:, None]], 1).to(device)
    vertices, raw = rig.mesh(*row), rig.offsets(*row)
    gaussians = rig.gaussians(vertices, raw, view)
    close: dict[str, tuple[Tensor, float]] = {
        "vertices": (vertices, 3e-7), "mlp_out": (raw, 5e-6), "means": (gaussians.points, 3e-7),
        "scales": (gaussians.scales, 2e-7), "rotations": (gaussians.rotations, 5e-6),
        "colors": (gaussians.colours, 5e-6),
        "raw_rotation": (rig.turned_base(torch.tanh(raw)[:, 3:7]), 5e-6),
    }  # fmt: skip
    for name, (ours, atol) in close.items():
        ref.compare(report, f"{at}.{name}", ours, atol)
    report.close(f"{at}.view", view, view_of(ref[f"{at}.view"]), 1e-6)
    report.close(f"{at}.campos", camera_centre(view), ref[f"{at}.campos"], 3e-6)
    lens = [*rig.camera.focal, *rig.camera.middle]
    report.close(f"{at}.intrinsics", np.array(lens), ref[f"{at}.intrinsics"][:4], 1e-3)
    if drawn:
        check_pictures(ref, frame, gaussians, rig.opacities, report, LIMITS)

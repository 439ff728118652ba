"""The two folders of a small GaussianTalker, as training leaves them, made up from a seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from tests.parity import gaussiantalker
from tests.parity.fill import load_manifest
from vcam.media import FloatArray
from vcam.system import opencv as cv2

DATA = Path(__file__).parent.parent / "data" / "parity"
SIDE, POINTS, FRAMES, FOCAL = 32, 60, 6, 120.0
PROPERTIES = (
    *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
    *(f"f_rest_{index}" for index in range(45)),
    *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)


def ply(columns: FloatArray, names: tuple[str, ...] = PROPERTIES) -> bytes:
    """columns [N, len(names)] as a binary PLY file."""
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(columns)}"]
    head += [f"property float {name}" for name in names]
    return "\n".join([*head, "end_header\n"]).encode() + columns.astype("<f4").tobytes()


def columns(rng: np.random.Generator) -> FloatArray:
    """Points of a small head, widely visible."""
    made = 0.1 * rng.normal(size=(POINTS, len(PROPERTIES)))
    made[:, :3] = rng.uniform(-0.4, 0.4, (POINTS, 3))
    made[:, 6:9] = rng.normal(size=(POINTS, 3))
    made[:, -8] = 2.0
    made[:, -7:-4] = -3.0
    made[:, -4:] = rng.normal(size=(POINTS, 4))
    return made.astype(np.float32)


def write(folder: Path, seed: int = 5) -> Path:
    """Both folders below `folder`, which is given back."""
    rng = np.random.default_rng(seed)
    _model(folder / "model" / "point_cloud" / "iteration_20", rng)
    (folder / "model" / "cfg_args").write_text("Namespace(x=__import__('os').abort())")
    data = folder / "data"
    (data / "torso_imgs").mkdir(parents=True)
    for number in range(FRAMES):
        torso = rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8)
        torso[: SIDE // 2, :, 3] = 0
        cv2.imwrite(str(data / "torso_imgs" / f"{number}.png"), torso)
        marks = rng.uniform(20, 40, (68, 2))
        (data / f"{number}.lms").write_text("\n".join(f"{x:.2f} {y:.2f}" for x, y in marks))
    cv2.imwrite(str(data / "bc.jpg"), rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    frames = [{"img_id": number, "aud_id": number} for number in range(FRAMES)]
    listed = {"focal_len": FOCAL, "cx": SIDE / 2, "cy": SIDE / 2, "frames": frames}
    (data / "transforms_train.json").write_text(json.dumps(listed))
    euler = torch.from_numpy(0.1 * rng.normal(size=(FRAMES, 3))).float()
    place = torch.tensor([0.0, 0.0, -7.0]).expand(FRAMES, 3).contiguous()
    tracked = {"euler": euler, "trans": place, "focal": torch.tensor([FOCAL])}
    torch.save(tracked, data / "track_params.pt")
    rows = ["frame, AU45_r", *(f"{n + 1}, {value:.2f}" for n, value in enumerate(AU45))]
    (data / "au.csv").write_text("\n".join(rows))
    (data / "deepspeech_small.pb").write_bytes((DATA / "deepspeech_small.pb").read_bytes())
    return folder


AU45 = (0.1, 0.1, 0.1, 0.12, 0.9, 1.8, 1.1, 0.2, 0.1, 0.1, 0.1, 0.1)  # one blink


def _model(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    (folder / "point_cloud.ply").write_bytes(ply(columns(rng)))
    manifest = load_manifest(DATA / "gaussiantalker.manifest.json")
    torch.save(gaussiantalker.filled(manifest, 5), folder / "deformation.pth")

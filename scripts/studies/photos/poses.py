#!/usr/bin/env python3
"""A sheet of poses of a profile's puppet, to lay beside that of another checkout.

    python scripts/studies/photos/poses.py PROFILE_FOLDER SHEET.png [--size 720]

With PYTHONPATH another checkout's vcam draws the same poses: before and after.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[3]))

from vcam.arkit import INDEX
from vcam.media import BlendshapeFace, Motion
from vcam.render.puppet.renderer import open_puppet

Pose = tuple[tuple[float, float, float], dict[str, float]]
AHEAD = (0.0, 0.0, 0.0)
POSES: dict[str, Pose] = {
    "neutral": (AHEAD, {}),
    "ajar": (AHEAD, {"jawOpen": 0.3}),
    "open": (AHEAD, {"jawOpen": 0.7}),
    "oo": (AHEAD, {"mouthPucker": 0.9, "jawOpen": 0.08}),
    "oh": (AHEAD, {"mouthFunnel": 0.7, "mouthPucker": 0.3, "jawOpen": 0.35}),
    "laugh": (AHEAD, {"mouthSmile": 0.8, "jawOpen": 0.3, "mouthUpperUp": 0.4}),
    "l": (AHEAD, {"jawOpen": 0.25, "tongueOut": 0.5}),
    "smile": (AHEAD, {"mouthSmile": 0.9, "cheekSquint": 0.6}),
    "half a blink": (AHEAD, {"eyeBlink": 0.5}),
    "blink": (AHEAD, {"eyeBlink": 1.0}),
    "left": ((0.0, -14.0, 0.0), {}),
    "tilted": ((0.0, 0.0, 10.0), {"jawOpen": 0.3}),
}
COLUMNS = 4


def motion(pose: Pose) -> Motion:
    """A name without a side stands for both."""
    head, weights = pose
    values = np.zeros(len(INDEX), np.float32)
    for name, value in weights.items():
        for full in [name] if name in INDEX else [f"{name}Left", f"{name}Right"]:
            values[INDEX[full]] = value
    return Motion(0, np.radians(head).astype(np.float32), BlendshapeFace(values))


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--size", type=int, default=720)
    parser.add_argument("--background", default="keep")
    options = parser.parse_args()
    puppet = open_puppet(options.folder, options.background, options.size)
    tiles = [puppet.step(motion(pose)).array() for pose in POSES.values()]
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(options.sheet), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()

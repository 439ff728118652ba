"""Portraits that two test packages carry, both in the public domain; never copied into ours."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.media import Image

PORTRAITS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def portrait_path(name: str) -> Path:
    """Where the portrait lies; skips the test when its package is missing."""
    package, inside = PORTRAITS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package}, which carries the portrait {name}, is not installed")
    return Path(spec.submodule_search_locations[0]) / inside


def portrait(name: str) -> Image:
    """The portrait as [height, width, 3] RGB."""
    picture = cv2.imread(str(portrait_path(name)))
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)

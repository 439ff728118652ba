"""The 15 visemes and the faces that they make.

The set is that of the Oculus lip-sync tools (sil PP FF TH DD kk CH SS nn RR aa E ih oh ou), which
VRM, Ready Player Me and most game rigs share. The faces are ours: jaw and lips after Ladefoged
and Johnson, *A Course in Phonetics*, chapters 1 and 9 (place, rounding and height), set by eye on
a head with ARKit blendshapes.
"""

from __future__ import annotations

import numpy as np

from vcam.arkit import INDEX, NAMES, sides
from vcam.media import FloatArray

VISEMES = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou",
)  # fmt: skip

# Blendshapes written without Left/Right move both sides.
_FACES: dict[str, dict[str, float]] = {
    "sil": {},
    "PP": {"mouthClose": 0.03, "mouthPress": 0.30, "mouthRollLower": 0.32, "mouthRollUpper": 0.28},
    "FF": {"jawOpen": 0.05, "mouthRollLower": 0.55, "mouthUpperUp": 0.32, "mouthShrugLower": 0.10},
    "TH": {"jawOpen": 0.16, "tongueOut": 0.30, "mouthLowerDown": 0.22, "mouthUpperUp": 0.12},
    "DD": {"jawOpen": 0.13, "mouthLowerDown": 0.25, "mouthUpperUp": 0.12, "mouthStretch": 0.08},
    "kk": {"jawOpen": 0.18, "mouthLowerDown": 0.18, "mouthUpperUp": 0.10, "mouthStretch": 0.08},
    "CH": {"jawOpen": 0.08, "mouthFunnel": 0.60, "mouthPucker": 0.15, "mouthUpperUp": 0.10},
    "SS": {"jawOpen": 0.05, "mouthStretch": 0.28, "mouthSmile": 0.14, "mouthLowerDown": 0.26,
           "mouthUpperUp": 0.14},
    "nn": {"jawOpen": 0.15, "mouthLowerDown": 0.22, "mouthUpperUp": 0.10},
    "RR": {"jawOpen": 0.16, "mouthFunnel": 0.34, "mouthPucker": 0.24},
    "aa": {"jawOpen": 0.55, "mouthLowerDown": 0.32, "mouthUpperUp": 0.22, "mouthStretch": 0.06},
    "E": {"jawOpen": 0.34, "mouthLowerDown": 0.30, "mouthUpperUp": 0.20, "mouthStretch": 0.20,
          "mouthSmile": 0.10},
    "ih": {"jawOpen": 0.22, "mouthLowerDown": 0.26, "mouthUpperUp": 0.16, "mouthStretch": 0.26,
           "mouthSmile": 0.18},
    "oh": {"jawOpen": 0.40, "mouthFunnel": 0.46, "mouthPucker": 0.20},
    "ou": {"jawOpen": 0.20, "mouthFunnel": 0.34, "mouthPucker": 0.62},
}  # fmt: skip


def _table() -> FloatArray:
    """The faces as a matrix [15, 52]."""
    table = np.zeros((len(VISEMES), len(NAMES)), np.float32)
    for row, viseme in enumerate(VISEMES):
        for shape, weight in _FACES[viseme].items():
            table[row, sides(shape)] = weight
    return table


TABLE = _table()  # [15, 52], viseme -> ARKit weights at full articulation
JAW = TABLE[:, INDEX["jawOpen"]]  # [15]

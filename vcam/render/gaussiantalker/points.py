"""A person's Gaussians at rest, as trained, and as the network departs from them.

Kerbl et al., "3D Gaussian Splatting" (SIGGRAPH 2023): stored are the logarithm of the scales, the
logit of the opacity, and a quaternion of any length; departures are added to these raw values
(section 3.3 of the GaussianTalker paper).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from vcam.nets.gaussiantalker import Offsets


class Resting(NamedTuple):
    """N Gaussians as stored."""

    points: Tensor  # [N, 3], units of 0.1 m
    log_scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4] w x y z, of any length
    logits: Tensor  # [N], of opacity
    harmonics: Tensor  # [N, 16, 3], spherical harmonics of the colour


class Posed(NamedTuple):
    """N Gaussians as they are splatted."""

    points: Tensor  # [N, 3]
    scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4], unit quaternions
    opacities: Tensor  # [N], 0..1
    harmonics: Tensor  # [N, 16, 3]


def moved(rest: Resting, by: Offsets) -> Resting:
    """What is stored plus what departs from it; also the stored quaternion is not normalised."""
    return Resting(*(stored + offset for stored, offset in zip(rest, by, strict=True)))


def posed(raw: Resting) -> Posed:
    """Raw values -> those that are splatted."""
    unit = raw.rotations / raw.rotations.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return Posed(raw.points, raw.log_scales.exp(), unit, raw.logits.sigmoid(), raw.harmonics)

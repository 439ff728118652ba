"""Choosing the 68 iBUG landmarks (Sagonas et al. 2013) among a head's vertices, for `bake_head`."""

from __future__ import annotations

import numpy as np
from bake.head_package import Floats, Ints


def nearest(head: Floats, among: Ints, points: Floats) -> Ints:
    """The vertices among some that lie nearest to points [k, 2 or 3]."""
    axes = points.shape[1]
    gaps = head[among][None, :, :axes] - points[:, None]
    return np.asarray(among[(gaps**2).sum(2).argmin(1)])


def outline(head: Floats, skin: Ints) -> Ints:
    """17 vertices along the jaw, from the avatar's right ear to its left: iBUG 0-16."""
    front = skin[(head[skin, 2] > -0.42) & (head[skin, 1] < 0.15) & (head[skin, 1] > -0.88)]
    offset = head[front, :2] - [0.0, -0.15]
    distance, angle = np.hypot(*offset.T), np.arctan2(offset[:, 1], offset[:, 0])
    angle = np.where(angle > np.pi / 2, angle - 2 * np.pi, angle)  # the right ear at -pi
    ways = np.linspace(-np.pi - 0.15, 0.15, 17)
    off = (angle[None] - ways[:, None]) / 0.06
    return np.asarray(front[(distance[None] - 0.1 * off**2).argmax(1)])


def along(head: Floats, ring: Ints, shares: list[float], upper: bool) -> list[int]:
    """Vertices of a mouth ring's upper or lower half at shares of its half width.

    A ring starts at the middle of its upper half.
    """
    left, right = head[ring, 0].argmax(), head[ring, 0].argmin()
    first, second = sorted((int(left), int(right)))
    side = np.r_[ring[: first + 1], ring[second:]] if upper else ring[first : second + 1]
    width = head[ring, 0].max()
    return [int(side[np.abs(head[side, 0] - share * width).argmin()]) for share in shares]


def mouth_ids(head: Floats, outer: Ints, inner: Ints) -> list[int]:
    """iBUG 48-67: outer lip clockwise from the avatar's right corner, then the inner lip."""
    corners = [[int(r[head[r, 0].argmin()]), int(r[head[r, 0].argmax()])] for r in (outer, inner)]
    wide, close = [-0.66, -0.3, 0.0, 0.3, 0.66], [-0.5, 0.0, 0.5]
    return [
        corners[0][0], *along(head, outer, wide, True), corners[0][1],
        *along(head, outer, wide[::-1], False),
        corners[1][0], *along(head, inner, close, True), corners[1][1],
        *along(head, inner, close[::-1], False),
    ]  # fmt: skip


def landmark_ids(head: Floats, skin: Ints, rim: Ints, mirror: Ints) -> Ints:
    """The 68 iBUG landmarks (Sagonas et al. 2013) as vertices; the avatar's right side first."""
    front = skin[head[skin, 2] > 0]
    t = np.linspace(0, 1, 5)  # along the line that the brows are painted on
    height = 0.262 + 0.062 * np.sin(np.pi * (0.10 + 0.78 * t)) - 0.035 * t
    brow = np.stack([0.115 + 0.40 * t, height], 1)
    left_brow = nearest(head, front, brow)
    nose_tip = front[head[front, 2].argmax()]
    low = head[nose_tip, 1]
    bridge = [[0, low * share] for share in (0.1, 0.4, 0.7)]
    base = [[x, low - 0.085] for x in (-0.1, -0.05, 0, 0.05, 0.1)]
    nose = [
        *nearest(head, front, np.array(bridge)),
        nose_tip,
        *nearest(head, front, np.array(base)),
    ]
    inner, outer = rim[head[rim, 0].argmin()], rim[head[rim, 0].argmax()]
    span = head[[inner, outer], 0]
    thirds = span[0] + (span[1] - span[0]) * np.array([0.33, 0.67])
    top = rim[head[rim, 1] > 0.03]
    bottom = rim[head[rim, 1] < -0.05]
    over = [top[np.abs(head[top, 0] - x).argmin()] for x in thirds]
    under = [bottom[np.abs(head[bottom, 0] - x).argmin()] for x in thirds[::-1]]
    left_eye = [inner, *over, outer, *under]
    right_eye = mirror[[outer, *over[::-1], inner, *under[::-1]]]
    return np.array(
        [*outline(head, skin), *mirror[left_brow[::-1]], *left_brow, *nose, *right_eye, *left_eye]
    )

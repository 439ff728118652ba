"""A person whom the photo's edge cuts: what can be drawn on, and what must be refused.

Hair that ends at the edge is closed by the ellipse its two sides belong to, filled with the hair
below; shoulders fall on to the side. Where the edge is so near to the face that there is nothing
to draw on with, the photo is refused: the cut would turn with the head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vcam.enroll.finding import Finding
from vcam.media import FloatArray, Image
from vcam.photo.landmarks import OVAL, Face
from vcam.system import opencv as cv2

_SLACK = 0.02  # face heights that the networks may be off
_NEAREST = 0.12  # face heights from the face to an edge that cuts the head
_CUT = 0.30  # face heights of head at an edge, from which it is cut and does not just touch
_NECK = 0.14  # face heights that must be seen below the chin
_FALL = 0.55  # rows a shoulder falls for each column beyond the edge
_VAULT = 0.52  # height of a head of hair above its widest place, in its widths
_STRETCH = 0.8  # share of the hair between edge and face that is used again
_SOFT = 1 / 170  # of the portrait: the edge of what is drawn on


@dataclass(frozen=True, slots=True)
class Edges:
    """Where the photo lies in the portrait."""

    left: int
    top: int
    right: int
    bottom: int
    outside: Image  # [size, size] of bool

    @classmethod
    def of(cls, shift: FloatArray, scale: float, photo: tuple[int, int], size: int) -> Edges:
        """From where a photo (height, width) was scaled and moved."""
        low = np.clip(np.ceil(shift), 0, size).astype(int)
        ends = np.clip(np.floor(shift + scale * np.array(photo[::-1])), 0, size).astype(int)
        outside = np.ones((size, size), bool)
        outside[low[1] : ends[1], low[0] : ends[0]] = False
        return cls(int(low[0]), int(low[1]), int(ends[0]), int(ends[1]), outside)


def cuts_face(photo: tuple[int, ...], face: Face) -> bool:
    """Whether a face reaches out of a photo of so many rows and columns."""
    oval = face.points[list(OVAL), :2]
    slack = _SLACK * _tall(face.points)
    return bool((oval < -slack).any() or (oval > np.array(photo[1::-1]) + slack).any())


def judged(alpha: FloatArray, face: Face) -> Iterator[Finding]:
    """What the edges of a photo cut off a person (`alpha` [h, w]), and what will be seen of it."""
    oval = face.points[list(OVAL), :2]
    tall = _tall(face.points)
    (left, top), (right, bottom) = oval.min(0) / tall, oval.max(0) / tall
    height, width = (side / tall for side in alpha.shape)
    if cuts_face(alpha.shape, face):
        return
    if height - bottom < _NECK:
        yield Finding(
            "the photo ends at the chin: the head would stand on nothing; step back until your "
            "shoulders are seen",
            refuses=True,
        )
    for where, room, line in (
        ("top", top, alpha[1]),
        ("left", left, alpha[_beside(face, len(alpha)), 1]),
        ("right", width - right, alpha[_beside(face, len(alpha)), -2]),
    ):
        if float((line > 0.5).sum()) < _CUT * tall:
            continue
        if room < _NEAREST:
            yield Finding(
                f"the head is cut off at the {where}: the cut would turn with it; step back, or "
                "leave room around the head",
                refuses=True,
            )
        else:
            yield Finding(
                f"the {where} of the head is cut off: what is missing was drawn on, simply; "
                "leave room around the head"
            )


def _beside(face: Face, height: int) -> slice:
    """The rows of a photo beside the head: from the chin up."""
    chin, brow = float(face.points[152, 1]), float(face.points[10, 1])
    return slice(max(0, int(brow - 0.4 * (chin - brow))), max(1, min(height, int(chin))))


def grown(colours: Image, cover: Image, edges: Edges, points: FloatArray) -> tuple[Image, Image]:
    """Portrait and cover with the person ending beyond the photo's edges as people do.

    Both come with their edges drawn out; `points` [478, 3] is the face.
    """
    size = len(colours)
    colours, cover = colours.copy(), cover.copy()
    if edges.top > 0:
        cover[: edges.top] = 0
        _vault(colours, cover, edges.top, points[list(OVAL), :2])
    for turns, edge in ((3, edges.left), (1, size - edges.right)):
        if edge > 0:
            _side(colours, cover, turns, edge, points)
    soft = cv2.GaussianBlur(cover, (0, 0), max(1.0, _SOFT * size))
    cover[edges.outside] = soft[edges.outside]
    return colours, cover


def _side(colours: Image, cover: Image, turns: int, edge: int, points: FloatArray) -> None:
    """One side, in place: hair is closed, shoulders fall."""
    size = len(colours)
    across = slice(0, edge) if turns == 3 else slice(size - edge, size)
    line = cover[:, edge + 1 if turns == 3 else size - edge - 2].copy()
    cover[:, across] = 0
    chin = int(np.clip(points[152, 1], 0, size))
    head = np.where(np.arange(size) < chin, line, 0)
    if (head > 127).any():
        turned = [np.ascontiguousarray(np.rot90(a, turns)) for a in (colours, cover)]
        turned[1][edge : edge + 2] = np.rot90(head[:, None], turns)
        spun = _spun(points[list(OVAL), :2], turns, size)
        _vault(turned[0], turned[1], edge, spun)
        back = [np.rot90(a, -turns) for a in turned]
        colours[:, across], cover[:, across] = back[0][:, across], back[1][:, across]
    _shoulder(colours, cover, across, line, chin)


def _spun(points: FloatArray, turns: int, size: int) -> FloatArray:
    """Points [n, 2] in a square picture turned by `turns` quarters as NumPy counts them."""
    x, y = points[:, 0], points[:, 1]
    flat = np.stack([y, size - 1 - x] if turns == 1 else [size - 1 - y, x], 1)
    return np.asarray(flat, np.float32)


def _shoulder(colours: Image, cover: Image, across: slice, line: Image, chin: int) -> None:
    """A body that is cut at a side goes on beside it, falling, in place."""
    size = len(line)
    body = np.nonzero(line[chin:] > 127)[0]
    if not len(body) or line[-1] < 128:
        return
    top = chin + int(body[0])
    columns = np.arange(size)[across]
    away = (columns[-1] + 1 - columns) if across.start == 0 else columns - columns[0] + 1
    rows = np.arange(size)[:, None]
    inside = rows > top + _FALL * away[None]
    cover[:, across][inside] = 255
    mirrored = columns + (2 * away - 1) * (1 if across.start == 0 else -1)
    colours[:, across] = colours[:, np.clip(mirrored, 0, size - 1)]


def _vault(colours: Image, cover: Image, edge: int, oval: FloatArray) -> None:
    """Close a head that is cut by a horizontal edge, in place, above row `edge`."""
    run = np.nonzero(cover[min(edge + 1, len(cover) - 1)] > 127)[0]
    if len(run) < 4:
        return
    low, high = float(run[0]), float(run[-1])
    middle, half = (low + high) / 2, (high - low) / 2
    face_half = float(np.ptp(oval[:, 0])) / 2
    widest = max(half, min(_widest(cover, edge, oval), 2.2 * face_half), 1.0)
    vault = 2 * _VAULT * widest
    begun = vault * np.sqrt(max(0.0, 1 - (half / widest) ** 2))
    height = max(1.0, vault - begun)
    above = edge - np.arange(edge, dtype=np.float32)
    reach = widest * np.sqrt(np.clip(1 - ((begun + above) / vault) ** 2, 0, 1))
    columns = np.arange(colours.shape[1], dtype=np.float32)
    inside = np.abs(columns[None] - middle) < np.minimum(reach, half + 0.5 * above)[:, None]
    cover[:edge][inside] = 255
    room = max(2.0, float(oval[:, 1].min()) - edge)
    step = min(1.0, _STRETCH * room / height)
    shrink = np.maximum(reach, 1.0) / max(half, 1.0)
    x = middle + (columns[None] - middle) / np.minimum(1.0, shrink)[:, None]
    y = np.repeat((edge + step * above)[:, None], len(columns), 1)
    above_ = cv2.remap(colours, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    colours[:edge][inside] = above_[inside]


def _widest(cover: Image, edge: int, oval: FloatArray) -> float:
    """Half the width of the head between the edge and the face's middle."""
    rows = cover[edge + 1 : max(edge + 2, int(oval[:, 1].mean()))] > 127
    return float(rows.sum(1).max()) / 2


def _tall(points: FloatArray) -> float:
    return max(float(np.linalg.norm(points[10, :2] - points[152, :2])), 1.0)

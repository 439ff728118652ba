"""The head's square picture composed into what the camera wants: 1280x720, 1920x1080, 512x512."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vcam.config import require_picture
from vcam.errors import ConfigError
from vcam.media import FloatArray, Frame, Image
from vcam.picture import surround
from vcam.system import opencv as cv2

_SEAM = 0.06  # of the square's side, over which it fades into the sides
_SOFT = 0.06  # blur of the sides, of the picture's height
_SLOPE, _DIES = 0.10, 0.25  # of the square's side: where its slope is taken, and lost again
_CALM, _CALM_FROM = 4.0, 0.2  # times that blur, up and down; from so many sides beyond the square
_MOST = 40.0  # levels, of 255, that the sides may differ from the square's edges


@dataclass(frozen=True, slots=True)
class Framing:
    """How large the head is in the picture, and where."""

    zoom: float = 1.0  # 0.5..3; 1 fits the square's height
    right: float = 0.0  # -0.5..0.5 of the picture's width
    down: float = 0.0  # -0.5..0.5 of the picture's height

    def __post_init__(self) -> None:
        if not 0.5 <= self.zoom <= 3:
            raise ConfigError(f"framing: zoom {self.zoom} is not within 0.5 and 3")
        for name, value in (("right", self.right), ("down", self.down)):
            if not -0.5 <= value <= 0.5:
                raise ConfigError(f"framing: {name} {value} is not within -0.5 and 0.5")


class Composer:
    """Frames of `size` (width, height) out of square ones.

    What the square leaves free continues its edges, out of focus: painted once, from the first
    frame, since it hardly changes. The square fades into it at its sides.
    """

    def __init__(
        self,
        size: tuple[int, int],
        framing: Framing | None = None,
        beside: Image | None = None,
    ) -> None:
        """`beside` is what is known to be beside the square, see `vcam.picture.surround`."""
        require_picture(*size)
        self._size, self._framing, self._surround = size, framing or Framing(), beside
        self._plate: Image | None = None

    def __call__(self, frame: Frame) -> Frame:
        """The composed frame, its pixels in host memory; landmarks move along."""
        pixels = frame.array()
        width, height = self._size
        if pixels.shape[:2] == (height, width) and self._framing == Framing():
            return replace(frame, pixels=pixels)
        place = self._place()
        if self._plate is None:
            self._plate = self._painted(pixels, place)
        out = self._plate.copy()
        _lay(out, _scaled(pixels, place, self._size), place)
        scale = place.side / len(pixels)
        landmarks = frame.landmarks
        if landmarks is not None:
            landmarks = scale * landmarks + np.array([place.left, place.top], np.float32)
        return replace(frame, pixels=out, landmarks=landmarks)

    def _painted(self, pixels: Image, place: Place) -> Image:
        """What is around the square; where less is known than is shown, what is known goes on."""
        if self._surround is None:
            return _plate(pixels, place, self._size)
        height, width = self._surround.shape[:2]
        aside = round(place.side * (width / height - 1) / 2)
        plate = _plate(self._surround, replace(place, left=place.left - aside), self._size)
        surround.lay(plate, self._surround, place.left, place.top, place.side)
        return plate

    def _place(self) -> Place:
        """Where the square goes; its lower edge is the picture's, unless it is moved."""
        width, height = self._size
        side = round(self._framing.zoom * height)
        left = round(width * (0.5 + self._framing.right) - side / 2)
        return Place(left, round(height * (1.0 + self._framing.down)) - side, side)


@dataclass(frozen=True, slots=True)
class Place:
    """A square in the picture, whole pixels; it may reach out of it."""

    left: int
    top: int
    side: int

    def window(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is within the picture."""
        (left, right), (top, bottom) = (
            (min(max(edge, 0), limit), min(max(edge + self.side, 0), limit))
            for edge, limit in zip((self.left, self.top), size, strict=True)
        )
        return left, top, right, bottom


def _scaled(pixels: Image, place: Place, size: tuple[int, int]) -> Image:
    """What of the square is within the picture, at its size there."""
    left, top, right, bottom = place.window(size)
    if right <= left or bottom <= top:
        return np.zeros((0, 0, 3), np.uint8)
    if right - left == place.side and bottom - top == place.side:
        return np.asarray(cv2.resize(pixels, (place.side, place.side)), np.uint8)
    scale = place.side / len(pixels)
    shift = 0.5 * (scale - 1)  # OpenCV puts whole numbers at the centres of pixels
    matrix = np.array(
        [[scale, 0, place.left - left + shift], [0, scale, place.top - top + shift]], np.float32
    )
    window = (right - left, bottom - top)
    return np.asarray(
        cv2.warpAffine(pixels, matrix, window, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _lay(out: Image, square: Image, place: Place) -> None:
    """Put the square into the picture; those of its edges that are inside fade."""
    height, width = out.shape[:2]
    left, top, right, bottom = place.window((width, height))
    if not square.size:
        return
    seam = max(1, round(_SEAM * place.side))
    inner = out[top:bottom, left:right]
    under = inner.copy() if place.top > 0 or bottom < height else None
    edges = (place.left > 0, right < width)
    sides = [slice(0, seam) if edges[0] else None, slice(-seam, None) if edges[1] else None]
    kept = [None if side is None else inner[:, side].copy() for side in sides]
    inner[:] = square
    for side, before, flip in zip(sides, kept, (False, True), strict=True):
        if side is not None and before is not None:
            _fade(inner[:, side], before, flip, axis=1)
    if under is not None:
        if place.top > 0:
            _fade(inner[:seam], under[:seam], False, axis=0)
        if bottom < height:
            _fade(inner[-seam:], under[-seam:], True, axis=0)


def _fade(over: Image, under: Image, falling: bool, axis: int) -> None:
    """Mix `under` into `over`, in place, fully at its outer edge and not at all at the other."""
    count = over.shape[axis]
    rise = (np.arange(count, dtype=np.float32) + 0.5) / count
    rise = rise * rise * (3 - 2 * rise)
    line = rise[::-1] if falling else rise
    shape = (1, count) if axis else (count, 1)
    share = np.ascontiguousarray(np.broadcast_to(line.reshape(shape), over.shape[:2]), np.float32)
    over[:] = cv2.blendLinear(np.ascontiguousarray(over), under, share, 1 - share)


def _plate(pixels: Image, place: Place, size: tuple[int, int]) -> Image:
    """A picture's surroundings, out of focus: its edges, going on as they change towards them.

    `pixels` is as high as `place`, and may be wider. What is bright or dark at the edge is lost
    with distance: it would be a band. Rows of one colour would show as bands, and a fold where a
    wall's shading ends; mirrored, the square showed ghosts.
    """
    quarter = (size[0] // 4, size[1] // 4)
    scale = place.side / len(pixels) / 4
    matrix = np.array([[scale, 0, place.left / 4], [0, scale, place.top / 4]], np.float32)
    near = cv2.warpAffine(pixels, matrix, quarter, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    blur = max(1.0, _SOFT * quarter[1])
    left, right = place.left / 4, place.left / 4 + scale * pixels.shape[1]
    within = cv2.GaussianBlur(near, (0, 0), blur).astype(np.float32)
    far = _calmer(_edges_alone(near, left, right), left, right, blur)
    far = cv2.add(far, _going_on(within, left, right))
    far = cv2.resize(far, size, interpolation=cv2.INTER_CUBIC)  # it overshoots: clipped after it
    return np.asarray(far.clip(0, 255), np.uint8)


def _calmer(edges: Image, left: float, right: float, blur: float) -> FloatArray:
    """[h, w, 3] blurred, up and down ever more beyond the columns `left` and `right`."""
    near = cv2.GaussianBlur(edges, (0, 0), blur).astype(np.float32)
    small = cv2.resize(edges, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    far = cv2.GaussianBlur(small, (0, 0), blur / 4, sigmaY=_CALM * blur / 4).astype(np.float32)
    far = cv2.resize(far, edges.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    x = np.arange(edges.shape[1]) + 0.5
    beyond = np.maximum(left - x, x - right) / (_CALM_FROM * (right - left))
    share = np.clip(beyond, 0, 1)[None, :, None].astype(np.float32)
    share = share * share * (3 - 2 * share)
    return np.asarray(near + share * (far - near), np.float32)


def _edges_alone(near: Image, left: float, right: float) -> Image:
    """[h, w, 3] with what lies between the columns `left` and `right` replaced by them: a person
    near the square's side would cast a fog beside it.
    """
    width = near.shape[1]
    middle = int(np.clip((left + right) / 2, 0, width))
    first, last = (int(np.clip(edge, 0, width - 1)) for edge in (np.ceil(left), right - 1))
    out = near.copy()
    if left > 0:
        out[:, first:middle] = near[:, first : first + 1]
    if right < width:
        out[:, middle : last + 1] = near[:, last : last + 1]
    return out


def _going_on(far: FloatArray, left: float, right: float) -> FloatArray:
    """What to add to [h, w, 3] beyond the columns `left` and `right`: the slope there, dying away.

    The slope of most rows: what few rows show at the edge, a shoulder, has none that goes on.
    """
    side, width = right - left, far.shape[1]
    reach, fade = max(2, round(_SLOPE * side)), _DIES * side
    added = np.zeros_like(far)
    for edge, inward in ((left, 1), (right, -1)):
        start = int(np.clip(round(edge) + (0 if inward > 0 else -1), 0, width - 1))
        inner = int(np.clip(start + inward * reach, 0, width - 1))
        slope = np.median(far[:, start] - far[:, inner], axis=0) / reach
        beyond = inward * (edge - (np.arange(width) + 0.5)).clip(-width, width)
        gone = fade * (1 - np.exp(-np.maximum(beyond, 0) / fade))
        added += (slope * gone[None, :, None]).astype(np.float32)
    return added.clip(-_MOST, _MOST)

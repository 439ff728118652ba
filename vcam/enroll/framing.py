"""The portrait's square: where it lies, and what it shows where the photo has ended."""

from __future__ import annotations

import numpy as np

from vcam.enroll.edges import Edges, grown
from vcam.errors import ConfigError
from vcam.media import FloatArray, Image
from vcam.photo.cutout import without
from vcam.photo.enrolled import EnrolledPhoto
from vcam.photo.landmarks import OVAL, Face, Landmarker
from vcam.system import opencv as cv2

ROOM = 1.65  # side of the portrait in sides of the head's box
SIDES = (512, 1024)  # pixels of a portrait, at least and at most
HAIR = 0.17  # how far above the face's middle the head's lies, in face heights
BALD = 1.28  # a head's height in face heights, when the mask shows no more
SEAM = 0.10  # of the portrait, over which the photo fades where it ends
REACH = 0.9  # of the face's height: hair within this of the axis counts as head
_SOFT = 0.45  # pixels of the photo, over which its cut-out ends: enlarged it had steps
LIFT = 0.10  # of the square, that it may go up so that the shoulders leave it where the photo ends


def crop(photo: Image, alpha: FloatArray, face: Face) -> tuple[FloatArray, float]:
    """Middle [2] and side of the portrait's square in the photo, by face and hair."""
    oval = face.points[list(OVAL), :2]
    chin, brow = face.points[152, :2], face.points[10, :2]
    tall = float(np.linalg.norm(brow - chin))
    up = (brow - chin) / tall
    middle = oval.mean(0) + HAIR * tall * up
    half = np.array([0.5 * float(np.ptp(oval[:, 0])), 0.5 * BALD * tall])
    low, high = middle - half, middle + half
    rows, columns = np.nonzero(alpha > 0.5)
    away = np.stack([columns, rows], 1) - chin
    head = (away @ up > 0) & (np.abs(away @ np.array([-up[1], up[0]])) < REACH * tall)
    head &= away @ up < 2.2 * tall
    if head.any():
        low = np.minimum(low, [columns[head].min(), rows[head].min()])
        high = np.maximum(high, [columns[head].max(), rows[head].max()])
    side = min(ROOM * float(np.sqrt(np.prod(high - low))), 4.0 * max(photo.shape[:2]))
    centre = (low + high) / 2
    below = centre[1] + side / 2 - photo.shape[0]
    centre[1] -= float(np.clip(below, 0, LIFT * side))
    return centre.astype(np.float32), side


def cut(
    photo: Image,
    alpha: FloatArray,
    square: tuple[FloatArray, float],
    landmarker: Landmarker,
    face: Face,
) -> EnrolledPhoto:
    """The portrait, and the face found again in it.

    Raises ConfigError when it is not.
    """
    middle, side = square
    size = int(np.clip(round(side / 64) * 64, *SIDES))
    scale = size / side
    shift = size / 2 - scale * middle
    source, mask = _thinned(photo, alpha, scale)
    fine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    fine[:, :2] *= photo.shape[1] / source.shape[1]
    points = face.points * np.float32(scale)
    points[:, :2] += shift
    edges = Edges.of(shift, scale, photo.shape[:2], size)
    colours, cover = _drawn(source, mask, fine, size, edges, points)
    found = landmarker.follow(colours, Face(points.astype(np.float32), face.score))
    if found is None:
        raise ConfigError("the face is lost when the photo is framed; give a larger or clearer one")
    return EnrolledPhoto(colours, cover, found.points, landmarker.expression(found))


def _drawn(
    source: Image,
    mask: FloatArray,
    matrix: FloatArray,
    size: int,
    edges: Edges,
    points: FloatArray,
) -> tuple[Image, Image]:
    """The portrait [size, size, 3] and how much of each pixel is the person [size, size]."""
    way = cv2.INTER_CUBIC if matrix[0, 0] >= 1 else cv2.INTER_AREA
    place = (size, size)
    whole = cv2.warpAffine(source, matrix, place, None, way, cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(mask, matrix, place, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.8, _SOFT * matrix[0, 0]))
    if not edges.outside.any():
        return np.asarray(whole, np.uint8), _bytes(cover)
    colours, solid = grown(np.asarray(whole, np.uint8), _bytes(cover), edges, points)
    return _continued(colours, solid, edges.outside), solid


def _bytes(cover: FloatArray) -> Image:
    return np.asarray(np.clip(255 * cover + 0.5, 0, 255), np.uint8)


def _continued(colours: Image, cover: Image, outside: Image) -> Image:
    """The portrait with the background continued smoothly to where the photo has ended."""
    unknown = np.where(outside, np.uint8(255), cover)
    filled = without(colours, unknown)
    into = cv2.distanceTransform((~outside).astype(np.uint8), cv2.DIST_L2, 5)
    fade = np.clip(into / (SEAM * len(colours)), 0, 1)
    share = np.maximum(fade * fade * (3 - 2 * fade), cover / np.float32(255))[..., None]
    mixed = filled + share * (colours.astype(np.float32) - filled)
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _thinned(photo: Image, alpha: FloatArray, scale: float) -> tuple[Image, FloatArray]:
    """Photo and mask at half, a quarter, ... of their size while that is finer than needed."""
    while scale < 0.5:
        size = (max(1, photo.shape[1] // 2), max(1, photo.shape[0] // 2))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
        scale *= 2
    return photo, alpha

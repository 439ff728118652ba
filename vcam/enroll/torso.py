"""A photo's shoulders and room, laid where a profile's head is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.enroll.faces import apart, choose
from vcam.enroll.framing import crop
from vcam.errors import ConfigError
from vcam.media import FloatArray, Image
from vcam.photo.cutout import cover, in_one_piece, looked_closer
from vcam.photo.landmarks import Face, Landmarker
from vcam.photo.picture import Picture, read_picture
from vcam.photo.torso import TORSO, WIDEST, Torso
from vcam.system import opencv as cv2

SIDES = (512, 1024)  # pixels of the layer's height, at least and at most
STEADY = (*range(4, 13), *range(27, 36), 36, 39, 42, 45)  # chin, nose, corners of the eyes
MOST_OFF = 0.12  # eye distances that these may miss the drawn head's, in the mean
ENDS = 0.10  # of the frame, that the photo may end above its lower edge: the last row goes on
_NOSE = 1


def add(photo: Path, marks: FloatArray, folder: Path) -> Torso:
    """Write `photo` into the profile in `folder` as its still layer.

    `marks` [68, 2] says where the drawn head is, in sides of the frame. Raises ConfigError for a
    photo that does not fit.
    """
    torso = laid(read_picture(photo).unframed(), marks)
    picture = np.concatenate([torso.colours[..., ::-1], torso.alpha[..., None]], 2)
    coded = cv2.imencode(".png", picture)[1]
    (folder / TORSO).write_bytes(coded.tobytes())
    return torso


def laid(picture: Picture, marks: FloatArray) -> Torso:
    """The photo in the frame's place: as high as it, and as wide as the photo and 16:9 allow."""
    faces = Landmarker().find(picture.seen)
    if not faces:
        raise ConfigError("no face found in that photo: its shoulders cannot be put under the head")
    face, others, _ = choose(faces, 0)
    matrix = fitted(face.ibug[list(STEADY)], marks[list(STEADY)])
    off = face.ibug @ matrix[:, :2].T + matrix[:, 2] - marks
    unit = float(np.linalg.norm(marks[36] - marks[45]))
    if (away := float(np.linalg.norm(off[list(STEADY)], axis=1).mean()) / unit) > MOST_OFF:
        raise ConfigError(
            f"the face in that photo is {away:.2f} eye distances off the avatar's: give one of "
            "the same person that looks straight into the camera"
        )
    alpha = _cut_out(picture, face, others)
    return _warped(picture.seen, alpha, matrix)


def fitted(points: FloatArray, wanted: FloatArray) -> FloatArray:
    """The turn, scale and shift [2, 3] that brings `points` [n, 2] closest to `wanted` [n, 2].

    In complex numbers it is a linear fit: w = a z + b.
    """
    z, w = (each[:, 0].astype(np.float64) + 1j * each[:, 1] for each in (points, wanted))
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float32)


def _cut_out(picture: Picture, face: Face, others: list[Face]) -> FloatArray:
    """How much each pixel shows the person, as `vcam.enroll.enroll` finds it."""
    photo, alpha = picture.seen, cover(picture)
    if picture.outline is None:
        alpha = looked_closer(photo, alpha, *crop(photo, alpha, face))
        alpha = in_one_piece(alpha, *face.points[_NOSE, :2].tolist())
    return apart(alpha, face, others)


def _warped(photo: Image, alpha: FloatArray, matrix: FloatArray) -> Torso:
    """The photo through `matrix`, which gives shares of the frame."""
    rows, columns = photo.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float32)
    reach = corners @ matrix[:, :2].T + matrix[:, 2]
    if (ends := float(reach[2:, 1].min())) < 1 - ENDS:
        raise ConfigError(
            f"that photo ends {1 - ends:.0%} of the frame above its lower edge: give one that "
            "shows more of the shoulders"
        )
    side = int(np.clip(round(1 / float(np.linalg.norm(matrix[:, 0]))), *SIDES))
    half = min(0.5 - float(reach[[0, 2], 0].max()), float(reach[[1, 3], 0].min()) - 0.5)
    width = side + 2 * round(side * (float(np.clip(half, 0.5, WIDEST / 2)) - 0.5))
    placed = side * matrix
    placed[0, 2] += (width - side) / 2
    placed[:, 2] += 0.5 * placed[:, :2].sum(1) - 0.5  # OpenCV's pixels are at whole numbers
    way = cv2.INTER_AREA if side * np.linalg.norm(matrix[:, 0]) < 1 else cv2.INTER_LINEAR
    colours, covered = (
        cv2.warpAffine(each, placed, (width, side), None, way, cv2.BORDER_REPLICATE)
        for each in (photo, alpha)
    )
    outline = np.asarray(np.clip(255 * covered + 0.5, 0, 255), np.uint8)
    return Torso(np.asarray(colours, np.uint8), outline)

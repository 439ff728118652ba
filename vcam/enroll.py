"""A photo becomes a profile: find the face, judge the photo, cut out, frame, write. Offline.

Framing follows the renderers: the head fills some 60 % of the picture's height (spec of the
public tracker, 1.65 times the head's box).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from vcam.consent import Consent, digest
from vcam.cutout import person, without
from vcam.errors import ConfigError
from vcam.judge import Finding, judge
from vcam.landmarks import OVAL, Face, Landmarker
from vcam.media import FloatArray, Image
from vcam.picture import Picture, read_picture
from vcam.prepared import PORTRAIT, Prepared
from vcam.profile import NAME, Profile, home, write

ROOM = 1.65  # side of the portrait in sides of the head's box
SIDES = (512, 1024)  # pixels of a portrait, at least and at most
HAIR = 0.17  # how far above the face's middle the head's lies, in face heights
BALD = 1.28  # a head's height in face heights, when the mask shows no more
SEAM = 0.10  # of the portrait, over which the photo fades where it ends
REACH = 0.9  # of the face's height: hair within this of the axis counts as head


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a photo gave."""

    prepared: Prepared
    findings: tuple[Finding, ...] = ()
    preview: Image = field(repr=False, default_factory=lambda: np.zeros((1, 1, 3), np.uint8))

    @property
    def refusals(self) -> list[str]:
        """What is so wrong with the photo that no profile can be made."""
        return [finding.text for finding in self.findings if finding.refuses]


def prepare(picture: Picture) -> Enrolled:
    """Judge and prepare a photo; never refuses a face by itself, see `Enrolled.refusals`.

    Raises ConfigError when there is no face.
    """
    landmarker = Landmarker()
    faces = landmarker.find(picture.colours)
    if not faces:
        raise ConfigError(
            "no face found: give a photo that shows one face from the front, not too small"
        )
    shown = landmarker.expression(faces[0])
    findings = judge(picture.colours, faces, shown)
    alpha = person(picture.colours) if picture.alpha is None else picture.alpha / np.float32(255)
    crop = _crop(picture.colours, np.asarray(alpha, np.float32), faces[0])
    prepared = _cut(picture.colours, np.asarray(alpha, np.float32), crop, landmarker, faces[0])
    return Enrolled(prepared, tuple(findings), overlay(prepared))


def create(
    name: str,
    photo: Path,
    consent: Consent,
    profile: Profile,
    say: Callable[[str], None] = lambda text: None,
    fit: Callable[[Enrolled, Path], None] | None = None,
) -> tuple[Path, Enrolled]:
    """Make the profile `name` of a photo; give its folder and what was found on the way.

    `profile` holds the wished settings, `fit` may add a renderer's own files. The folder appears
    whole or not at all. Raises ConfigError when the name is taken, the photo is refused, or nobody
    has agreed.
    """
    folder = _free(name)
    if not consent.given:
        raise ConfigError("nobody has agreed: --i-am-the-person NAME, or --consent FILE")
    say("reading the photo")
    picture = read_picture(photo)
    if consent.photo_sha256 and consent.photo_sha256 != picture.sha256:
        raise ConfigError(f"the consent was given for another photo than {photo}")
    say("finding the face")
    enrolled = prepare(picture)
    if enrolled.refusals:
        raise ConfigError("\n".join([f"{photo} cannot be used:", *enrolled.refusals]))
    say("writing the profile")
    unfinished = folder.with_name(f".{name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        enrolled.prepared.write(unfinished)
        if fit is not None:
            fit(enrolled, unfinished)
        agreed = replace(
            consent,
            photo_sha256=picture.sha256,
            portrait_sha256=digest(unfinished / PORTRAIT),
        )
        write(replace(profile, consent=agreed), unfinished)
        unfinished.replace(folder)
    except OSError as error:
        raise ConfigError(f"cannot write the profile to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder, enrolled


def overlay(prepared: Prepared) -> Image:
    """The portrait with the cut-out's edge and the points of the face drawn on it."""
    picture = prepared.colours.copy()
    picture[prepared.alpha < 128] //= 3
    outlines, _ = cv2.findContours(
        (prepared.alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    cv2.drawContours(picture, outlines, -1, (90, 200, 255), max(1, len(picture) // 384))
    for x, y in prepared.points[:, :2]:
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, (120, 255, 120), -1)
    return picture


def _free(name: str) -> Path:
    """The folder for a new profile. Raises ConfigError when the name is taken or no name."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
    folder = home() / name
    if folder.exists() or name == "demo":
        raise ConfigError(f"there is a profile called {name} already; remove it or take another")
    return folder


def _crop(photo: Image, alpha: FloatArray, face: Face) -> tuple[FloatArray, float]:
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
    side = ROOM * float(np.sqrt(np.prod(high - low)))
    return ((low + high) / 2).astype(np.float32), min(side, 4.0 * max(photo.shape[:2]))


def _cut(
    photo: Image,
    alpha: FloatArray,
    crop: tuple[FloatArray, float],
    landmarker: Landmarker,
    face: Face,
) -> Prepared:
    """The portrait, and the face found again in it."""
    middle, side = crop
    size = int(np.clip(round(side / 64) * 64, *SIDES))
    scale = size / side
    shift = size / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    way = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA
    source, mask = _thinned(photo, alpha, scale)
    fine = matrix.copy()
    fine[:, :2] *= photo.shape[1] / source.shape[1]
    colours = np.asarray(
        cv2.warpAffine(source, fine, (size, size), None, way, cv2.BORDER_REPLICATE), np.uint8
    )
    cover = cv2.warpAffine(mask, fine, (size, size), None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    cover[: max(0, round(float(shift[1])))] = 0  # nobody goes on above the photo
    solid = np.clip(255 * cover + 0.5, 0, 255).astype(np.uint8)
    colours = _continued(colours, solid, matrix, photo.shape[:2])
    points = face.points * np.float32(scale)
    points[:, :2] += shift
    found = landmarker.follow(colours, Face(points.astype(np.float32), face.score))
    if found is None:
        raise ConfigError("the face is lost when the photo is framed; give a larger or clearer one")
    return Prepared(colours, solid, found.points, landmarker.expression(found))


def _continued(colours: Image, cover: Image, matrix: FloatArray, photo: tuple[int, int]) -> Image:
    """The portrait with the background continued smoothly to where the photo has ended."""
    y, x = np.mgrid[: len(colours), : len(colours)].astype(np.float32)
    column, row = (x - matrix[0, 2]) / matrix[0, 0], (y - matrix[1, 2]) / matrix[1, 1]
    outside = (column < 0) | (row < 0) | (column > photo[1]) | (row > photo[0])
    if not outside.any():
        return colours
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

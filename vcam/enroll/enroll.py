"""A photo becomes a profile: find the face, judge the photo, cut out, frame, write. Offline.

Framing follows the renderers: the head fills some 60 % of the picture's height (spec of the
public tracker, 1.65 times the head's box).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vcam.enroll.faces import apart, choose
from vcam.enroll.finding import Finding
from vcam.enroll.framing import crop, cut
from vcam.enroll.light import lifted, light_on
from vcam.enroll.photo_quality import MOST_TILT, assess, degrees
from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo.aligned import aligned
from vcam.photo.cutout import cover, in_one_piece, looked_closer
from vcam.photo.enrolled import PORTRAIT, EnrolledPhoto
from vcam.photo.landmarks import Face, Landmarker
from vcam.photo.picture import Picture, read_picture
from vcam.profiles.consent import Consent, digest
from vcam.profiles.profile import NAME, Profile, home, write
from vcam.system import opencv as cv2

_LEANING = 25.0  # degrees that a face may lean where the photo had to be turned: else it is tilted
_NOSE = 1
_SURE = 0.99999  # of real faces the network is by 0.9999999, of upside-down ones by 0.9999 at most
_TURNED = {1: "90° to the left", 2: "180°", 3: "90° to the right"}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a photo gave."""

    prepared: EnrolledPhoto
    findings: tuple[Finding, ...] = ()
    preview: Image = field(repr=False, default_factory=lambda: np.zeros((1, 1, 3), np.uint8))

    @property
    def refusals(self) -> list[str]:
        """What is so wrong with the photo that no profile can be made."""
        return [finding.text for finding in self.findings if finding.refuses]


def prepare(picture: Picture, number: int = 0) -> Enrolled:
    """Judge and prepare a photo; never refuses a face by itself, see `Enrolled.refusals`.

    `number` is the face to take, counted from the left from 1; 0 takes the largest. Raises
    ConfigError when there is no face, or none with this number.
    """
    landmarker, picture = Landmarker(), picture.unframed()
    quarters, faces = _upright(picture.seen, landmarker)
    if not faces:
        raise ConfigError(
            "no face found: give a photo that shows one face from the front, upright, not too "
            "small, well lit"
        )
    picture = picture.turned(quarters)
    face, others, said = choose(faces, number)
    photo, alpha = picture.seen, cover(picture)
    if picture.outline is None:
        alpha = looked_closer(photo, alpha, *crop(photo, alpha, face))
        alpha = in_one_piece(alpha, *face.points[_NOSE, :2].tolist())
    alpha = apart(alpha, face, others)
    lit = light_on(aligned(photo, face))
    if lit.lift:
        photo = lifted(photo, lit.brightest)
    findings = [*said, *assess(photo, alpha, face, lit, landmarker.expression(face))]
    if quarters:
        findings.append(Finding(f"the photo is not upright: turned by {_TURNED[quarters]}"))
    prepared = cut(photo, alpha, crop(photo, alpha, face), landmarker, face)
    return Enrolled(prepared, tuple(findings), overlay(prepared))


def create(
    name: str,
    photo: Path,
    consent: Consent,
    profile: Profile,
    say: Callable[[str], None] = lambda text: None,
    fit: Callable[[Enrolled, Path], None] | None = None,
    number: int = 0,
) -> tuple[Path, Enrolled]:
    """Make the profile `name` of a photo; give its folder and what was found on the way.

    `profile` holds the wished settings, `number` says which face is meant
    (see `prepare`), `fit` may add a renderer's own files. The folder appears
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
    enrolled = prepare(picture, number)
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


def overlay(prepared: EnrolledPhoto) -> Image:
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


def _upright(photo: Image, landmarker: Landmarker) -> tuple[int, list[Face]]:
    """Quarter turns, counter-clockwise, that put the largest face upright, and the faces then.

    The networks find faces that lie or stand on their head too, and take some for upright ones that
    are not; but they are never as sure of those. Without a turn that helps, the photo stays.
    """
    as_it_is = landmarker.find(photo)
    if as_it_is and as_it_is[0].score >= _SURE and _leaning(as_it_is[0]) <= MOST_TILT:
        return 0, as_it_is
    for quarters in (1, 3, 2):
        faces = landmarker.find(np.ascontiguousarray(np.rot90(photo, quarters)))
        if faces and faces[0].score >= _SURE and _leaning(faces[0]) <= _LEANING:
            return quarters, faces
    return 0, as_it_is


def _leaning(face: Face) -> float:
    return abs(degrees(face)[2])


def _free(name: str) -> Path:
    """The folder for a new profile. Raises ConfigError when the name is taken or no name."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
    folder = home() / name
    if folder.exists() or name == "demo":
        raise ConfigError(f"there is a profile called {name} already; remove it or take another")
    return folder

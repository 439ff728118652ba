"""Photos that cannot work are not called ready, and those that can are not refused."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.portraits import portrait
from vcam.errors import ConfigError
from vcam.photo.aligned import UNIT, aligned
from vcam.photo.landmarks import Face, Landmarker
from vcam.photo.picture import Picture
from vcam.photo.sharpness import blur_of

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from studies.photos.mutations import MUTATIONS, Portrait, dark, two

from vcam.enroll import light
from vcam.enroll.enroll import prepare
from vcam.enroll.faces import choose


@cache
def of(name: str) -> Portrait:
    photo = portrait(name)
    return Portrait(photo, Landmarker().find(photo)[0])


def found(pixels: np.ndarray, number: int = 0) -> tuple[list[str], list[str]]:
    """Notes and refusals."""
    try:
        enrolled = prepare(Picture(np.ascontiguousarray(pixels), None, ""), number)
    except ConfigError as error:
        return [], [str(error)]
    notes = [finding.text for finding in enrolled.findings if not finding.refuses]
    return notes, enrolled.refusals


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_looks_wrong_is_told_and_what_looks_right_is_not_refused(mutation) -> None:
    notes, refusals = found(mutation.make(of("hopper")))
    if mutation.wrong:
        assert notes or refusals
    else:
        assert not refusals


@pytest.mark.slow  # twenty-five photos
def test_the_other_portrait_is_judged_alike() -> None:
    known = {text.split("(")[0] for text in found(of("astronaut").photo)[0]}
    for mutation in MUTATIONS:
        notes, refusals = found(mutation.make(of("astronaut")))
        told = {text.split("(")[0] for text in notes} - known
        assert bool(told or refusals) if mutation.wrong else not refusals, mutation.name


def test_blur_is_measured_in_eye_distances() -> None:
    """What is added to a photo's own blur adds up as variances do."""
    portrait = of("hopper")
    own = blur_of(aligned(portrait.photo, portrait.face))
    for share in (0.02, 0.04):
        blurred = cv2.GaussianBlur(portrait.photo, (0, 0), share * portrait.unit)
        measured = blur_of(aligned(blurred, portrait.face))
        assert measured == pytest.approx(np.hypot(own, share), rel=0.35)


def test_an_aligned_face_is_level_and_of_one_size() -> None:
    portrait = of("hopper")
    for angle, scale in ((0, 1.0), (17, 0.4), (-30, 1.3)):
        spin = cv2.getRotationMatrix2D((256, 300), angle, scale)
        points = portrait.face.points.copy()
        points[:, :2] = points[:, :2] @ spin[:, :2].T + spin[:, 2]
        turned = cv2.warpAffine(portrait.photo, spin, (512, 600))
        cut = aligned(turned, Face(points.astype(np.float32), 1.0))
        eyes = cut.points[263] - cut.points[33]
        assert eyes == pytest.approx([UNIT, 0], abs=0.1)
        straight = aligned(portrait.photo, portrait.face).luma[100:220, 110:210]
        assert np.abs(straight - cut.luma[100:220, 110:210]).mean() < 7


def test_a_dark_photo_is_lifted() -> None:
    portrait = of("hopper")
    made = prepare(Picture(dark(portrait), None, "")).prepared
    lit = prepare(Picture(portrait.photo, None, "")).prepared
    oval = made.points[:, :2].astype(int).clip(0, len(made.colours) - 1)
    ours, wanted = (a.colours[oval[:, 1], oval[:, 0]].mean() for a in (made, lit))
    assert 0.7 * wanted < ours < 1.3 * wanted


@pytest.mark.parametrize("level", [25, 60, 99])
def test_lifting_keeps_order_and_burns_nothing(level: int) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    out = light.lifted(ramp, level)[0, :, 0].astype(int)
    assert (np.diff(out) >= 0).all()
    assert abs(out[level] - light.LIT) <= 1
    assert out[254] < 255 or out[254] - out[250] < 3


def test_one_of_two_faces_can_be_chosen() -> None:
    both = two(of("hopper"))
    notes, _ = found(both)
    assert any("--face NUMBER" in text for text in notes)
    assert not any("faces" in text for text in found(both, 2)[0])
    faces = Landmarker().find(both)
    for number, half in ((1, 0), (2, 1)):
        face, others, _ = choose(faces, number)
        assert (face.points[1, 0] > both.shape[1] / 2) == half
        assert len(others) == 1
    with pytest.raises(ConfigError, match="no face 3: the photo shows 2 faces"):
        prepare(Picture(both, None, ""), 3)


def test_the_other_person_is_no_part_of_the_puppet() -> None:
    both = two(of("hopper"))
    made = prepare(Picture(both, None, ""), 1).prepared
    shares = [(made.alpha[:, half] > 127).mean() for half in (slice(0, 40), slice(-40, None))]
    assert max(shares) < 0.45  # shoulders, and no second head


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_hair_that_is_cut_a_little_is_drawn_on(name: str) -> None:
    portrait = of(name)
    edge = int(portrait.at(10)[1] - 0.22 * portrait.tall)
    notes, refusals = found(portrait.photo[edge:])
    assert not refusals
    assert any("the top of the head is cut off" in text for text in notes)
    made = prepare(Picture(portrait.photo[edge:], None, "")).prepared
    rows = np.nonzero((made.alpha > 127).any(1))[0]
    widths = (made.alpha[rows[0] : rows[0] + 60] > 127).sum(1)
    assert widths[0] < 0.4 * widths[-1]  # a dome, not a flat top
    assert (np.diff(widths.astype(int)) >= -2).all()


def test_shoulders_cut_by_the_side_fall_and_stick_out_nowhere() -> None:
    """From a tight crop bars stuck out of the head."""
    tight = of("astronaut").photo[30:220, 150:300]
    made = prepare(Picture(np.ascontiguousarray(tight), None, "")).prepared
    chin = int(made.points[152, 1])
    size = len(made.alpha)
    for edge in (made.alpha[: chin - 20, :6], made.alpha[: chin - 20, size - 6 :]):
        assert edge.max() < 60
    for column in (6, size - 7):
        run = np.diff((made.alpha[:, column] > 127).astype(int))
        assert (run > 0).sum() <= 1  # one piece at most

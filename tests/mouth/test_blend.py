"""Masks from landmarks, and a blend that leaves no tint, blur or edge."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import SIZE, face  # noqa: E402 - after the skip
from vcam.mouth.musetalk.blend import Blender, face_masks  # noqa: E402
from vcam.mouth.musetalk.box import face_box  # noqa: E402
from vcam.mouth.musetalk.inpainter import Place  # noqa: E402
from vcam.mouth.musetalk.sampling import apart, crop_matrix  # noqa: E402
from vcam.mouth.musetalk.settings import MouthSettings  # noqa: E402

SIDE = 128
ONE = torch.tensor(1.0)


def placed(frame, **settings):
    chosen = MouthSettings(**settings)
    box = face_box(frame.landmarks, SIZE, chosen)
    return torch.from_numpy(Place(box, frame.landmarks, 1.0, 1.0).row(chosen))


def crop_of(frame, row):
    picture = torch.from_numpy(frame.pixels).permute(2, 0, 1).float() / 255
    rows = crop_matrix(row[1], row[3], SIDE, SIZE)
    columns = crop_matrix(row[0], row[2], SIDE, SIZE)
    return apart(picture, rows, columns).clamp(0, 1)


def masks_of(row):
    return face_masks(row[4:-6].view(-1, 2), row[-6:-4], SIDE)


def material(**settings):
    row = placed(face(), **settings)
    return crop_of(face(), row), crop_of(face(jaw=0.7), row), masks_of(row)


def test_masks_hold_the_mouth_and_end_inside_the_crop():
    row = placed(face())
    points = (row[4:-6].view(-1, 2).numpy() * SIDE).astype(int)
    masks = masks_of(row)
    lips = points[48:60]
    for mask in (masks.wide, masks.tight, masks.lips):
        assert (mask[lips[:, 1], lips[:, 0]] > 0.5).all()
        assert not mask[: SIDE // 2 - 2].any()  # the network gives the upper half back as it was
        for border in (mask[-1], mask[:, 0], mask[:, -1]):
            assert not border.any()
    assert masks.wide[points[30, 1] - 8, points[30, 0]] == 0  # the nose stays


def test_each_cheek_setting_narrows_its_side_of_the_mask():
    def halves(**settings):
        mask = masks_of(placed(face(), **settings)).wide
        return [half.sum().item() for half in mask.split(SIDE // 2, dim=1)]

    full, left, right = halves(), halves(left_cheek=20), halves(right_cheek=20)
    assert left[0] < 0.99 * full[0]
    assert left[1] == pytest.approx(full[1], rel=1e-4)
    assert right[0] == pytest.approx(full[0], rel=1e-4)
    assert right[1] < 0.99 * full[1]


def test_the_crop_itself_changes_nothing():
    crop, _, masks = material()
    blender = Blender(SIDE)
    change, seam = blender(crop, crop, masks, blender.rest(), ONE)
    assert not change.any()
    assert seam.gain == 1
    assert not seam.colour.any()


def test_a_tint_is_taken_out_and_the_mouth_stays():
    crop, wanted, masks = material()
    tint = torch.tensor([0.06, 0.0, -0.06])[:, None, None]
    blender, plain = Blender(SIDE), Blender(SIDE, matched=False)
    clean = plain(crop, wanted, masks, plain.rest(), ONE)[0]
    tinted = plain(crop, wanted + tint, masks, plain.rest(), ONE)[0]
    matched = blender(crop, wanted + tint, masks, blender.rest(), ONE)[0]
    skin = (masks.wide > 0.9) & (masks.tight < 0.1)
    left = (matched - clean)[:, skin].abs().mean() / (tinted - clean)[:, skin].abs().mean()
    assert left < 0.2
    mouth = masks.lips > 0.9
    assert (matched - clean)[:, mouth].abs().mean() < 0.02
    assert clean[:, mouth].abs().mean() > 0.1  # and it did open


def test_softness_is_sharpened_towards_the_skin():
    random = np.random.default_rng(0)
    crop, _, masks = material()
    pores = torch.from_numpy(random.normal(0, 0.03, (3, SIDE, SIDE)).astype(np.float32))
    blender = Blender(SIDE)
    seam = blender(crop + pores, crop + 0.6 * pores, masks, blender.rest(), ONE)[1]
    assert 1.3 < seam.gain < 1.75


def test_the_seam_is_taken_up_a_little_at_a_time():
    crop, wanted, masks = material()
    blender = Blender(SIDE)
    full = blender(crop, wanted + 0.05, masks, blender.rest(), ONE)[1]
    part = blender(crop, wanted + 0.05, masks, blender.rest(), ONE * 0.25)[1]
    torch.testing.assert_close(part.colour, 0.25 * full.colour)

"""The stored reference tensors of MuseTalk, small size and pastes, on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.parity.report import Report

torch = pytest.importorskip("torch")

from tests.parity import musetalk  # noqa: E402 - after the skip
from vcam.mouth.musetalk import original  # noqa: E402

DATA = Path(__file__).parent.parent / "data"


def test_every_stored_tensor_is_met():
    rows = []
    report = Report(rows.append)
    musetalk.check(DATA / "parity", report, small=True)
    assert report.rows == 27
    assert report.failures == 0, "\n".join(rows)


@pytest.mark.parametrize("place", ["inside", "edge"])
def test_pastes_are_those_of_the_original(place):
    with np.load(DATA / "musetalk_paste.npz") as stored:
        box = tuple(stored[f"{place}.box"].tolist())
        classes = original.class_mask(stored["label_map"], "jaw")
        mask = original.feathered(classes, box)
        painted = original.paste_face(stored["frame_bgr"], stored["decoded_bgr_u8"], box, mask)
        np.testing.assert_array_equal(classes, stored["parsing_jaw"])
        np.testing.assert_array_equal(original.expanded_box(box), stored[f"{place}.crop_box"])
        np.testing.assert_array_equal(mask, stored[f"{place}.jaw.mask"])
        np.testing.assert_array_equal(painted, stored[f"{place}.jaw.blended"])

"""Crops and pastes as matrix products, and distances to polygons."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vcam.mouth.musetalk import sampling  # noqa: E402 - after the skip


def picture(size=96):
    noise = np.random.default_rng(0).random((size, size, 3), np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def apart(image, rows, columns):
    return sampling.apart(torch.from_numpy(image).permute(2, 0, 1), rows, columns)


def scalar(value):
    return torch.tensor(float(value))


def test_an_enlarged_crop_is_opencvs_lanczos():
    image = picture()
    rows = sampling.crop_matrix(scalar(20), scalar(40), 64, 96)
    columns = sampling.crop_matrix(scalar(30), scalar(50), 64, 96)
    got = apart(image, rows, columns).permute(1, 2, 0).numpy()
    wanted = cv2.resize(image[20:60, 30:80], (64, 64), interpolation=cv2.INTER_LANCZOS4)
    inner = np.s_[10:-10, 10:-10]  # at its edges OpenCV's crop does not see what lies beside it
    assert np.abs(got[inner] - wanted[inner]).max() < 0.5 / 255


def test_a_reduced_crop_does_not_fold():
    stripes = np.zeros((96, 96, 3), np.float32)
    stripes[:, ::2] = 1
    rows = sampling.crop_matrix(scalar(0), scalar(96), 32, 96)
    grey = apart(stripes, rows, rows).numpy()[:, 4:-4, 4:-4]
    assert np.abs(grey - 0.5).max() < 0.02


def test_a_crop_over_the_edge_goes_on_with_the_edge():
    image = np.full((96, 96, 3), 0.4, np.float32)
    rows = sampling.crop_matrix(scalar(-10), scalar(50), 32, 96)
    assert apart(image, rows, rows).numpy() == pytest.approx(0.4, abs=1e-5)


@pytest.mark.parametrize("start", [20.0, 20.37])
def test_pasting_a_crop_back_gives_the_picture(start):
    image = picture()
    matrices = [f(scalar(start), scalar(48), 64, 96) for f in (
        sampling.crop_matrix, sampling.paste_matrix)]  # fmt: skip
    crop = apart(image, matrices[0], matrices[0])
    back = sampling.apart(crop, matrices[1], matrices[1]).permute(1, 2, 0).numpy()
    assert np.abs(back[24:64, 24:64] - image[24:64, 24:64]).max() < 2 / 255
    assert not back[:20].any()
    assert not back[:, 69:].any()


def test_distance_is_that_of_opencv():
    corners = np.array([[0.2, 0.1], [0.9, 0.3], [0.7, 0.8], [0.5, 0.4], [0.1, 0.9]], np.float32)
    got = sampling.inside_distance(torch.from_numpy(corners)[None], 32)[0].numpy()
    for y in range(0, 32, 3):
        for x in range(0, 32, 3):
            place = ((x + 0.5) / 32, (y + 0.5) / 32)
            wanted = cv2.pointPolygonTest(corners[:, None], place, True)
            assert got[y, x] == pytest.approx(wanted, abs=1e-4)

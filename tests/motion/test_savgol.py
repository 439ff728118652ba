from __future__ import annotations

import numpy as np
import pytest

from vcam.motion.artalk.savgol import HELD, SmoothStream, fit, smooth


@pytest.fixture
def clip():
    return np.random.default_rng(1).normal(0, 1, (60, 106)).astype(np.float32)


def test_the_inner_taps_are_the_published_ones():
    np.testing.assert_allclose(35 * fit(5, 2)[2], [-3, 12, 17, 12, -3], atol=1e-10)
    np.testing.assert_allclose(
        231 * fit(9, 3)[4], [-21, 14, 39, 54, 59, 54, 39, 14, -21], atol=1e-9
    )


def test_polynomials_of_the_fits_order_pass_unchanged():
    time = np.linspace(-1, 1, 30)[:, None]
    clip = np.tile(0.3 - time + 2 * time**2, (1, 106)).astype(np.float32)
    clip[:, 100:103] += (time**3).astype(np.float32)
    np.testing.assert_allclose(smooth(clip), clip, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 7, 25, 60])
def test_a_stream_gives_the_clips_numbers_four_frames_late(clip, size):
    stream, pieces, given = SmoothStream(), [], 0
    for first in range(0, len(clip), size):
        pieces.append(stream.step(clip[first : first + size]))
        given += len(pieces[-1])
        heard = min(first + size, len(clip))
        assert given == (heard - HELD if heard >= 9 else 0)
    np.testing.assert_array_equal(np.concatenate([*pieces, stream.finish()]), smooth(clip))
    assert len(stream.finish()) == 0


@pytest.mark.parametrize("frames", [0, 1, 8])
def test_what_is_too_short_comes_back_as_it_is(clip, frames):
    np.testing.assert_array_equal(smooth(clip[:frames]), clip[:frames])

"""The number in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcam import tickcode
from vcam.media import Image


def picture(width: int, height: int) -> Image:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


@given(
    some.integers(0, 2**16 - 1), some.sampled_from([(64, 64), (512, 512), (640, 360), (500, 96)])
)
def test_what_is_stamped_is_read(number: int, size: tuple[int, int]) -> None:
    pixels = picture(*size)
    tickcode.stamp(pixels, number)
    assert tickcode.read(pixels) == number


def test_only_the_low_sixteen_bits_are_kept() -> None:
    pixels = picture(512, 512)
    tickcode.stamp(pixels, (7 << 16) + 1234)
    assert tickcode.read(pixels) == 1234


def test_a_picture_without_a_code_is_noticed() -> None:
    with pytest.raises(ValueError, match="no tick code"):
        tickcode.read(np.full((512, 512, 3), 128, np.uint8))


def test_the_code_covers_only_the_top_edge() -> None:
    pixels = picture(512, 512)
    stamped = pixels.copy()
    tickcode.stamp(stamped, 77)
    assert np.array_equal(stamped[16:], pixels[16:])

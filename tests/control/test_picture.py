import json

import numpy as np
import PIL.Image
import pytest

from tests.portraits import portrait_path
from vcam.control.picture import LARGEST, MOST_BYTES, packed, unpacked
from vcam.control.requests import Picture, read_request
from vcam.control.server import MOST_UNREAD
from vcam.errors import ConfigError


def gradient(height: int, width: int) -> np.ndarray:
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    return np.dstack([np.tile(ramp, (height, 1))] * 3)


def test_it_arrives_as_it_was_within_a_shade():
    picture = gradient(40, 40)
    picture[10:20, 10:20] = (200, 30, 40)
    found = unpacked(json.loads(json.dumps(packed(picture, 40, 40))))
    assert found is not None
    assert found.shape == (40, 40, 3)
    assert np.abs(found.astype(int) - picture).mean() < 4
    assert np.abs(found[15, 15].astype(int) - (200, 30, 40)).max() < 12


@pytest.mark.parametrize(
    ("shape", "room", "size"),
    [((512, 512), (42, 56), (42, 42)), ((720, 1280), (142, 96), (142, 80)),
     ((720, 1280), (20, 40), (20, 12)), ((512, 512), (256, 9), (9, 8))],
)  # fmt: skip
def test_it_is_whole_undistorted_and_of_even_height(shape, room, size):
    found = unpacked(packed(gradient(*shape), *room))
    assert found is not None
    assert (found.shape[1], found.shape[0]) == size


def test_it_takes_few_bytes_and_never_more_than_the_limit():
    with PIL.Image.open(portrait_path("astronaut")) as file:
        face = np.asarray(file.convert("RGB"))
    assert len(packed(face, 42, 42)["picture"]) < 5000
    noise = np.random.default_rng(1).integers(0, 256, (LARGEST, LARGEST, 3), np.uint8)
    told = packed(noise, LARGEST, LARGEST)["picture"]
    assert len(told) < MOST_BYTES * 4 / 3 + 4 < MOST_UNREAD


def test_before_the_first_frame_there_is_none_and_what_is_damaged_is_none():
    assert packed(None, 40, 40) == {"picture": ""}
    for said in ({"picture": ""}, {}, {"picture": "AAAA"}, {"picture": "A"}):
        assert unpacked(said) is None


@pytest.mark.parametrize("size", [(0, 40), (40, -1), (LARGEST + 1, 40), (40, 10**9)])
def test_other_sizes_are_refused(size):
    with pytest.raises(ConfigError, match="8 to 256 pixels"):
        packed(gradient(40, 40), *size)


def test_it_is_asked_for_in_one_line():
    assert read_request(b'{"do": "picture", "width": 40, "height": 60}') == Picture(40, 60)
    for bad in (b'{"do": "picture"}', b'{"do": "picture", "width": "a", "height": 1}'):
        with pytest.raises(ConfigError):
            read_request(bad)

import cv2
import numpy as np
import pytest

from vcam.monitor.blocks import WORTH, Blocks, Spot
from vcam.monitor.colours import paint

pyte = pytest.importorskip("pyte")
SPOT = Spot(2, 3, 6, 10)
MUCH = 1 << 20


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)


def seen(screen) -> np.ndarray:
    """The pixels that a terminal shows in the spot."""
    pixels = np.zeros((12, 10, 3), np.uint8)
    for row in range(6):
        for column in range(10):
            cell = screen.buffer[SPOT.row - 1 + row][SPOT.column - 1 + column]
            fore, back = (bytes.fromhex(each) if len(each) == 6 else b"\0\0\0"
                          for each in (cell.fg, cell.bg))  # fmt: skip
            above, below = {"▀": (fore, back), "▄": (back, fore), " ": (back, back)}[cell.data]
            pixels[2 * row, column], pixels[2 * row + 1, column] = list(above), list(below)
    return pixels


def test_a_terminal_shows_the_picture_within_its_shades():
    screen, blocks = pyte.Screen(20, 10), Blocks(SPOT, paint("truecolor"))
    stream = pyte.Stream(screen)
    for seed in range(5):
        picture = noise(seed)
        picture[4:8] = seed  # where both pixels of a cell are one
        stream.feed(blocks.update(picture, MUCH))
        apart = np.abs(seen(screen).astype(int) - picture).sum(axis=2)
        assert apart.max() <= WORTH + 3 * 7


def test_what_has_hardly_changed_is_not_written():
    blocks = Blocks(SPOT, paint("truecolor"))
    picture = np.clip(noise(1), 8, 247)
    assert blocks.update(picture, MUCH)
    assert blocks.update(picture + 3, MUCH) == ""
    assert blocks.update(picture - 3, MUCH) == ""


def test_what_changed_most_comes_first_and_the_rest_later():
    blocks = Blocks(SPOT, paint("truecolor"))
    grey = np.full((12, 10, 3), 100, np.uint8)
    blocks.update(grey, MUCH)
    new = grey.copy()
    new[::2, :, 0] = 140
    new[0, 0], new[7, 5] = 255, 255
    told = blocks.update(new, 40)
    assert told.count("▀") + told.count("▄") == 2
    assert "\x1b[2;3H" in told
    assert "\x1b[5;8H" in told
    for _ in range(40):
        told = blocks.update(new, 40)
    assert told == ""


def test_nothing_is_written_without_bytes_for_it():
    assert Blocks(SPOT, paint("truecolor")).update(noise(1), 0) == ""


def test_a_row_that_is_forgotten_is_written_anew_and_no_other():
    blocks = Blocks(SPOT, paint("truecolor"))
    blocks.update(noise(1), MUCH)
    blocks.forget(6 + 2)
    told = blocks.update(noise(1), MUCH)
    assert told.startswith("\x1b[4;3H")
    assert told.count("H") == 1


def test_an_encoding_without_half_blocks_gets_letters_only():
    told = Blocks(SPOT, paint("256"), halves=False).update(noise(1), MUCH)
    assert told.isascii()
    assert told.count(" ") == 60


@pytest.mark.parametrize(
    ("system", "red"), [("truecolor", "48;2;248;0;0"), ("256", "48;5;196"), ("standard", "41")]
)
def test_each_kind_of_terminal_gets_colours_that_it_knows(system, red):
    picture = np.zeros((12, 10, 3), np.uint8)
    picture[..., 0] = 250 if system != "standard" else 170
    told = Blocks(SPOT, paint(system)).update(picture, MUCH)
    assert told.split("H")[1].startswith(f"\x1b[{red}m")


def test_the_tables_hold_the_nearest_colours():
    assert paint("256").codes(np.array([[8, 8, 8], [255, 255, 255]], np.int16)).tolist() == [
        232,
        231,
    ]
    bright = paint("standard").codes(np.array([[250, 80, 80], [80, 80, 250]], np.int16)).tolist()
    assert [paint("standard").foreground(code) for code in bright] == ["91", "94"]


def test_a_talking_face_takes_few_bytes():
    """A picture that moves as a head does: by less than a cell, and a mouth that opens."""
    spot = Spot(2, 3, 21, 42)
    blocks, told = Blocks(spot, paint("truecolor")), []
    for beat in range(30):
        face = np.full((84, 84, 3), 60, np.uint8)
        middle = (42 + round(2 * np.sin(beat / 5)), 42)
        cv2.ellipse(face, middle, (24, 34), 0, 0, 360, (220, 170, 150), -1)
        cv2.ellipse(face, (middle[0], 58), (9, 1 + beat % 5), 0, 0, 360, (120, 30, 40), -1)
        small = cv2.resize(face, (42, 42), interpolation=cv2.INTER_AREA)
        told.append(
            len(blocks.update(small, 1000).encode()) if beat else blocks.update(small, MUCH)
        )
    assert 200 < max(told[1:]) < 1600

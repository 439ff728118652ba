import numpy as np
import pytest
from rich.segment import Segment
from rich.style import Style

from vcam.monitor.cells import BLANK, HOLE, UNKNOWN, Row, changes, row

pyte = pytest.importorskip("pyte")
RED = Style.parse("red")


def plain(text: str, columns: int = 12):
    return row([Segment(text)], columns)


def test_only_the_cells_that_changed_are_written():
    told = changes([plain("12 frames"), plain("same")], [plain("17 frames"), plain("same")], None)
    assert told == "\x1b[1;2H7"
    assert changes([plain("same")], [plain("same")], "truecolor") == ""


def test_changes_near_each_other_are_written_together_and_far_ones_apart():
    assert changes([plain("abc")], [plain("xby")], None) == "\x1b[1;1Hxby"
    far = changes([plain("a.........b")], [plain("x.........y")], None)
    assert far == "\x1b[1;1Hx\x1b[1;11Hy"


def test_a_colour_alone_is_a_change_and_ends_with_its_words():
    red = row([Segment("ab", RED), Segment("c")], 12)
    assert changes([plain("abc")], [red], "standard") == "\x1b[1;1H\x1b[31mab\x1b[0m"


def test_what_is_gone_is_wiped_and_what_is_unknown_written():
    assert changes([plain("ab")], [plain("a")], None) == "\x1b[1;2H "
    assert changes([[UNKNOWN] * 3], [plain("a", 3)], None) == "\x1b[1;1Ha  "


def test_a_hole_is_not_written_into():
    before, after = [UNKNOWN] * 6, [("a", None), HOLE, HOLE, ("b", None), BLANK, BLANK]
    assert changes([before], [after], None) == "\x1b[1;1Ha\x1b[1;4Hb  "
    assert changes([after], [after], None) == ""


@pytest.mark.parametrize("name", ["é́", "日本", "Anna 🎤 x", "family 👩‍👩‍👧"])
def test_names_in_other_writings_keep_their_row(name):
    assert len(plain(name, 20)) == 20
    told = changes([plain(name, 20)], [plain(f"{name}!", 20)], None)
    assert name in told or name.isascii() or len(name) == 2  # accents move nothing
    assert "!" in told


def test_any_screenful_becomes_any_other():
    random = np.random.default_rng(7)
    letters, styles = "ab │▀ ", [None, RED, Style.parse("bold white on blue")]

    def screenful() -> list[Row]:
        def cell() -> Segment:
            return Segment(str(random.choice(list(letters))), random.choice(styles))

        return [row([cell() for _ in range(9)], 9) for _ in range(4)]

    screen = pyte.Screen(9, 4)
    stream, before = pyte.Stream(screen), [[BLANK] * 9] * 4
    for _ in range(60):
        after = screenful() if random.random() < 0.5 else [*before[1:], before[0]]
        stream.feed(changes(before, after, "truecolor"))
        before = after
        assert screen.display == ["".join(text for text, _ in cells) for cells in after]
        for line, cells in enumerate(after):
            for column, (_, style) in enumerate(cells):
                seen = screen.buffer[line][column]
                assert seen.fg == ("red" if style is RED else "white" if style else "default")

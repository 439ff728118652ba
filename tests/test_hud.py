from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from vcam import hud
from vcam.stats import EngineStatus, Quantiles, Snapshot


def shown(now: Snapshot, width: int = 140, ends: str = "Ctrl-C ends") -> str:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(hud.render(now, ends))
    return captured.get()


FULL = Snapshot(
    seconds=75,
    fps=29.97,
    fresh=2000,
    late=3,
    dropped=2,
    delay_ms=88,
    gap_ms=41,
    latency_ms=Quantiles(80.1, 92.2, 97.3, 2000),
    stages_ms={"motion": Quantiles(0.4, 0.6, 0.9, 10), "render": Quantiles(8.1, 9.2, 10.3, 10)},
    microphone="Built-in Audio",
    level_db=-23,
    overflows=4,
    camera="/dev/video10 (v4l2loopback)",
    camera_format="512x512 RGB at 30 fps",
    profile="demo",
    engine=EngineStatus("live", ("visemes", "head3d", "passthrough"), speaking=True),
    preview=np.full((64, 64, 3), 200, np.uint8),
)


def test_everything_that_matters_is_on_the_display():
    text = shown(FULL)
    for expected in (
        "demo", "live", "01:15", "30.0 fps", "3 late, 2 dropped", "41 ms", "80.1 / 92.2 / 97.3",
        "Built-in Audio", "-23 dB", "speaking", "4 overflows", "/dev/video10", "512x512",
        "visemes → head3d → passthrough", "8.1 / 9.2 / 10.3", "▀",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.parametrize(("width", "columns"), [(60, 0), (80, 22), (120, 34)])
def test_it_fits_terminals_of_24_lines(width, columns):
    trouble = ("the microphone USB Audio is gone",)
    lines = shown(replace(FULL, voice="vcam", trouble=trouble), width).splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= width
    assert "…" not in "".join(lines)
    assert trouble[0] in lines[1]  # what is below may be cut off in a low terminal
    assert lines[5].count("▀") == columns


def test_it_says_what_ctrl_c_does():
    assert "Ctrl-C leaves; vcam goes on" in shown(FULL, ends="Ctrl-C leaves; vcam goes on")


def test_a_run_that_has_not_begun_can_be_drawn():
    assert "starting" in shown(Snapshot())


def test_trouble_is_told():
    engine = EngineStatus("restarting", note="the engine died (signal 9)", restarts=1)
    assert "the engine died (signal 9)" in shown(Snapshot(engine=engine))
    assert "the engine died (signal 9)" in hud.line(Snapshot(engine=engine))


def test_the_preview_shows_the_picture():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = (252, 0, 0)
    text = hud.preview(picture, 8)
    assert text.plain.count("▀") == 32
    assert str(text.spans[0].style) == "#fc0000 on #fc0000"
    assert str(text.spans[-1].style) == "#000000 on #000000"

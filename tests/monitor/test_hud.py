import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from vcam.cli.keys import HELP, QUIT, Keys
from vcam.monitor import hud
from vcam.monitor.stats import EngineStatus, FarStatus, GpuStatus, Quantiles, Snapshot


def shown(now: Snapshot, width: int = 140, ends: str = "Ctrl-C ends", **more) -> str:
    console = Console(
        width=width, height=24, force_terminal=True, color_system=None, legacy_windows=False
    )
    with console.capture() as captured:
        console.print(hud.render(now, (ends,), **more))
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
)


def test_everything_that_matters_is_on_the_display():
    text = shown(FULL)
    for expected in (
        "demo", "LIVE", "01:15", "30.0 fps", "3 late, 2 dropped", "41 ms", "80.1 / 92.2 / 97.3",
        "Built-in Audio", "-23 dB", "speaking", "4 blocks of sound lost", "/dev/video10", "512x512",
        "visemes → head3d", "8.1 / 9.2 / 10.3",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.parametrize(("width", "side"), [(60, 0), (80, 22), (120, 44), (200, 44)])
def test_it_fits_terminals_of_24_lines_and_the_picture_fills_them(width, side):
    trouble = ("the microphone USB Audio is gone",)
    room = hud.room(width, 24)
    assert (min(room) if room else 0) == side
    spot = hud.spot(np.zeros((side, side, 3), np.uint8)) if side else None
    lines = shown(replace(FULL, voice="vcam", trouble=trouble), width, spot=spot).splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= width
    assert "…" not in "".join(lines)
    assert "TROUBLE" in lines[1]
    assert trouble[0] in lines[3]  # what is below may be cut off in a low terminal
    for line in lines[1 : 1 + side // 2]:
        assert not line[2 : 2 + side].strip()
    state = 2 + (side + 2 if side else 0)
    assert lines[1][state:].startswith("  TROUBLE  ")
    long = replace(FULL, engine=EngineStatus("failed", note="it could not be started " * 9))
    assert shown(long, width, spot=spot).splitlines()[1][state:].startswith("  TROUBLE  ")


@pytest.mark.parametrize(
    ("presence", "state", "word"),
    [("live", "live", "LIVE"), ("muted", "live", "MUTED"), ("live", "starting", "STARTING"),
     ("muted,idle,hidden", "restarting", "HIDDEN"), ("live", "restarting", "TROUBLE")],
)  # fmt: skip
@pytest.mark.parametrize("size", [(40, 12), (40, 10)])
def test_a_low_terminal_keeps_state_meter_advice_and_keys(presence, state, word, size):
    trouble = ("the microphone USB Audio is gone",)
    engine = EngineStatus(state, note="it died")
    now = replace(FULL, presence=presence, engine=engine, trouble=trouble)
    lines = drawn(now, size)
    assert len(lines) == size[1]
    assert {len(line) for line in lines} == {size[0]}
    word = "TROUBLE" if word in ("LIVE", "MUTED", "STARTING") else word  # a device is lost
    assert word in lines[1]
    assert "-23 dB" in lines[2]
    assert trouble[0] in lines[3]
    assert "m mute  p panic  ? help  q quit" in lines[-1]


def drawn(now: Snapshot, size: tuple[int, int], **more) -> list[str]:
    """The lines of a terminal of so many columns and lines."""
    console = Console(
        width=size[0], height=size[1], force_terminal=True, color_system=None, legacy_windows=False
    )
    with console.capture() as captured:
        console.print(hud.render(now, Keys(QUIT).footer(), **more))
    return captured.get().splitlines()


def test_the_answer_to_a_key_takes_the_last_line_and_a_page_the_place_of_the_numbers():
    assert "not now" in drawn(FULL, (80, 24), notice="not now")[-1]
    page = hud.Page(tuple(("", f"line {number}") for number in range(99)), newest=True)
    lines = drawn(FULL, (80, 24), page=page)
    assert len(lines) == 24
    assert "line 98" in lines[-2]
    help_page = hud.Page((*HELP, ("q", "end vcam")))
    lines = drawn(FULL, (40, 12), page=help_page)
    assert re.search("space +stand still, no voice", "".join(lines))
    assert re.search("q +end vcam", "".join(lines))


@pytest.mark.parametrize(("size", "side"), [((40, 12), 20), ((80, 24), 44), ((200, 50), 96)])
def test_the_picture_alone_takes_all_the_room_and_the_state_stays(size, side):
    room = hud.room(*size, only_picture=True)
    assert room
    assert min(room) == side
    spot = hud.spot(np.zeros((side, side, 3), np.uint8), size[0])
    assert spot.column - 1 == (size[0] - side) // 2
    lines = drawn(FULL, size, spot=spot, only_picture=True)
    assert len(lines) == size[1]
    assert "LIVE" in lines[0]
    assert "q quit" in lines[-1]
    assert not "".join(lines[1:-1]).strip("│ ")


def test_rows_that_are_nothing_are_not_shown():
    quiet = replace(FULL, late=0, dropped=0, overflows=0)
    for word in (" late,", "dropped", "overflow", "lost", "without sound", "rim", "passthrough"):
        assert word not in shown(quiet), word
    assert len(shown(Snapshot()).splitlines()) == 6  # frame, state, meter, space


def test_it_says_what_ctrl_c_does():
    assert "Ctrl-C leaves; vcam goes on" in shown(FULL, ends="Ctrl-C leaves; vcam goes on")


def test_a_run_that_has_not_begun_can_be_drawn():
    assert "STARTING" in shown(Snapshot())


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


@pytest.mark.parametrize("size", [(40, 10), (40, 12), (80, 24)])
def test_who_sees_and_hears_stands_under_the_meter_in_one_line(size):
    names = ("Chromium with a long name", "another program")
    now = replace(FULL, voice="vcam", readers=2, watchers=names, listeners=("zoom",))
    lines = drawn(now, size)
    assert "-23 dB" in lines[2]
    assert "seen by Chromium with a long name" in lines[3]
    assert "another program" not in lines[4]
    assert lines[3].rstrip("│ ").endswith("…") == (size[0] == 40)


def test_a_narrow_terminal_has_a_line_for_each_thing_and_names_them_whole():
    lines = drawn(replace(FULL, camera="/dev/video10 (v4l2loopback) and vcam (PipeWire)"), (40, 24))
    rows = [line.strip("│ ") for line in lines]
    for name in ("latency", "frames", "camera", "microphone", "motion", "render", "drawn by"):
        assert sum(row.startswith(f"{name} ") for row in rows) == 1, name
    assert next(row for row in rows if row.startswith("camera")).endswith("…")


THEIRS = GpuStatus(own_mib=2048.0, used_mib=4096.0, total_mib=23_000.0, load=0.42, name="NVIDIA L4")


@pytest.mark.parametrize("width", [80, 200])
def test_a_far_machine_is_named_with_the_way_to_it(width):
    far = FarStatus("gpu-box", trip_ms=20.0, kbit=1_900.0, missing=0.02)
    engine = replace(FULL.engine, far=far, gpu=THEIRS)
    text = shown(replace(FULL, engine=engine), width)
    assert "gpu-box  20 ms there and back  1900 kbit/s  2% left out" in text
    assert "2.0 GiB there" in text
    assert "NVIDIA L4, 42% busy" in text
    assert "°C" not in text  # nobody tells it
    assert "made by" not in shown(FULL, width)

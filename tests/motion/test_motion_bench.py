"""The study of talk mode: what its script reads, measures and refuses."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from studies.motion.faces import FlameReader, PlainReader, SyntheticReader  # noqa: E402 - after the path
from studies.motion.film import film  # noqa: E402
from studies.motion.silence import recorded_noise, room_noise  # noqa: E402
from studies.motion.stream import stream  # noqa: E402
from studies.motion.study import TALK, listened, poised  # noqa: E402
from studies.motion.tables import plain, print_table  # noqa: E402
from studies.motion.verdict import Results  # noqa: E402

from tests.flame_model import as_published, made_up_model  # noqa: E402
from tests.motion.tiny_artalk import tiny_net  # noqa: E402
from vcam.flame.model import FlameHead  # noqa: E402
from vcam.nets.artalk_proxy import SyntheticFace  # noqa: E402


def motions(frames, seed=0):
    draw = np.random.default_rng(seed).normal(0, 1, (frames, 106)).astype(np.float32)
    draw[:, 100:] *= 0.1
    return draw


@pytest.fixture(scope="module")
def flame(tmp_path_factory):
    path = tmp_path_factory.mktemp("flame") / "FLAME_with_eye.pt"
    torch.save(as_published(made_up_model()), path)
    return path


def test_flames_lips_are_those_of_the_whole_head(flame):
    """The few points that are read against the full mesh, in millimetres."""
    model, given = made_up_model(), motions(4)
    head, reader = FlameHead(model, torch.zeros(300)), FlameReader(flame)
    lips = reader.lips(given[None])[0]
    for index, frame in enumerate(torch.from_numpy(given)):
        turns = torch.zeros(5, 3)
        turns[2] = frame[103:]
        points = head.landmarks(head(frame[:100], turns), torch.zeros(()))[48:68]
        np.testing.assert_allclose(lips[index], 1000 * points.numpy(), atol=1e-2)
    assert np.ptp(lips, axis=0).max() > 0.5


def test_flames_jaw_opens_the_lips_and_neutral_lids_are_open(flame):
    reader = FlameReader(flame)
    shut, wide = np.zeros((2, 106), np.float32)
    wide[103] = 0.3
    assert reader.opening(wide[None, None]) > reader.opening(shut[None, None]) + 1
    assert abs(reader.lids(shut[None, None]).item()) < 1e-5
    assert np.abs(reader.outline(np.stack([shut, wide]))).max() < 1.5


def test_the_synthetic_lids_blink_as_the_basis_says():
    reader = SyntheticReader(SyntheticFace())
    motion = np.zeros((2, 106), np.float32)
    motion[1, :100] = reader.basis.blink
    np.testing.assert_allclose(reader.lids(motion[None])[0], [0, 1], atol=1e-4)
    np.testing.assert_allclose(reader.lips(motion[None]), 0, atol=1e-4)
    np.testing.assert_allclose(reader.basis.mouth @ reader.basis.blink, 0, atol=1e-4)


def quality(**changes):
    row = {"latency ms": 120, "lip error": 0.5, "LVE": 1.0, "lag ms": 3.0, "lip jerk": 1.0,
           "lip p99": 1.0, "lip energy": 1.0, "seam lip": 1.0, "seam head": 2.5}  # fmt: skip
    rows = {"chunk": row | {"latency ms": 4000}, "talk (1,1)": row | {"latency ms": 80}}
    rows |= {"talk (1,2)": dict(row), "talk (8,2)": row | {"latency ms": 400}}
    for name, change in changes.items():
        rows["talk (8,2)" if name == "seamed" else "talk (1,2)"] |= change
    return rows


SILENCE = {"talk, -60 dBFS": {"opening": 0.1, "lips": 0.1}, "chunk, -60 dBFS": {"opening": 9.0}}
COST = {
    "h1, graph": {"p99 over the hop": 0.2},
    "h1, no graph": {"p99 over the hop": 2.0},
    "h2, graph": {"p99 over the hop": 0.1},
}
LASTING = {"minute 1": {}, "whole": {"grown MiB": 3.0, "drift ticks": 0}}


def results(silence=SILENCE, cost=COST, lasting=LASTING, true=True, **changes):
    return Results(quality(**changes), silence, cost, lasting, true)


def test_the_wanted_mode_is_accepted_before_a_quicker_one():
    assert results().faults("talk (1,2)") == []
    assert results().accepted() == "talk (1,2)"
    assert results(row={"lip jerk": 1.2}).accepted() == "talk (1,1)"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": {"lip error": 0.53}}, "lip error over chunk 1.06 > 1.05"),
        ({"row": {"LVE": 1.06}}, "LVE over chunk 1.06 > 1.05"),
        ({"row": {"lip jerk": 1.2}}, "lip jerk over chunk 1.2 > 1.15"),
        ({"row": {"lip p99": float("nan")}}, "lip p99 over chunk nan > 1.1"),
        ({"row": {"lag ms": -21.0}}, "lag ms 21 > 20"),
        ({"row": {"lip energy": 0.85}}, "lip energy off chunk's 0.15 > 0.1"),
        ({"seamed": {"seam lip": 1.4}}, "lip seam at (8,2) 1.4 > 1.3"),
        (
            {"silence": {"talk, -40 dBFS": {"opening": 0.25, "lips": 0.1}}},
            "silence, opening over speech 0.25 > 0.2",
        ),
        (
            {"cost": {"h1, graph": {"p99 over the hop": 0.7}}},
            "cost of a hop, p99 over its time 0.7 > 0.6",
        ),
        (
            {"lasting": {"whole": {"grown MiB": 20.0, "drift ticks": 480}}},
            "memory grown in the long stream, MiB 20 > 16",
        ),
    ],
)
def test_a_fault_is_named_with_its_figure_and_its_bar(change, said):
    assert said in results(**change).faults("talk (1,2)")


def test_the_heads_seam_and_errors_without_truth_are_no_bar():
    assert results(seamed={"seam head": 9.0}).accepted() == "talk (1,2)"
    assert results(row={"lip error": 9.0, "LVE": 9.0}, true=False).accepted() == "talk (1,2)"


def test_a_room_is_as_loud_as_it_says_and_deeper_than_hiss():
    for level in (-60, -40):
        room = room_noise(4, 2, level)
        assert room.shape == (2, 64_000)
        assert 20 * np.log10(room.std()) == pytest.approx(level, abs=0.1)
    power = np.abs(np.fft.rfft(room[0])) ** 2
    assert power[400:4000].sum() > power[4000:31_000].sum()  # of white noise an eighth


def test_a_recorded_room_is_brought_to_its_level(tmp_path):
    said = (1000 * np.random.default_rng(0).normal(0, 1, 16_000)).astype("<i2")
    with wave.open(str(tmp_path / "room.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(said.tobytes())
    room = recorded_noise(tmp_path / "room.wav", 3, 2, -50)
    assert room.shape == (2, 48_000)
    assert 20 * np.log10(room.std()) == pytest.approx(-50, abs=0.1)


def test_poised_motion_rests_in_silence_and_is_left_alone_in_speech():
    reader = SyntheticReader(SyntheticFace())
    motion = np.tile(motions(1), (1, 100, 1)).reshape(1, 100, 106)
    talking = poised(motion, np.zeros((1, 100), np.float32), reader.basis)
    np.testing.assert_array_equal(talking[..., :100], motion[..., :100])
    silent = poised(motion, np.arange(1, 101, dtype=np.float32)[None], reader.basis)
    assert np.abs(reader.lips(silent)[0, -1]).max() < 0.2 * np.abs(reader.lips(motion)).max()


def test_listening_finds_the_voices_end():
    speech = np.sign(np.sin(2 * np.pi * 140 / 16_000 * np.arange(3 * 16_000))).astype(np.float32)
    speech *= 0.1 * (0.6 + 0.4 * np.sin(2 * np.pi * 4 / 16_000 * np.arange(len(speech))))
    heard = listened(np.concatenate([speech, np.zeros(32_000, np.float32)])[None], TALK)
    assert heard.quiet[0, 74] == 0
    assert heard.quiet[0, -1] > 30
    assert heard.floors[0, -1] > 0.01


def test_a_stream_through_the_stage_tells_ticks_and_memory():
    clip = np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    got = stream(tiny_net(), torch.device("cpu"), clip, 1 / 20)
    assert got.motion.shape == (75, 106)
    assert got.late == [{6240}]
    assert got.drift == 0
    assert np.isfinite(got.motion).all()


def test_a_film_shows_every_panel(tmp_path):
    av = pytest.importorskip("av")
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    still, reader = np.zeros((25, 106), np.float32), PlainReader(torch.ones(106))
    open_ = still.copy()
    open_[:, 103] = 8.0
    faces = {"chunk": reader.outline(still), "talk": reader.outline(open_)}
    film(tmp_path / "two.mp4", faces, sound)
    with av.open(str(tmp_path / "two.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 25
    left, right = np.split(pictures[12][: 360 + 34], 2, axis=1)
    dark = [int((half.max(axis=2) < 100).sum()) for half in (left, right)]
    assert dark[1] > dark[0] + 300, "the open mouth is dark inside"


def test_tables_leave_out_what_is_not_known(capsys):
    print_table("Cost", {"h1": {"p50 ms": 1.5, "peak MiB": float("nan")}, "h2": {"p50 ms": 2.0}})
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-2:] == ["| h1 | 1.500 | – |", "| h2 | 2.000 | – |"]
    assert plain({"a": [float("nan"), 1.23456]}) == {"a": [None, 1.2346]}

"""Idle: lively, natural in its rates, and the same at the same tick whoever asks."""

import numpy as np
import pytest

from vcam.arkit import INDEX
from vcam.media import TICKS_PER_SECOND, frame_ticks
from vcam.motion.idle import Idle

FRAME = frame_ticks(30)
MINUTE = 60 * TICKS_PER_SECOND
BLINK = INDEX["eyeBlinkLeft"]


def poses(seed: int, start: int, minutes: float, step: int = FRAME):
    idle = Idle(seed)
    return [idle.at(tick) for tick in range(start, start + int(minutes * MINUTE), step)]


def spells(closed: np.ndarray) -> list[int]:
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_blinks_come_at_a_human_rate_and_length(seed):
    lid = np.array([pose.weights[BLINK] for pose in poses(seed, 0, 8, TICKS_PER_SECOND // 100)])
    lengths = spells(lid > 0.5)  # in 10 ms
    assert 13 <= len(lengths) / 8 <= 21
    assert min(lengths) >= 5
    assert max(lengths) <= 15
    starts = np.flatnonzero(np.diff((lid > 0.5).astype(int)) == 1) / 100
    gaps = np.diff(starts)
    assert gaps.std() > 0.3 * gaps.mean(), "as regular as a metronome"


def test_every_blink_shuts_the_eye_in_some_frame_at_30_fps():
    lid = np.array([pose.weights[BLINK] for pose in poses(3, 0, 4)])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (lid > 0.4).astype(int), [0]])))
    peaks = [lid[a:b].max() for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert min(peaks) > 0.85


def test_a_restarted_engine_goes_on_exactly():
    there = 7 * MINUTE + 12_345
    old, fresh = Idle(5), Idle(5)
    for tick in range(0, there, MINUTE // 4):
        old.at(tick)
    assert np.array_equal(old.at(there).weights, fresh.at(there).weights)
    assert np.array_equal(old.at(there).head, fresh.at(there).head)


def test_seeds_are_different_people():
    assert not np.array_equal(Idle(0).at(MINUTE).head, Idle(1).at(MINUTE).head)


@pytest.mark.parametrize("start", [0, MINUTE - MINUTE // 60, 1000 * MINUTE])
def test_nothing_jumps_even_where_minutes_meet(start):
    shown = poses(4, start, 0.1)
    heads = np.degrees([pose.head for pose in shown])
    assert np.abs(np.diff(heads, axis=0)).max() < 1.0  # degrees per frame
    brows = np.array([pose.weights[INDEX["browInnerUp"]] for pose in shown])
    assert np.abs(np.diff(brows)).max() < 0.02


def test_it_stays_within_a_face_that_looks_at_you():
    shown = poses(6, 0, 5)
    weights = np.array([pose.weights for pose in shown])
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert weights[:, INDEX["jawOpen"]].max() == 0
    heads = np.degrees([pose.head for pose in shown])
    assert np.abs(heads).max() < 8
    assert heads.std(axis=0).min() > 0.15, "stiff"
    away = np.abs(weights[:, INDEX["eyeLookOutLeft"]] - weights[:, INDEX["eyeLookInLeft"]]) * 30
    assert np.mean(away < 3) > 0.6, "mostly the camera"
    assert away.max() > 5, "sometimes elsewhere"


def test_both_eyes_look_the_same_way_and_the_lids_follow():
    for pose in poses(7, 0, 2):
        w = pose.weights
        assert w[INDEX["eyeLookOutLeft"]] == w[INDEX["eyeLookInRight"]]
        assert w[INDEX["eyeLookInLeft"]] == w[INDEX["eyeLookOutRight"]]
        assert w[INDEX["eyeLookOutLeft"]] * w[INDEX["eyeLookInLeft"]] == 0
        if w[INDEX["eyeLookDownLeft"]] > 0.1:
            assert w[BLINK] > 0.05

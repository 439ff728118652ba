"""Gestures laid over motions: where they begin and end, that none jumps, and what they leave."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.arkit import INDEX, NAMES
from vcam.errors import ConfigError
from vcam.media import TICKS_PER_SECOND, BlendshapeFace, FlameFace, Motion, frame_ticks
from vcam.motion.flame_shapes import FlameShapes
from vcam.motion.gestures import GESTURES, ORDER, Begun, Gestures, require

FRAME = frame_ticks(30)
SPEECH = np.zeros(len(NAMES), np.float32)
SPEECH[INDEX["jawOpen"]] = 0.4
STILL = np.array([0.02, -0.03, 0.01], np.float32)


def motion(at: int, weights=SPEECH, head=STILL) -> Motion:
    return Motion(at, head, BlendshapeFace(weights))


def filmed(begun, seconds: float = 4.0, weights=SPEECH):
    """Weights [n, 52] and heads [n, 3] of a face that speaks one vowel for ever."""
    gestures = Gestures()
    gestures.begun = begun
    played = [gestures.over(motion(at, weights)) for at in range(0, int(48000 * seconds), FRAME)]
    return np.array([m.face.weights for m in played]), np.array([m.head for m in played])


@pytest.mark.parametrize("name", ORDER)
def test_a_gesture_takes_one_to_two_seconds_and_leaves_the_face_as_it_was(name):
    weights, heads = filmed([Begun(30 * FRAME, name)])
    moves = np.flatnonzero((np.abs(weights - SPEECH).max(1) > 0) | (heads != STILL).any(1))
    seconds = (moves[-1] - moves[0] + 1) / 30
    assert 1.0 <= seconds <= 2.0
    assert 30 < moves[0] <= 32
    assert np.abs(weights - SPEECH).max() > 0.05  # it shows
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert np.degrees(np.abs(heads - STILL)).max() < 12


def steps(begun):
    """The largest step of a weight and of a turn from one frame to the next [2]."""
    return np.array([np.abs(np.diff(track, axis=0)).max() for track in filmed(begun)])


@pytest.mark.parametrize("name", ORDER)
def test_no_frame_jumps(name):
    """Not within one, nor when a second one comes at the worst moment of the first."""
    alone = {other: steps([Begun(0, other)]) for other in (name, "shake")}
    assert (alone[name] <= (0.26, np.radians(3.2))).all()
    for later in range(0, 60, 5):
        both = steps([Begun(0, name), Begun(later * FRAME, "shake")])
        assert (both <= 1.01 * (alone[name] + alone["shake"])).all()
    # finer in time, the largest step grows smaller with it: it is continuous, not just small
    gestures = Gestures()
    gestures.begun = [Begun(0, name), Begun(24_000, "nod")]
    fine = [gestures.over(motion(at)).face.weights for at in range(0, 96_000, 160)]
    assert np.abs(np.diff(fine, axis=0)).max() < 0.03


def test_a_nod_goes_down_a_shake_to_both_sides_and_a_smile_reaches_the_cheeks():
    _, nod = filmed([Begun(0, "nod")])
    _, shake = filmed([Begun(0, "shake")])
    smile, _ = filmed([Begun(0, "smile")])
    assert np.degrees(nod[:, 0].max() - STILL[0]) > 6
    assert np.degrees(shake[:, 1].max() - STILL[1]) > 5
    assert np.degrees(shake[:, 1].min() - STILL[1]) < -5
    assert smile[:, INDEX["mouthSmileLeft"]].max() > 0.6
    assert smile[:, INDEX["cheekSquintRight"]].max() > 0.3


def test_without_a_gesture_the_very_motion_passes():
    gestures = Gestures()
    gestures.begun = [Begun(48_000, "smile")]
    for at in (0, 48_000, 48_000 + 2 * TICKS_PER_SECOND, 10**9):
        asked = motion(at)
        assert gestures.over(asked) is asked


def test_speech_goes_on_and_lips_that_it_closes_stay_closed():
    closed = np.zeros(len(NAMES), np.float32)
    closed[[INDEX["mouthRollUpper"], INDEX["mouthPressLeft"]]] = 0.28, 0.3
    for name in ORDER:
        spoken, _ = filmed([Begun(0, name)])
        shut, _ = filmed([Begun(0, name)], weights=closed)
        assert spoken[:, INDEX["jawOpen"]].min() >= 0.4 - 1e-6
        assert shut[:, INDEX["jawOpen"]].max() < 1e-6
        assert shut[:, INDEX["mouthRollUpper"]].min() >= 0.28 - 1e-6


def test_many_at_once_stay_within_a_face():
    weights, heads = filmed([Begun(0, "shake"), Begun(0, "shake"), Begun(0, "shake")])
    assert weights.max() <= 1
    assert np.abs(heads - STILL).max() < 0.31


def test_a_flame_face_follows_with_what_flame_has():
    directions = np.zeros((52, 100), np.float32)
    directions[INDEX["mouthSmileLeft"], 3] = 2.0
    face = FlameFace(np.full(100, 0.5, np.float32), np.array([0.1, 0, 0], np.float32))
    plain, able = Gestures(), Gestures(FlameShapes(directions))
    plain.begun = able.begun = [Begun(0, "smile")]
    middle = Motion(TICKS_PER_SECOND, STILL, face)
    assert plain.over(middle).face is face
    assert not np.array_equal(plain.over(middle).head, STILL)
    smiled = able.over(middle).face
    assert smiled.expression[3] - 0.5 == pytest.approx(2 * 0.72, rel=0.01)
    assert np.array_equal(np.delete(smiled.expression, 3), np.delete(face.expression, 3))
    assert smiled.jaw is face.jaw


def test_an_unknown_gesture_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="no gesture smlie; did you mean smile"):
        require("smlie")
    for name in GESTURES:
        require(name)

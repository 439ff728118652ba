"""Motion at another rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

spatial = pytest.importorskip("scipy.spatial.transform", reason="no GPU stack: no scipy")

from vcam.media import AudioChunk, BlendshapeFace, FlameFace, Motion, frame_ticks  # noqa: E402 - after the skip
from vcam.motion.interpolate import ResampledMotion, between, slerp  # noqa: E402 - after the skip

ANGLES = st.floats(-1.25, 1.25, width=32)
TURNS = st.tuples(ANGLES, ANGLES, ANGLES).map(lambda turn: np.array(turn, np.float32))


def flame(at: int, level: float = 0.0, turn: tuple[float, float, float] = (0, 0, 0)) -> Motion:
    face = FlameFace(np.full(100, level, np.float32), np.array([level, 0, 0], np.float32))
    return Motion(at, np.array(turn, np.float32), face)


class Steady:
    """A motion model at 25 fps: one motion for each frame of sound, levels rising."""

    delay = 480

    def __init__(self, kind=flame) -> None:
        self._kind = kind
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        out = []
        while self._at + 1920 <= sound.end:
            out.append(self._kind(self._at, self._at / 48_000))
            self._at += 1920
        return out

    def reset(self) -> None:
        self._at = 0


def fed(model, ticks: int, size: int) -> list[Motion]:
    silence = np.zeros(ticks, np.float32)
    return [
        motion
        for start in range(0, ticks, size)
        for motion in model.step(AudioChunk(start, silence[start : start + size]))
    ]


@given(TURNS, TURNS, st.floats(0, 1))
def test_slerp_equals_scipy(first, second, share):
    ends = spatial.Rotation.from_rotvec(np.stack([first, second]))
    expected = spatial.Slerp([0, 1], ends)(share)
    ours = spatial.Rotation.from_rotvec(slerp(first, second, share))
    assert (expected.inv() * ours).magnitude() < 1e-5


def test_opposite_sides_of_half_a_turn_go_the_short_way():
    first, second = np.array([0, 3.0, 0], np.float32), np.array([0, -3.0, 0], np.float32)
    middle = spatial.Rotation.from_rotvec(slerp(first, second, 0.5)).magnitude()
    assert middle == pytest.approx(np.pi, abs=1e-5)


@pytest.mark.parametrize("fps", [25, 30, 50, 60])
def test_every_tick_is_a_multiple_of_a_frame_and_none_is_missing(fps):
    motions = fed(ResampledMotion(Steady(), fps), 48_000, 1600)
    ticks = [motion.at for motion in motions]
    assert ticks == list(range(0, ticks[-1] + 1, frame_ticks(fps)))
    assert ticks[-1] + frame_ticks(fps) > 24 * 1920
    levels = [motion.face.expression[0] for motion in motions]
    assert np.allclose(levels, np.array(ticks) / 48_000, atol=1e-6)


@pytest.mark.parametrize("size", [160, 641, 4000, 48_000])
def test_chunking_does_not_change_the_motion(size):
    whole = fed(ResampledMotion(Steady(), 30), 48_000, 1920)
    pieces = fed(ResampledMotion(Steady(), 30), 48_000, size)
    assert [m.at for m in pieces] == [m.at for m in whole]
    assert all(
        np.array_equal(a.face.expression, b.face.expression)
        for a, b in zip(pieces, whole, strict=True)
    )


def test_the_stated_delay_is_enough():
    model = ResampledMotion(Steady(), 60)
    heard = 0
    for start in range(0, 48_000, 160):
        for motion in model.step(AudioChunk(start, np.zeros(160, np.float32))):
            assert start + 160 <= motion.at + model.delay + 1920  # Steady waits for a whole frame
        heard = start
    assert heard


def test_a_motion_the_model_gave_passes_unchanged():
    first, second = flame(0, 0.1), flame(1920, 0.5, (0.1, 0.2, 0.3))
    assert between(first, second, 0) is first
    assert between(first, second, 1920) is second


def test_a_jump_in_time_begins_anew():
    model = ResampledMotion(Steady(), 60)
    fed(model, 9600, 1920)
    model._model._at = 480_000
    ticks = [m.at for m in model.step(AudioChunk(480_000, np.zeros(1920, np.float32)))]
    assert ticks == [480_000]


def test_reset_forgets_everything():
    model = ResampledMotion(Steady(), 30)
    first = fed(model, 9600, 1920)
    model.reset()
    assert [m.at for m in fed(model, 9600, 1920)] == [m.at for m in first]


def test_blendshapes_follow_a_line():
    def face(at, level):
        return Motion(at, np.zeros(3, np.float32), BlendshapeFace(np.full(52, level, np.float32)))

    middle = between(face(0, 0.2), face(1920, 0.6), 960)
    assert np.allclose(middle.face.weights, 0.4)


def test_two_kinds_of_face_do_not_mix():
    other = Motion(1920, np.zeros(3, np.float32), BlendshapeFace(np.zeros(52, np.float32)))
    with pytest.raises(TypeError, match="one stream"):
        between(flame(0), other, 960)

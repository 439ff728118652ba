"""A recorded rest: a loop that is a function of the tick, and moves a silent face alone."""

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.motion.artalk.sliding import TalkSettings
from vcam.motion.head_pose import HeadPose
from vcam.motion.tracked import GAIN, IdleClip, style_of

FRAME = 1920  # ticks at 25 fps


def ramp(count: int = 8):
    """A clip whose row k holds k."""
    return np.repeat(np.arange(count, dtype=np.float32)[:, None] / 10, 103, axis=1)


def test_it_goes_on_where_it_was_and_mixes_between_frames():
    clip = IdleClip(ramp())
    face, head = clip.at(3 * FRAME)
    assert np.allclose(face, 0.3 * GAIN)
    assert np.allclose(head, 0.3)
    assert np.allclose(clip.at(3 * FRAME + FRAME // 4)[1], 0.325)
    assert np.allclose(clip.at(11 * FRAME)[1], 0.3)  # the second time around


@pytest.mark.parametrize(
    "rows", [np.zeros((8, 106)), np.zeros((1, 103)), np.full((8, 103), np.nan)]
)
def test_what_is_no_clip_is_refused(rows):
    with pytest.raises(ConfigError, match="103 finite"):
        IdleClip(rows.astype(np.float32))


def test_it_moves_the_face_in_silence_and_not_in_speech():
    frame = np.zeros(106, np.float32)
    pose = HeadPose(TalkSettings(), 0, None, IdleClip(ramp()))
    spoken = pose.step(5 * FRAME, frame, 0.0)
    assert not spoken.head.any()
    for at in range(200):
        silent = pose.step(at * FRAME, frame, 10.0)
    assert np.allclose(silent.head, 0.1 * (199 % 8), atol=1e-6)
    assert np.allclose(silent.face.expression, GAIN * 0.1 * (199 % 8), atol=1e-6)


def test_a_profile_without_a_clip_is_told(tmp_path):
    pytest.importorskip("torch", reason="no GPU stack: torch is not installed")
    with pytest.raises(ConfigError, match="idle: tracked"):
        IdleClip.load(tmp_path)
    assert style_of(tmp_path) is None

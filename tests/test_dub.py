"""A film of the project's own head, dubbed with the small networks on the CPU."""

from pathlib import Path

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.conftest import write_wav  # noqa: E402 - after the skip
from tests.mouth.small import SIZE, TICKS, face, small_mouth, speech_like  # noqa: E402
from vcam.camera.video_file import VideoFile  # noqa: E402
from vcam.dub import FollowedFace, dub  # noqa: E402
from vcam.errors import MediaError  # noqa: E402
from vcam.media import Frame  # noqa: E402
from vcam.mouth.passthrough import Passthrough  # noqa: E402

COUNT = 12


def film(path: Path, pictures) -> Path:
    with VideoFile(path, pictures[0].shape[1::-1], 25) as camera:
        for index, picture in enumerate(pictures):
            camera.send(Frame(index * TICKS, picture))
    return path


def head_film(path: Path) -> Path:
    return film(path, [face(turn=0.02 * index).pixels for index in range(COUNT)])


def decoded(path: Path) -> tuple[list[np.ndarray], list[float], np.ndarray]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    with av.open(str(path)) as container:
        heard = container.decode(audio=0) if container.streams.audio else []
        sound = [np.zeros(1, np.float32)] + [frame.to_ndarray()[0] for frame in heard]
    times = [float(frame.pts * frame.time_base) for frame in frames]
    return [f.to_ndarray(format="rgb24").astype(int) for f in frames], times, np.concatenate(sound)


def rendered_landmarks(picture):
    return face().landmarks


def faceless(picture):
    return None


def test_a_film_speaks_with_the_voice(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install 'vcam[face]'")
    source = head_film(tmp_path / "head.mp4")
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.6))
    heard = []
    done = dub(source, voice, tmp_path / "out.mp4", small_mouth(), FollowedFace(), heard.append)
    assert (done.frames, done.faceless) == (COUNT, 0)
    assert done.voice_left == pytest.approx(0.6 - COUNT / 25, abs=1e-6)
    assert heard == sorted(heard)
    before, times, _ = decoded(source)
    after, new_times, sound = decoded(tmp_path / "out.mp4")
    assert new_times == pytest.approx(times)
    assert np.abs(sound).max() > 0.1
    change = np.abs(after[8] - before[8]).mean(axis=2)
    middle, chin = face().landmarks[29, 1], face().landmarks[:, 1].max()
    assert change[int(middle) : int(chin)].mean() > 4 * change[: int(middle) - 8].mean()


def test_a_short_voice_leaves_the_rest_as_it_was(tmp_path):
    source = head_film(tmp_path / "head.mp4")
    voice = write_wav(tmp_path / "voice.wav", np.zeros(4 * TICKS, np.float32))
    done = dub(source, voice, tmp_path / "out.mp4", small_mouth(), rendered_landmarks)
    assert done.film_left == pytest.approx((COUNT - 4) / 25)
    dub(source, voice, tmp_path / "as_it_was.mp4", Passthrough(), rendered_landmarks)
    before, _, _ = decoded(tmp_path / "as_it_was.mp4")
    after, _, _ = decoded(tmp_path / "out.mp4")
    np.testing.assert_array_equal(after, before)


def test_a_film_without_a_face_is_refused_and_nothing_is_left(tmp_path):
    source = film(tmp_path / "wall.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 4)
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.2))
    with pytest.raises(MediaError, match="no face was found"):
        dub(source, voice, tmp_path / "out.mp4", Passthrough(), faceless)
    assert {path.name for path in tmp_path.iterdir()} == {"wall.mp4", "voice.wav"}


def test_two_faces_of_one_size_are_refused():
    pytest.importorskip("ai_edge_litert", reason="pip install 'vcam[face]'")
    both = np.concatenate([face().pixels, face(turn=0.1).pixels], axis=1)
    with pytest.raises(MediaError, match="2 faces of about one size"):
        FollowedFace()(both)


def test_the_larger_face_is_meant_and_followed():
    pytest.importorskip("ai_edge_litert", reason="pip install 'vcam[face]'")
    small = np.full_like(face().pixels, 128)
    small[64:192, 64:192] = face().pixels[::2, ::2]
    find = FollowedFace()
    for turn in (0.0, 0.05, 0.1):
        points = find(np.concatenate([small, face(turn=turn).pixels], axis=1))
        wanted = face(turn=turn).landmarks + np.array([SIZE, 0], np.float32)
        assert np.abs(points - wanted)[17:].mean() < 6


def test_a_face_that_comes_late_is_found():
    pytest.importorskip("ai_edge_litert", reason="pip install 'vcam[face]'")
    find = FollowedFace()
    wall = np.full_like(face().pixels, 128)
    assert [find(wall) is None for _ in range(3)] == [True] * 3
    found = [find(face().pixels) for _ in range(5)]
    assert found[-1] is not None


@pytest.mark.parametrize("content", [None, b"", b"not a film at all"])
def test_a_file_that_is_no_film_is_refused(tmp_path, content):
    source = tmp_path / "film.mp4"
    if content is not None:
        source.write_bytes(content)
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.2))
    with pytest.raises(MediaError, match=r"film\.mp4"):
        dub(source, voice, tmp_path / "out.mp4", Passthrough(), faceless)


def test_sound_alone_is_no_film(tmp_path):
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.2))
    with pytest.raises(MediaError, match="no picture"):
        dub(voice, voice, tmp_path / "out.mp4", Passthrough(), faceless)


def test_an_odd_picture_loses_its_last_line(tmp_path):
    source = tmp_path / "odd.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 63, 65, "bgr0"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((65, 63, 3), 90, np.uint8), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.2))
    points = face().landmarks / 4
    done = dub(source, voice, tmp_path / "out.mp4", Passthrough(), lambda picture: points)
    assert done.frames == 3
    assert decoded(tmp_path / "out.mp4")[0][0].shape == (64, 62, 3)

"""A film of the project's own head, dubbed with the small networks on the CPU."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.conftest import write_wav  # noqa: E402 - after the skip
from tests.mouth.small import SIZE, TICKS, face, small_mouth, speech_like  # noqa: E402
from tests.nets.test_musetalk import released  # noqa: E402
from vcam.camera.video_file import VideoFile  # noqa: E402
from vcam.cli import main  # noqa: E402
from vcam.errors import ConfigError, MediaError  # noqa: E402
from vcam.film.dub import FollowedFace, dub, dub_with_musetalk  # noqa: E402
from vcam.media import Frame  # noqa: E402
from vcam.mouth.passthrough import Passthrough  # noqa: E402
from vcam.profiles.consent import Consent, digest  # noqa: E402
from vcam.profiles.profile import Profile  # noqa: E402

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
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
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
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    both = np.concatenate([face().pixels, face(turn=0.1).pixels], axis=1)
    with pytest.raises(MediaError, match="2 faces of about one size"):
        FollowedFace()(both)


def test_the_larger_face_is_meant_and_followed():
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    small = np.full_like(face().pixels, 128)
    small[64:192, 64:192] = face().pixels[::2, ::2]
    find = FollowedFace()
    for turn in (0.0, 0.05, 0.1):
        points = find(np.concatenate([small, face(turn=turn).pixels], axis=1))
        wanted = face(turn=turn).landmarks + np.array([SIZE, 0], np.float32)
        assert np.abs(points - wanted)[17:].mean() < 6


def test_a_face_that_comes_late_is_found():
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
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


I_AM = ("--i-am-the-person", "Ada")


def vcam_dub(tmp_path, source, voice, *options, weights=True, agreed=I_AM):
    """The exit code of `vcam dub` on the CPU, with the small networks in the released format."""
    folder = tmp_path / "weights"
    if weights and not folder.exists():
        folder.mkdir()
        released(folder)
    out = ["-o", str(tmp_path / "out.mp4"), "--weights", str(folder), "--device", "cpu"]
    return main.main(["dub", str(source), str(voice), *out, *agreed, *options])


def test_the_command_dubs_a_film_of_the_head(tmp_path, capsys):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    source = head_film(tmp_path / "head.mp4")
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.6))
    assert vcam_dub(tmp_path, source, voice) == 0
    assert "out.mp4: 12 frames, 0.1 s of the voice left out" in capsys.readouterr().out
    before, times, _ = decoded(source)
    after, new_times, sound = decoded(tmp_path / "out.mp4")
    assert new_times == pytest.approx(times)
    assert np.abs(sound).max() > 0.1
    change = np.abs(after[8] - before[8]).mean(axis=2)
    middle, chin = (int(face().landmarks[29, 1]), int(face().landmarks[:, 1].max()))
    assert change[middle:chin].mean() > 4 * change[: middle - 8].mean()
    badge = change[-20:, :90]
    assert badge.mean() > 10  # "AI avatar"
    with av.open(str(tmp_path / "out.mp4")) as film:
        told = json.loads(film.metadata["description"])
    assert (told["synthetic_person"], told["backends"]) == (True, ["musetalk"])
    agreed = told["consent"]
    assert (agreed["person"], agreed["agreed_by"]) == ("Ada", "Ada")
    assert datetime.now(UTC) - datetime.fromisoformat(agreed["agreed_at"]) < timedelta(minutes=5)
    assert agreed["film_sha256"] == digest(source)


def test_the_profile_turns_the_command_s_knobs(tmp_path, monkeypatch):
    """Strength 0: the film stays as it was, but for the coding and the badge."""
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    (tmp_path / "profiles/me").mkdir(parents=True)
    settings = "version: 2\ntitle: Me\nmusetalk: {strength: 0}\n"
    (tmp_path / "profiles/me/profile.yaml").write_text(settings)
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    source = head_film(tmp_path / "head.mp4")
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.6))
    assert vcam_dub(tmp_path, source, voice, "--profile", "me") == 0
    before, after = decoded(source)[0][8], decoded(tmp_path / "out.mp4")[0][8]
    assert np.abs(after - before)[: SIZE - 24].mean() < 2.5  # 2.0 by coding; of strength 1, 3.9


def bad_films(tmp_path):
    wall = [np.full((64, 64, 3), 90, np.uint8)] * 4
    pair = np.concatenate([face().pixels, face(turn=0.1).pixels], axis=1)
    return {
        "no face": (lambda: film(tmp_path / "film.mp4", wall), "no face was found"),
        "two faces": (lambda: film(tmp_path / "film.mp4", [pair] * 2), "2 faces of about one size"),
        "no film": (lambda: tmp_path / "film.mp4", "there is no film"),
    }


@pytest.mark.parametrize("kind", ["no face", "two faces", "no film"])
def test_what_the_command_cannot_dub_is_one_line(tmp_path, capsys, kind):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    make, said = bad_films(tmp_path)[kind]
    voice = write_wav(tmp_path / "voice.wav", speech_like(0.2))
    assert vcam_dub(tmp_path, make(), voice) == 1
    answer = capsys.readouterr().err
    assert said in answer
    assert answer.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_the_command_names_weights_of_another_network(tmp_path, capsys):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    folder = tmp_path / "weights"
    folder.mkdir()
    released(folder, unet=lambda state: state.pop("conv_out.bias"))
    source, voice = head_film(tmp_path / "head.mp4"), tmp_path / "voice.wav"
    write_wav(voice, speech_like(0.2))
    assert vcam_dub(tmp_path, source, voice) == 1
    assert "unet.pth" in (said := capsys.readouterr().err)
    assert "missing conv_out.bias" in said


def test_the_command_says_where_weights_come_from(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "none"))
    source, out = tmp_path / "film.mp4", str(tmp_path / "out.mp4")
    source.write_bytes(b"")
    assert main.main(["dub", str(source), "voice.wav", "-o", out, *I_AM]) == 1
    assert "vcam models pull musetalk" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        ((), "who is in the film, and did they agree? --i-am-the-person, or --consent FILE"),
        (("--i-am-the-person",), "consent needs the name of the person shown"),
        (("--consent", "nobody.yaml"), "nobody.yaml"),
        (("--consent", "half.yaml"), "must name person, agreed_by and agreed_at"),
    ],
)
def test_nobody_is_dubbed_who_has_not_agreed(tmp_path, capsys, monkeypatch, agreed, said):
    monkeypatch.chdir(tmp_path)
    Path("half.yaml").write_text("person: Ada\n")
    source, voice = head_film(tmp_path / "head.mp4"), tmp_path / "voice.wav"
    write_wav(voice, speech_like(0.2))
    assert vcam_dub(tmp_path, source, voice, agreed=agreed) == 1
    answer = capsys.readouterr().err
    assert said in answer
    assert answer.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_consent_in_writing_goes_into_the_film(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    source, voice = head_film(tmp_path / "head.mp4"), tmp_path / "voice.wav"
    write_wav(voice, speech_like(0.2))
    written = tmp_path / "agreed.yaml"
    written.write_text("person: Ada\nagreed_by: Grace\nagreed_at: 2026-01-02T03:04:05+00:00\n")
    assert vcam_dub(tmp_path, source, voice, agreed=("--consent", str(written))) == 0
    with av.open(str(tmp_path / "out.mp4")) as film:
        agreed = json.loads(film.metadata["description"])["consent"]
    assert (agreed["person"], agreed["agreed_by"]) == ("Ada", "Grace")
    assert agreed["agreed_at"].startswith("2026-01-02T03:04:05")


def test_a_film_without_consent_is_refused_from_python_as_well(tmp_path):
    source = head_film(tmp_path / "head.mp4")
    with pytest.raises(ConfigError, match="agreed to be shown"):
        dub_with_musetalk(source, source, tmp_path / "out.mp4", Profile(), Consent())

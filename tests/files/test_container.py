"""Files of any name and in any state are opened as what they are, or refused in one sentence."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import write_wav
from tests.fakes import tone
from tests.platforms import not_on_windows
from vcam.audio.wav import read_wav
from vcam.camera.video_file import VideoFile
from vcam.errors import MediaError
from vcam.files.container import advice, moving, opened
from vcam.files.riff import Sight
from vcam.media import FloatArray, Frame
from vcam.monitor.logs import log
from vcam.system import signals

NAMES = [
    "14:08 note.wav", "2026-11-28T14:08:37.wav", "http:note.wav", "concat:a|b.wav", "-y.wav",
    "take%03d.wav", "a?b#c&d.wav", "~.wav", "$HOME `id`.wav", "it's \"it\".wav", "été 日本 🎙.wav",
    "data:,x.wav", "pipe:0.wav", "note", "note.m3u8", "note.mp3", "[a]{b}*.wav",
]  # fmt: skip


def encoded(path: Path, codec: str, *pieces: tuple[FloatArray, int, str]) -> Path:
    """A file of pieces (sound [n] at 48 kHz, rate, layout), one file behind the other."""
    whole = b""
    for samples, rate, layout in pieces:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, layout=layout)
            resampler = av.AudioResampler(stream.format, layout, rate)
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "flt", "mono")
            frame.sample_rate = 48_000
            for piece in (*resampler.resample(frame), *resampler.resample(None)):
                piece.pts = None
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
        whole += path.read_bytes()
    path.write_bytes(whole)
    return path


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_wav(tmp_path_factory.mktemp("voice") / "a.wav", tone(0.02)).read_bytes()


named = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(named.filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) < 200))
@example("a:b")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids most of these names")
def test_whatever_a_file_is_called_it_is_opened_as_a_file(tmp_path, voice, name):
    (tmp_path / name).write_bytes(voice)
    assert len(read_wav(tmp_path / name).samples) == 960
    (tmp_path / name).unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids most of these names")
@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_elsewhere(tmp_path, monkeypatch, voice, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(voice)
    assert len(read_wav(Path(name)).samples) == 960
    film = Path(name).with_suffix(".mp4")
    with VideoFile(film, (64, 64), 25) as camera:
        camera.send(Frame(0, np.zeros((64, 64, 3), np.uint8)))
    with opened(film, "film") as container:
        assert len(list(container.decode(video=0))) == 1


@not_on_windows("names are text")
def test_a_name_that_is_no_text_is_opened(tmp_path, voice):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9.wav")
    try:
        Path(name).write_bytes(voice)
    except OSError:
        pytest.skip("this file system wants names that are text")
    assert len(read_wav(Path(name)).samples) == 960


@not_on_windows("facts are text")
def test_what_a_film_says_of_itself_need_not_be_text(tmp_path):
    facts = {"title": os.fsdecode(b"\xe9t\xe9"), "comment": "été"}
    with VideoFile(tmp_path / "a.mp4", (64, 64), 25, facts) as camera:
        camera.send(Frame(0, np.zeros((64, 64, 3), np.uint8)))
    with opened(tmp_path / "a.mp4", "film") as container:
        assert container.metadata["comment"] == "été"
        assert container.metadata["title"].endswith("t?")


def test_a_play_list_leads_nowhere(tmp_path, voice):
    (tmp_path / "a.wav").write_bytes(voice)
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2.0,\n"
    for place in (f"file://{tmp_path}/a.wav", "a.wav", "http://127.0.0.1:9/a.wav"):
        for name in ("list.m3u8", "list.wav"):
            (tmp_path / name).write_text(f"{head}{place}\n#EXT-X-ENDLIST\n")
            with pytest.raises(MediaError, match="cannot read"):
                read_wav(tmp_path / name)
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile '{tmp_path}/a.wav'\n")
    with pytest.raises(MediaError, match="cannot read"):
        read_wav(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("codec", "name"), [("libmp3lame", "a.mp3"), ("aac", "a.aac"), ("flac", "a.flac")]
)
def test_sound_put_together_of_rates_and_channels_is_heard_whole(tmp_path, codec, name):
    sound = tone(0.5)
    kinds = [(48_000, "mono"), (48_000, "stereo"), (32_000, "stereo"), (44_100, "mono")]
    pieces = kinds if codec != "flac" else kinds[:1]
    path = encoded(tmp_path / name, codec, *((sound, rate, layout) for rate, layout in pieces))
    heard = read_wav(path).samples
    assert len(heard) / 48_000 == pytest.approx(0.5 * len(pieces), abs=0.06 * len(pieces))
    for part in np.array_split(heard, len(pieces)):  # each at its level
        assert np.sqrt(np.mean(part[4_800:-4_800] ** 2)) == pytest.approx(0.354, rel=0.35)


@pytest.mark.parametrize(
    ("codec", "name"), [("libmp3lame", "a.mp3"), ("aac", "a.aac"), ("flac", "a.flac")]
)
def test_what_is_broken_in_the_middle_is_left_out_and_told(tmp_path, codec, name, caplog):
    path = encoded(tmp_path / name, codec, (tone(3.0), 48_000, "mono"))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\xff\x55\xaa\x12\x00\x7f" * 100
    path.write_bytes(content)
    log.addHandler(caplog.handler)
    try:
        heard = read_wav(path).samples
    finally:
        log.removeHandler(caplog.handler)
    assert 2.0 < len(heard) / 48_000 < 3.2
    assert np.abs(heard[-24_000:-12_000]).max() > 0.3
    noticed = codec != "flac"  # FFmpeg finds its way through one without a word
    assert [f"{path} is damaged" in told for told in caplog.messages] == [True] * noticed


def test_what_is_broken_altogether_is_refused(tmp_path):
    path = encoded(tmp_path / "a.flac", "flac", (tone(0.5), 48_000, "mono"))
    content = bytearray(path.read_bytes())
    content[100:] = np.random.default_rng(5).bytes(len(content) - 100)
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        read_wav(path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg; sudo apt install ffmpeg")
@pytest.mark.parametrize(
    "name", ["14:08 note.wav", "-y.wav", "a'b $c.wav", "whole.wav", "note.wav"]
)
def test_the_advised_command_works_in_a_shell(tmp_path, voice, name):
    folder = tmp_path / "some folder"
    folder.mkdir()
    (folder / name).write_bytes(voice)
    command = advice(folder / name, "whole.wav")
    assert shlex.split(command)[-1] not in (name, "")
    subprocess.run(["sh", "-c", command], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert len(read_wav(folder / shlex.split(command)[-1]).samples) == 960


def test_advice_for_a_file_at_hand_is_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert advice(Path("a.wav"), "whole.wav") == "ffmpeg -i a.wav whole.wav"


def test_places_that_cannot_be_looked_at_are_one_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "a.wav" / "b", tmp_path / ("n" * 300), Path("a\0b")):
        with pytest.raises(MediaError) as caught:
            read_wav(path)
        assert "\n" not in str(caught.value)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(MediaError, match="is a pipe; save the sound file first"):
            read_wav(tmp_path / "pipe.wav")


def test_a_codec_that_nobody_knows_is_told(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoFile(path, (64, 64), 25) as camera:
        camera.send(Frame(0, np.zeros((64, 64, 3), np.uint8)))
    head, track = path.read_bytes().rsplit(b"avc1", 1)
    path.write_bytes(head + b"zzzz" + track)
    with (
        opened(path, "film") as film,
        pytest.raises(MediaError, match=r"no picture in .* that can be decoded; give another film"),
    ):
        moving(film, path)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows cannot hold signals")
def test_the_wish_to_end_is_not_lost_while_ffmpeg_reads_through_us(tmp_path, voice, monkeypatch):
    """FFmpeg swallows what is raised in its reads: the signal waits until the read is over."""
    path = tmp_path / "voice.wav"
    path.write_bytes(voice)
    real = Sight.read

    def read(self: Sight, size: int) -> bytes:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(self, size)

    monkeypatch.setattr(Sight, "read", read)
    with pytest.raises(signals.Ended), signals.listening():
        read_wav(path)

"""Sound files of every kind, and those that are none."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.audio import wav
from vcam.audio.wav import read_wav
from vcam.errors import MediaError
from vcam.media import TICKS_PER_SECOND, FloatArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]


def sine(rate: int, seconds: float = 0.5) -> FloatArray:
    times = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def encoded(samples: FloatArray, bits: int, tag: int) -> bytes:
    """Samples [n, channels] as WAV stores them."""
    if tag == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.round(samples * 127 + 128).astype(np.uint8).tobytes()
    scaled = np.round(samples.astype(np.float64) * (2 ** (bits - 1) - 1))
    if bits == 24:
        return scaled.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    return scaled.astype(f"<i{bits // 8}").tobytes()


def riff(
    samples: FloatArray, rate: int, bits: int = 16, tag: int = PCM, extra: bytes = b""
) -> bytes:
    """A WAV file made by hand; `samples` [n] or [n, channels]."""
    samples = samples[:, np.newaxis] if samples.ndim == 1 else samples
    channels, frame = samples.shape[1], samples.shape[1] * bits // 8
    data = encoded(samples, bits, PCM if tag == EXTENSIBLE else tag)
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    if tag == EXTENSIBLE:
        mask = {1: 4, 2: 3}[channels]
        form += struct.pack("<HHI", 22, bits, mask) + struct.pack("<H", PCM)
        form += bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + extra
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("rate", RATES)
def test_any_rate_becomes_48_kilohertz(tmp_path: Path, rate: int) -> None:
    (tmp_path / "a.wav").write_bytes(riff(sine(rate), rate))
    heard = read_wav(tmp_path / "a.wav").samples
    assert heard.dtype == np.float32
    assert abs(len(heard) - TICKS_PER_SECOND // 2) <= TICKS_PER_SECOND // rate
    middle = slice(2400, 21600)
    assert np.abs(heard[middle] - sine(TICKS_PER_SECOND)[middle]).max() < 3e-3


@pytest.mark.parametrize(
    ("bits", "tag", "exact"),
    [(8, PCM, 8e-3), (16, PCM, 4e-5), (24, PCM, 2e-7), (32, PCM, 1e-7), (32, FLOAT, 1e-7),
     (64, FLOAT, 1e-7), (16, EXTENSIBLE, 4e-5), (24, EXTENSIBLE, 2e-7)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_any_depth_is_read(
    tmp_path: Path, bits: int, tag: int, exact: float, channels: int
) -> None:
    voice = sine(TICKS_PER_SECOND)
    samples = np.stack([voice, voice / 2], axis=1)[:, :channels]
    (tmp_path / "a.wav").write_bytes(riff(samples, TICKS_PER_SECOND, bits, tag))
    heard = read_wav(tmp_path / "a.wav").samples
    assert len(heard) == len(voice)
    assert np.abs(heard - samples.mean(axis=1)).max() < exact


def test_chunks_between_header_and_samples_are_skipped(tmp_path: Path) -> None:
    notes = b"LIST" + struct.pack("<I", 5) + b"hello\0"  # odd sizes are padded
    (tmp_path / "a.wav").write_bytes(riff(sine(48_000), 48_000, extra=notes))
    assert len(read_wav(tmp_path / "a.wav").samples) == 24_000


def test_a_streamed_file_that_does_not_know_its_size_is_read(tmp_path: Path) -> None:
    whole = bytearray(riff(sine(48_000), 48_000))
    whole[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(whole)
    assert len(read_wav(tmp_path / "a.wav").samples) == 24_000


def test_wild_numbers_are_tamed(tmp_path: Path) -> None:
    samples = np.array([0.0, np.nan, np.inf, -np.inf, 7.0, -7.0, 0.25], np.float32)
    (tmp_path / "a.wav").write_bytes(riff(samples, 48_000, 32, FLOAT))
    assert read_wav(tmp_path / "a.wav").samples.tolist() == [0, 0, 1, -1, 1, -1, 0.25]


@pytest.mark.parametrize("kept", [13, 30])
def test_a_file_without_its_samples_is_refused(tmp_path: Path, kept: int) -> None:
    (tmp_path / "a.wav").write_bytes(riff(sine(48_000), 48_000)[:kept])
    with pytest.raises(MediaError, match="is cut short"):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize("kept", [2000, -1])
def test_a_truncated_file_is_read_and_told(
    tmp_path: Path, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    content = riff(sine(48_000), 48_000)[:kept]
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_wav(tmp_path / "a.wav").samples) == (len(content) - 44) // 2
    assert caplog.text.count("a.wav is cut short: it says that it holds 48044 bytes") == 1


@pytest.mark.parametrize(
    ("content", "answer"),
    [(b"", "is empty"), (b"not a sound " * 99, "cannot read"), (b"RIFF", "cannot read"),
     (riff(np.zeros(0, np.float32), 48_000), "not one sample")],
)  # fmt: skip
def test_what_is_no_sound_is_refused_in_one_line(
    tmp_path: Path, content: bytes, answer: str
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(MediaError, match=answer) as caught:
        read_wav(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(MediaError, match="no sound file"):
            read_wav(path)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    import cv2

    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(MediaError, match="no sound in"):
        read_wav(picture)


def test_a_huge_file_is_refused_with_the_command_that_cuts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wav, "LONGEST", TICKS_PER_SECOND)
    assert len(read_wav(write_wav(tmp_path / "fits.wav", tone(1.0))).samples) == TICKS_PER_SECOND
    with pytest.raises(MediaError, match=r"ffmpeg -i long\.wav -t"):
        read_wav(write_wav(tmp_path / "long.wav", tone(1.1)))

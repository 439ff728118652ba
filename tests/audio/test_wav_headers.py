"""WAV files as taggers, pipes and half-finished programs leave them: any header, the same sound."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import tone
from vcam.audio.wav import read_wav
from vcam.errors import MediaError

VOICE = tone(0.02)
SAMPLES = np.round(VOICE * 32767).astype(np.int16)
NEVER_FILLED = [
    0,
    0x7FFFFFFF,
    0x7FFFF000,
    0x7FFFEFDC,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFE,
    0x3FFFFFFF,
]
here = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def tag(size: int, footer: bool = False) -> bytes:
    """An ID3v2.4 tag with `size` bytes of nothing in it."""
    told = bytes([0x10 if footer else 0]) + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0" + told + bytes(size) + (b"3DI\4\0" + told if footer else b"")


def chunk(name: bytes, body: bytes, order: str = "<", pad: bool = True) -> bytes:
    return name + struct.pack(f"{order}I", len(body)) + body + b"\0" * (len(body) % 2 * pad)


def form(order: str = "<", rate: int = 48_000) -> bytes:
    return chunk(b"fmt ", struct.pack(f"{order}HHIIHH", 1, 1, rate, 2 * rate, 2, 16), order)


def wave(
    size: int | None = None,
    whole: int | None = None,
    order: str = "<",
    chunks: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A WAV file of `VOICE` that claims to hold `size` bytes of samples, and to be `whole` long."""
    samples = SAMPLES.astype(f"{order}i2").tobytes()
    body = b"WAVE" + chunks + form(order) + b"data"
    body += struct.pack(f"{order}I", len(samples) if size is None else size) + samples + after
    told = struct.pack(f"{order}I", len(body) if whole is None else whole)
    return (b"RIFF" if order == "<" else b"RIFX") + told + body


def heard(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_wav(path).samples


def answer(path: Path, content: bytes) -> str:
    """Why it cannot be read; "" when it can."""
    try:
        heard(path, content)
    except MediaError as error:
        return str(error)
    return ""


def assert_voice(samples: np.ndarray) -> None:
    assert len(samples) == len(VOICE)
    assert np.abs(samples - VOICE).max() < 4e-5


names = st.binary(min_size=4, max_size=4).filter(
    lambda name: name not in (b"data", b"fmt ", b"ds64")
)
strange = st.builds(chunk, names, st.binary(max_size=31))
unpadded = st.builds(
    chunk, st.just(b"LIST"), st.binary(min_size=1, max_size=31), pad=st.just(False)
)


@here
@given(
    st.lists(st.builds(tag, st.integers(0, 300), st.booleans()), max_size=3),
    st.sampled_from([0, 1, 500]),
    st.lists(strange, max_size=3).map(b"".join) | unpadded,
    st.sampled_from([None, *NEVER_FILLED]),
    st.sampled_from([None, *NEVER_FILLED, 36]),
    st.lists(strange, max_size=2).map(b"".join),
)
def test_any_header_gives_the_same_sound(tmp_path, tags, padding, chunks, size, whole, after):
    """What follows the samples is left out only where the header tells where they end."""
    front = b"".join(tags) + bytes(padding if tags else 0)
    told = size is None
    content = front + wave(size, whole, "<", chunks, after if told else b"")
    assert_voice(heard(tmp_path / "a.wav", content))


@here
@given(st.binary(max_size=200), st.sampled_from(["", "RIFF", "WAVE", "ID3"]), st.integers(0, 60))
def test_no_header_ends_in_a_traceback(tmp_path, noise, start, at):
    whole = wave()
    content = {"": b"", "RIFF": whole[:4], "WAVE": whole[:12], "ID3": tag(20)}[start] + noise
    for spoilt in (content, whole[:at] + noise + whole[at:]):
        assert "\n" not in answer(tmp_path / "a.wav", spoilt)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(tmp_path, order):
    assert_voice(heard(tmp_path / "a.wav", wave(order=order)))
    assert_voice(heard(tmp_path / "a.wav", wave(0, 0, order)))


@pytest.mark.parametrize("long", [None, 0, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_the_long_form_is_read(tmp_path, long, name):
    size = SAMPLES.nbytes if long is None else long
    sizes = chunk(b"ds64", struct.pack("<QQQI", min(size + 72, (1 << 64) - 1), size, 0, 0))
    content = name + wave(0xFFFFFFFF, 0xFFFFFFFF, "<", sizes)[4:]
    assert_voice(heard(tmp_path / "a.wav", content))


def test_a_size_that_the_rest_contradicts_means_to_the_end(tmp_path):
    """RIFF's own size fits the file, that of the samples does not."""
    assert_voice(heard(tmp_path / "a.wav", wave(3 * SAMPLES.nbytes)))


def test_a_file_that_both_sizes_call_longer_is_read_and_told(tmp_path, caplog):
    assert_voice(heard(tmp_path / "a.wav", wave(3 * SAMPLES.nbytes, 36 + 3 * SAMPLES.nbytes)))
    assert "is cut short" in caplog.text


@here
@given(st.binary(max_size=400))
def test_garbage_after_the_samples_is_not_heard(tmp_path, garbage):
    told = 4 + len(form()) + 8 + SAMPLES.nbytes
    assert_voice(heard(tmp_path / "a.wav", wave(whole=told, after=garbage)))
    assert_voice(heard(tmp_path / "a.wav", wave(after=garbage)))


def test_an_empty_recording_with_a_note_after_it_is_empty(tmp_path):
    note = chunk(b"LIST", b"INFOIART\4\0\0\0Zoe\0")
    body = b"WAVE" + form() + chunk(b"data", b"") + note
    with pytest.raises(MediaError, match="not one sample"):
        heard(tmp_path / "a.wav", chunk(b"RIFF", body))


def test_tags_in_any_encoding_are_of_no_interest(tmp_path):
    for text in ("Zoë".encode("latin-1"), b"\xff\xfe\x00\xd8", "Zoë".encode("utf-16")):
        note = chunk(b"LIST", b"INFO" + chunk(b"IART", text + b"\0"))
        assert_voice(heard(tmp_path / "a.wav", wave(chunks=note)))
        assert_voice(heard(tmp_path / "a.wav", wave(after=note)))


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_one_sample_ends_properly(tmp_path, rate):
    content = b"WAVE" + form(rate=rate) + chunk(b"data", b"\x00\x40")
    said = answer(tmp_path / "a.wav", chunk(b"RIFF", content))
    assert said == "" or (rate != 48_000 and "not one sample" in said)

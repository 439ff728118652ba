"""Talk mode where nobody talks: how much the mouth moves in a room's noise, and the lids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from studies.motion.faces import Reader
from studies.motion.study import HOP, LEAD, TALK, Decoder, Subject, listened, poised, read_sound
from studies.motion.tables import Rows, print_table

from vcam.media import FloatArray
from vcam.motion import measures
from vcam.motion.artalk.modes import FPS
from vcam.motion.artalk.sliding import naive

LEVELS = (-60, -50, -40)  # of a room, dBFS
SPEECH = 30  # seconds of speech before the room is heard alone
MEMORY = 110  # frames: so long a window holds speech yet
SPEAKERS = 6


def silence(decoder: Decoder, subject: Subject, seconds: float, noise: Path | None) -> Rows:
    """Speech, then a room (`noise`: a recording of one): how much the mouth moves in the room's
    noise, over speech, and how often the lids shut there."""
    audio = _rooms(subject.audio[:SPEAKERS], seconds, noise)
    heard = listened(audio, TALK)
    talk = decoder.slid(audio, TALK, heard.floors)
    no_floor = 0 * heard.floors
    rows: Rows = {}
    for name, motion in (
        ("chunk", decoder.chunked(audio)),
        ("newest, no floor", decoder.slid(audio, naive(), no_floor)),
        ("talk, no floor", decoder.slid(audio, TALK, no_floor)),
        ("talk", talk),
        ("talk with rest and blinks", poised(talk, heard.quiet, subject.reader.basis)),
    ):
        for level, part in zip(LEVELS, np.split(motion, len(LEVELS)), strict=True):
            rows[f"{name}, {level} dBFS"] = _quiet(part, subject.reader)
    print_table("Silence", rows)
    return rows


def _rooms(clips: FloatArray, seconds: float, noise: Path | None) -> FloatArray:
    """The speakers in each room, [levels * speakers, samples]."""
    times = -(-SPEECH * 16_000 // clips.shape[1])
    speech = np.tile(clips, (1, times))[:, : SPEECH * 16_000]
    rooms = [
        recorded_noise(noise, seconds, len(speech), level)
        if noise
        else room_noise(seconds, len(speech), level)
        for level in LEVELS
    ]
    return np.concatenate([np.concatenate([speech, room], 1) for room in rooms])


def _quiet(motion: FloatArray, reader: Reader) -> dict[str, float]:
    talk = SPEECH * FPS
    spoken, quiet = motion[:, LEAD:talk], motion[:, talk + MEMORY :]
    row = {}
    for name, read in (("opening", reader.opening), ("lips", reader.lips)):
        still, moving = (read(part).astype(np.float64).std(axis=1) for part in (quiet, spoken))
        row[name] = float(still.mean() / moving.mean())
    lids = reader.lids(quiet)
    return row if lids is None else row | {"blinks a minute": measures.blinks_a_minute(lids)}


def recorded_noise(path: Path, seconds: float, voices: int, level: float) -> FloatArray:
    """A recording, repeated as needed, at `level` dBFS: [voices, samples] at 16 kHz."""
    noise = np.resize(read_sound(path), round(seconds * 16_000) // HOP * HOP)
    loud = noise / max(float(noise.std()), 1e-9) * 10 ** (level / 20)
    return np.tile(loud.astype(np.float32), (voices, 1))


def room_noise(seconds: float, voices: int, level: float) -> FloatArray:
    """A room: noise that falls by 3 dB an octave, with a mains hum 12 dB below it, at `level` dBFS
    (root mean square); [voices, samples] at 16 kHz, in whole frames."""
    draw, count = np.random.default_rng(3), round(seconds * 16_000) // HOP * HOP
    spectrum = np.fft.rfft(draw.normal(0, 1, (voices, count)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 30 * seconds))
    noise = np.fft.irfft(spectrum, count)
    noise /= noise.std(1, keepdims=True)
    hum = np.sin(2 * np.pi * 50 / 16_000 * np.arange(count)) * 2**0.5
    room = noise + 10 ** (-12 / 20) * hum
    return (room / room.std(1, keepdims=True) * 10 ** (level / 20)).astype(np.float32)

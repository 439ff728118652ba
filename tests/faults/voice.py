"""A voice that carries the time, played into the microphones and heard at the virtual one.

The pitch tells the moment: a sweep whose frequency rises by 500 Hz a second and starts again every
4 s, in another octave at each microphone. So each piece of what arrives says when it was spoken
and where: silence is a gap, a voice older than it should be is a backlog that was replayed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcam.media import TICKS_PER_SECOND, FloatArray

LOWEST, RISE, PERIOD = 500.0, 500.0, 4  # Hz, Hz a second, seconds; whole turns in a period
APART = 3000.0  # Hz between two microphones
LEVEL = 0.4
AHEAD = 0.2  # seconds that players are fed ahead, so that they do not run dry
PIPE = 20480  # bytes that may wait for a player, for each second that it holds: 43 ms of 0.2 s
NEIGHBOURS = 50  # pieces on each side that tell when a piece was heard
BLOCK = TICKS_PER_SECOND // 100
SILENT = 0.02  # below this a sample is silence
FAINTEST = 0.001  # and this is what silence of vcam's own stays below
LONGEST_TURN = 5 * TICKS_PER_SECOND // 1000  # two periods of the lowest pitch and a little more
SHORTEST = LONGEST_TURN / TICKS_PER_SECOND  # seconds of a silence
NEAR = 0.03  # seconds by which two ears may differ on when a silence was
WINDOW, HOP = 2048, 480  # samples that a moment is read from, and between two readings
FINE = 4  # the spectrum has so many places for each that the window resolves
NARROW, CLEAR = 20, 0.97  # places around the peak that hold so much of the power of a clear pitch
RETRY = 0.05  # seconds between two attempts to reach the sound server
ON_ITS_WAY = 0.1  # seconds of sound that may not have arrived yet: no silence so far


def spoken(start: int, count: int, microphone: int = 0) -> FloatArray:
    """`count` samples of the voice [count] from sample number `start` on."""
    at = (start + np.arange(count)) % (PERIOD * TICKS_PER_SECOND) / TICKS_PER_SECOND
    lowest = LOWEST + APART * microphone
    phase = 2 * np.pi * (lowest * at + RISE / 2 * at * at)
    return (LEVEL * np.sin(phase)).astype(np.float32)


def moment_of(samples: FloatArray) -> tuple[float, int] | None:
    """When the middle of `samples` [WINDOW] was spoken, modulo the period, and where.

    None when it is not one clear pitch: silence, a splice, or the sweep starts again.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), FINE * len(samples)))
    peak = int(np.clip(np.argmax(spectrum), 1, len(spectrum) - 2))
    power = np.square(spectrum)
    if power[max(0, peak - NARROW) : peak + NARROW + 1].sum() < CLEAR * power.sum():
        return None
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
    place = peak + 0.5 * (left - right) / (left - 2 * middle + right)
    hertz = place * TICKS_PER_SECOND / (FINE * len(samples))
    microphone = int(max(0.0, hertz - LOWEST) // APART)
    return float((hertz - LOWEST - APART * microphone) / RISE), microphone


class Speaker:
    """Speaks into the sinks `names` at the monotonic clock's pace, whatever happens to them.

    A null sink of PulseAudio runs a little fast (it rounds each piece it is given down to whole
    microseconds, 0.13 ms a second at this one's pieces), so a player runs dry after `ahead`
    divided by that: 25 minutes for 0.2 s. What the pipe has no room for, because the machine has
    stalled, is left out: the voice then seems younger.
    """

    def __init__(
        self, names: tuple[str, ...], environment: Mapping[str, str], ahead: float = AHEAD
    ) -> None:
        """`ahead`: seconds that players hold; before they play they wait for as much."""
        self._names, self._environment, self._ahead = names, environment, ahead
        self._players: dict[str, subprocess.Popen[bytes]] = {}
        self._stop, self._hushed = threading.Event(), False
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def hush(self) -> None:
        """Say nothing for a while: the server goes, and may put players elsewhere when it comes."""
        self._hushed = True
        for player in self._players.values():
            player.kill()

    def speak_on(self) -> None:
        """The microphones are there again."""
        self._hushed = False

    def begin_again(self, name: str) -> None:
        """The server has moved the player elsewhere when its sink went away: start another."""
        self._players[name].kill()

    def close(self) -> None:
        """Be silent."""
        self._stop.set()
        self._thread.join()
        for player in self._players.values():
            player.kill()
            player.communicate()

    def _speak(self) -> None:
        said, due = int(time.monotonic() * TICKS_PER_SECOND), 0.0
        ahead = int(self._ahead * TICKS_PER_SECOND)
        while not self._stop.is_set():
            if time.monotonic() > due and not self._hushed:
                self._keep_playing()
                due = time.monotonic() + RETRY
            now = int(time.monotonic() * TICKS_PER_SECOND) + ahead
            said = max(said, now - 2 * ahead)
            for number, name in enumerate(self._names):
                block = (spoken(said, now - said, number) * 32767).astype("<i2").tobytes()
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    os.write(_pipe(self._players[name]), block)
            said = now
            self._stop.wait(0.005)

    def _keep_playing(self) -> None:
        for name in self._names:
            player = self._players.get(name)
            if player is None or player.poll() is not None:
                if player is not None:
                    player.communicate()
                self._players[name] = self._player(name)

    def _player(self, name: str) -> subprocess.Popen[bytes]:
        command = ["pacat", "--playback", "--raw", "--format=s16le", "--rate=48000", "--channels=1"]
        player = subprocess.Popen(
            [*command, f"--latency-msec={1000 * self._ahead:.0f}", f"--device={name}"],
            env=dict(self._environment), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.set_blocking(_pipe(player), False)
        import fcntl  # Windows has none

        fcntl.fcntl(_pipe(player), fcntl.F_SETPIPE_SZ, int(PIPE * self._ahead))
        return player


def _pipe(player: subprocess.Popen[bytes]) -> int:
    assert player.stdin is not None
    return player.stdin.fileno()


@dataclass(frozen=True)
class Piece:
    """Sound as it arrived: the monotonic second of its arrival, and samples [n]."""

    at: float
    samples: FloatArray


class Listener:
    """A meeting that listens to the source `name`, and connects again when it has gone."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name, self._environment = name, environment
        self.takes: list[list[Piece]] = []  # one for each time that it was connected
        self._stop = threading.Event()
        self._recorder: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def begin_again(self) -> None:
        """The server has moved it to another source when its own went away: listen anew."""
        if self._recorder is not None:
            self._recorder.kill()

    def close(self) -> None:
        """Hang up."""
        self._stop.set()
        if self._recorder is not None:
            self._recorder.kill()
        self._thread.join()

    def _listen(self) -> None:
        command = ["parec", "--raw", "--format=float32le", "--rate=48000", "--channels=1"]
        while not self._stop.wait(RETRY):
            self._recorder = subprocess.Popen(
                [*command, "--latency-msec=10", f"--device={self._name}"],
                env=dict(self._environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self._take(self._recorder)

    def _take(self, recorder: subprocess.Popen[bytes]) -> None:
        assert recorder.stdout is not None
        pieces: list[Piece] = []
        rest = b""
        while read := os.read(recorder.stdout.fileno(), 1 << 16):
            whole = rest + read
            used = len(whole) // 4 * 4
            rest = whole[used:]
            pieces.append(Piece(time.monotonic(), np.frombuffer(whole[:used], np.float32)))
            if len(pieces) == 1:
                self.takes.append(pieces)
        recorder.kill()
        recorder.communicate()


@dataclass(frozen=True)
class Heard:
    """What a listener heard, on the monotonic clock."""

    silences: list[tuple[float, float]]  # begin and end, in seconds, longer than a period
    moments: list[tuple[float, float, int]]  # second it was heard, how old it was, microphone


def heard(takes: list[list[Piece]], begin: float, end: float) -> Heard:
    """Read what arrived between the monotonic seconds `begin` and `end`."""
    silences: list[tuple[float, float]] = []
    moments: list[tuple[float, float, int]] = []
    last = begin
    for take in takes:
        times, samples = dated([piece for piece in list(take) if begin <= piece.at <= end])
        if not len(samples):
            continue
        silences += [(last, float(times[0])), *_silences(times, samples)]
        moments += _moments(times, samples)
        last = float(times[-1])
    if end - last > ON_ITS_WAY:
        silences.append((last, end))
    return Heard(_joined([each for each in silences if each[1] - each[0] > SHORTEST]), moments)


def loud(takes: list[list[Piece]], begin: float, end: float) -> tuple[int, int]:
    """Samples that arrived between two monotonic seconds: those that are no silence, and all."""
    pieces = [piece for take in list(takes) for piece in list(take) if begin <= piece.at <= end]
    samples = np.concatenate([np.zeros(0, np.float32), *(piece.samples for piece in pieces)])
    return int((np.abs(samples) > FAINTEST).sum()), len(samples)


def lost(voice: Heard, said: Heard) -> list[tuple[float, float]]:
    """The silences of `voice`, less those of the microphone that it carries, who `said` it.

    Both carry the time, which tells how much later one is heard than the other.
    """
    if not (voice.moments and said.moments):
        return voice.silences
    later = float(np.median(_ages(voice)) - np.median(_ages(said)))
    left = voice.silences
    for begin, end in said.silences:
        left = [
            rest
            for a, b in left
            for rest in ((a, min(b, begin + later - NEAR)), (max(a, end + later + NEAR), b))
            if rest[0] < rest[1]
        ]
    return [(a, b) for a, b in left if b - a > SHORTEST]


def _ages(found: Heard) -> NDArray[np.float64]:
    return np.array([age for _, age, _ in found.moments])


def dated(pieces: list[Piece]) -> tuple[NDArray[np.float64], FloatArray]:
    """When each sample was heard, and the samples: pieces come late, never early."""
    if not pieces:
        return np.zeros(0), np.zeros(0, np.float32)
    sizes = np.array([len(piece.samples) for piece in pieces])
    zeros = np.array([piece.at for piece in pieces]) - np.cumsum(sizes) / TICKS_PER_SECOND
    padded = np.pad(zeros, NEIGHBOURS, mode="edge")
    earliest = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1).min(axis=1)
    samples = np.concatenate([piece.samples for piece in pieces])
    return np.repeat(earliest, sizes) + np.arange(len(samples)) / TICKS_PER_SECOND, samples


def _silences(times: NDArray[np.float64], samples: FloatArray) -> list[tuple[float, float]]:
    loud = np.concatenate([[0], np.flatnonzero(np.abs(samples) > SILENT), [len(samples) - 1]])
    gaps = np.flatnonzero(np.diff(loud) > LONGEST_TURN)
    return [(float(times[loud[gap]]), float(times[loud[gap + 1]])) for gap in gaps]


def _moments(times: NDArray[np.float64], samples: FloatArray) -> list[tuple[float, float, int]]:
    moments = []
    for place in range(0, len(samples) - WINDOW, HOP):
        window = samples[place : place + WINDOW]
        found = moment_of(window) if np.abs(window).max() > SILENT else None
        if found is not None:
            spoken_at, microphone = found
            when = float(times[place + WINDOW // 2])
            age = (when - spoken_at + PERIOD / 4) % PERIOD - PERIOD / 4
            moments.append((when, age, microphone))
    return moments


def _joined(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches that touch become one."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(stretches):
        if joined and begin - joined[-1][1] < 0.001:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined

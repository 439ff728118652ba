"""The test recording of `vcam setup`: a run with what was chosen, filmed from outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from vcam.cli import record
from vcam.cli.choices import Choices
from vcam.cli.listening import SILENT, Loudness
from vcam.config import RunConfig
from vcam.control import server
from vcam.daemon import background
from vcam.errors import NotRunning
from vcam.files.container import Decoded, moving, opened, sounding
from vcam.media import Image
from vcam.monitor import hud, terminal
from vcam.monitor.terminal import note, out, say

SECONDS = 10.0
PLAYER = "xdg-open"  # what a desktop opens files with
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def recorded(chosen: Choices, film: Path) -> None:
    """Film ten seconds of it into `film`, and say how they were. Raises VcamError."""
    with _running(chosen):
        record.film(film, SECONDS)
    picture, loudest = _seen(film), _heard(film)
    if terminal.draws() and picture is not None:
        out.print(hud.preview(picture, halves=terminal.has_half_blocks()))
    heard = f"your voice at {loudest:.0f} dB" if loudest > SILENT else "no voice"
    say(f"the meeting would get this picture and {heard}: {film.resolve()}")
    _play(film)


@contextlib.contextmanager
def _running(chosen: Choices) -> Iterator[None]:
    """A run with what was chosen, or the one that there is."""
    try:
        server.ask({"do": "status"})
    except NotRunning:
        with terminal.doing("starting") as show:
            background.start(chosen.into(RunConfig()), show)
        try:
            yield
        finally:
            background.stop()
        return
    note("a vcam is running already; it is recorded as it is")
    yield


def _seen(film: Path) -> Image | None:
    """The picture in the middle, [height, width, 3] RGB."""
    with opened(film, "film") as file:
        stream = moving(file, film)
        frames = list(Decoded(file, stream))
    return frames[len(frames) // 2].to_ndarray(format="rgb24") if frames else None


def _heard(film: Path) -> float:
    """The loudest moment of its sound, dB."""
    loudness = Loudness()
    with opened(film, "film") as file:
        if not file.streams.audio:
            return loudness.peak
        for frame in Decoded(file, sounding(file, film)):
            assert isinstance(frame, av.AudioFrame)
            loudness.hear(frame.to_ndarray()[0].astype(np.float32))
    return loudness.peak


def _play(film: Path) -> None:
    """Where there is a desktop, offer to show it there."""
    if not (shutil.which(PLAYER) and any(os.environ.get(name) for name in SCREENS)):
        say("play it with any player; over ssh, fetch it with scp")
        return
    if terminal.ask("play it now? [Y/n] ").strip().lower() in ("", "y", "yes"):
        subprocess.Popen(
            [PLAYER, str(film.resolve())], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

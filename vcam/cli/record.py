"""vcam record: a film of what the meeting gets."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vcam.config import require_seconds
from vcam.control import server
from vcam.errors import DeviceError
from vcam.monitor import terminal
from vcam.monitor.terminal import note, say
from vcam.system import signals

if TYPE_CHECKING:
    from vcam.recording.record import Recorded

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_parser(commands: Commands) -> None:
    """Add the command to vcam's."""
    parser = commands.add_parser("record", help="film what the meeting gets of the running vcam")
    parser.add_argument("film", type=Path, metavar="OUT.mp4")
    parser.add_argument("--seconds", type=float, help="stop after so long; else Ctrl-C does")
    parser.set_defaults(command=record)


def record(options: argparse.Namespace) -> None:
    """Film until Ctrl-C, the end of the run, or so long; say what came of it."""
    if options.seconds is not None:
        require_seconds(options.seconds)
    made = film(options.film, options.seconds)
    say(f"{options.film.resolve()}: {made.pictures} pictures in {made.seconds:.1f} s")
    if made.trouble:
        note(f"vcam: {made.trouble}")


def film(path: Path, seconds: float | None) -> Recorded:
    """Film the running vcam. VcamError says what is missing; without a picture that is one too."""
    from vcam.recording.record import devices, require_film
    from vcam.recording.record import record as recorded

    require_film(path)
    found = devices(server.ask({"do": "status"})["status"])
    if found.silent:
        note(f"vcam: {found.silent}")
    stop, until = threading.Event(), "" if seconds else "; Ctrl-C ends it"
    with (
        signals.listening() as answer,
        answer.stopping(stop.set),
        terminal.doing(f"recording{until}") as show,
    ):
        made = recorded(path, found, seconds, stop, lambda news: show(f"recording {news}{until}"))
    if not made.pictures:
        raise DeviceError("it was ended before the first picture; nothing was recorded")
    return made

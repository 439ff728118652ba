"""What the shell offers after a Tab: commands and options, and the names that there are here.

argcomplete asks the parser itself, so nothing can be out of date; it is loaded only when a shell
asks, or wants the lines that let it ask.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from vcam.errors import ConfigError, VcamError
from vcam.monitor import terminal
from vcam.profiles import profile
from vcam.system import missing

SHELLS = ("bash", "zsh", "fish")

Offer: TypeAlias = Callable[[], Iterable[str]]


def script(shell: str) -> str:
    """The lines that let `shell` ask vcam."""
    return str(missing.ARGCOMPLETE.load().shellcode(["vcam"], shell=shell)).strip()


def is_asked() -> bool:
    """Whether a shell asks, and nobody has typed a command."""
    return "_ARGCOMPLETE" in os.environ


def answer(parser: argparse.ArgumentParser) -> None:
    """If a shell asks what may come next, tell it and end; else nothing."""
    if not is_asked():
        return
    try:
        argcomplete = missing.ARGCOMPLETE.load()
    except ConfigError as error:
        terminal.complain(error)
        raise SystemExit(1) from None
    _attach(parser, ())
    argcomplete.autocomplete(parser)


def _microphones() -> Iterable[str]:
    from vcam.audio.microphone import list_microphones

    return [found.name for found in list_microphones()]


def _cameras() -> Iterable[str]:
    from vcam.camera.open import list_cameras

    return ["auto", "none", *(found.name for found in list_cameras())]


def _webcams() -> Iterable[str]:
    """Those of Linux that are no loopback cameras; nothing is opened to film."""
    from vcam.camera import v4l2

    virtual = {found.path for found in v4l2.loopbacks()}
    return [path for path in v4l2.nodes() if path not in virtual]


_OPTIONS: dict[str, Offer] = {
    "--profile": profile.names,
    "--mic": _microphones,
    "--camera": _cameras,
    "--webcam": _webcams,
}
_OF_PROFILES = ("show", "check", "switch", "remove", "rename", "export", "badge")
_NAMES: dict[tuple[str, ...], Offer] = {  # of the argument NAME of a command
    ("camera",): _cameras,
    ("microphone",): _microphones,
    **{("profile", command): profile.names for command in _OF_PROFILES},
}


def _attach(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> None:
    """Say of every argument that takes the name of something which names there are."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                _attach(below, (*path, name))
            continue
        offers = [_OPTIONS[option] for option in action.option_strings if option in _OPTIONS]
        if action.dest == "name" and path in _NAMES:
            offers.append(_NAMES[path])
        if offers:
            action.completer = _safe(offers[0])  # type: ignore[attr-defined]


def _safe(offer: Offer) -> Callable[..., Iterable[str]]:
    """As argcomplete calls it; nothing is offered where the machine cannot be asked."""

    def names(**asked: Any) -> Iterable[str]:
        try:
            return list(offer())
        except VcamError:
            return []

    return names

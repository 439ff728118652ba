"""vcam devices: what there is to hear with and to be seen by."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vcam.monitor.terminal import say

if TYPE_CHECKING:
    from vcam.camera.open import CameraInfo


def devices(options: argparse.Namespace) -> None:
    """vcam devices: microphones and cameras, and what is wrong with each."""
    from vcam.audio.microphone import list_microphones
    from vcam.camera.open import list_cameras

    _list("Microphones", [(found.name, found.trouble) for found in list_microphones()])
    _list("Cameras", [(_camera(found), found.trouble) for found in list_cameras()])


def _camera(found: CameraInfo) -> str:
    """Its name, and its kind where that says more."""
    return found.name if found.name == found.backend else f"{found.name} ({found.backend})"


def _list(title: str, rows: list[tuple[str, str | None]]) -> None:
    say(title, "bold")
    for name, trouble in rows or [("none", "`vcam doctor` tells what to do")]:
        say(f"  {name}" + (f"\n      {trouble}" if trouble else ""), "dim" if trouble else None)

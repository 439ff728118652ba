"""What to type first: what `vcam` alone says in a terminal, and where to look after `start`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vcam.audio.microphone import list_microphones
from vcam.audio.portaudio import OWN_SOURCE, OWN_TITLE
from vcam.camera.listed import listed
from vcam.camera.open import list_cameras
from vcam.profiles import profile
from vcam.profiles.profile import SHIPPED
from vcam.system import missing


def three() -> list[tuple[str, str]]:
    """(what for, what to type) for seeing it, a call and one's own face, on this machine."""
    return [("see it", "vcam demo"), ("be in a call", _call()), ("your own face", _own_face())]


def _call() -> str:
    heard = any(found.trouble is None for found in list_microphones())
    seen = any(found.trouble is None for found in list_cameras())
    if heard and seen:
        return "vcam run"
    lacks = [name for name, here in (("camera", seen), ("microphone", heard)) if not here]
    return f"vcam doctor   (no {' and no '.join(lacks)} yet: it tells what mends that)"


def _own_face() -> str:
    shipped = {path.parent.name for path in SHIPPED.glob("*/profile.yaml")}
    if own := [name for name in profile.names() if name not in shipped | {"demo"}]:
        return f"vcam run --profile {own[0]}"
    if not missing.LITERT.is_here:
        return f"{missing.LITERT.mend}   (then: vcam profile create)"
    return 'vcam profile create me --photo me.jpg --i-am-the-person "Your Name"'


def to_choose(status: Mapping[str, Any]) -> str:
    """What to choose in the meeting, from a run's status; "" where there is nothing to choose."""
    names = [("camera", " or ".join(f'"{name}"' for name in listed(str(status["camera"]))))]
    if said := str(status["voice"]):
        names.append(("microphone", f'"{_microphone(said)}"'))
    told = [f"{kind} {name}" for kind, name in names if name]
    return f"in the meeting choose {' and '.join(told)}" if told else ""


def _microphone(said: str) -> str:
    """What meetings call the microphone that carries what a run plays into `said`."""
    if said == OWN_SOURCE:
        return OWN_TITLE
    return said.replace("CABLE Input", "CABLE Output")  # the two ends of VB-CABLE

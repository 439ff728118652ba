"""What a running vcam may be asked: a type for each request, read from one line of JSON.

    {"do": "status"}                     how is the run?  -> {"ok": true, "status": {...}}
    {"do": "picture", "width": 40, "height": 40}  what is shown, no larger: see `picture`
    {"do": "watch"}                      the same, then {"status": {...}} again and again
    {"do": "switch", "profile": "me"}    another face
    {"do": "mode", "mode": "broadcast"}  ARTalk's mode
    {"do": "camera", "name": "auto"}     {"do": "microphone", "name": "default"}
    {"do": "mute"} "unmute" "idle" "pause" "panic" "resume": see `presence`
    {"do": "unidle"} "unpause" "unhide": end one of these and leave the others
    {"do": "express", "gesture": "nod"}  a short gesture, over whatever the face is doing
    {"do": "real"} the user's real camera, {"do": "avatar"} the avatar again
    {"do": "stop"}                       the end

Whatever has nothing to tell answers {"ok": true}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from vcam.config import build
from vcam.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Status:
    """How is the run?"""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Show another face."""

    profile: str


@dataclass(frozen=True, slots=True)
class Mode:
    """ARTalk's mode: talk or broadcast."""

    mode: str


@dataclass(frozen=True, slots=True)
class Camera:
    """Send to another camera, named as for `vcam run --camera`."""

    name: str


@dataclass(frozen=True, slots=True)
class Microphone:
    """Listen to another microphone, named as for `vcam run --mic`; "default" follows the system."""

    name: str


@dataclass(frozen=True, slots=True)
class Express:
    """Make a gesture, one of `vcam.motion.gestures`."""

    gesture: str


@dataclass(frozen=True, slots=True)
class Be:
    """Change the presence: `changes` are fields of `Presence`."""

    changes: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Watch:
    """Tell how the run is, again and again."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown now, to be looked at: no more pixels than these."""

    width: int
    height: int


Request = Status | Picture | Stop | Switch | Mode | Camera | Microphone | Express | Be | Watch
REQUESTS: dict[str, type[Request]] = {
    "status": Status,
    "stop": Stop,
    "switch": Switch,
    "mode": Mode,
    "camera": Camera,
    "microphone": Microphone,
    "express": Express,
    "watch": Watch,
    "picture": Picture,
}
PRESENCES: dict[str, Be] = {
    "mute": Be({"muted": True}),
    "unmute": Be({"muted": False}),
    "idle": Be({"idle": True}),
    "pause": Be({"paused": True}),
    "panic": Be({"hidden": True}),
    "unidle": Be({"idle": False}),
    "unpause": Be({"paused": False}),
    "unhide": Be({"hidden": False}),
    "real": Be({"real": True}),
    "avatar": Be({"real": False}),
    "resume": Be({"idle": False, "paused": False, "hidden": False}),  # muted stays muted
}


def read_request(line: bytes) -> Request:
    """The request in a line of JSON; ConfigError says what is wrong with it."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError("a request is one line of JSON") from error
    if not isinstance(data, dict):
        raise ConfigError('a request is an object with "do"')
    return request_of(data)


def request_of(said: Mapping[str, Any]) -> Request:
    """The request that the object `said` stands for; ConfigError says what is wrong with it."""
    data = dict(said)
    name = data.pop("do", None)
    if not isinstance(name, str):
        raise ConfigError('a request is an object with "do"')
    if name in PRESENCES:
        build(Status, data, "request")  # like it, it takes no settings
        return PRESENCES[name]
    kind = REQUESTS.get(name)
    if kind is None:
        raise ConfigError(f"unknown request; known are {', '.join([*REQUESTS, *PRESENCES])}")
    return build(kind, data, "request")


def told(request: Request) -> str:
    """The request in a few words, for people."""
    if isinstance(request, Be):
        return "be " + ", ".join(
            name if on else f"not {name}" for name, on in request.changes.items()
        )
    values = [str(getattr(request, field.name)) for field in fields(request)]
    return " ".join([type(request).__name__.lower(), *values])

"""What may be picked in the display: faces, cameras, microphones, as a running vcam takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vcam.audio import microphone
from vcam.camera import open as cameras_here
from vcam.camera import pipewire
from vcam.errors import DeviceError
from vcam.live.devices import DEFAULT

MOST = 9  # that digits can pick
NOW = "  (now)"


@dataclass(frozen=True)
class Choice:
    """A list to pick from; a request of that name, with that setting, does what was picked."""

    request: str
    setting: str
    options: tuple[tuple[str, str], ...]  # what is asked for, and the words for it
    by_name: str  # how any is chosen by its name

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The list as a page: a digit, and what it picks."""
        shown = [(str(digit), words) for digit, (_, words) in enumerate(self.options[:MOST], 1)]
        more = f"{len(self.options) - MOST} more: " if len(self.options) > MOST else "or: "
        return (*shown, ("", f"{more}{self.by_name}"))

    def picked(self, key: str) -> tuple[str, str] | None:
        """What the digit `key` picks, and the words for it."""
        shown = dict(zip("123456789", self.options, strict=False))
        return shown.get(key)


def faces(now: Mapping[str, Any]) -> Choice:
    """All profiles; `now` is the status of the run, here and below."""
    from vcam.profiles import profile

    options = tuple((name, _marked(name, name == now["profile"])) for name in profile.names())
    return Choice("switch", "profile", options, "vcam profile switch NAME")


def cameras(now: Mapping[str, Any]) -> Choice:
    """The virtual cameras of this machine, with what is wrong with them, and none."""
    shown = str(now["camera"]).split(" and ")
    options = [(found.name, _camera(found, shown)) for found in cameras_here.list_cameras()]
    options.append(("none", _marked("none: only you see it", shown == ["none"])))
    return Choice("camera", "name", tuple(options), "vcam camera NAME")


def microphones(now: Mapping[str, Any]) -> Choice:
    """The one that the system prefers, whichever that is, and all there are."""
    found = [each for each in microphone.known_microphones() if not each.monitor]
    if not found:
        raise DeviceError("there is no microphone to choose; see: vcam doctor")
    titles = [each.title for each in found]
    options = [(DEFAULT, "the one that the system prefers")]
    for each in found:
        alone = titles.count(each.title) == 1  # else the run cannot tell which of them it hears
        words = each.title if alone else f"{each.title} ({each.name})"
        options.append((each.name, _marked(words, alone and each.title == now["microphone"])))
    return Choice("microphone", "name", tuple(options), "vcam microphone NAME")


LISTS: dict[str, Callable[[Mapping[str, Any]], Choice]] = {
    "F": faces,
    "c": cameras,
    "d": microphones,
}


def _camera(found: cameras_here.CameraInfo, shown: list[str]) -> str:
    ours = {found.name, f"{found.name} ({found.backend})"}
    if found.backend == cameras_here.NODE:
        ours.add(pipewire.BESIDE)
    if ours & set(shown):  # then what seems to be wrong with it is that we feed it
        return _marked(found.name, True)
    return f"{found.name}: {found.trouble}" if found.trouble else found.name


def _marked(words: str, is_now: bool) -> str:
    return words + NOW if is_now else words

"""Settings: frozen, read from YAML, checked once, refused kindly."""

from __future__ import annotations

import difflib
import re
import reprlib  # plain repr of a few hundred bytes of YAML with aliases can fill the memory
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from vcam.errors import ConfigError
from vcam.presence import Presence

T = TypeVar("T")

FPS_CHOICES = (25, 30, 50, 60)
MODES = ("talk", "broadcast")  # of ARTalk: 0.12 s behind, or exact and four seconds behind
FILM = ".mp4"  # what a file must end with to be a camera
LARGEST_FILE = 1 << 20  # bytes of YAML; a profile is a few hundred
# What PyYAML's constructors raise for values such as `!!int ""`.
_STUMBLES = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What one live run is made of."""

    profile: str = "demo"
    microphone: str | None = None  # a name; None takes the system's default
    wav: Path | None = None  # play this file in place of the microphone
    loop: bool = False  # play it again and again
    voice: str = "auto"  # the virtual microphone: auto, none, or the name of an output
    camera: str = "auto"
    fps: int = 30
    size: int = 512  # of the square the engine draws
    output: str = ""  # WIDTHxHEIGHT of the picture; empty: the square itself
    seconds: float | None = None  # stop after so long
    mode: str = ""  # of ARTalk; empty: the profile's own
    begin: str = "live"  # the presence to begin with
    metrics: Path | None = None  # keep the numbers here for Prometheus

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of what the camera gets."""
        return picture_size(self.output) if self.output else (self.size, self.size)

    @property
    def films(self) -> bool:
        """Whether the camera is a file."""
        return self.camera.lower().endswith(FILM)

    def __post_init__(self) -> None:
        if self.output:
            picture_size(self.output)
        if self.mode not in ("", *MODES):
            raise ConfigError(f"--mode {self.mode:.40}: give {' or '.join(MODES)}")
        if self.loop and self.wav is None:
            raise ConfigError("--loop: give the file to play again and again, --wav FILE")
        Presence.of(self.begin)
        if self.fps not in FPS_CHOICES:
            raise ConfigError(f"--fps {self.fps}: vcam runs at 25 or 30 frames per second")
        if not 128 <= self.size <= 1024 or self.size % 2:
            raise ConfigError(f"--size {self.size}: give an even number from 128 to 1024")
        if self.seconds is not None and self.seconds <= 0:
            raise ConfigError(f"--seconds {self.seconds}: give a number above 0")


def picture_size(text: str) -> tuple[int, int]:
    """(width, height) from "1280x720"; raises ConfigError."""
    found = re.fullmatch(r"(\d{3,4})x(\d{3,4})", text)
    if not found:
        raise ConfigError(f"--output-size {text:.20}: write WIDTHxHEIGHT, such as 1280x720")
    size = int(found[1]), int(found[2])
    require_picture(*size)
    return size


def require_picture(width: int, height: int) -> None:
    """Raise ConfigError unless a picture may have this size."""
    if not (128 <= width <= 3840 and 128 <= height <= 2160) or width % 2 or height % 2:
        raise ConfigError(
            f"a picture of {width}x{height}: give even numbers, from 128x128 to 3840x2160"
        )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; nothing in it is ever executed."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path} is too large for a settings file")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, RecursionError, *_STUMBLES) as error:
        raise ConfigError(f"{path} is not valid YAML: {_first_line(error)}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold settings as `name: value` lines")
    return data


def build(kind: type[T], data: Mapping[str, Any], where: str) -> T:
    """A frozen dataclass from plain data; unknown keys, missing keys and wrong types are errors."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for key in data:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown setting {key!s:.80}{suggestion(str(key)[:80], known)}"
            )
    for name, field in known.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: setting {name} is missing")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in data.items()}
    return kind(**values)


def suggestion(word: str, known: Mapping[str, Any]) -> str:
    """ "; did you mean X?" when one of `known` is close to `word`."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must hold settings of its own")
        return build(kind, value, where)
    wanted = {float: (int, float), int: (int,), str: (str,), bool: (bool,)}.get(kind)
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool)):
        raise ConfigError(f"{where} must be {_plain(kind)}, not {reprlib.repr(value):.60}")
    return value


def _plain(kind: type) -> str:
    return {float: "a number", int: "a whole number", str: "text", bool: "true or false"}[kind]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

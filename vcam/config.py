"""Settings: frozen, read from YAML, checked once, refused kindly."""

from __future__ import annotations

import difflib
import math
import re
import reprlib  # plain repr of a few hundred bytes of YAML with aliases can fill the memory
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from vcam import access
from vcam.errors import ConfigError
from vcam.presence import Presence

T = TypeVar("T")

FPS_CHOICES = (25, 30, 50, 60)
MODES = ("talk", "broadcast")  # of ARTalk: 0.12 s behind, or exact and four seconds behind
SMALLEST, SQUARE, LARGEST = 128, 512, 1080  # pixels of a square: least, by default, most
NATIVE = ("puppet", "head3d")  # renderers that draw every size in time
FILM = ".mp4"  # what a file must end with to be a camera
LARGEST_FILE = 1 << 20  # bytes of YAML; a profile is a few hundred
OBS_SIZE = (1280, 720)  # on macOS OBS's camera is green at any other
# What PyYAML's constructors raise for values such as `!!int ""`.
_STUMBLES = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What one live run is made of."""

    profile: str = "demo"
    look: str = ""  # of the embedded head; empty: the profile's own
    microphone: str | None = None  # a name; None takes the system's default
    wav: Path | None = None  # play this file in place of the microphone
    loop: bool = False  # play it again and again
    voice: str = "auto"  # the virtual microphone: auto, none, or the name of an output
    camera: str = "auto"
    engine: str = ""  # another machine that makes the frames, ssh:HOST; empty: this one
    webcam: str = ""  # the real camera that may be asked for: a path, or a number; empty: none
    fps: int = 30
    size: int | None = None  # of the square the engine draws; None: as `side` says
    output: str = ""  # WIDTHxHEIGHT of the picture; empty: the square itself
    seconds: float | None = None  # stop after so long
    mode: str = ""  # of ARTalk; empty: the profile's own
    begin: str = "live"  # the presence to begin with
    metrics: Path | None = None  # keep the numbers here for Prometheus

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of what the camera gets."""
        if self.output:
            return picture_size(self.output)
        side, shown = self.size or SQUARE, self.camera != "none" and not self.films
        return OBS_SIZE if shown and sys.platform == "darwin" else (side, side)

    def side(self, renderer: str, zoom: float = 1.0) -> int:
        """Pixels of the square: what a renderer in `NATIVE` draws is as large as it is shown.

        `zoom` is how many heights of the picture the square fills.
        """
        if self.size is not None:
            return self.size
        if renderer not in NATIVE or not self.output:
            return SQUARE
        return min(max(2 * round(zoom * self.picture[1] / 2), SMALLEST), LARGEST)

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
            rates = f"{', '.join(map(str, FPS_CHOICES[:-1]))} or {FPS_CHOICES[-1]}"
            raise ConfigError(f"--fps {self.fps}: vcam runs at {rates} frames per second")
        if self.size is not None and (not SMALLEST <= self.size <= LARGEST or self.size % 2):
            raise ConfigError(
                f"--size {self.size}: give an even number from {SMALLEST} to {LARGEST}"
            )
        if self.seconds is not None:
            require_seconds(self.seconds)


def require_seconds(seconds: float) -> None:
    """Raise ConfigError unless it is a length that something may have."""
    if not 0 < seconds < math.inf:  # which "nan" is neither
        raise ConfigError(f"--seconds {seconds}: give a number above 0")


def picture_size(text: str) -> tuple[int, int]:
    """(width, height) from "1280x720"; raises ConfigError."""
    found = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
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
        raise ConfigError(f"cannot read {access.refusal(path, error)}") from error
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


def suggestion(word: str, known: Iterable[str]) -> str:
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

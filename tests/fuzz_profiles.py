"""Damage profiles, pictures and archives at random: always a message, never a traceback.

    python -m tests.fuzz_profiles 10000 2000

Each case must end in a ConfigError or in success, within five seconds, and leave nothing outside
the folder of profiles.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import yaml

from tests.profiles.test_profile import person, zipped
from vcam.errors import ConfigError
from vcam.photo.enrolled import read_enrolled_photo
from vcam.photo.picture import read_picture
from vcam.profiles import profile, store

SLOWEST = 5.0  # seconds a case may take
# Pieces of YAML that stumble over each other.
PIECES = (
    "&a ", "*a", "!!int ", "!!binary |", "!!timestamp ", "!!set ", "!!omap ", "!!bool ", "<<: ",
    "? ", "- ", ": ", "{", "}", "[", "]", "|", ">", "'", '"', "\t", "\0", "\x85", "é", "🙂",
    "\ufeff",
    "null", "~", ".inf", ".nan", "-1", "1e999", "0x", "1_0", "12:30:45", "2026-99-99",
    "%YAML 9",
    "---\n", "...\n", "#", "version: ", "title: ", "badge: ", "consent: ", "framing: ", "folder: ",
    "!!python/object/apply:os.system [touch pwned]", "../../", "/etc/passwd", "9" * 5000,
)  # fmt: skip
VALUES = (
    None, True, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "x" * 5000, "../..", "\0",
    [], [[]], {}, {"a": {}}, "keep", "head3d", "puppet", b"bytes",
)  # fmt: skip


def mutated_text(text: str, rng: np.random.Generator) -> bytes:
    """Some characters lost, doubled, changed, or pieces of YAML put in."""
    content = bytearray(text.encode())
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(0, len(content) + 1))
        match rng.integers(0, 4):
            case 0:
                del content[at : at + int(rng.integers(1, 20))]
            case 1:
                content[at:at] = PIECES[rng.integers(0, len(PIECES))].encode()
            case 2:
                content[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 3:
                content[at:at] = content[at : at + int(rng.integers(1, 60))]
    return bytes(content)


def mutated_settings(data: dict[str, object], rng: np.random.Generator) -> bytes:
    """Values of other types, lost and strange keys; still valid YAML."""
    changed = dict(data)
    for _ in range(int(rng.integers(1, 4))):
        key = str(rng.choice([*data, "badge", "framing", "seed", "motion", "folder", "vrsion"]))
        value = VALUES[rng.integers(0, len(VALUES))]
        inner = changed.get(key)
        if isinstance(inner, dict) and rng.random() < 0.6:
            changed[key] = inner | {str(rng.choice([*inner, "size", "zoom", "colour"])): value}
        elif rng.random() < 0.2:
            changed.pop(key, None)
        else:
            changed[key] = value
    return yaml.safe_dump(changed).encode()


def mutated_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out or doubled, mostly near the start where headers are."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        reach = len(damaged) if rng.random() < 0.4 else min(len(damaged), 80)
        at = int(rng.integers(0, max(reach, 1)))
        match rng.integers(0, 4):
            case 0 | 1:
                damaged[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 2:
                del damaged[at : at + int(rng.integers(1, 40))]
            case 3 if rng.random() < 0.3:
                del damaged[at:]
    return bytes(damaged)


class Fuzz:
    """A folder of profiles and what is done to it."""

    def __init__(self, root: Path, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.root, self.home = root, root / "profiles"
        self.home.mkdir()
        os.environ["VCAM_PROFILES"] = str(self.home)
        self.folder = person(self.home / "ada")
        self.settings = (self.folder / "profile.yaml").read_text()
        self.files = {
            name: (self.folder / name).read_bytes() for name in ("portrait.png", "face.npz")
        }
        _, jpeg = cv2.imencode(".jpg", np.full((64, 48, 3), 120, np.uint8))
        self.files["photo.jpg"] = jpeg.tobytes()
        self.archive = store.export("ada", root / "ada.zip").read_bytes()
        self.outcomes = {"refused": 0, "accepted": 0}

    def one_profile(self) -> None:
        """Mutate the settings and load them."""
        if self.rng.random() < 0.6:
            content = mutated_text(self.settings, self.rng)
        else:
            content = mutated_settings(yaml.safe_load(self.settings), self.rng)
        (self.folder / "profile.yaml").write_bytes(content)
        self._try(lambda: profile.load("ada").require_consent(), content)

    def one_file(self) -> None:
        """Mutate a picture, the tracked face or an archive, and read it."""
        (self.folder / "profile.yaml").write_text(self.settings)
        kind = str(self.rng.choice([*self.files, "archive", "archive", "members"]))
        if kind in self.files:
            content = mutated_bytes(self.files[kind], self.rng)
            (self.folder / kind).write_bytes(content)
            read = (
                read_picture
                if kind == "photo.jpg"
                else lambda path: read_enrolled_photo(path.parent)
            )
            self._try(lambda: read(self.folder / kind), content)
            (self.folder / kind).write_bytes(self.files[kind])
            return
        source = self.root / "new.zip"
        if kind == "archive":
            source.write_bytes(mutated_bytes(self.archive, self.rng))
        else:
            zipped(source, self._members())
        self._try(lambda: store.import_(source, "new"), source.read_bytes())
        if (self.home / "new").exists():
            store.remove("new")

    def _members(self) -> list[tuple[str, bytes]]:
        members = [("profile.yaml", mutated_text(self.settings, self.rng))]
        for name in ("portrait.png", "face.npz"):
            damaged = self.rng.random() < 0.5
            content = self.files[name]
            members.append((name, mutated_bytes(content, self.rng) if damaged else content))
        if self.rng.random() < 0.3:
            strange = ("../pwned", "/tmp/pwned", "a/b", "PROFILE.YAML", "con", "\u202egnp.exe")
            members.append((str(self.rng.choice(strange)), b"x"))
        return members

    def _try(self, act: Callable[[], object], content: bytes) -> None:
        case = Path(tempfile.gettempdir()) / "vcam-fuzz-case"
        start, message = time.monotonic(), ""
        try:
            act()
            self.outcomes["accepted"] += 1
        except ConfigError as error:
            self.outcomes["refused"] += 1
            message = str(error)
        except BaseException:
            case.write_bytes(content)
            raise
        slow = time.monotonic() - start > SLOWEST
        allowed = {"profiles", "ada.zip", "new.zip"}
        outside = {path.name for path in self.root.iterdir()} - allowed
        outside |= {path.name for path in self.home.iterdir()} - {"ada", "new"}
        if slow or outside or len(message) > 2000:
            case.write_bytes(content)
            raise AssertionError(f"slow: {slow}, left: {outside}, said: {message:.300}; see {case}")


def main(profiles: int, files: int) -> dict[str, int]:
    """Run so many cases of each kind; the outcomes."""
    with tempfile.TemporaryDirectory() as root:
        fuzz = Fuzz(Path(root))
        for _ in range(profiles):
            fuzz.one_profile()
        for _ in range(files):
            fuzz.one_file()
        return fuzz.outcomes


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2])))

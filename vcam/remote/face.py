"""A profile on its way to the machine that draws it, and there.

It travels as the ZIP file that `vcam profile export` makes, consent included, and is looked at on
arrival by the rules of `vcam profile import`.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vcam.errors import ConfigError
from vcam.profiles.archive import FILES, LARGEST, pack, unpack
from vcam.profiles.profile import Profile, read, write

PART = 16_000  # bytes that travel in one message


def packed(profile: Profile) -> bytes:
    """The profile as a ZIP file. Raises ConfigError for one that may not be shown."""
    profile.require_consent()
    with tempfile.TemporaryDirectory(prefix="vcam-face-") as place:
        folder = Path(place) / "face"
        folder.mkdir()
        for name in FILES:
            if profile.folder and (profile.folder / name).is_file():
                shutil.copyfile(profile.folder / name, folder / name)
        write(profile, folder)
        pack(folder, Path(place) / "face.zip")
        return (Path(place) / "face.zip").read_bytes()


class Arriving:
    """A profile that comes in parts, and is gone again with the session."""

    def __init__(self, digest: bytes, size: int) -> None:
        """Raises ConfigError for one that is larger than a profile may be."""
        if not 0 < size <= LARGEST:
            raise ConfigError(f"a face of {size} bytes is none")
        self.digest, self._size = digest, size
        self._data = bytearray()
        self._folder = Path(tempfile.mkdtemp(prefix="vcam-face-"))  # 0700

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return len(self._data) == self._size

    def add(self, offset: int, data: bytes) -> None:
        """The next part. Raises ConfigError for one that is not the next, or too much."""
        if offset != len(self._data) or offset + len(data) > self._size:
            raise ConfigError("a part of a face came out of order")
        self._data += data

    def unpacked(self) -> Profile:
        """The profile, checked. Raises ConfigError for anything but one that may be shown here."""
        if hashlib.sha256(self._data).digest() != self.digest:
            raise ConfigError("the face that came is not the one that was announced")
        source, folder = self._folder / "face.zip", self._folder / "face"
        source.write_bytes(self._data)
        folder.mkdir(exist_ok=True)
        unpack(source, folder)
        profile = replace(read(folder), folder=folder)
        profile.require_consent()
        return profile

    def close(self) -> None:
        """Delete it."""
        with suppress(OSError):
            shutil.rmtree(self._folder)

"""HEIC pictures, as iPhones write them, decoded in a child process that can do nothing else.

The library (pi-heif, which decodes only, or its larger sister pillow-heif) is optional, and pi-heif
1.4.0 dies of some damaged files, as fuzzing showed. The child gives back a PNG, upright and no
larger than wanted.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO

from PIL.Image import DecompressionBombError

from vcam.weights import sandbox

_LIBRARIES = ("pi_heif", "pillow_heif")
_PATIENCE = 60  # seconds; 48 megapixels take about 3
_MEMORY = 2 << 30  # bytes of addresses: 50 megapixels thrice, and threads
_TOO_LARGE = 3  # exit code


def library() -> str | None:
    """The module that decodes HEIC here, if there is one."""
    return next((name for name in _LIBRARIES if find_spec(name)), None)


def as_png(content: bytes, most: int, kept: int) -> bytes:
    """The picture as a PNG of at most about `kept` pixels, with its colour profile.

    Raises DecompressionBombError for one of more than `most` pixels, OSError for a damaged one.
    """
    command = [sys.executable, "-m", "vcam.photo.heic", str(most), str(kept)]
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            timeout=_PATIENCE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    except subprocess.TimeoutExpired as error:
        raise OSError("the HEIC library does not end") from error
    if done.returncode == _TOO_LARGE:
        raise DecompressionBombError
    if done.returncode != 0:
        raise OSError("the HEIC library cannot read it")
    return done.stdout


def child(most: int, kept: int) -> int:
    """The child: HEIC on standard input, PNG on standard output; its exit code."""
    name = library()
    if name is None:
        return 1
    reader = importlib.import_module(name).HeifImageFile
    content = sys.stdin.buffer.read()
    sandbox.confine()
    sandbox.limit(_MEMORY, _PATIENCE, 0)
    with reader(BytesIO(content)) as coded:
        if not 0 < coded.width * coded.height <= most:
            return _TOO_LARGE
        profile = coded.info.get("icc_profile")
        coded.load()
        picture = coded if coded.mode in ("L", "LA", "RGB", "RGBA") else coded.convert("RGB")
    if (shrink := (picture.width * picture.height / kept) ** 0.5) > 1:
        picture.thumbnail((int(picture.width / shrink), int(picture.height / shrink)))
    picture.save(sys.stdout.buffer, "PNG", compress_level=1, icc_profile=profile)
    return 0


if __name__ == "__main__":
    sys.exit(child(int(sys.argv[1]), int(sys.argv[2])))

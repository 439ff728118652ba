"""What a machine may lack: looked for here and nowhere else, told in one sentence with its mend.

Nothing is loaded before it is wanted, so what is missing costs only what needs it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from vcam.errors import ConfigError, DeviceError, VcamError, WeightsError
from vcam.system import install

SOUND_SERVER = "pulseaudio --start   (or: systemctl --user start pipewire-pulse)"


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that vcam uses and that may not be here."""

    name: str  # for people
    module: str  # what is imported
    cost: str  # what there is without it
    linux: str = ""  # the command that brings it
    elsewhere: str = ""  # the command on other systems, if it is another
    extra: str = ""  # or the extra of ours that does
    raises: type[VcamError] = DeviceError
    runtime: bool = False  # on Windows it wants a runtime library that its package does not bring

    @property
    def mend(self) -> str:
        """The command that brings it to this machine."""
        if self.extra:
            return install.extra(self.extra)
        on_linux = sys.platform == "linux" or not self.elsewhere
        return install.here(self.linux if on_linux else self.elsewhere)

    @property
    def is_here(self) -> bool:
        """Whether it is installed; nothing is loaded, so a library of its may lack all the same."""
        with contextlib.suppress(ModuleNotFoundError, ValueError):  # of its package; of a stub
            return importlib.util.find_spec(self.module) is not None
        return False

    def load(self) -> Any:
        """The module, imported. Raises what `raises` says, with the one sentence."""
        try:
            return importlib.import_module(self.module)
        except (ImportError, OSError) as error:
            raise self.lacking(error) from error

    def require(self) -> None:
        """Raise what `raises` says unless it `is_here`."""
        if not self.is_here:
            raise self.lacking()

    def lacking(self, error: Exception | None = None) -> VcamError:
        """What to raise; `error` is why it does not load."""
        broken = isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError)
        how = f"does not load ({_first_line(error)})" if broken else "is missing"
        mend = RUNTIME if broken and self.runtime and sys.platform == "win32" else self.mend
        return self.raises(f"{self.name} {how}, so {self.cost}; run: {mend}")


RUNTIME = "winget install Microsoft.VCRedist.2015+.x64"  # of Visual C++; python.org's has a part

OPENCV = Piece(
    "OpenCV",
    "cv2",
    "nothing can be drawn",
    "pip uninstall -y opencv-python && pip install --force-reinstall 'opencv-python-headless>=5.0'",
)
PORTAUDIO = Piece(
    "PortAudio",
    "sounddevice",
    "no sound comes in or goes out; `--wav FILE` needs none",
    "sudo apt install libportaudio2",
    "pip install --force-reinstall sounddevice",
)
PULSE = Piece(
    "libpulse",
    "pulsectl",
    "PulseAudio or PipeWire cannot be asked",
    "sudo apt install libpulse0",
)
PULSE_SIMPLE = Piece(
    "libpulse-simple",
    "vcam.system.libpulse_simple",
    "the virtual microphone cannot be recorded",
    "sudo apt install libpulse0",
)
PIPEWIRE = Piece(
    "libpipewire",
    "vcam.system.libpipewire",
    "there is no camera without a kernel module",
    "sudo apt install libpipewire-0.3-0",
)
PYVIRTUALCAM = Piece(
    "pyvirtualcam", "pyvirtualcam", "there is no virtual camera", extra="camera", runtime=True
)
LITERT = Piece(
    "ai-edge-litert",
    "ai_edge_litert.interpreter",
    "no face is found in a picture",
    extra="face",
    raises=ConfigError,
    runtime=True,
)
ARGCOMPLETE = Piece(
    "argcomplete",
    "argcomplete",
    "no shell completes what is typed",
    "pip install --force-reinstall argcomplete",
    raises=ConfigError,
)
TORCH = Piece("torch", "torch", "only the embedded avatars can be shown", extra="neural")
HUB = Piece(
    "huggingface-hub",
    "huggingface_hub",
    "nothing can be downloaded",
    extra="neural",
    raises=WeightsError,
)
CRYPTOGRAPHY = Piece(
    "cryptography",
    "cryptography",
    "no certificate can be made for this machine; `--engine ssh:HOST` needs none",
    extra="remote",
    raises=ConfigError,
)
RAY = Piece(
    "Ray Serve",
    "ray.serve",
    "there is no cluster; one machine needs only `vcam serve`",
    extra="cluster",
    raises=ConfigError,
)
COMPILERS = ("cc", "gcc", "clang")  # any will do
INSTALL_COMPILER = "sudo apt install gcc"
INSTALL_BRIDGE = "sudo apt install libasound2-plugins"  # from ALSA, and PortAudio, to the server


def compiler() -> str | None:
    """The C compiler that torch and Triton would use, if there is one; `CC` may name it."""
    named = os.environ.get("CC")
    return next(filter(None, map(shutil.which, (named, *COMPILERS) if named else COMPILERS)), None)


def _first_line(error: Exception | None) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

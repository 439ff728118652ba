"""What works on this machine, what does not, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from vcam.audio import portaudio
from vcam.audio.microphone import list_microphones
from vcam.camera import v4l2, virtual
from vcam.errors import DeviceError

GIB = 2**30
MEMORY_WANTED = 1.0  # GiB free: rim and engine of the embedded avatar take under half of it
DISK_WANTED = 1.0  # GiB free where films are written


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. What is not `ok` has in `mend` what to type or do about it."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


def examine() -> list[Check]:
    """Look at everything that vcam can use, in the order of need; nothing is opened or changed."""
    return [check for look in LOOKS for check in look()]


def python() -> Iterator[Check]:
    """Python itself."""
    yield Check("Python", True, f"{platform.python_version()} on {platform.platform()}")


def opencv() -> Iterator[Check]:
    """OpenCV 5, which draws the embedded avatar; its import fails where libGL is missing."""
    try:
        import cv2
    except ImportError as error:
        swap = "pip uninstall -y opencv-python && pip install 'opencv-python-headless>=5.0'"
        yield Check("OpenCV", False, str(error), swap)
        return
    able = hasattr(cv2, "triangleRasterize")
    detail = f"{cv2.__version__}{'' if able else ' has no triangleRasterize'}"
    yield Check(
        "OpenCV", able, detail, "" if able else "pip install --upgrade 'opencv-python>=5.0'"
    )


def encoders() -> Iterator[Check]:
    """The encoders for films."""
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codec.codecs_available]
    yield Check(
        "Films",
        not missing,
        f"PyAV {av.__version__}, " + (f"no {', '.join(missing)}" if missing else "H.264 and AAC"),
        "pip install --force-reinstall --only-binary av av" if missing else "",
    )


def microphones() -> Iterator[Check]:
    """PortAudio, the sound server, and what can be listened to."""
    try:
        version = portaudio.portaudio().get_portaudio_version()[1]
    except DeviceError as error:
        yield _failed("PortAudio", error)
        return
    yield Check("PortAudio", True, version.split(",")[0])
    if sys.platform == "linux":
        yield _sound_server()
    found = list_microphones()
    names = ", ".join(each.name for each in found if each.trouble is None)
    trouble = next((each.trouble for each in found if each.trouble), None)
    mend = "plug one in or switch it on in the sound settings; `--wav FILE` needs none"
    if trouble:
        mend = trouble.rpartition("run: ")[2]
    yield Check("Microphones", bool(names), names or trouble or "none", "" if names else mend)


def _sound_server() -> Check:
    name = portaudio.server_name()
    if name:
        return Check("Sound server", True, name)
    mend = "pulseaudio --start   (or: systemctl --user start pipewire-pulse)"
    return Check("Sound server", False, "neither PulseAudio nor PipeWire answers", mend)


def cameras() -> Iterator[Check]:
    """pyvirtualcam, and the driver whose camera it feeds."""
    if importlib.util.find_spec("pyvirtualcam") is None:
        yield Check("pyvirtualcam", False, "not installed", virtual.INSTALL_PYVIRTUALCAM)
    else:
        yield Check("pyvirtualcam", True, metadata.version("pyvirtualcam"))
    yield from _loopback() if sys.platform == "linux" else _obs()


def _loopback() -> Iterator[Check]:
    if not Path("/sys/module/v4l2loopback").exists():
        built = shutil.which("modinfo") and _output("modinfo", "-n", "v4l2loopback")
        mend = v4l2.LOAD if built else f"{v4l2.INSTALL} && {v4l2.LOAD}"
        detail = "not loaded" if built else f"not built for the kernel {os.uname().release}"
        yield Check("v4l2loopback", False, detail, mend)
        return
    found = v4l2.loopbacks()
    if not found:
        hidden = bool(v4l2.nodes())
        mend = f"{v4l2.JOIN_GROUP}, then log in again" if hidden else v4l2.RELOAD
        yield Check("v4l2loopback", False, "loaded, but none of its cameras can be opened", mend)
    for device in found:
        yield _device(device)


def _device(device: v4l2.Loopback) -> Check:
    name = f"Camera {device.path}"
    if not device.exclusive:
        return Check(name, False, "without exclusive_caps Chrome does not list it", v4l2.RELOAD)
    trouble = virtual.trouble(device.path)
    return Check(name, trouble is None, trouble or f"free; meetings call it {device.card}")


def _obs() -> Iterator[Check]:
    places = {
        "darwin": [Path("/Applications/OBS.app")],
        "win32": [Path(os.environ.get("PROGRAMFILES", "C:/Program Files")) / "obs-studio"],
    }
    found = any(place.exists() for place in places.get(sys.platform, []))
    yield Check(virtual.OBS, found, "installed" if found else "OBS is not here", virtual.OBS_STEPS)


def gpu() -> Iterator[Check]:
    """What the neural avatars need; torch is only looked for, never loaded."""
    names = _output(
        "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"
    )
    yield Check(
        "NVIDIA GPU",
        bool(names),
        "; ".join(names.splitlines()) or "none; the embedded avatar needs none",
        "" if names else "for a neural avatar: a GPU, and its driver (nvidia-smi must work)",
    )
    for package in ("torch", "triton", "gsplat", "safetensors"):
        yield _package(package, bool(names))


def _package(name: str, gpu: bool) -> Check:
    if importlib.util.find_spec(name) is None:
        mend = "pip install 'vcam[neural]'"
        return Check(name, False, "not installed; only neural avatars need it", mend)
    version = metadata.version(name)
    if gpu and version.endswith("+cpu"):
        return Check(
            name, False, f"{version} cannot use the GPU", f"pip install --force-reinstall {name}"
        )
    return Check(name, True, version)


def room() -> Iterator[Check]:
    """Free memory and disk."""
    memory = psutil.virtual_memory().available / GIB
    yield Check(
        "Memory",
        memory >= MEMORY_WANTED,
        f"{memory:.1f} GiB free",
        "" if memory >= MEMORY_WANTED else "close other programs",
    )
    disk = shutil.disk_usage(Path.cwd()).free / GIB
    yield Check(
        "Disk",
        disk >= DISK_WANTED,
        f"{disk:.1f} GiB free here",
        "" if disk >= DISK_WANTED else "make room, or work in another folder",
    )


LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (
    python,
    opencv,
    encoders,
    microphones,
    cameras,
    gpu,
    room,
)


def _failed(name: str, error: DeviceError) -> Check:
    """A check from an error that ends in "...; run: COMMAND"."""
    detail, _, mend = str(error).partition("; run: ")
    return Check(name, False, detail, mend)


def _output(*command: str) -> str:
    """What a program says; nothing when it is missing, fails or hangs."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()

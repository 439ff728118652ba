"""What works on this machine, what does not, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import psutil

from vcam.audio import portaudio
from vcam.audio.microphone import list_microphones
from vcam.camera import obs, pipewire, v4l2, virtual
from vcam.cli.doctor_files import files, here, limits
from vcam.cli.findings import Check, failed
from vcam.cli.verdict import CAMERA, CORE, FILMS, NEURAL, PHOTO, ROOM, SOUND
from vcam.control import server
from vcam.errors import ConfigError, DeviceError, EngineError, WeightsError
from vcam.link.block import Block
from vcam.system import install, missing
from vcam.system.opencv import require_rasterizer
from vcam.weights import manifest

GIB = 2**30
MEMORY_WANTED = 1.0  # GiB free: rim and engine of the embedded avatar take under half of it
ANSWER = 2.0  # seconds that a running vcam has for it
DISK_WANTED = 1.0  # GiB free where films are written


def examine() -> list[Check]:
    """Look at everything that vcam can use, in the order of need; nothing is opened or changed."""
    return [replace(check, part=part) for part, look in LOOKS for check in look()]


def python() -> Iterator[Check]:
    """Python itself."""
    yield Check("Python", True, f"{platform.python_version()} on {platform.platform()}")


def opencv() -> Iterator[Check]:
    """OpenCV 5, which draws the embedded avatar; its import fails where libGL is missing."""
    try:
        yield Check("OpenCV", True, require_rasterizer())
    except DeviceError as error:
        yield failed("OpenCV", str(error))


def encoders() -> Iterator[Check]:
    """The encoders for films."""
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codec.codecs_available]
    yield Check(
        "Films",
        not missing,
        f"PyAV {av.__version__}, " + (f"no {', '.join(missing)}" if missing else "H.264 and AAC"),
        install.here("pip install --force-reinstall --only-binary av av") if missing else "",
    )


def microphones() -> Iterator[Check]:
    """PortAudio, the sound server, and what can be listened to."""
    if sys.platform == "linux":
        yield _sound_server()
    try:
        version = portaudio.portaudio().get_portaudio_version()[1]
    except DeviceError as error:
        yield failed("PortAudio", str(error))
        return
    yield Check("PortAudio", True, version.split(",")[0])
    found = list_microphones()
    names = ", ".join(each.name for each in found if each.trouble is None)
    trouble = next((each.trouble for each in found if each.trouble), None)
    if names:
        yield Check("Microphones", True, names)
    elif trouble:
        yield failed("Microphones", trouble)
    else:
        mend = "plug one in or switch it on in the sound settings; `--wav FILE` needs none"
        yield Check("Microphones", False, "none", mend, by_hand=True)


def _sound_server() -> Check:
    try:
        with portaudio.connected() as pulse:
            return Check("Sound server", True, str(pulse.server_info().server_name))
    except DeviceError as error:
        return failed("Sound server", str(error))


def cameras() -> Iterator[Check]:
    """pyvirtualcam, and the driver whose camera it feeds; one camera that works `suffices`."""
    if not missing.PYVIRTUALCAM.is_here:
        yield Check("pyvirtualcam", False, "not installed", missing.PYVIRTUALCAM.mend)
    else:
        yield Check("pyvirtualcam", True, metadata.version("pyvirtualcam"))
    yield from _loopback() if sys.platform == "linux" else _obs()
    if sys.platform == "linux":
        yield _node()


def _loopback() -> Iterator[Check]:
    if not Path("/sys/module/v4l2loopback").exists():
        built = _output("modinfo", "-n", "v4l2loopback")
        mend = v4l2.LOAD if built else f"{v4l2.INSTALL} && {v4l2.LOAD}"
        detail = "not loaded" if built else f"not built for the kernel {os.uname().release}"
        yield Check("v4l2loopback", False, detail, mend)
        return
    found = v4l2.loopbacks()
    if not found:
        hidden = bool(v4l2.nodes())
        mend = f"{v4l2.JOIN_GROUP}   (then log in again)" if hidden else v4l2.RELOAD
        yield Check("v4l2loopback", False, "loaded, but none of its cameras can be opened", mend)
    for device in found:
        yield _device(device)


def _device(device: v4l2.Loopback) -> Check:
    name = f"Camera {device.path}"
    if not device.exclusive:
        return Check(name, False, "without exclusive_caps Chrome does not list it", v4l2.RELOAD)
    trouble = virtual.trouble(device.path)
    if trouble is None:
        return Check(name, True, f"free; meetings call it {device.card}", suffices=True)
    if _ours(device.path):
        return Check(name, True, "vcam is sending into it", suffices=True)
    return failed(name, trouble)


def _ours(camera: str) -> bool:
    """Whether the running vcam, if there is one, shows its picture there."""
    try:
        status = server.ask({"do": "status"}, patience=ANSWER)["status"]
    except (ConfigError, DeviceError):
        return False
    return str(status["camera"]).startswith(f"{camera} ")


def _node() -> Check:
    """The camera without a kernel module, and who sees it."""
    reason = pipewire.trouble()
    return (
        failed("PipeWire camera", reason)
        if reason
        else Check("PipeWire camera", True, pipewire.SEEN_BY, suffices=True)
    )


def _obs() -> Iterator[Check]:
    if sys.platform == "win32":
        found, mend = obs.missing_filter() is None, obs.MEND
    else:
        found, mend = Path("/Applications/OBS.app").exists(), virtual.OBS_STEPS
    if found:
        yield Check(virtual.OBS, True, "installed")
    else:
        yield Check(virtual.OBS, False, "OBS's camera is not here", mend, by_hand=True)


def photos() -> Iterator[Check]:
    """What finds the face in a photo."""
    name = missing.LITERT.name
    if missing.LITERT.is_here:
        yield Check(name, True, "finds faces in photos")
    else:
        detail = "not installed; only `vcam profile create` needs it"
        yield Check(name, False, detail, missing.LITERT.mend)


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
        by_hand=True,
    )
    for package in ("torch", "triton", "gsplat", "safetensors"):
        yield _package(package, bool(names))
    yield _models()


def _models() -> Check:
    """Whether what the neural faces are made of has been downloaded."""
    known = manifest.manifest()
    try:
        for name in ("artalk", "gagavatar", "musetalk"):
            manifest.find(name, known)
    except WeightsError as error:
        return Check("Networks", False, str(error).rpartition(": ")[0], "vcam models pull")
    return Check("Networks", True, "downloaded")


def _package(name: str, gpu: bool) -> Check:
    if importlib.util.find_spec(name) is None:
        detail = "not installed; only neural avatars need it"
        return Check(name, False, detail, missing.TORCH.mend)
    version = metadata.version(name)
    if gpu and version.endswith("+cpu"):
        return Check(
            name,
            False,
            f"{version} cannot use the GPU",
            install.here(f"pip install --force-reinstall {name}"),
        )
    return Check(name, True, version)


def room() -> Iterator[Check]:
    """Free memory, and free disk."""
    memory = psutil.virtual_memory().available / GIB
    yield Check(
        "Memory",
        memory >= MEMORY_WANTED,
        f"{memory:.1f} GiB free",
        "" if memory >= MEMORY_WANTED else "close other programs",
        by_hand=True,
    )
    disk = shutil.disk_usage(here()).free / GIB
    yield Check(
        "Disk",
        disk >= DISK_WANTED,
        f"{disk:.1f} GiB free here",
        "" if disk >= DISK_WANTED else "make room, or work in another folder",
        by_hand=True,
    )


def shared_memory() -> Iterator[Check]:
    """Memory that rim and engine can share."""
    try:
        Block.create(1)
    except EngineError as error:
        yield failed("Shared memory", str(error))
    else:
        yield Check("Shared memory", True, "can be made")


LOOKS: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
    (CORE, python),
    (CORE, opencv),
    (FILMS, encoders),
    (SOUND, microphones),
    (CAMERA, cameras),
    (PHOTO, photos),
    (NEURAL, gpu),
    (CORE, shared_memory),
    (ROOM, room),
    (ROOM, files),
    (CORE, limits),
)


def _output(*command: str) -> str:
    """What a program says; nothing when it is missing, fails or hangs."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()

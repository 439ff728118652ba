"""A sound server that can be killed, and microphones that can be unplugged.

PulseAudio, or with VCAM_SOUND_SERVER=pipewire PipeWire, WirePlumber and what speaks PulseAudio's
language for them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vcam.errors import DeviceError
from vcam.system.missing import PORTAUDIO, PULSE

PROGRAMS = {
    "pulseaudio": ("pulseaudio", "pactl", "pacat", "paplay", "parec"),
    "pipewire": (
        "pipewire",
        "wireplumber",
        "pipewire-pulse",
        "pw-cli",
        "pw-link",
        "dbus-daemon",
        "pacat",
        "parec",
    ),
}
PACKAGES = {
    "pulseaudio": "pulseaudio pulseaudio-utils",
    "pipewire": "pipewire pipewire-bin pipewire-pulse wireplumber dbus pulseaudio-utils",
}
KINDS = tuple(PROGRAMS)
PIPEWIRE = ("pipewire", "wireplumber", "pipewire-pulse")  # what it consists of, in their order
AWAY = 1.0  # seconds that a program of it is not there
PATIENCE = 10.0  # seconds for a program to answer
DECISION = 0.3  # seconds until PipeWire's session manager has put a new device in its place
MICROPHONES = ("desk", "headset")
RATE = 48_000


def kind() -> str:
    """Which sound server is asked for."""
    return os.environ.get("VCAM_SOUND_SERVER", KINDS[0])


def missing(server: str = "") -> str:
    """Why no row with sound can run here; empty when it can. `server`: one of KINDS."""
    server = server or kind()
    lacking = [program for program in PROGRAMS[server] if shutil.which(program) is None]
    if lacking:
        return f"no {', '.join(lacking)} here; sudo apt install {PACKAGES[server]}"
    try:
        PULSE.load()
        PORTAUDIO.load()
    except DeviceError as error:
        return f"no sound here: {error}"
    return ""


def own(folder: Path, server: str = "") -> Server:
    """A sound server of our own in `folder`, not started yet. `server`: one of KINDS."""
    return {"pulseaudio": PulseAudio, "pipewire": PipeWire}[server or kind()](folder)


class Server(ABC):
    """A sound server of our own. Microphone NAME hears what is played into the sink NAME.

    A microphone is a remapped source, so that it can go away while the player of its sound stays.
    """

    def __init__(self, folder: Path, **around: object) -> None:
        """`around`: what else its programs and its clients find in their environment."""
        own = {"XDG_RUNTIME_DIR": folder, "PULSE_SERVER": f"unix:{folder}/pulse/native"}
        texts = {name: str(value) for name, value in (own | around).items()}
        self.environment: Mapping[str, str] = {
            name: value for name, value in os.environ.items() if name != "PULSE_SOURCE"
        } | texts
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        """Start it without any device."""
        self._begin()
        _await(self._answers)

    def start(self) -> None:
        """Start it, with all microphones plugged in and the first one the default."""
        self.begin()
        for name in MICROPHONES:
            self.plug(name)
        self.choose(MICROPHONES[0])

    def kill(self) -> None:
        """End it without warning."""
        self._front.kill()
        self._front.wait()

    def freeze(self) -> None:
        """Let it hang."""
        self._front.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._front.send_signal(signal.SIGCONT)

    def plug(self, name: str, rate: int = RATE) -> None:
        """Plug microphone `name` in, as a device that runs at `rate`."""
        with self.client() as server:
            if name not in [sink.name for sink in server.sink_list()]:
                server.module_load(
                    "module-null-sink", f"sink_name={name} rate={rate} channels=1 norewinds=1"
                )
            server.module_load(
                "module-remap-source",
                f"master={name}.monitor source_name={name}_mic channels=1 rate={rate} "
                f"source_properties=device.description={name}-microphone",
            )

    def unplug(self, name: str, sink: bool = False) -> None:
        """Pull microphone `name` out; with `sink`, what plays into it goes as well."""
        with self.client() as server:
            for module in reversed(server.module_list()):
                arguments = module.argument or ""
                if f"source_name={name}_mic" in arguments or (
                    sink and f"sink_name={name} " in arguments
                ):
                    server.module_unload(module.index)

    def remove(self, sink: str) -> None:
        """Unload the sink called `sink` and what hears it."""
        with self.client() as server:
            for module in reversed(server.module_list()):
                arguments = f"{module.argument} "
                if f"sink_name={sink} " in arguments or f"master={sink}.monitor" in arguments:
                    server.module_unload(module.index)
            for node in (*server.sink_list(), *server.source_list()):
                if node.name in (sink, "vcam") and "object.id" in node.proplist:
                    subprocess.run(
                        ["pw-cli", "destroy", node.proplist["object.id"]],
                        env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    )  # fmt: skip

    def choose(self, name: str) -> None:
        """Make microphone `name` the default one."""
        with self.client() as server:
            server.source_default_set(f"{name}_mic")

    def close(self) -> None:
        """End it."""
        for process in reversed(list(self._processes.values())):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(PATIENCE)

    @abstractmethod
    def _begin(self) -> None:
        """Start its programs, those that do not run."""

    @property
    def _front(self) -> subprocess.Popen[bytes]:
        """The program that clients talk to."""
        front = self._processes.get("pipewire-pulse")
        return front or list(self._processes.values())[-1]

    def _run(self, program: str, *options: str) -> None:
        with (self._folder / f"{program}.log").open("a") as log:
            self._processes[program] = subprocess.Popen(
                [program, *options], env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip

    def client(self, name: str = "faults") -> Any:
        """A connection to it, a `pulsectl.Pulse`."""
        return PULSE.load().Pulse(name, server=self.environment["PULSE_SERVER"])

    def _answers(self) -> bool:
        try:
            self.client().close()
        except PULSE.load().PulseError:
            return False
        return True


class PulseAudio(Server):
    """It is one program."""

    def _begin(self) -> None:
        options = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        options += ["--disable-shm=yes", "--realtime=no", "--high-priority=no"]
        self._run("pulseaudio", *options, "--load=module-native-protocol-unix auth-anonymous=1")


class PipeWire(Server):
    """Three programs and a bus of their own; it is the one that clients talk to which is killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            PIPEWIRE_RUNTIME_DIR=folder,
            PIPEWIRE_REMOTE="pipewire-0",
            XDG_STATE_HOME=folder / "state",  # where the session manager keeps what was chosen
            XDG_CONFIG_HOME=folder / "config",
            DBUS_SESSION_BUS_ADDRESS=f"unix:path={folder}/bus",
        )

    def _begin(self) -> None:
        if not self._processes:
            address = f"--address=unix:path={self._folder}/bus"
            self._run("dbus-daemon", "--session", "--nofork", address)
            _await((self._folder / "bus").exists)
            self._run("pipewire")
            _await((self._folder / "pipewire-0").exists)
            self._run("wireplumber")
        self._run("pipewire-pulse")

    def lives(self, program: str) -> bool:
        """Whether `program`, one of its own, has not ended."""
        return self._processes[program].poll() is None

    def restart(self, program: str) -> None:
        """Kill `program`, and start it again after a second, as systemd does.

        Without PipeWire itself its clients end too.
        """
        programs = [program] if program != "pipewire" else list(PIPEWIRE)
        for each in reversed(programs):
            process = self._processes.pop(each)
            process.kill()
            process.wait()
        time.sleep(AWAY)
        for each in programs:
            self._run(each)
            _await((self._folder / "pipewire-0").exists)
        _await(self._answers)
        for name in MICROPHONES if len(programs) > 1 else ():
            self.plug(name)

    def set(self, key: str, value: int) -> None:
        """Force a rate or quantum on all, 0 being none: `clock.force-rate`, `-quantum`."""
        subprocess.run(
            ["pw-metadata", "-n", "settings", "0", f"clock.force-{key}", str(value)],
            env=self.environment, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def choose(self, name: str) -> None:
        """Make microphone `name` the default one."""
        time.sleep(DECISION)
        super().choose(name)


def _await(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the sound server does not start; its folder has logs")
        time.sleep(0.02)

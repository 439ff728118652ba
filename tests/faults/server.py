"""A sound server that can be killed, and microphones that can be unplugged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pulsectl

PROGRAMS = ("pulseaudio", "pacat", "parec")
MICROPHONES = ("desk", "headset")
RATE = 48_000


def missing() -> str:
    """Why no row with sound can run here; empty when it can."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no {', '.join(lacking)} here; sudo apt install pulseaudio-utils" if lacking else ""


class PulseAudio:
    """A PulseAudio of our own. Microphone NAME hears what is played into the sink NAME.

    A microphone is a remapped source, so that it can go away while the player of its sound stays.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = os.environ | {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
        }
        self.environment.pop("PULSE_SOURCE", None)
        self._log = folder / "pulseaudio.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with all microphones plugged in and the first one the default."""
        options = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        options += ["--disable-shm=yes", "--realtime=no", "--high-priority=no"]
        options += ["--load=module-native-protocol-unix auth-anonymous=1"]
        with self._log.open("a") as output:
            self._process = subprocess.Popen(
                ["pulseaudio", *options], env=self.environment, stdout=output, stderr=output
            )
        self._await_answer()
        for name in MICROPHONES:
            self.plug(name)
        self.choose(MICROPHONES[0])

    def kill(self) -> None:
        """End it without warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it hang."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def plug(self, name: str, rate: int = RATE) -> None:
        """Plug microphone `name` in, as a device that runs at `rate`."""
        with self._client() as server:
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
        with self._client() as server:
            for module in reversed(server.module_list()):
                arguments = module.argument or ""
                if f"source_name={name}_mic" in arguments or (
                    sink and f"sink_name={name} " in arguments
                ):
                    server.module_unload(module.index)

    def remove(self, sink: str) -> None:
        """Unload the sink called `sink` and what hears it."""
        with self._client() as server:
            for module in reversed(server.module_list()):
                arguments = f"{module.argument} "
                if f"sink_name={sink} " in arguments or f"master={sink}.monitor" in arguments:
                    server.module_unload(module.index)

    def choose(self, name: str) -> None:
        """Make microphone `name` the default one."""
        with self._client() as server:
            server.source_default_set(f"{name}_mic")

    def close(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            self._process.wait(10)

    def _client(self) -> pulsectl.Pulse:
        return pulsectl.Pulse("faults", server=self.environment["PULSE_SERVER"])

    def _await_answer(self) -> None:
        end = time.monotonic() + 10
        while True:
            try:
                self._client().close()
                return
            except pulsectl.PulseError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

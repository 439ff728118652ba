"""A sound server of our own, with a microphone into which a test can play."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CARD = Path("/proc/asound/Loopback")  # what is played into its device 0 is heard at its device 1
SERVER = (
    "pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --disable-shm=yes "
    "--realtime=no --high-priority=no"
)
SOCKET = "module-native-protocol-unix auth-anonymous=1"
SPEAKER = "module-null-sink sink_name=speaker rate=48000 channels=1 norewinds=1"  # the default
FROM_CARD = (
    "module-alsa-source device=hw:Loopback,1,0 source_name=vcam_ear rate=48000 channels=1 "
    "tsched=no fragments=4 fragment_size=1920"
)
FROM_SINK = "module-null-sink sink_name=vcam_ear rate=48000 channels=1 norewinds=1"


@dataclass(frozen=True)
class Ear:
    """A microphone, and the command that plays a file into it."""

    environment: dict[str, str]
    microphone: str
    player: tuple[str, ...]

    @contextlib.contextmanager
    def playing(self, sound: Path) -> Iterator[None]:
        """Play `sound` once, until it or the block ends."""
        player = subprocess.Popen([*self.player, str(sound)], env=self.environment)
        try:
            yield
        finally:
            player.kill()
            player.wait()


@contextlib.contextmanager
def hearing() -> Iterator[Ear]:
    """A PulseAudio on the loopback sound card, where there is one, or else on a null sink."""
    card = CARD.exists()
    ear = FROM_CARD if card else FROM_SINK
    with tempfile.TemporaryDirectory(prefix="vcam-ear.") as folder:
        environment = os.environ | {
            "XDG_RUNTIME_DIR": folder,
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
        }
        loads = [f"--load={module}" for module in (SOCKET, SPEAKER, ear)]
        with (Path(folder) / "log").open("w") as log:
            server = subprocess.Popen(
                [*SERVER.split(), *loads], env=environment, stdout=log, stderr=log
            )
        try:
            _await(server, environment, Path(folder) / "log")
            yield _ear(card, environment)
        finally:
            server.terminate()
            server.wait(10)


def _ear(card: bool, environment: dict[str, str]) -> Ear:
    if card:
        return Ear(environment, "vcam_ear", ("aplay", "-q", "-D", "plughw:Loopback,0,0"))
    play = ("paplay", "--latency-msec=20", "--device=vcam_ear")
    return Ear(environment, "vcam_ear.monitor", play)


def _await(server: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    for _ in range(200):
        asked = subprocess.run(["pactl", "info"], env=environment, capture_output=True)
        if asked.returncode == 0:
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"PulseAudio does not start:\n{log.read_text()}")

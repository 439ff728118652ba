"""The virtual microphone as nodes of PipeWire itself, made by its own programs.

What modules make goes away with pipewire-pulse, the program that speaks PulseAudio's language; and
PipeWire gives who listens the microphone instead, at once. Nodes that linger go with PipeWire.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from vcam.audio.portaudio import OWN_SINK, OWN_SOURCE, OWN_TITLE

PROGRAMS = ("pw-cli", "pw-link")
PATIENCE = 2.0  # seconds for one of them
# WirePlumber suspends what has been idle for 5 s, and 0.4.13 crashes when that has gone meanwhile.
# Once it is back, no stream of anybody may be connected any more.
NO_SUSPENDING = "session.suspend-timeout-seconds=0"
# Neither is to become the default one, and rather the sink's monitor than the source: WirePlumber
# lets who listens to the default source follow the default, whatever it has asked for.
LAST = {
    OWN_SINK: f"priority.session=-50000 {NO_SUSPENDING}",
    OWN_SOURCE: f"priority.session=-100000 {NO_SUSPENDING}",
}
_NODES = {
    OWN_SINK: "media.class=Audio/Sink node.description=vcam-output",
    OWN_SOURCE: f"media.class=Audio/Source/Virtual node.description={OWN_TITLE}",
}
_ALL = (
    "factory.name=support.null-audio-sink object.linger=true audio.rate=48000 audio.position=[MONO]"
)


def answers(server: Any) -> bool:
    """Whether it is PipeWire that `server`, a `pulsectl.Pulse`, speaks with."""
    return "PipeWire" in str(server.server_info().server_name)


def usable(server: Any) -> bool:
    """Whether that is this user's own, and its programs are here."""
    own = f"unix:{os.environ.get('XDG_RUNTIME_DIR')}/pulse/native"
    return (
        answers(server)
        and os.environ.get("PULSE_SERVER", own) == own
        and all(map(shutil.which, PROGRAMS))
    )


def make(devices: Iterable[str]) -> None:
    """Make `devices`, of the two."""
    for name in devices:
        own = f"node.name={name} {_NODES[name]} {LAST[name]}"
        _run("pw-cli", "create-node", "adapter", f"{{ {_ALL} {own} }}")


def link() -> None:
    """Let the source carry what is played into the sink; passively, which keeps nothing awake.

    It fails where that is so already.
    """
    _run("pw-link", "--passive", f"{OWN_SINK}:monitor_MONO", f"{OWN_SOURCE}:input_MONO")


def feed(stream: str) -> bool:
    """Link our stream of that name to the source, as `link`; whether it is linked now."""
    return _run("pw-link", "--passive", f"{stream}:output_MONO", f"{OWN_SOURCE}:input_MONO")


def destroy(device: Any) -> None:
    """Remove a sink or source of the server that is such a node."""
    if number := device.proplist.get("object.id"):
        _run("pw-cli", "destroy", number)


def _run(*command: str) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # whoever asked looks himself
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE
        )
        return done.returncode == 0
    return False

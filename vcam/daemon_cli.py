"""What the user types to a vcam in the background; hooked into `vcam.cli`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console

from vcam import background, control, hud, logs, run_options, screen, service
from vcam.config import FILM, MODES
from vcam.errors import NotRunning
from vcam.stats import Snapshot

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

NOT_RUNNING = 3  # as the Linux Standard Base says of `status`
out = Console()

HOW = {
    "mute": "no voice leaves, and the avatar idles",
    "unmute": "end that",
    "idle": "the avatar idles, the voice goes on",
    "pause": "the picture stands still, no voice leaves, nothing is computed",
    "panic": "a plain card in place of the picture at once, and no voice",
    "resume": "end idle, pause and panic; what was muted stays muted",
}


def add_parser(commands: Commands) -> None:
    """Add the commands to vcam's."""
    run_options.add(_command(commands, start, "start", "run in the background"))
    _command(commands, restart, "restart", "end it, and run it again with the options it had")
    _command(commands, stop, "stop", "end the running vcam, and wait for its end")
    command = _command(commands, status, "status", "say how the running vcam is; exit code 3: none")
    command.add_argument("--json", action="store_true", help="all numbers")
    _command(commands, monitor, "monitor", "show the display of the running vcam")
    command = _command(commands, show_log, "logs", "what has happened, in UTC")
    command.add_argument("-n", type=int, default=50, metavar="N", help="so many lines")
    command.add_argument("-f", dest="follow", action="store_true", help="and those that come")
    for name, text in HOW.items():
        _command(commands, partial(be, name), name, text)
    command = _command(
        commands, mode, "mode", "how ARTalk listens: 0.12 s behind, or exactly and 4.16 s"
    )
    command.add_argument("mode", choices=MODES)
    for do, text in (("camera", "send to another camera"), ("microphone", "hear another one")):
        command = _command(commands, partial(change, do), do, text)
        command.add_argument("name", metavar="NAME")
    _add_service(commands)


def start(options: argparse.Namespace) -> None:
    """vcam start: a run in the background; returns once it is live, or says why it is not."""
    with out.status("starting") as bar:
        number = background.start(run_options.read(options), lambda note: bar.update(note))
    _plain(f"vcam is live (process {number}); end it with: vcam stop")


def restart(options: argparse.Namespace) -> None:
    """vcam restart: the same again."""
    with out.status("restarting") as bar:
        number = background.restart(lambda note: bar.update(note))
    _plain(f"vcam is live (process {number})")


def stop(options: argparse.Namespace) -> None:
    """vcam stop: end the running vcam."""
    with out.status("stopping"):
        background.stop()


def status(options: argparse.Namespace) -> int | None:
    """vcam status: one line, or everything; exit code 3 when none is running."""
    try:
        reply = control.ask({"do": "status"})
    except NotRunning as error:
        waits = "it starts, or has crashed and will be started again; see: vcam logs"
        print(f"vcam: {waits if background.keepers_process() else error}", file=sys.stderr)
        return NOT_RUNNING
    if options.json:
        print(json.dumps(reply["status"]))
    else:
        _plain(hud.line(Snapshot.of_json(reply["status"])))
    return None


def monitor(options: argparse.Namespace) -> None:
    """vcam monitor: the display of the running vcam, in any terminal, several at once."""
    with screen.watching(display=True, ends="Ctrl-C leaves; vcam goes on") as watch:
        for news in control.asked({"do": "watch"}):
            watch(Snapshot.of_json(news["status"]))


def show_log(options: argparse.Namespace) -> None:
    """vcam logs: the newest lines, and with -f all that come."""
    lines = logs.newest(max(0, options.n))
    if not (lines or options.n < 1):
        print(f"nothing has happened yet; it will be in {logs.path()}", file=sys.stderr)
    for line in lines:
        print(line)
    for line in logs.following() if options.follow else ():
        print(line, end="\n" if line else "", flush=True)


def be(how: str, options: argparse.Namespace) -> None:
    """vcam mute, unmute, idle, pause, panic, resume: say what others see and hear now."""
    _plain(control.ask({"do": how})["presence"])


def mode(options: argparse.Namespace) -> None:
    """vcam mode: ARTalk's mode in the running vcam."""
    control.ask({"do": "mode", "mode": options.mode})


def change(do: str, options: argparse.Namespace) -> None:
    """vcam camera, vcam microphone: another device in the running vcam."""
    name = options.name
    if do == "camera" and name.lower().endswith(FILM):
        name = str(Path(name).absolute())
    control.ask({"do": do, "name": name})


def install(options: argparse.Namespace) -> None:
    """vcam service install: a unit for the user's systemd."""
    _plain(f"{service.install(run_options.read(options))}")
    _plain("it starts at login; now: systemctl --user start vcam")


def remove(options: argparse.Namespace) -> None:
    """vcam service remove: take the unit away."""
    _plain("removed" if service.remove() else "there was no service")


def show(options: argparse.Namespace) -> None:
    """vcam service show: the unit as it would be written."""
    print(service.unit(), end="")


def _add_service(commands: Commands) -> None:
    parser = commands.add_parser("service", help="let systemd start vcam at login")
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run_options.add(_command(below, install, "install", "write the unit; options as of run"))
    _command(below, remove, "remove", "end the service and delete the unit")
    _command(below, show, "show", "print the unit")


def _command(
    commands: Commands, act: Callable[[argparse.Namespace], Any], name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text)
    parser.set_defaults(command=act)
    return parser


def _plain(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)

"""What the user types to a vcam in the background; hooked into `vcam.cli.main`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vcam.cli import first_steps, run_options
from vcam.config import FILM, MODES
from vcam.control import server
from vcam.daemon import background, launchd, service, task
from vcam.errors import DeviceError, NotRunning
from vcam.monitor import hud, logs, terminal
from vcam.monitor.stats import Snapshot
from vcam.monitor.terminal import complain, note, say, tell
from vcam.motion import gestures

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

NOT_RUNNING = 3  # as the Linux Standard Base says of `status`

HOW = {
    "mute": "no voice leaves, and the avatar idles",
    "unmute": "end that",
    "idle": "the avatar idles, the voice goes on",
    "pause": "the picture stands still, no voice leaves, nothing is computed",
    "panic": "a privacy screen in place of the picture at once, and no voice",
    "real": "your real camera (--webcam) in place of the avatar",
    "avatar": "end that",
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
    command = _command(commands, express, "express", "make a gesture, also while you speak")
    command.add_argument("gesture", choices=gestures.ORDER, metavar="|".join(gestures.ORDER))
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
    config = run_options.read(options)
    if told := str(run_options.kept(options)):
        note(f"as chosen in vcam setup: {told}")
    with terminal.doing("starting") as bar:
        number = background.start(config, bar)
    say(f"vcam is live (process {number}); end it with: vcam stop")
    for trouble in background.troubles():
        note(trouble)
    with contextlib.suppress(DeviceError):  # it has ended already: nothing to choose
        if chosen := first_steps.to_choose(server.ask({"do": "status"})["status"]):
            say(chosen)


def restart(options: argparse.Namespace) -> None:
    """vcam restart: the same again."""
    with terminal.doing("restarting") as bar:
        number = background.restart(bar)
    say(f"vcam is live (process {number})")


def stop(options: argparse.Namespace) -> None:
    """vcam stop: end the running vcam."""
    from vcam.audio import own_devices

    try:
        with terminal.doing("stopping"):
            background.stop()
    finally:  # also where none runs: one that was killed has left them
        if left := own_devices.left(remove=True):
            note(f"vcam: {left}")


def status(options: argparse.Namespace) -> int | None:
    """vcam status: one line, or everything; exit code 3 when none is running."""
    try:
        reply = server.ask({"do": "status"})
    except NotRunning as error:
        waits = "it starts, or has crashed and will be started again; see: vcam logs"
        complain(waits if background.supervisors_process() else error)
        return NOT_RUNNING
    if options.json:
        tell(json.dumps(reply["status"]))
    else:
        say(hud.line(Snapshot.of_json(reply["status"])))
    return None


def monitor(options: argparse.Namespace) -> None:
    """vcam monitor: the display of the running vcam, in any terminal, several at once."""
    from vcam.cli import screen
    from vcam.cli.keys import LEAVE, Keys

    with screen.watching(display=True, keys=Keys(LEAVE, server.ask)) as watch:
        for news in server.asked({"do": "watch"}):
            watch(Snapshot.of_json(news["status"]))


def show_log(options: argparse.Namespace) -> None:
    """vcam logs: the newest lines, and with -f all that come."""
    lines = logs.newest(max(0, options.n))
    if not (lines or options.n < 1):
        note(f"nothing has happened yet; it will be in {logs.path()}")
    for line in lines:
        say(line)
    for line in logs.following() if options.follow else ():
        if line:
            say(line)
        terminal.require_reader()


def be(how: str, options: argparse.Namespace) -> None:
    """vcam mute, unmute, idle, pause, panic, resume: say what others see and hear now."""
    say(server.ask({"do": how})["presence"])


def express(options: argparse.Namespace) -> None:
    """vcam express: a smile, a nod, ... of the avatar, over whatever it is doing."""
    server.ask({"do": "express", "gesture": options.gesture})


def mode(options: argparse.Namespace) -> None:
    """vcam mode: ARTalk's mode in the running vcam."""
    server.ask({"do": "mode", "mode": options.mode})


def change(do: str, options: argparse.Namespace) -> None:
    """vcam camera, vcam microphone: another device in the running vcam."""
    name = options.name
    if do == "camera" and name.lower().endswith(FILM):
        name = str(Path(name).absolute())
    server.ask({"do": do, "name": name})


def install(options: argparse.Namespace) -> None:
    """vcam service install: a unit for systemd, an agent for launchd, a task for Task Scheduler."""
    there = _service()
    say(f"{there.install(run_options.read(options))}")
    say(there.INSTALLED)
    if there is launchd:
        note(f"vcam: {launchd.HONEST}")


def remove(options: argparse.Namespace) -> None:
    """vcam service remove: take it away."""
    say("removed" if _service().remove() else "there was no service")


def service_status(options: argparse.Namespace) -> int:
    """vcam service status: what there is, and whether a vcam runs; exit code 3 for no service."""
    told = _service().status()
    if not told:
        complain("there is no service; make one with: vcam service install")
        return NOT_RUNNING
    say(f"{told}; one runs now" if background.is_running() else f"{told}; none runs now")
    return 0


def show(options: argparse.Namespace) -> None:
    """vcam service show: its text as it would be written."""
    text = {"darwin": launchd.agent, "win32": task.task}.get(sys.platform, service.unit)
    tell(text().rstrip())


def _service() -> Any:
    """The module of what starts vcam at login here."""
    return {"darwin": launchd, "win32": task}.get(sys.platform, service)


def _add_service(commands: Commands) -> None:
    parser = commands.add_parser("service", help="let the system start vcam at login")
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    text = "a unit of systemd, an agent of launchd or a task of Windows; options as of run"
    run_options.add(_command(below, install, "install", text))
    _command(below, remove, "remove", "end the service and delete it")
    _command(below, service_status, "status", "say whether there is one; exit code 3: none")
    _command(below, show, "show", "print what `install` would write")


def _command(
    commands: Commands, act: Callable[[argparse.Namespace], Any], name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text)
    parser.set_defaults(command=act)
    return parser

"""The command line: what may be typed. What it does is in `cli`."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias, get_args

from vcam import __version__
from vcam.cli import (
    cluster,
    consent,
    daemon,
    grouped_help,
    models,
    record,
    remote,
    run_options,
    setup,
)
from vcam.cli import profile as profile_cli
from vcam.cli.completion import SHELLS
from vcam.config import MODES
from vcam.monitor.streams import harmless_lines
from vcam.mouth.musetalk.settings import Coder

SAMPLE = Path(__file__).parents[1] / "assets" / "hello.wav"

Command: TypeAlias = Callable[[argparse.Namespace], int | None]
if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Suggesting(argparse.ArgumentParser):
    """Says what may have been meant."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, with the nearest command or option."""
        words = [word.strip("'") for word in re.findall(r"'[^']+'", message)]
        if "unrecognized arguments" in message:
            words = [*message.split(": ")[1].split()[:1], *sorted(self._options())]
        close = difflib.get_close_matches(words[0], words[1:], n=1) if words else []
        said = f"{message}\ndid you mean {close[0]}?" if close else message
        super().error(harmless_lines(said))

    def _options(self) -> set[str]:
        """Of this command and all below it."""
        below = [each.choices for each in self._actions if isinstance(each.choices, dict)]
        parsers = [parser for choices in below for parser in choices.values()]
        known = [each._options() for each in parsers if isinstance(each, Suggesting)]
        return set(self._option_string_actions).union(*known)


class Whole(Suggesting):
    """Of all commands; its help has them in groups."""

    def format_help(self) -> str:
        """Usage, the groups, and what holds for every command."""
        (commands,) = [
            each for each in self._actions if isinstance(each, argparse._SubParsersAction)
        ]
        about = {each.dest: each.help or "" for each in commands._choices_actions}
        usage = self.format_usage()
        more = "vcam COMMAND --help tells more; vcam --version tells which one this is."
        return f"{usage}\n{self.description}\n\n{grouped_help.text(about)}\n{more}\n"


def parser(actions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser; the `command` of what it returns is the one of `actions` that was named."""
    whole = Whole(
        prog="vcam", description="A talking avatar in your video call, driven by voice alone."
    )
    whole.add_argument("--version", action="version", version=f"vcam {__version__}")
    kind: type[argparse.ArgumentParser] = Suggesting
    commands = whole.add_subparsers(required=True, metavar="COMMAND", parser_class=kind)
    for name, (text, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=text)
        add(command)
        command.set_defaults(command=actions[name])
    daemon.add_parser(commands)
    models.add_parser(commands)
    profile_cli.add_parser(commands)
    record.add_parser(commands)
    setup.add_parser(commands)
    remote.add_parser(commands)
    cluster.add_parser(commands)
    return whole


def _run(parser: argparse.ArgumentParser) -> None:
    run_options.add(parser)
    parser.add_argument(
        "--no-hud", dest="hud", action="store_false", help="say a line every 5 s instead"
    )
    parser.add_argument("--json", action="store_true", help="print the last numbers as JSON")


def _render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("voice", type=Path, metavar="VOICE.wav")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")
    run_options.add_face(parser)
    parser.add_argument(
        "--mode", default="broadcast", choices=MODES, help="how ARTalk decodes: exact, or as live"
    )


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mic", action="store_true", help="with your own voice, live")
    run_options.add_look(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path("vcam-demo.mp4"))


def _dub(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("film", type=Path, metavar="FILM.mp4")
    parser.add_argument("voice", type=Path, metavar="VOICE.wav")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")
    consent.add(parser)
    parser.add_argument(
        "--profile", default="demo", metavar="NAME", help="whose mouth settings and badge"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FOLDER", help="of MuseTalk's released files"
    )
    parser.add_argument(
        "--device", default="cuda", choices=("cuda", "cpu"), help="cpu: many seconds a frame"
    )


def _bench(parser: argparse.ArgumentParser) -> None:
    run_options.add_face(parser)
    parser.add_argument("--wav", metavar="FILE", type=Path, default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the live run; 0: none")
    parser.add_argument("--frames", type=int, default=300, help="timed one by one; 0: none")
    parser.add_argument(
        "--weights",
        choices=("synthetic", "small"),
        help="all neural stages with made-up networks: of full size, or small ones for the CPU",
    )
    parser.add_argument("--mode", default="", choices=MODES, help="of ARTalk; else the profile's")
    parser.add_argument(
        "--coder", choices=get_args(Coder), help="of the mouth's pictures; else the profile's"
    )
    parser.add_argument(
        "--sms", type=int, metavar="N", help="use only N of the GPU's multiprocessors"
    )
    parser.add_argument(
        "--brief", action="store_true", help="frames, hops, levels: no film, no eager path"
    )
    parser.add_argument(
        "--json", action="store_true", help="a line for each measurement, the last for all"
    )


def _doctor(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="everything, for programs")
    how.add_argument(
        "--fix", action="store_true", help="print all mends as one shell script; runs nothing"
    )
    parser.add_argument(
        "--engine", metavar="NAME|ssh:HOST", help="look at an engine on another machine instead"
    )


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)


def _nothing(parser: argparse.ArgumentParser) -> None:
    """No options."""


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("live, from the microphone to the camera", _run),
    "render": ("make a film of a voice recording", _render),
    "demo": ("let the demo avatar speak", _demo),
    "dub": ("repaint the mouth in a film for another voice", _dub),
    "bench": ("measure what this machine can do", _bench),
    "devices": ("list microphones and cameras", _nothing),
    "doctor": ("say what works here, and what mends the rest", _doctor),
    "completion": ('let a shell complete: eval "$(vcam completion bash)"', _completion),
}

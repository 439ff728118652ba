"""vcam models: what the user types about models, and what is printed; hooked into `main`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from vcam import clock
from vcam.errors import DeviceError, WeightsError
from vcam.monitor import terminal
from vcam.monitor.terminal import out, say, text
from vcam.weights import manifest

if TYPE_CHECKING:
    from vcam.weights.pull import Outcome, Progress

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DOING = {"download": "downloading", "check": "checking", "convert": "converting"}
COLOURS = {"ready": "green", "missing": "dim", "damaged": "red", "outdated": "yellow"}
UNLOCKED = (
    "this system can lock nothing away from the converter (no Landlock, no seccomp): it ran as "
    "you, in a process of its own, and refused anything but plain numbers"
)

FPS = 30  # kernels do not depend on it


def add_parser(commands: Commands) -> None:
    """Add `models` and what goes below it to vcam's commands."""
    parser = commands.add_parser("models", help="fetch, check and list the neural models")
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _command(below, show, "list", "what there is, how big, under which licence, and what is here")
    command = _command(below, pull, "pull", "download and convert; resumes where it stopped")
    command.add_argument("names", nargs="*", metavar="NAME", help="all but the optional ones")
    command.add_argument("--offline", action="store_true", help="take only what is in the cache")
    command = _command(below, verify, "verify", "compare every file with its recorded sha256")
    command.add_argument("names", nargs="*", metavar="NAME")
    command = _command(below, path, "path", "print the folder of the models, or one model's file")
    command.add_argument("name", nargs="?", metavar="NAME")
    command = _command(below, add, "add", "check and take a file you have")
    command.add_argument("name", metavar="NAME")
    command.add_argument("file", type=Path, metavar="FILE")
    command = _command(below, build, "build", "compile the networks for this GPU, once")
    command.add_argument("--profile", metavar="NAME", help="with the settings of this one")
    command.add_argument("--size", type=int, default=512, help="of the picture, as in vcam run")


def show(options: argparse.Namespace) -> None:
    """vcam models list: one line a model."""
    table = Table.grid(padding=(0, 2))
    for model in manifest.manifest().values():
        states = [finding.state for finding in manifest.survey([model], manifest.folder())]
        state = next((state for state in states if state != "ready"), "ready")
        ready = states.count("ready")
        here = f"{ready} of {len(states)} ready" if 0 < ready < len(states) else state
        size = f"{model.size / 1e6:,.0f} MB"
        extra = "\noptional" if model.optional else ""
        about = Text.assemble(text(model.title), "\n", text(model.licence, "dim"))
        name = Text.assemble(text(model.name, "bold"), extra)
        table.add_row(name, size, text(here, COLOURS[state]), about)
    out.print(table)
    say(f"in {manifest.folder()}")


def pull(options: argparse.Namespace) -> None:
    """vcam models pull: download, check, convert; the steps for what is manual."""
    from vcam.weights.hub import Hub
    from vcam.weights.pull import pull as fill

    models = manifest.chosen(options.names, manifest.manifest())
    root = manifest.folder()
    count = 0
    with _bars() as watch:
        for outcome in fill(models, root, Hub(offline=options.offline), watch):
            _tell(outcome)
            count += 1
    manual = {finding.model.name: finding.model for finding in manifest.survey(models, root)
              if finding.model.manual and finding.state != "ready"}  # fmt: skip
    for model in manual.values():
        say(f"\n{model.title}, is for you to get:\n{model.manual.rstrip()}")
    if not count and not manual:
        say(f"everything is in {root}")


def verify(options: argparse.Namespace) -> None:
    """vcam models verify: every file against its sha256; exit code 1 unless all is well."""
    from vcam.weights.pull import Progress

    models = [manifest.chosen([name], manifest.manifest())[0] for name in options.names]
    models = models or list(manifest.manifest().values())
    with _bars() as watch:
        found = manifest.verify(
            models,
            manifest.folder(),
            lambda asset, at: watch(Progress(asset, "check", at)),
        )
    for finding in found:
        if options.names or finding.state != "missing":
            state = text(f"{finding.state:9}", COLOURS[finding.state])
            say(Text.assemble(state, text(str(finding.path))))
    _demand_well(found, bool(options.names))


def path(options: argparse.Namespace) -> None:
    """vcam models path: for scripts; exit code 1 unless the model is complete."""
    say(str(manifest.find(options.name) if options.name else manifest.folder()))


def add(options: argparse.Namespace) -> None:
    """vcam models add: a file the user has becomes part of a model."""
    from vcam.weights.pull import add as take

    (model, *_) = manifest.chosen([options.name], manifest.manifest())
    with _bars() as watch:
        outcome = take(model, options.file, manifest.folder(), watch)
    if not outcome.known:
        say(f"{options.file} is not the edition this vcam knows, but everything needed is in it")
    _tell(outcome)


def build(options: argparse.Namespace) -> None:
    """vcam models build: compile for this GPU what has not been; needs no downloads."""
    from vcam.engine.backends import Asked
    from vcam.engine.build import build as compile_all
    from vcam.engine.build import parts
    from vcam.gpu import compiled
    from vcam.profiles.profile import load, made_up

    chosen = load(options.profile) if options.profile else made_up("synthetic")
    asked = Asked(chosen, FPS, options.size)
    if not parts(asked):
        raise DeviceError("nothing to compile: that takes torch, an NVIDIA GPU and, for a profile, "
                          "its models; `vcam doctor` tells more")  # fmt: skip
    began = clock.now()
    for doing in compile_all(asked):
        say(f"{clock.now() - began:6.1f} s  {doing}")
    say(f"{clock.now() - began:6.1f} s  all is compiled in {compiled.folder()}")


def _demand_well(found: list[manifest.Finding], named: bool) -> None:
    bad = [one for one in found if one.state in ("damaged", "outdated")]
    bad += [one for one in found if one.state == "missing" and named]
    if bad:
        remedies = "; ".join(dict.fromkeys(finding.model.remedy for finding in bad))
        count = "1 file is" if len(bad) == 1 else f"{len(bad)} files are"
        raise WeightsError(f"{count} not in order: {remedies}")


def _tell(outcome: Outcome) -> None:
    if outcome.locks == "none":
        say(UNLOCKED)
    how = f"  (converted behind {outcome.locks})" if outcome.locks else ""
    say(f"{outcome.path}  {outcome.path.stat().st_size / 1e6:,.1f} MB{how}")


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    """A bar for the file in work."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
               TransferSpeedColumn())  # fmt: skip
    with Bars(*columns, console=out, transient=True, disable=not terminal.draws()) as bars:
        task = bars.add_task("", total=None, visible=False)
        current: tuple[str, str] | None = None

        def watch(now: Progress) -> None:
            nonlocal current
            if current != (now.doing, now.asset.to):
                current = (now.doing, now.asset.to)
                doing = f"{DOING[now.doing]} {now.asset.file}"
                bars.reset(task, description=doing, total=now.asset.size, visible=True)
            bars.update(task, completed=now.done)

        yield watch


def _command(
    below: Commands, act: Callable[[argparse.Namespace], None], name: str, about: str
) -> argparse.ArgumentParser:
    parser = below.add_parser(name, help=about)
    parser.set_defaults(command=act)
    return parser

"""What the user types becomes a run; the only place that prints, and that knows exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import psutil
from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from vcam import __version__, models_cli
from vcam.config import FPS_CHOICES, RunConfig
from vcam.errors import DeviceError, MediaError, VcamError
from vcam.stats import Snapshot

SAMPLE = Path(__file__).parent / "assets" / "hello.wav"
DRAW_EVERY = 1 / 8  # seconds
LOG_EVERY = 5.0  # seconds
INTERRUPTED = 130

out = Console()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for a known trouble, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except VcamError as error:
        print(f"vcam: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """vcam run: live, from the microphone to the camera."""
    config = RunConfig(
        profile=options.profile,
        microphone=options.mic,
        wav=options.wav,
        voice=options.voice,
        camera=options.camera,
        fps=options.fps,
        size=options.size,
        seconds=options.seconds,
    )
    last = _live(config, options.hud)
    if options.json:
        print(json.dumps(last.as_json()))


def render(options: argparse.Namespace) -> None:
    """vcam render: a voice recording becomes a film."""
    _film(options.voice, options.output, options)


def demo(options: argparse.Namespace) -> None:
    """vcam demo: the demo avatar speaks: live where anyone can see it, and into a film."""
    from vcam.camera.open import list_cameras

    usable = [found.name for found in list_cameras() if found.trouble is None]
    if options.mic or usable or out.is_terminal:
        if not usable:
            out.print("No virtual camera here (`vcam doctor` tells how to get one); look below.")
        wav = None if options.mic else SAMPLE
        _live(RunConfig(camera=[*usable, "none"][0], wav=wav), hud=True)
    if not options.mic:
        _film(SAMPLE, options.output, options)


def devices(options: argparse.Namespace) -> None:
    """vcam devices: microphones and cameras, and what is wrong with each."""
    from vcam.audio.microphone import list_microphones
    from vcam.camera.open import list_cameras

    try:
        _list("Microphones", [(found.name, None) for found in list_microphones()])
    except DeviceError as error:
        _list("Microphones", [("none", str(error))])
    _list(
        "Cameras", [(f"{found.name} ({found.backend})", found.trouble) for found in list_cameras()]
    )


def doctor(options: argparse.Namespace) -> None:
    """vcam doctor: what works here, what does not, and what mends it."""
    from vcam.doctor import examine

    with out.status("looking around"):
        checks = examine()
    for check in checks:
        out.print("[green]✓[/]" if check.ok else "[red]✗[/]", f"[bold]{check.name}[/] ", end="")
        _plain(check.detail)
        if not check.ok and check.mend:
            _plain(f"    mend it:  {check.mend}", "cyan")


def bench(options: argparse.Namespace) -> None:
    """vcam bench: the cost of each stage, and one live run."""
    from vcam import bench as measure
    from vcam import profile

    what = (profile.load(options.profile), options.wav, options.fps, options.size)
    with out.status("measuring the stages"):
        cost = measure.cost(*what)
    with out.status("starting the engine") as status:
        last = measure.live(*what, options.seconds, _say(status.update))
    out.print(measure.table(cost, last))
    print(json.dumps(measure.as_json(cost, last)))


def _say(update: Callable[[str], None]) -> Callable[[Snapshot], None]:
    return lambda now: update(f"live for {now.seconds:.0f} s at {now.fps:.1f} fps")


def _live(config: RunConfig, hud: bool) -> Snapshot:
    from vcam.live import live

    with _display() if hud and out.is_terminal else _log() as watch:
        last = live(config, watch)
    _plain(_summary(last))
    return last


@contextmanager
def _display() -> Iterator[Callable[[Snapshot], None]]:
    """Draw the HUD a few times a second."""
    from vcam import hud

    with Live(console=out, auto_refresh=False, transient=True) as screen:
        yield _at_most(DRAW_EVERY, lambda now: screen.update(hud.render(now), refresh=True))


@contextmanager
def _log() -> Iterator[Callable[[Snapshot], None]]:
    """Say a line on standard error now and then, and at once when the engine's state changes."""
    from vcam import hud

    said = _at_most(LOG_EVERY, lambda now: print(hud.line(now), file=sys.stderr, flush=True))
    state = ""

    def watch(now: Snapshot) -> None:
        nonlocal state
        if now.engine.state != state:
            state = now.engine.state
            print(f"engine {state} {now.engine.note}".rstrip(), file=sys.stderr, flush=True)
        said(now)

    yield watch


def _at_most(period: float, act: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    last = time.monotonic()

    def watch(now: Snapshot) -> None:
        nonlocal last
        if time.monotonic() - last >= period:
            last = time.monotonic()
            act(now)

    return watch


def _summary(last: Snapshot) -> str:
    latency = last.latency_ms
    return (
        f"{last.frames} frames in {last.seconds:.1f} s, {last.on_time:.2%} on time, latency "
        f"{latency.p50:.0f} / {latency.p95:.0f} / {latency.p99:.0f} ms (p50 / p95 / p99), "
        f"longest gap {last.gap_ms:.0f} ms, into {last.camera}"
    )


def _film(voice_path: Path, output: Path, options: argparse.Namespace) -> None:
    """Make the film, with a progress bar; say where it is."""
    from vcam import profile
    from vcam.audio.wav import read_wav
    from vcam.camera.video_file import VideoFile
    from vcam.engine import Engine
    from vcam.offline import film

    if output.suffix.lower() != ".mp4":
        raise MediaError(f"cannot film into {output}: the file must be called something.mp4")
    chosen, voice = profile.load(options.profile), read_wav(voice_path).samples
    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("loading the avatar", total=1.0)
        engine = Engine.open(chosen, options.fps, options.size)
        with VideoFile(output, (options.size, options.size), options.fps) as recorder:
            progress.update(task, description="filming")
            for done in film(voice, engine, recorder):
                _say_first(done)
                progress.update(task, completed=done)
    _plain(f"{output.resolve()}  ({len(voice) / 48_000:.1f} s, {recorder.format})")


def _say_first(done: float) -> None:
    """Say how long after the command the first frame was ready."""
    if done == 0.0:
        since = time.time() - psutil.Process().create_time()
        _plain(f"first frame {since:.1f} s after the command")


def _plain(text: str, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _list(title: str, rows: list[tuple[str, str | None]]) -> None:
    out.print(f"[bold]{title}[/]")
    for name, trouble in rows or [("none", "`vcam doctor` tells what to do")]:
        _plain(f"  {name}" + (f"\n      {trouble}" if trouble else ""), "dim" if trouble else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vcam", description="A talking avatar in your video call, driven by voice alone."
    )
    parser.add_argument("--version", action="version", version=f"vcam {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_render(commands)
    _add_demo(commands)
    _add_bench(commands)
    models_cli.add_parser(commands)
    for command, text in ((devices, "list microphones and cameras"), (doctor, "say what to mend")):
        commands.add_parser(command.__name__, help=text).set_defaults(command=command)
    return parser


if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_run(commands: Commands) -> None:
    parser = commands.add_parser("run", help="live, from the microphone to the camera")
    _add_face(parser)
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--mic", metavar="NAME", help="a microphone of `vcam devices`")
    sound.add_argument("--wav", metavar="FILE", type=Path, help="play a file as the microphone")
    parser.add_argument(
        "--camera", default="auto", metavar="NAME", help="auto, a camera, FILE.mp4, or none"
    )
    parser.add_argument(
        "--voice", default="auto", metavar="NAME", help="virtual microphone: auto, an output, none"
    )
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument(
        "--no-hud", dest="hud", action="store_false", help="log a line every 5 s instead"
    )
    parser.add_argument("--json", action="store_true", help="print the last numbers as JSON")
    parser.set_defaults(command=run)


def _add_render(commands: Commands) -> None:
    parser = commands.add_parser("render", help="make a film of a voice recording")
    parser.add_argument("voice", type=Path, metavar="VOICE.wav")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")
    _add_face(parser)
    parser.set_defaults(command=render)


def _add_demo(commands: Commands) -> None:
    parser = commands.add_parser("demo", help="let the demo avatar speak")
    parser.add_argument("--mic", action="store_true", help="with your own voice, live")
    parser.add_argument("-o", "--output", type=Path, default=Path("vcam-demo.mp4"))
    parser.set_defaults(command=demo, profile="demo", fps=30, size=512)


def _add_bench(commands: Commands) -> None:
    parser = commands.add_parser("bench", help="measure what this machine can do")
    _add_face(parser)
    parser.add_argument("--wav", metavar="FILE", type=Path, default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the live run")
    parser.set_defaults(command=bench)


def _add_face(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="demo", metavar="NAME", help="whose face")
    parser.add_argument("--fps", type=int, default=30, choices=FPS_CHOICES)
    parser.add_argument("--size", type=int, default=512, help="pixels, square")

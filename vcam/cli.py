"""What the user types becomes a run; the only place that prints, and that knows exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress

from vcam import consent_cli, run_options, screen
from vcam.config import RunConfig
from vcam.errors import DeviceError, VcamError
from vcam.options import SAMPLE, parser
from vcam.stats import Snapshot

INTERRUPTED = 130

out = Console()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for a known trouble, 2 for a wrong command line.

    `vcam status` has one more: 3 when no vcam is running.
    """
    options = parser(COMMANDS).parse_args(arguments)
    try:
        return options.command(options) or 0
    except VcamError as error:
        print(f"vcam: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run(options: argparse.Namespace) -> None:
    """vcam run: live, from the microphone to the camera."""
    last = _live(run_options.read(options), options.hud)
    if options.json:
        print(json.dumps(last.as_json()))


def render(options: argparse.Namespace) -> None:
    """vcam render: a voice recording becomes a film."""
    _film(options.voice, options.output, run_options.read_face(options), options.mode)


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
        _film(SAMPLE, options.output, RunConfig())


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
    """vcam bench: one live run, and the cost of each stage."""
    from vcam import bench as measure
    from vcam import profile
    from vcam.bench_table import table

    face = profile.load(options.profile)
    if options.weights:
        face = profile.made_up(options.weights, face)
    face = replace(face, mode=options.mode or face.mode)
    asked = measure.Asked(
        face, options.wav, options.fps, options.size, options.seconds, options.frames
    )
    with out.status("starting the engine") as status:
        now_and_then = screen.at_most(screen.LOG_EVERY, screen.say)
        say = status.update if out.is_terminal else now_and_then
        report = measure.measure(asked, say, _tell if options.json else lambda name, found: None)
    if not options.json:
        out.print(table(report))
    print(json.dumps(report.as_json()))
    if report.failed:
        raise VcamError(f"could not measure: {', '.join(report.failed)}")


def dub(options: argparse.Namespace) -> None:
    """vcam dub: a film's mouth repainted for another voice."""
    from vcam import profile
    from vcam.dub import dub_with_musetalk

    agreed = consent_cli.given(options, out, "film")
    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("dubbing", total=1.0)
        became = dub_with_musetalk(
            options.film,
            options.voice,
            options.output,
            profile.load(options.profile),
            agreed,
            options.weights,
            options.device,
            lambda done: progress.update(task, completed=done),
        )
    _plain(f"{options.output.resolve()}: {became}")


def _live(config: RunConfig, hud: bool) -> Snapshot:
    from vcam.live import live

    with screen.watching(hud) as watch:
        last = live(config, watch)
    _plain(_summary(last))
    return last


def _tell(name: str, found: object) -> None:
    print(json.dumps({name: found}), flush=True)


def _summary(last: Snapshot) -> str:
    latency = last.latency_ms
    return (
        f"{last.frames} frames in {last.seconds:.1f} s, {last.on_time:.2%} on time, latency "
        f"{latency.p50:.0f} / {latency.p95:.0f} / {latency.p99:.0f} ms (p50 / p95 / p99), "
        f"longest gap {last.gap_ms:.0f} ms, into {last.camera}"
    )


def _film(voice_path: Path, output: Path, config: RunConfig, mode: str = "broadcast") -> None:
    """Make the film, with a progress bar; say where it is."""
    from vcam.offline import filmed

    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("loading the avatar", total=1.0)
        for done in filmed(voice_path, output, config, mode):
            _say_first(done)
            progress.update(task, completed=done, description="filming")
    _plain(f"{output.resolve()}")


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


_ALL = (run, render, demo, dub, bench, devices, doctor)
COMMANDS = {command.__name__: command for command in _ALL}

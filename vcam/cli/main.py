"""What the user types becomes a run; the only place that prints, and that knows exit codes."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from vcam import access
from vcam.cli import completion, consent, run_options
from vcam.cli.devices import devices
from vcam.cli.options import SAMPLE, parser
from vcam.config import RunConfig
from vcam.errors import DeviceError, NoCamera, VcamError
from vcam.monitor import logs, streams, terminal
from vcam.monitor.stats import Snapshot
from vcam.monitor.terminal import out, say
from vcam.system import signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for a known trouble, 2 for a wrong command line.

    `vcam status` has one more: 3 when no vcam is running; of `vcam doctor`, 1 says that no call is
    possible here. A command that a signal ended before it had done anything gives 128 and the
    signal's number.
    """
    streams.prepare()
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        with signals.listening():
            if typed or completion.is_asked() or not terminal.draws():
                code = _done(_read(typed))
            else:
                code = _welcomed()
    except SystemExit as ended:  # argparse has said what there is to say
        raise SystemExit(streams.finish(int(ended.code or 0))) from None
    return streams.finish(code)


def _read(typed: Sequence[str]) -> argparse.Namespace:
    """What was typed; a shell that asks what may come next is answered in place of that."""
    known = parser(COMMANDS)
    completion.answer(known)
    return known.parse_args(typed)


def _welcomed() -> int:
    """Nothing was typed: say what there is to type."""
    from vcam.cli.first_steps import three

    for what, command in three():
        say(f"{what + ':':16}{command}")
    return 0


def _done(options: argparse.Namespace) -> int:
    """Do it, and tell what went wrong; the exit code."""
    try:
        return options.command(options) or 0
    except VcamError as error:
        terminal.complain(error)
    except OSError as error:  # of a file that no part of vcam gives a meaning to
        terminal.complain(f"cannot go on: {access.explained(error)}")
    except signals.Ended as ended:
        return ended.code
    return 1


def run(options: argparse.Namespace) -> None:
    """vcam run: live, from the microphone to the camera; to this terminal where there is none."""
    config = run_options.read(options)
    if told := str(run_options.kept(options)):
        terminal.note(f"as chosen in vcam setup: {told}")
    try:
        last = _live(config, options.hud)
    except NoCamera as error:
        if not (options.hud and terminal.draws()):  # nobody would see anything
            raise
        terminal.note(f"no camera yet, so only you see this; to be seen in a call: {error}")
        last = _live(replace(config, camera="none"), hud=True)
    if options.json:
        terminal.tell(json.dumps(last.as_json()))


def render(options: argparse.Namespace) -> None:
    """vcam render: a voice recording becomes a film."""
    _film(options.voice, options.output, run_options.read_face(options), options.mode)


def demo(options: argparse.Namespace) -> None:
    """vcam demo: the demo avatar speaks: live where anyone can see it, and into a film."""
    from vcam.camera.open import list_cameras

    usable = [found.name for found in list_cameras() if found.trouble is None]
    shown = options.mic or usable or terminal.draws()
    if shown:
        if not usable:
            say("No virtual camera here (`vcam doctor` tells how to get one); look below.")
        wav = None if options.mic else SAMPLE
        try:
            _live(RunConfig(look=options.look, camera=[*usable, "none"][0], wav=wav), hud=True)
        except DeviceError as error:  # the film is still to be had
            if options.mic:
                raise
            terminal.complain(error)
    if not options.mic:
        _film(SAMPLE, options.output, RunConfig(look=options.look), is_first=not shown)


def doctor(options: argparse.Namespace) -> int:
    """vcam doctor: what can be done here, what is missing, what mends it; 0 if a call can be."""
    from vcam.cli.doctor import examine
    from vcam.cli.verdict import Verdict

    if options.engine:
        return _far_engine(options)
    with terminal.doing("looking around"):
        verdict = Verdict(examine())
    if options.fix:
        terminal.tell(verdict.script())
    elif options.json:
        terminal.tell(json.dumps(verdict.as_json()))
    else:
        verdict.tell()
    return 0 if verdict.can["call"] else 1


def _far_engine(options: argparse.Namespace) -> int:
    """vcam doctor --engine: 0 if frames can be had from there."""
    from vcam.cli import doctor_engine
    from vcam.cli.verdict import Verdict

    with terminal.doing(f"asking {options.engine}"):
        verdict = Verdict(list(doctor_engine.examine(options.engine)))
    if options.fix:
        terminal.tell("\n".join(each.command for each in verdict.checks if each.command))
    elif options.json:
        terminal.tell(json.dumps([asdict(check) for check in verdict.checks]))
    else:
        verdict.tell_findings()
    return 0 if all(check.ok for check in verdict.checks) else 1


def complete(options: argparse.Namespace) -> None:
    """vcam completion SHELL: the lines that let a shell complete what is typed."""
    terminal.tell(completion.script(options.shell))


def bench(options: argparse.Namespace) -> None:
    """vcam bench: one live run, and the cost of each stage."""
    from vcam.bench import measure
    from vcam.bench.table import table
    from vcam.cli import screen
    from vcam.gpu import part
    from vcam.profiles import profile

    face = profile.wearing(options.look, profile.load(options.profile or run_options.FACE))
    if options.weights:
        face = profile.made_up(options.weights, face)
    face = replace(face, mode=options.mode or face.mode)
    if options.coder:
        face = replace(face, musetalk=replace(face.musetalk, coder=options.coder))
    part.ask(options.sms)
    asked = measure.Asked(
        face,
        options.wav,
        options.fps,
        run_options.read_face(options).side(face.renderer, face.framing.zoom),
        options.seconds,
        options.frames,
        options.brief,
    )
    with terminal.doing("starting the engine") as show:
        now_and_then = screen.at_most(screen.LOG_EVERY, terminal.note)
        hear = show if terminal.draws() else now_and_then
        report = measure.measure(asked, hear, _tell if options.json else lambda name, found: None)
    if not options.json:
        out.print(table(report))
    terminal.tell(json.dumps(report.as_json()))
    if report.failed:
        raise VcamError(f"could not measure: {', '.join(report.failed)}")


def dub(options: argparse.Namespace) -> None:
    """vcam dub: a film's mouth repainted for another voice."""
    from vcam.film.dub import dub_with_musetalk
    from vcam.profiles import profile

    agreed = consent.given(options, "film")
    with logs.told(terminal.note), terminal.progress("dubbing") as show:
        became = dub_with_musetalk(
            options.film,
            options.voice,
            options.output,
            profile.load(options.profile),
            agreed,
            options.weights,
            options.device,
            lambda done: show(done, "dubbing"),
        )
    say(f"{options.output.resolve()}: {became}")


def _live(config: RunConfig, hud: bool) -> Snapshot:
    from vcam.audio import own_devices
    from vcam.cli import screen
    from vcam.cli.keys import QUIT, Keys
    from vcam.control.requests import request_of
    from vcam.live.reach import Act
    from vcam.live.run import live

    keys = Keys(QUIT)

    def meet(act: Act) -> None:
        keys.ask = lambda said: act(request_of(said))

    with screen.watching(hud, keys) as watch:
        last = live(config, watch, meet=meet)
    say(_summary(last))
    if config.voice == "auto" and (left := own_devices.left()):
        terminal.note(f"vcam: {left}")
    return last


def _tell(name: str, found: object) -> None:
    terminal.tell(json.dumps({name: found}))


def _summary(last: Snapshot) -> str:
    """What was shown; of a film, what is in it."""
    latency, count = last.latency_ms, last.filmed or last.frames
    told = f"{count} frame{'' if count == 1 else 's'} in {last.seconds:.1f} s"
    if last.frames:  # else it was over before anything could be measured
        told += (
            f", {last.on_time:.2%} on time, latency {latency.p50:.0f} / {latency.p95:.0f} / "
            f"{latency.p99:.0f} ms (p50 / p95 / p99), longest gap {last.gap_ms:.0f} ms"
        )
    return f"{told}, into {last.camera}"


def _film(
    voice_path: Path,
    output: Path,
    config: RunConfig,
    mode: str = "broadcast",
    is_first: bool = True,
) -> None:
    """Make the film, with a progress bar; say where it is, and what the first picture took.

    Unless `is_first`: then the command has done something else before, and it would be no measure.
    """
    from vcam.film.render import filmed

    with (
        logs.told(terminal.note),
        terminal.progress("loading the avatar") as show,
        closing(filmed(voice_path, output, config, mode)) as film,
    ):
        for done in film:
            if is_first:
                _say_first(done)
            show(done, "filming")
    say(f"{output.resolve()}")


def _say_first(done: float) -> None:
    """Say how long after the command the first frame was ready."""
    if done == 0.0:
        import psutil

        since = time.time() - psutil.Process().create_time()
        say(f"first frame {since:.1f} s after the command")


_ALL = (run, render, demo, dub, bench, devices, doctor)
COMMANDS = {command.__name__: command for command in _ALL} | {"completion": complete}

"""The options of a live run, the same for `vcam run`, `vcam start` and `vcam service install`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from vcam.cli import choices
from vcam.cli.choices import Choices
from vcam.config import FPS_CHOICES, MODES, RunConfig
from vcam.render.head3d.look import LOOKS

FACE, AUTO = "demo", "auto"  # the profile and the camera where nobody says another


def add(parser: argparse.ArgumentParser) -> None:
    """Everything that makes a `RunConfig`."""
    add_face(parser)
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--mic", metavar="NAME", help="a microphone of `vcam devices`")
    sound.add_argument("--wav", metavar="FILE", type=Path, help="play a file as the microphone")
    parser.add_argument("--loop", action="store_true", help="play the file again and again")
    parser.add_argument(
        "--camera", metavar="NAME", help=f"{AUTO}, a camera, pipewire, FILE.mp4, none"
    )
    parser.add_argument(
        "--webcam", default="", metavar="DEVICE", help="your real camera, for: vcam real"
    )
    parser.add_argument(
        "--voice", default="auto", metavar="NAME", help="virtual microphone: auto, an output, none"
    )
    parser.add_argument("--mode", default="", choices=MODES, help="of ARTalk; else the profile's")
    parser.add_argument(
        "--begin", default="live", metavar="HOW", help="live, muted, idle, paused or hidden"
    )
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument(
        "--engine",
        default="",
        metavar="NAME|ssh:HOST",
        help="have the frames made on another machine; your voice goes there",
    )
    parser.add_argument(
        "--metrics", metavar="FILE.prom", type=Path, help="keep the numbers there for Prometheus"
    )


def add_face(parser: argparse.ArgumentParser) -> None:
    """Who is shown, and how large."""
    parser.add_argument("--profile", metavar="NAME", help="whose face")
    add_look(parser)
    parser.add_argument("--fps", type=int, default=30, choices=FPS_CHOICES)
    parser.add_argument(
        "--size",
        type=int,
        help="side of the square that is drawn; as large as it is shown, or 512",
    )
    parser.add_argument(
        "--output-size", default="", metavar="WxH", help="of the picture, such as 1280x720"
    )


def add_look(parser: argparse.ArgumentParser) -> None:
    """Who the embedded head is."""
    parser.add_argument(
        "--look", default="", choices=tuple(LOOKS), help=f"of the embedded head: {', '.join(LOOKS)}"
    )


def read_face(options: argparse.Namespace) -> RunConfig:
    """What the options of `add_face` say; ConfigError when they cannot be used."""
    return RunConfig(
        profile=options.profile or FACE,
        look=options.look,
        fps=options.fps,
        size=options.size,
        output=options.output_size,
    )


def read(options: argparse.Namespace) -> RunConfig:
    """What the options of `add` say, and where they say nothing what `vcam setup` has kept.

    ConfigError when they cannot be used.
    """
    typed = replace(
        read_face(options),
        microphone=options.mic,
        wav=options.wav,
        loop=options.loop,
        voice=options.voice,
        camera=options.camera or AUTO,
        webcam=options.webcam,
        seconds=options.seconds,
        engine=options.engine,
        mode=options.mode,
        begin=options.begin,
        metrics=options.metrics,
    )
    return kept(options).into(typed)


def kept(options: argparse.Namespace) -> Choices:
    """What `vcam setup` has kept of what the options do not say; profile and look go together."""
    chosen = choices.kept()
    if options.profile or options.look:
        chosen = replace(chosen, profile="", look="")
    if options.mic or options.wav:
        chosen = replace(chosen, mic="")
    return replace(chosen, camera="") if options.camera else chosen

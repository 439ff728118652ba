"""The options of a live run, the same for `vcam run`, `vcam start` and `vcam service install`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from vcam.config import FPS_CHOICES, MODES, RunConfig


def add(parser: argparse.ArgumentParser) -> None:
    """Everything that makes a `RunConfig`."""
    add_face(parser)
    sound = parser.add_mutually_exclusive_group()
    sound.add_argument("--mic", metavar="NAME", help="a microphone of `vcam devices`")
    sound.add_argument("--wav", metavar="FILE", type=Path, help="play a file as the microphone")
    parser.add_argument("--loop", action="store_true", help="play the file again and again")
    parser.add_argument(
        "--camera", default="auto", metavar="NAME", help="auto, a camera, FILE.mp4, or none"
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
        "--metrics", metavar="FILE.prom", type=Path, help="keep the numbers there for Prometheus"
    )


def add_face(parser: argparse.ArgumentParser) -> None:
    """Who is shown, and how large."""
    parser.add_argument("--profile", default="demo", metavar="NAME", help="whose face")
    parser.add_argument("--fps", type=int, default=30, choices=FPS_CHOICES)
    parser.add_argument("--size", type=int, default=512, help="side of the square that is drawn")
    parser.add_argument(
        "--output-size", default="", metavar="WxH", help="of the picture, such as 1280x720"
    )


def read_face(options: argparse.Namespace) -> RunConfig:
    """What the options of `add_face` say; ConfigError when they cannot be used."""
    return RunConfig(
        profile=options.profile, fps=options.fps, size=options.size, output=options.output_size
    )


def read(options: argparse.Namespace) -> RunConfig:
    """What the options of `add` say; ConfigError when they cannot be used."""
    return replace(
        read_face(options),
        microphone=options.mic,
        wav=options.wav,
        loop=options.loop,
        voice=options.voice,
        camera=options.camera,
        seconds=options.seconds,
        mode=options.mode,
        begin=options.begin,
        metrics=options.metrics,
    )

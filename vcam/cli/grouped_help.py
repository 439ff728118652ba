"""`vcam --help`: the commands by what they are for, each group with two examples."""

from __future__ import annotations

from collections.abc import Mapping

GROUPS: dict[str, tuple[tuple[str, ...], tuple[str, str]]] = {  # commands, and examples
    "see it": (
        ("demo", "render", "dub"),
        ("vcam demo --look river", "vcam render speech.wav -o talk.mp4"),
    ),
    "be in a call": (
        ("setup", "run", "start", "stop", "restart", "status", "monitor", "logs", "service"),
        ("vcam setup", "vcam start --output-size 1280x720"),
    ),
    "during the call": (
        ("mute", "unmute", "idle", "pause", "panic", "resume", "express", "real", "avatar",
         "mode", "camera", "microphone", "record"),
        ("vcam express smile", "vcam record what-they-get.mp4"),
    ),
    "your own face": (
        ("profile",),
        ("vcam profile create me --photo me.jpg", "vcam run --profile me"),
    ),
    "when something is wrong": (
        ("doctor", "devices", "bench", "completion"),
        ("vcam doctor", "vcam doctor --fix"),
    ),
    "the engine on another machine": (
        ("serve", "pair", "engines", "peers", "cluster"),
        ("vcam pair --listen 192.168.1.20", "vcam run --engine gpu-box"),
    ),
    "neural faces": (
        ("models",),
        ("vcam models list", "vcam bench --weights synthetic"),
    ),
}  # fmt: skip
COLUMN = 12  # of what a command is for


def text(about: Mapping[str, str]) -> str:
    """The groups, from what each command is for."""
    return "\n".join(_group(title, about) for title in GROUPS)


def _group(title: str, about: Mapping[str, str]) -> str:
    names, examples = GROUPS[title]
    lines = [f"  {name:{COLUMN}}{about[name]}" for name in names]
    return "\n".join([f"{title}:", *lines, *(f"      $ {example}" for example in examples), ""])

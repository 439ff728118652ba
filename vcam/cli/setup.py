"""vcam setup: microphone, face, camera and a test recording, by questions with a keyboard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vcam.audio.microphone import list_microphones
from vcam.camera.open import list_cameras
from vcam.cli import choices
from vcam.cli import profile as profile_cli
from vcam.cli.choices import Choices
from vcam.cli.listening import heard_from
from vcam.cli.run_options import AUTO, FACE
from vcam.errors import ConfigError, VcamError
from vcam.monitor import terminal
from vcam.monitor.terminal import complain, say
from vcam.profiles import profile
from vcam.render.head3d.look import LOOKS

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

SKIP = "s"
DEFAULT = "the system's default"  # microphone
ANY = "every one that works"  # camera
INSTEAD = (
    "vcam setup asks questions, and nobody can answer here; instead: "
    "vcam run --mic NAME --camera NAME --profile NAME (names: vcam devices, vcam profile list)"
)


def add_parser(commands: Commands) -> None:
    """Add the command to vcam's."""
    about = "choose microphone, face and camera, and try them"
    commands.add_parser("setup", help=about).set_defaults(command=setup)


def setup(options: argparse.Namespace) -> None:
    """Ask for each in turn; what was chosen is kept for every later run."""
    if not terminal.can_ask():
        raise ConfigError(INSTEAD)
    say(f"Enter keeps what stands in [brackets], {SKIP} skips a step, Ctrl-C leaves.")
    try:
        chosen = choices.kept()
    except ConfigError as error:  # it is written anew
        complain(error)
        chosen = Choices()
    chosen = _microphone(chosen)
    chosen = _face(chosen)
    chosen = _camera(chosen)
    choices.keep(chosen)
    say(f"kept in {choices.path()}: {chosen or 'nothing but the defaults'}")
    _test(chosen)
    say("from now on: vcam run (or in the background: vcam start)")


def _microphone(chosen: Choices) -> Choices:
    _title(1, "Microphone")
    found = list_microphones()
    names = [each.name for each in found if each.trouble is None]
    if not names:
        say(found[0].trouble or "there is no microphone; plug one in, then: vcam setup", "yellow")
        return chosen
    titles = [each.title for each in found if each.trouble is None]
    while True:
        answer = _chosen(["", *names], [DEFAULT, *titles], chosen.mic)
        if answer is None:
            return chosen
        chosen = replace(chosen, mic=answer)
        if heard_from(answer or None):
            return chosen


def _face(chosen: Choices) -> Choices:
    _title(2, "Face")
    own = [name for name in profile.names() if name != FACE]
    faces = [Choices(look=look) for look in LOOKS] + [Choices(profile=name) for name in own]
    titles = [f"the embedded head, {look}" for look in LOOKS] + [f"profile {name}" for name in own]
    values = [str(each) for each in faces]
    now = str(Choices(chosen.profile, chosen.look)) or values[0]
    while True:
        answer = _chosen(values, titles, now, "or the path of a photo of you")
        if answer is None:
            return chosen
        if answer in values:
            face = faces[values.index(answer)]
            return replace(chosen, profile=face.profile, look=face.look)
        if name := _from_photo(answer):
            return replace(chosen, profile=name, look="")


def _from_photo(photo: str) -> str:
    """The name of the profile that was made of it; "" where it was refused, which was said."""
    name = terminal.ask("a name for this face [me] ").strip() or "me"
    whole = argparse.ArgumentParser(exit_on_error=False)
    profile_cli.add_parser(whole.add_subparsers())
    words = ["profile", "create", "--photo", os.path.expanduser(photo), "--", name]  # noqa: PTH111
    try:
        options = whole.parse_args(words)
        options.command(options)
    except (VcamError, argparse.ArgumentError) as error:
        complain(error)
        return ""
    return name


def _camera(chosen: Choices) -> Choices:
    _title(3, "Camera")
    found = list_cameras()
    for each in found:
        if each.trouble:
            say(f"     {each.name}: {each.trouble}", "yellow")
    names = [each.name for each in found if each.trouble is None]
    if not names:
        say("there is no virtual camera yet; what mends it: vcam doctor", "yellow")
        return chosen
    titles = [f"{each.name} ({each.backend})" for each in found if each.trouble is None]
    answer = _chosen(["", *names], [ANY, *titles], "" if chosen.camera == AUTO else chosen.camera)
    return chosen if answer is None else replace(chosen, camera=answer)


def _test(chosen: Choices) -> None:
    _title(4, "Test: ten seconds of what a meeting would get")
    answer = terminal.ask(f"Enter begins, then speak until it ends; {SKIP} skips: ")
    if answer.strip().lower() == SKIP:
        return
    try:
        from vcam.cli import rehearsal

        rehearsal.recorded(chosen, Path("vcam-setup.mp4"))
    except VcamError as error:
        complain(error)


def _title(number: int, words: str) -> None:
    say(f"\n{number} of 4: {words}", "bold")


def _chosen(values: Sequence[str], titles: Sequence[str], now: str, other: str = "") -> str | None:
    """The one of `values` that was chosen by its number, or what else was typed if it may be.

    None where the step is skipped. `now` is what stands already.
    """
    for number, title in enumerate(titles, start=1):
        say(f"  {number:2} {title}")
    kept = titles[values.index(now)] if now in values else now
    while True:
        answer = terminal.ask(f"number{other and f', {other}'} [{kept}] ").strip()
        if answer.lower() == SKIP:
            return None
        if not answer:
            return now
        if answer.isdecimal() and 1 <= int(answer) <= len(values):
            return values[int(answer) - 1]
        if other and not answer.isdecimal():
            return answer
        say(f"give a number from 1 to {len(values)}, Enter, or {SKIP}", "yellow")

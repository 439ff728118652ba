"""vcam profile: what the user types about profiles, and what is printed; hooked into `main`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from rich.table import Table

from vcam.cli import avatars, consent
from vcam.control import server
from vcam.errors import ConfigError, WeightsError
from vcam.media import Image
from vcam.monitor import hud, terminal
from vcam.monitor.terminal import out, say, text
from vcam.picture.badge import CORNERS, Badge
from vcam.picture.compose import Framing
from vcam.profiles import profile, store
from vcam.render.head3d.look import LOOKS
from vcam.system import opencv as cv2

if TYPE_CHECKING:
    from vcam.enroll.enroll import Enrolled

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

WIDEST = 96  # columns of a terminal that show how a face will look
LARGEST_BACKGROUND = 2560  # pixels of its longer side
FILES = re.compile(r"\.\w|[/\\]")  # somebody meant a file; else a colour or a kind
RENDERERS = ("auto", "puppet", "gagavatar")


def add_parser(commands: Commands) -> None:
    """Add `profile` and what goes below it to vcam's commands."""
    parser = commands.add_parser("profile", help="make, list and carry faces")
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_create(below)
    _command(below, show_all, "list", "all profiles")
    for act, name, about in (
        (show, "show", "one profile's settings"),
        (check, "check", "what keeps a profile from running"),
        (switch, "switch", "let the running vcam show another profile, without a gap"),
        (remove, "remove", "delete a profile and all that was made from its photo"),
    ):
        _command(below, act, name, about).add_argument("name", metavar="NAME")
    command = _command(below, rename, "rename", "give a profile another name")
    command.add_argument("name", metavar="NAME")
    command.add_argument("new", metavar="NEW")
    command = _command(below, export, "export", "pack a profile into a ZIP file")
    command.add_argument("name", metavar="NAME")
    command.add_argument("target", type=Path, metavar="FILE.zip")
    avatars.add(below)
    _add_badge(below)


def create(options: argparse.Namespace) -> None:
    """vcam profile create: a photo becomes a face, or the embedded head gets a name."""
    if options.look:
        folder = store.create(options.name, _head(options))
        say(f"{options.name} is ready (head3d, {options.look}): {folder}")
    else:
        _enroll(options)
    say(f"try it:  vcam run --profile {options.name}")


def _head(options: argparse.Namespace) -> profile.Profile:
    """The embedded head, which shows nobody: no consent is needed."""
    if (options.renderer, options.background) != ("auto", "keep"):
        raise ConfigError(
            "a look has its own renderer and background: leave --renderer and --background away"
        )
    return profile.Profile(
        title=options.title or options.name,
        motion="visemes",
        renderer="head3d",
        mouth="passthrough",
        look=options.look,
        badge=Badge(text=options.badge_text),
        framing=Framing(options.zoom, options.right, options.down),
    )


def _enroll(options: argparse.Namespace) -> None:
    from vcam.enroll.enroll import create as enroll
    from vcam.enroll.preview import sheet

    renderer, fit = _renderer(options.renderer)
    background, picture = _background(options.background)
    settings = profile.Profile(
        title=options.title or options.name,
        renderer=renderer,
        background=background,
        badge=Badge(text=options.badge_text),
        framing=Framing(options.zoom, options.right, options.down),
    )
    agreed = consent.given(options, "photo", options.title or options.name)
    with terminal.doing("starting") as show:
        folder, enrolled = enroll(
            options.name, options.photo, agreed, settings, show, fit, options.face
        )
    if picture is not None:
        _keep(picture, folder / background)
    _keep(enrolled.preview, folder / "preview.png")
    looks = sheet(enrolled.prepared, background, folder)
    _keep(looks, folder / "preview.jpg")
    if terminal.draws():
        columns = min(WIDEST, out.width)
        out.print(hud.preview(looks, columns, halves=terminal.has_half_blocks()))
    for finding in enrolled.findings:
        say(f"note: {finding.text}", "yellow")
    say(f"{options.name} is ready ({renderer}): {folder}")
    say(f"how it will look: {folder / 'preview.jpg'}, what was found: {folder / 'preview.png'}")


def switch(options: argparse.Namespace) -> None:
    """vcam profile switch NAME: another face in the running vcam."""
    server.ask({"do": "switch", "profile": options.name})


def show_all(options: argparse.Namespace) -> None:
    """vcam profile list: one line a profile."""
    table = Table.grid(padding=(0, 2))
    for name in profile.names():
        troubles = store.check(name)
        if troubles:
            mend = text(f"{len(troubles)} to mend: vcam profile check {name}", "red")
            table.add_row(text(name), "", "", mend)
            continue
        found = profile.load(name)
        who = found.consent.person or "nobody real"
        shows = text(f"shows {who}", "dim")
        table.add_row(text(name), text(found.title), text(found.renderer), shows)
    out.print(table)


def show(options: argparse.Namespace) -> None:
    """vcam profile show: the settings, as the file has them and as they are by default."""
    found = profile.load(options.name)
    for key in ("title", "motion", "renderer", "mouth", "look", "seed", "idle", "background"):
        say(f"{key:11}{getattr(found, key)}")
    badge, framing, agreed = found.badge, found.framing, found.consent
    state = f'"{badge.text}", {badge.corner}' if badge.shown else f"off, by {badge.hidden_by}"
    say(f"{'badge':11}{state}")
    say(f"{'framing':11}zoom {framing.zoom:g}, right {framing.right:g}, down {framing.down:g}")
    who = f"{agreed.person}; {agreed.agreed_by} agreed at {agreed.agreed_at}"
    say(f"{'shows':11}{who if agreed.given else 'nobody who has agreed'}")
    say(f"{'folder':11}{found.folder or 'built in'}")


def check(options: argparse.Namespace) -> None:
    """vcam profile check: exit code 1 and the troubles, or one good word."""
    if troubles := store.check(options.name):
        raise ConfigError("\n".join([f"{options.name} cannot run:", *troubles]))
    say(f"{options.name} is in order")


def rename(options: argparse.Namespace) -> None:
    """vcam profile rename."""
    say(f"{options.name} is now {store.rename(options.name, options.new)}")


def remove(options: argparse.Namespace) -> None:
    """vcam profile remove."""
    store.remove(options.name)
    say(f"{options.name} is gone")


def export(options: argparse.Namespace) -> None:
    """vcam profile export."""
    say(f"{store.export(options.name, options.target)}")


def badge(options: argparse.Namespace) -> None:
    """vcam profile badge: change it, or hide it with a recorded acknowledgement."""
    found = profile.read(store.own(options.name))
    changed = found.badge
    for key in ("text", "corner", "size"):
        if (value := getattr(options, key)) is not None:
            changed = replace(changed, **{key: value})
    if options.off:
        if not options.acknowledged:
            raise ConfigError(
                "people in a call should know that they talk to an avatar. If you tell them "
                "yourself: vcam profile badge NAME --off --i-will-disclose-myself"
            )
        said = f"{found.consent.agreed_by or 'the user'}, {_now().isoformat(timespec='seconds')}"
        changed = replace(changed, shown=False, hidden_by=said)
    elif options.on:
        changed = replace(changed, shown=True, hidden_by="")
    store.set_badge(options.name, changed)
    say(f"{options.name}: badge {'on' if changed.shown else 'off'}")


def _background(wanted: str) -> tuple[str, Image | None]:
    """What the profile says, and the picture to put into its folder, if it is one.

    It is kept as it is seen, so that it travels to machines that cannot read its kind. Raises
    ConfigError for what is no picture.
    """
    if profile.BACKGROUND.fullmatch(wanted):
        return wanted, None
    if not FILES.search(wanted) and not os.path.exists(wanted):  # noqa: PTH110 - raises nothing
        raise ConfigError(
            f"no background is called {wanted:.40}; give keep, blur, black, a colour as #rrggbb, "
            "or the file of a picture"
        )
    from vcam.photo.picture import read_picture

    picture = read_picture(Path(os.path.expanduser(wanted))).seen  # noqa: PTH111 - raises nothing
    scale = LARGEST_BACKGROUND / max(picture.shape[:2])
    if scale < 1:
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.asarray(small, np.uint8)
    return "background.png", picture


def _keep(picture: Image, path: Path) -> None:
    """Write a picture, as what its name says."""
    try:
        path.write_bytes(cv2.imencode(path.suffix, picture[..., ::-1])[1].tobytes())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _renderer(wanted: str) -> tuple[str, Callable[[Enrolled, Path], None] | None]:
    """The renderer to make a profile for, and what adds its files; the puppet needs none."""
    if wanted == "puppet":
        return wanted, None
    try:
        from vcam.enroll.fit import fit_into
        from vcam.weights import manifest

        flame = manifest.find("flame")
        if wanted == "auto":
            manifest.find("gagavatar")
    except (ImportError, WeightsError) as error:
        if wanted == "auto":
            return "puppet", None
        raise ConfigError(f"fitting FLAME is not possible here: {error}") from error
    return "gagavatar", partial(fit_into, flame)


def _now() -> datetime:
    return datetime.now(UTC)


def _command(below: Commands, act: object, name: str, about: str) -> argparse.ArgumentParser:
    parser = below.add_parser(name, help=about)
    parser.set_defaults(command=act)
    return parser


def _add_create(below: Commands) -> None:
    parser = _command(below, create, "create", "make a face of a photo, or of a look")
    parser.add_argument("name", metavar="NAME")
    shown = parser.add_mutually_exclusive_group(required=True)
    shown.add_argument("--photo", type=Path, metavar="ME.jpg")
    shown.add_argument("--look", choices=tuple(LOOKS), help="the embedded head, without a photo")
    parser.add_argument(
        "--face", type=int, default=0, metavar="N", help="of several, counted from the left"
    )
    parser.add_argument("--renderer", default="auto", choices=RENDERERS)
    parser.add_argument("--title", metavar="TEXT", help="shown to people; NAME by default")
    parser.add_argument(
        "--background",
        default="keep",
        metavar="KIND",
        help="keep, blur, black, #rrggbb or a picture",
    )
    parser.add_argument("--badge-text", default=Badge().text, metavar="TEXT")
    parser.add_argument("--zoom", type=float, default=1.0, help="0.5 to 3")
    parser.add_argument("--right", type=float, default=0.0, help="-0.5 to 0.5 of the width")
    parser.add_argument("--down", type=float, default=0.0, help="-0.5 to 0.5 of the height")
    consent.add(parser)


def _add_badge(below: Commands) -> None:
    parser = _command(below, badge, "badge", "how a profile says that it is an avatar")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--text")
    parser.add_argument("--corner", choices=CORNERS)
    parser.add_argument("--size", type=float, help="0.6 to 3")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--on", action="store_true")
    state.add_argument("--off", action="store_true")
    parser.add_argument(
        "--i-will-disclose-myself", dest="acknowledged", action="store_true", help="needed by --off"
    )

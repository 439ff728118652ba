"""vcam profile: what the user types about profiles, and what is printed; hooked into `vcam.cli`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
from rich.console import Console
from rich.table import Table

from vcam import consent_cli, control, profile, profile_store
from vcam.badge import CORNERS, Badge
from vcam.compose import Framing
from vcam.errors import ConfigError, WeightsError
from vcam.picture import read_picture

if TYPE_CHECKING:
    from vcam.enroll import Enrolled
    from vcam.media import Image

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

out = Console()
PREVIEW_ROWS = 18  # of the terminal; a row shows two pixels
RENDERERS = ("auto", "puppet", "gagavatar")


def add_parser(commands: Commands) -> None:
    """Add `profile` and what goes below it to vcam's commands."""
    parser = commands.add_parser("profile", help="make, list and carry faces")
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_create(below)
    _command(below, show_all, "list", "all profiles")
    for act, name, text in (
        (show, "show", "one profile's settings"),
        (check, "check", "what keeps a profile from running"),
        (switch, "switch", "let the running vcam show another profile, without a gap"),
        (remove, "remove", "delete a profile and all that was made from its photo"),
    ):
        _command(below, act, name, text).add_argument("name", metavar="NAME")
    command = _command(below, rename, "rename", "give a profile another name")
    command.add_argument("name", metavar="NAME")
    command.add_argument("new", metavar="NEW")
    command = _command(below, export, "export", "pack a profile into a ZIP file")
    command.add_argument("name", metavar="NAME")
    command.add_argument("target", type=Path, metavar="FILE.zip")
    command = _command(below, import_, "import", "take a profile that was exported")
    command.add_argument("source", type=Path, metavar="FILE.zip")
    command.add_argument("name", metavar="NAME")
    _add_badge(below)


def create(options: argparse.Namespace) -> None:
    """vcam profile create: a photo becomes a face."""
    from vcam.enroll import create as enroll

    renderer, fit = _renderer(options.renderer)
    background, picture = _background(options.background)
    settings = profile.Profile(
        title=options.title or options.name,
        renderer=renderer,
        background=background,
        badge=Badge(text=options.badge_text),
        framing=Framing(options.zoom, options.right, options.down),
    )
    agreed = consent_cli.given(options, out, "photo", options.title or options.name)
    with out.status("starting") as status:
        folder, enrolled = enroll(options.name, options.photo, agreed, settings, status.update, fit)
    if picture is not None:
        shutil.copyfile(picture, folder / background)
    for finding in enrolled.findings:
        _plain(f"note: {finding.text}", "yellow")
    preview = folder / "preview.png"
    cv2.imwrite(str(preview), enrolled.preview[..., ::-1])
    if out.is_terminal:
        out.print(_miniature(enrolled.preview), highlight=False)
    _plain(f"{options.name} is ready ({renderer}): {folder}")
    _plain(f"what was found in the photo: {preview}")
    _plain(f"try it:  vcam run --profile {options.name}")


def switch(options: argparse.Namespace) -> None:
    """vcam profile switch NAME: another face in the running vcam."""
    control.ask({"do": "switch", "profile": options.name})


def show_all(options: argparse.Namespace) -> None:
    """vcam profile list: one line a profile."""
    table = Table.grid(padding=(0, 2))
    for name in profile.names():
        troubles = profile_store.check(name)
        if troubles:
            table.add_row(
                name, "", "", f"[red]{len(troubles)} to mend: vcam profile check {name}[/]"
            )
            continue
        found = profile.load(name)
        who = found.consent.person or "nobody real"
        table.add_row(name, found.title, found.renderer, f"[dim]shows {who}[/]")
    out.print(table)


def show(options: argparse.Namespace) -> None:
    """vcam profile show: the settings, as the file has them and as they are by default."""
    found = profile.load(options.name)
    for key in ("title", "motion", "renderer", "mouth", "look", "seed", "background"):
        _plain(f"{key:11}{getattr(found, key)}")
    badge, framing, agreed = found.badge, found.framing, found.consent
    state = f'"{badge.text}", {badge.corner}' if badge.shown else f"off, by {badge.hidden_by}"
    _plain(f"{'badge':11}{state}")
    _plain(f"{'framing':11}zoom {framing.zoom:g}, right {framing.right:g}, down {framing.down:g}")
    who = f"{agreed.person}; {agreed.agreed_by} agreed at {agreed.agreed_at}"
    _plain(f"{'shows':11}{who if agreed.given else 'nobody who has agreed'}")
    _plain(f"{'folder':11}{found.folder or 'built in'}")


def check(options: argparse.Namespace) -> None:
    """vcam profile check: exit code 1 and the troubles, or one good word."""
    if troubles := profile_store.check(options.name):
        raise ConfigError("\n".join([f"{options.name} cannot run:", *troubles]))
    _plain(f"{options.name} is in order")


def rename(options: argparse.Namespace) -> None:
    """vcam profile rename."""
    _plain(f"{options.name} is now {profile_store.rename(options.name, options.new)}")


def remove(options: argparse.Namespace) -> None:
    """vcam profile remove."""
    profile_store.remove(options.name)
    _plain(f"{options.name} is gone")


def export(options: argparse.Namespace) -> None:
    """vcam profile export."""
    _plain(f"{profile_store.export(options.name, options.target)}")


def import_(options: argparse.Namespace) -> None:
    """vcam profile import."""
    _plain(f"{options.name} is ready: {profile_store.import_(options.source, options.name)}")


def badge(options: argparse.Namespace) -> None:
    """vcam profile badge: change it, or hide it with a recorded acknowledgement."""
    found = profile.read(profile_store.own(options.name))
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
    profile_store.set_badge(options.name, changed)
    _plain(f"{options.name}: badge {'on' if changed.shown else 'off'}")


def _background(wanted: str) -> tuple[str, Path | None]:
    """What the profile says, and the picture to put into its folder, if it is one."""
    if profile.BACKGROUND.fullmatch(wanted):
        return wanted, None
    path = Path(wanted).expanduser()
    read_picture(path)  # raises for what is none
    suffix = ".png" if path.suffix.lower() == ".png" else ".jpg"
    return f"background{suffix}", path


def _renderer(wanted: str) -> tuple[str, Callable[[Enrolled, Path], None] | None]:
    """The renderer to make a profile for, and what adds its files; the puppet needs none."""
    if wanted == "puppet":
        return wanted, None
    try:
        from vcam import weights
        from vcam.fit import fit_into

        flame = weights.find("flame")
        if wanted == "auto":
            weights.find("gagavatar")
    except (ImportError, WeightsError) as error:
        if wanted == "auto":
            return "puppet", None
        raise ConfigError(f"fitting FLAME is not possible here: {error}") from error
    return "gagavatar", partial(fit_into, flame)


def _now() -> datetime:
    return datetime.now(UTC)


def _miniature(picture: Image) -> str:
    """A picture as coloured half blocks."""
    small = cv2.resize(picture, (2 * PREVIEW_ROWS, 2 * PREVIEW_ROWS), interpolation=cv2.INTER_AREA)
    lines = []
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        cells = (
            f"[rgb({a[0]},{a[1]},{a[2]}) on rgb({b[0]},{b[1]},{b[2]})]▀[/]"
            for a, b in zip(upper, lower, strict=True)
        )
        lines.append("".join(cells))
    return "\n".join(lines)


def _plain(text: str, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _command(below: Commands, act: object, name: str, text: str) -> argparse.ArgumentParser:
    parser = below.add_parser(name, help=text)
    parser.set_defaults(command=act)
    return parser


def _add_create(below: Commands) -> None:
    parser = _command(below, create, "create", "make a face of a photo")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--photo", type=Path, required=True, metavar="ME.jpg")
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
    consent_cli.add(parser)


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

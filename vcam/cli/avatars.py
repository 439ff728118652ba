"""vcam profile import: a profile that was exported, or an avatar that was trained elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vcam.cli import consent
from vcam.errors import ConfigError
from vcam.monitor.terminal import say
from vcam.profiles import profile, store
from vcam.profiles.consent import Consent
from vcam.profiles.profile import home
from vcam.system import missing

if TYPE_CHECKING:
    from typing import TypeAlias

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

ABOUT = """\
SOURCE is FILE.zip from `vcam profile export`, or what training an avatar left behind: the folders
of a GaussianTalker (model and data), and with them or alone the file that it hears with; a
FlashAvatar's checkpoint with its tracked frames and FLAME's files; a SplattingAvatar's output with
flame_params.json and FLAME; GAGAvatar's tracked.pt; or frames of metrical-tracker alone.
With --into NAME tracked frames, or the shoulders of a photo (--torso), come to a profile that is
there already.
Nothing in these files is run. An avatar shows a real person: say that they agree.
"""


def add(below: Commands) -> None:
    """Add `import` to what goes below `vcam profile`."""
    parser = below.add_parser(
        "import",
        help="take a profile that was exported, or an avatar that was trained elsewhere",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=import_)
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE")
    called = parser.add_mutually_exclusive_group()
    called.add_argument("--as", dest="name", metavar="NAME", help="what to call it here")
    called.add_argument("--into", metavar="NAME", help="add tracked frames or --torso to a profile")
    parser.add_argument(
        "--torso", type=Path, metavar="PHOTO", help="its shoulders and room go under the head"
    )
    parser.add_argument("--screen", default="", metavar="#rrggbb", help="behind them in training")
    parser.add_argument(
        "--picture", default="", metavar="WxH", help="size of the training pictures"
    )
    parser.add_argument("--only", default="", metavar="PHOTO", help="who of a tracked.pt")
    parser.add_argument("--background", default="", metavar="KIND", help="keep, black or #rrggbb")
    consent.add(parser)


def import_(options: argparse.Namespace) -> None:
    """vcam profile import SOURCE... --as NAME; or FILE.zip NAME, as ever."""
    sources, name = list(options.sources), options.name
    if options.into:
        _added(sources, options)
        return
    if not sources:
        raise ConfigError("what shall be imported? name the folders and files")
    if name is None and len(sources) == 2 and not sources[1].exists():
        name = str(sources.pop())
    if len(sources) == 1 and sources[0].suffix.casefold() == ".zip":
        say(f"{_demanded(name)} is ready: {store.import_(sources[0], _demanded(name))}")
        return
    _trained(sources, name, options)


def _trained(sources: list[Path], name: str | None, options: argparse.Namespace) -> None:
    missing.TORCH.require()
    from vcam.enroll.own_avatar import bring, found

    if name is None and (kept := bring.hearing_alone(sources)):
        say(kept)
        return
    wish = bring.wished(options.screen, options.picture, options.only)
    given = found.look(sources, wish)
    kind = bring.recognised(given)
    say(f"recognised: {kind.title}")
    store.vacant(_demanded(name), home())
    kind.demand(given)  # before anybody is asked to agree
    agreed = consent.given(options, "avatar", _demanded(name))
    folder, notes = bring.bring(
        sources, _demanded(name), agreed, wish, options.background, options.torso
    )
    for note in notes:
        say(f"  {note}")
    say(f"{name} is ready: {folder}")
    say(_next(_demanded(name)))


def _next(name: str) -> str:
    """What to do with a profile that has been made: try it, or take it to where it can be drawn."""
    import torch

    made = profile.load(name)
    by_gpu = made.avatar is not None or made.renderer == "gagavatar"
    if not by_gpu or torch.cuda.is_available():
        return f"try it:  vcam run --profile {name}"
    return (
        "it is drawn by an NVIDIA GPU, and this computer has none; take it to one that has:  "
        f"vcam profile export {name} {name}.zip"
    )


def _added(sources: list[Path], options: argparse.Namespace) -> None:
    missing.TORCH.require()
    from vcam.enroll.own_avatar import into

    into.demand(options.into, sources, options.torso)  # before anybody is asked to agree
    agreed = consent.given(options, "photo", options.into) if options.torso else Consent()
    for note in into.add(options.into, sources, options.torso, agreed):
        say(f"  {note}")
    say(f"{options.into} is ready")


def _demanded(name: str | None) -> str:
    if name is None:
        raise ConfigError("what shall it be called? --as NAME")
    return name

"""Profile: one identity on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from vcam import places
from vcam.config import MODES, build, read_yaml, suggestion
from vcam.errors import ConfigError
from vcam.media import Image
from vcam.motion.artalk.sliding import TalkSettings
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.photo.torso import TORSO, read_torso
from vcam.picture.badge import Badge
from vcam.picture.compose import Framing
from vcam.picture.finish import Finish, facts, finishing
from vcam.profiles.consent import Consent, require, require_avatar, require_torso
from vcam.render.head3d.look import LOOKS

VERSION = 2
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SETTINGS = "profile.yaml"
SHIPPED = Path(__file__).parents[2] / "profiles"
BACKGROUND = re.compile(r"keep|blur|black|#[0-9A-Fa-f]{6}|background\.(png|jpg)")
LONGEST_TITLE = 80
MOST_SEED = 2**32 - 1

# What a profile may name; `vcam.engine.backends` opens them, in this order for "auto".
MOTION = ("artalk", "visemes")
RENDERER = ("gagavatar", "puppet", "head3d", "gaussiantalker", "flashavatar", "splattingavatar")
AUTO_RENDERER = RENDERER[:3]  # the others draw avatars that were trained elsewhere
RIGGED = ("flashavatar", "splattingavatar")  # of those, what rides on FLAME
MOUTH = ("musetalk", "passthrough")
IDLE = ("made-up", "tracked")
WEIGHTS = ("released", "synthetic", "small")


@dataclass(frozen=True, slots=True)
class Profile:
    """Who is shown and by which backends. The defaults are the demo avatar."""

    version: int = VERSION
    title: str = "Demo"
    motion: str = "auto"
    renderer: str = "auto"
    mouth: str = "auto"
    weights: str = "released"  # or networks made up from a seed: synthetic (of full size), small
    mode: str = "talk"  # of ARTalk; or broadcast: exact, and four seconds late
    talk: TalkSettings = field(default_factory=TalkSettings)  # how ARTalk's talk mode decodes
    musetalk: MouthSettings = field(
        default_factory=MouthSettings
    )  # where and how mouths are painted
    look: str = "sunny"  # which of head3d's looks
    seed: int = 0  # of blinks and glances
    idle: str = "made-up"  # or tracked: rest as the person was seen to rest
    background: str = "keep"  # or blur, black, #rrggbb, background.png in the folder
    torso: bool = True  # shoulders and room of a photo under heads that have none
    badge: Badge = field(default_factory=Badge)
    framing: Framing = field(default_factory=Framing)
    consent: Consent = field(default_factory=Consent)
    folder: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MOST_SEED:
            raise ConfigError(f"seed {self.seed:.20g} is not within 0 and {MOST_SEED}")
        if not self.title.isprintable() or not 0 < len(self.title) <= LONGEST_TITLE:
            raise ConfigError(f"title must be 1 to {LONGEST_TITLE} printable characters")
        if self.weights not in WEIGHTS:
            raise ConfigError(f"weights {self.weights:.40} are none of {', '.join(WEIGHTS)}")
        if self.idle not in IDLE:
            raise ConfigError(f"idle {self.idle:.40} is none of {', '.join(IDLE)}")
        if self.mode not in MODES:
            raise ConfigError(f"mode {self.mode:.40} is none of {', '.join(MODES)}")
        if not BACKGROUND.fullmatch(self.background):
            raise ConfigError(
                f"background {self.background!r:.60}: give keep, blur, black, #rrggbb, "
                "or background.png or .jpg that lies in the profile's folder"
            )

    @property
    def avatar(self) -> Path | None:
        """The file of an avatar that was trained elsewhere, where the profile shows one."""
        own = self.renderer not in ("auto", *AUTO_RENDERER)
        return self.folder / avatar_file(self.renderer) if own and self.folder else None

    def finishing(self, picture: tuple[int, int], fps: int) -> Finish:
        """What is done to this face's frames before anybody sees them."""
        return finishing(self.framing, self.badge, picture, fps, self._surround())

    def _surround(self) -> Image | None:
        """What is beside the square frame, where the profile knows it."""
        if self.still_layer is None or self.folder is None:
            return None
        return read_torso(self.still_layer).before(self.background, self.folder)

    def facts(self, backends: tuple[str, ...] = ()) -> dict[str, str]:
        """What a recorded file says about itself; without `backends`, those named here."""
        named = backends or (self.motion, self.renderer, self.mouth)
        return facts(self.title, named, self.badge)

    def require_consent(self) -> None:
        """Raise ConfigError if the profile shows a person who has not agreed; before any run."""
        if self.renderer == "head3d":  # its portrait is its own picture, and shows nobody
            return
        name = self.folder.name if self.folder else self.title
        require(self.consent, self.portrait, name)
        if self.avatar is not None:
            require_avatar(self.consent, self.avatar, name)
        if self.still_layer is not None:
            require_torso(self.consent, self.still_layer, name)

    @property
    def still_layer(self) -> Path | None:
        """The shoulders and the room that were added to a head without them."""
        path = self.folder / TORSO if self.folder and self.torso else None
        wanted = self.renderer in ("auto", "gagavatar", *RIGGED)
        return path if wanted and path and path.is_file() else None

    @property
    def portrait(self) -> Path | None:
        """The picture of whom the profile shows, if it has one."""
        path = self.folder / "portrait.png" if self.folder else None
        return path if path and path.is_file() else None

    @property
    def placeholder(self) -> Path | None:
        """The portrait, where it may be shown until the first frame is ready."""
        shipped = self.folder is not None and self.folder.parent == SHIPPED
        return self.portrait if shipped or self.consent.given else None


def avatar_file(renderer: str) -> str:
    """The name of the file that an imported avatar is in."""
    return f"{renderer}.safetensors"


def made_up(weights: str, profile: Profile | None = None) -> Profile:
    """`profile` with networks made up from a seed: all neural stages, and nobody is shown.

    An avatar that was trained elsewhere stays: what moves it and paints its mouth is made up.
    """
    if profile and profile.avatar is not None:
        return replace(profile, motion="artalk", mouth="musetalk", weights=weights)
    return replace(
        profile or Profile(),
        title="Made up",
        motion="artalk",
        renderer="gagavatar",
        mouth="musetalk",
        weights=weights,
        background="black",
        folder=None,
    )


def wearing(look: str, profile: Profile) -> Profile:
    """`profile`, its embedded head in another look; "" leaves it as it is.

    Raises ConfigError for a look that is unknown, and for a profile that is no embedded head.
    """
    if not look:
        return profile
    if look not in LOOKS:
        raise ConfigError(f"no look is called {look:.40}{suggestion(look[:40], LOOKS)}")
    if profile.renderer != "head3d":
        raise ConfigError(
            f"--look {look}: only the embedded head has looks, and {profile.title} is another "
            "face; leave --profile away"
        )
    shipped = profile.folder is not None and profile.folder.parent == SHIPPED
    folder = None if shipped else profile.folder  # whose portrait has another look
    return replace(profile, look=look, folder=folder)


def folders() -> list[Path]:
    """Where profiles are looked for, in this order."""
    own = os.environ.get("VCAM_PROFILES")
    found = [Path(own)] if own else []
    with suppress(ConfigError):  # a user without a home has none there
        found.append(places.data() / "profiles")
    return [*found, SHIPPED]


def home() -> Path:
    """Where the user's own profiles are made; ConfigError for a user without a home."""
    own = os.environ.get("VCAM_PROFILES")
    return Path(own) if own else places.data() / "profiles"


def names() -> list[str]:
    """Every profile that can be loaded by name."""
    found = {path.parent.name for root in folders() for path in root.glob("*/profile.yaml")}
    return sorted(found | {"demo"})


def load(name: str) -> Profile:
    """The profile called `name`. Raises ConfigError when it is unknown or not in order."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
    for root in folders():
        if (root / name / "profile.yaml").is_file():
            return read(root / name)
    if name == "demo":
        return Profile()
    raise ConfigError(f"no profile called {name}{suggestion(name, dict.fromkeys(names()))}")


def read(folder: Path) -> Profile:
    """The profile in `folder`; reading never executes anything."""
    path = folder / SETTINGS
    data = _migrated(read_yaml(path), path)
    if "folder" in data:
        raise ConfigError(f"{path}: unknown setting folder")
    try:
        profile = build(Profile, data, str(path))
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    for table, key in ((MOTION, "motion"), (RENDERER, "renderer"), (MOUTH, "mouth")):
        if (chosen := getattr(profile, key)) not in ("auto", *table):
            raise ConfigError(f"{path}: unknown {key} {chosen:.40}{suggestion(chosen[:40], table)}")
    return replace(profile, folder=folder)


def write(profile: Profile, folder: Path) -> None:
    """Write the settings that differ from the defaults; the file appears whole or not at all."""
    data = {"version": VERSION, "title": profile.title} | _differences(profile, Profile())
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    unfinished = folder / f".{SETTINGS}.part"
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / SETTINGS)


def _differences(given: Any, usual: Any) -> dict[str, Any]:
    """Fields of a dataclass that are not as usual, nested ones likewise."""
    kept: dict[str, Any] = {}
    for name, value in asdict(given).items():
        if name == "folder" or getattr(given, name) == getattr(usual, name):
            continue
        nested = isinstance(value, dict)
        kept[name] = _differences(getattr(given, name), getattr(usual, name)) if nested else value
    return kept


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew no consent, badge, framing or background; their defaults are safe."""
    return data | {"version": 2}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}


def _migrated(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings as this version knows them; the file is left as it is."""
    version = data.get("version", VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(f"{path}: version must be a whole number from 1")
    if version > VERSION:
        raise ConfigError(
            f"{path}: version {version:.20g} was made by a newer vcam; this one reads {VERSION}"
        )
    while version != VERSION:
        data = MIGRATIONS[version](data)
        version = data["version"]
    return data

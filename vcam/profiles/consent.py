"""Consent: nobody is shown as an avatar who has not agreed to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from vcam import access
from vcam.config import build, read_yaml
from vcam.errors import ConfigError

_DIGEST = 64  # hexadecimal digits of SHA-256


@dataclass(frozen=True, slots=True)
class Consent:
    """Who is shown, who agreed and when, and to which photo. Empty: nobody has agreed."""

    person: str = ""  # who is shown
    agreed_by: str = ""  # the person, or who may speak for them
    agreed_at: str = ""  # ISO 8601 with a time zone
    photo_sha256: str = ""  # of the photo that was given
    portrait_sha256: str = ""  # of the portrait made of it
    torso_sha256: str = ""  # of the shoulders under a head that has none

    def __post_init__(self) -> None:
        if self.agreed_at:
            _moment(self.agreed_at)
        for digest in (self.photo_sha256, self.portrait_sha256, self.torso_sha256):
            if digest and (len(digest) != _DIGEST or set(digest) - set("0123456789abcdef")):
                raise ConfigError("consent: a SHA-256 has 64 hexadecimal digits")

    @property
    def given(self) -> bool:
        """Whether somebody has agreed."""
        return bool(self.person.strip() and self.agreed_by.strip() and self.agreed_at.strip())


def by_the_person(name: str, now: datetime) -> Consent:
    """The person shown agrees themselves."""
    if not name.strip():
        raise ConfigError("consent needs the name of the person shown")
    if not name.isprintable():
        raise ConfigError(f"consent needs a name of letters that can be read, not {name!r:.80}")
    return Consent(name.strip(), name.strip(), now.isoformat(timespec="seconds"))


def from_file(path: Path) -> Consent:
    """Consent that was given in writing: a YAML file with person, agreed_by and agreed_at."""
    read = read_yaml(path)
    if isinstance(when := read.get("agreed_at"), date):  # YAML reads what is not in quotes so
        read["agreed_at"] = when.isoformat()
    consent = build(Consent, read, str(path))
    if not consent.given:
        raise ConfigError(f"{path} must name person, agreed_by and agreed_at (a date and time)")
    return consent


def require(consent: Consent, portrait: Path | None, profile: str) -> None:
    """Raise ConfigError unless whoever `portrait` shows has agreed to just that portrait.

    A profile without a portrait shows nobody and needs no consent.
    """
    if portrait is None:
        return
    if not consent.given:
        raise ConfigError(
            f"the profile {profile} shows a person but no consent is recorded in it. "
            "Create it again with --i-am-the-person or --consent FILE"
        )
    if consent.portrait_sha256 != digest(portrait):
        raise ConfigError(
            f"the portrait of the profile {profile} is not the one that was agreed to. "
            "Create the profile again"
        )


def require_avatar(consent: Consent, avatar: Path, profile: str) -> None:
    """Raise ConfigError unless whoever `avatar` draws has agreed to just that file."""
    if consent.photo_sha256 != digest(avatar):
        raise ConfigError(
            f"the avatar of the profile {profile} is not the one that was agreed to. "
            "Import it again"
        )


def require_torso(consent: Consent, torso: Path, profile: str) -> None:
    """Raise ConfigError unless whoever `torso` shows has agreed to just that picture."""
    if consent.torso_sha256 != digest(torso):
        raise ConfigError(
            f"the shoulders of the profile {profile} are not those that were agreed to. "
            f"Add them again: vcam profile import --into {profile} --torso PHOTO"
        )


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises ConfigError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read {access.refusal(path, error)}") from error


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"consent: agreed_at must be a date and time, not {text!r:.40}"
        ) from error

"""Presence: what of the user the others see and hear, as far as the user has decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from vcam.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Presence:
    """Switches; any may be on with any other. All off: the avatar lives and speaks."""

    muted: bool = False  # no voice leaves, and the avatar idles
    idle: bool = False  # the avatar idles, and the voice goes on
    hidden: bool = False  # a privacy screen in place of the picture, no voice; the engine sleeps
    paused: bool = False  # the picture stands still, no voice; the engine sleeps
    real: bool = False  # the user's real camera in place of the avatar; see `changed`

    @property
    def voice(self) -> bool:
        """Whether the voice may leave, by whichever way."""
        return not (self.muted or self.hidden or self.paused)

    @property
    def acting(self) -> bool:
        """Whether the avatar hears the voice."""
        return self.voice and not self.idle

    @property
    def still(self) -> bool:
        """Whether nothing moves in the picture, so that nothing need be drawn."""
        return self.hidden or self.paused

    def changed(self, changes: Mapping[str, bool]) -> Presence:
        """With these switches changed. What hides or stops the picture ends the real one."""
        new = replace(self, **changes)
        return replace(new, real=False) if new.still else new

    @property
    def lasting(self) -> Presence:
        """What a restart may begin with: never the real camera."""
        return replace(self, real=False)

    def __str__(self) -> str:
        """ "live", or what is on: "muted,hidden"."""
        return ",".join(name for name, on in asdict(self).items() if on) or "live"

    @classmethod
    def of(cls, text: str) -> Presence:
        """The presence to begin with that `str` made `text` of; ConfigError for other words."""
        words = [] if text == "live" else text.split(",")
        ways = [name for name in cls.__dataclass_fields__ if name != "real"]  # nobody begins so
        if unknown := [word for word in words if word not in ways]:
            known = ", ".join(ways)
            raise ConfigError(f"{unknown[0]:.40} is no way to begin; known are live, {known}")
        return cls(**dict.fromkeys(words, True))

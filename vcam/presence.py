"""Presence: what of the user the others see and hear, as far as the user has decided."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from vcam.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Presence:
    """Four switches; any may be on with any other. All off: the avatar lives and speaks."""

    muted: bool = False  # no voice leaves, and the avatar idles
    idle: bool = False  # the avatar idles, and the voice goes on
    hidden: bool = False  # a card in place of the picture, no voice; the engine sleeps
    paused: bool = False  # the picture stands still, no voice; the engine sleeps

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

    def __str__(self) -> str:
        """ "live", or what is on: "muted,hidden"."""
        return ",".join(name for name, on in asdict(self).items() if on) or "live"

    @classmethod
    def of(cls, text: str) -> Presence:
        """The presence that `str` made `text` of; ConfigError for other words."""
        words = [] if text == "live" else text.split(",")
        if unknown := [word for word in words if word not in cls.__dataclass_fields__]:
            known = ", ".join(cls.__dataclass_fields__)
            raise ConfigError(f"{unknown[0]:.40} is no way to begin; known are live, {known}")
        return cls(**dict.fromkeys(words, True))

"""What may outlive a connection to a far engine, and who keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from vcam.errors import ConfigError
from vcam.link.process import EngineProcess
from vcam.profiles.profile import Profile
from vcam.remote import wire
from vcam.remote.face import Arriving
from vcam.remote.pace import Pace
from vcam.remote.wire import Message, Why

if TYPE_CHECKING:
    from vcam.remote.door import Door

HELLO = {"protocol": int, "version": str, "fps": int, "size": int, "run": str}


@dataclass(slots=True)
class Room:
    """An engine that has a face open: what may outlive a connection."""

    face: Arriving
    profile: Profile
    engine: EngineProcess
    run: str  # of the rim: another one counts its ticks anew
    fps: int
    size: int
    pace: Pace = field(default_factory=Pace)  # of the newest connection

    def close(self) -> None:
        """End the engine and delete the face."""
        self.engine.close()
        self.face.close()


class SentAway(ConfigError):
    """A rim that is not served, and why."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


class Host(Protocol):
    """Who has several doors."""

    @property
    def free(self) -> int:
        """How many more rims could be served now."""

    def enter(self, door: Door) -> Room | None:
        """A rim brings a face; what was kept for it, if anything. Raises SentAway."""

    def keep(self, door: Door, room: Room) -> None:
        """The link of this rim was cut; it may come again."""

    def left(self, door: Door) -> None:
        """The rim has gone, whatever for."""


def read_hello(message: Message, place: str) -> dict[str, Any]:
    """What a rim asks of this `place`; SentAway where it speaks another protocol."""
    said = wire.read_facts(message, HELLO)
    if said["protocol"] != wire.PROTOCOL:
        raise SentAway(
            Why.REFUSED,
            f"this {place} speaks protocol {wire.PROTOCOL}, and the other {said['protocol']}: "
            "bring both to the same version of vcam",
        )
    return said

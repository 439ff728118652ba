"""Look at a far engine without asking for a frame: does it answer, what does it say of itself?"""

from __future__ import annotations

from dataclasses import dataclass

from vcam import __version__, clock
from vcam.errors import ConfigError, EngineError
from vcam.remote import wire
from vcam.remote.address import Far
from vcam.remote.carrier import Carrier
from vcam.remote.door import WELCOME
from vcam.remote.wire import Kind, Message

PATIENCE = 10.0  # seconds: an ssh starts a Python there
_PINGS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A far engine that answers."""

    version: str
    free: int  # places
    trip: float  # seconds there and back, the least of a few
    gpu: str = ""  # what it is called there; "" where none is known


def probe(far: Far, patience: float = PATIENCE) -> Found:
    """What it says. Raises EngineError or ConfigError with the reason why it says nothing."""
    carrier = far.dial()
    try:
        return _asked(_Line(far, carrier, patience))
    finally:
        carrier.send(wire.bye("seen"))
        carrier.flush(0.2)
        carrier.close()


class _Line:
    """Questions and answers, in time."""

    def __init__(self, far: Far, carrier: Carrier, patience: float) -> None:
        self._far, self._carrier, self._patience = far, carrier, patience
        self._reader = wire.Reader()

    def ask(self, question: bytes, wanted: Kind) -> Message:
        """The answer of that kind. Raises EngineError or ConfigError."""
        self._carrier.send(question)
        ends = clock.now() + self._patience
        while clock.now() < ends and not self._carrier.ended:
            for message in self._reader.feed(self._carrier.receive(0.02)):
                if message.kind is Kind.BYE:
                    raise EngineError(f"{self._far.host}: {wire.read_bye(message)[1]}")
                if message.kind is wanted:
                    return message
        if self._carrier.refusal:
            raise ConfigError(f"{self._far.host}: {self._carrier.refusal}; {self._far.mend}")
        raise EngineError(f"{self._far.host} answers, but not as vcam does")


def _asked(line: _Line) -> Found:
    hello = wire.facts(
        Kind.HELLO, protocol=wire.PROTOCOL, version=__version__, fps=30, size=512, run=""
    )
    welcome = line.ask(hello, Kind.WELCOME)
    said = wire.read_facts(welcome, WELCOME)
    trips = []
    for index in range(_PINGS):
        began = clock.now()
        line.ask(wire.numbered(Kind.PING, index), Kind.PONG)
        trips.append(clock.now() - began)
    return Found(said["version"], said["free"], min(trips), said["gpu"])

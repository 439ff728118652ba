"""Two machines get to know each other over a login that one has on the other: no code is needed.

Who may log in there may do all that its user may, and ssh has proven to both who the other is. So
each just says which certificate it has.
"""

from __future__ import annotations

from vcam.errors import ConfigError, EngineError
from vcam.remote.address import Address
from vcam.remote.carrier import Carrier, over_program
from vcam.remote.pairing import free_name, hear, read_port, say
from vcam.remote.trust import (
    Identity,
    Known,
    checked_name,
    engines,
    fingerprint,
    own_name,
    peers,
)

PATIENCE = 30.0  # seconds: ssh logs in, and a Python starts there


def pair(far: Address, name: str, port: int) -> Known:
    """The laptop's side: come to know the engine there, at `port`, and call it `name`.

    Raises ConfigError or EngineError; then nothing was written here.
    """
    place = far.network_name()
    name, own = checked_name(name or place.replace(":", "-")), Identity.own()
    carrier = over_program(far.there("pair", "--stdio", "--port", str(port)))
    try:
        say(carrier, name=own_name(), certificate=own.certificate)
        said = hear(carrier, ("trouble", "port", "certificate"), PATIENCE)
    except EngineError as error:
        raise EngineError(
            f"no vcam answers at {far.host}; without a password, and in one line, should answer: "
            f"ssh {far.host} {far.program} --version"
        ) from error
    finally:
        carrier.close()
    if said["trouble"]:
        raise ConfigError(f"{far.host}: {said['trouble']}")
    fingerprint(said["certificate"])
    engine = Known(name, said["certificate"], place, read_port(said["port"]))
    engines().add(engine)
    return engine


def answer(carrier: Carrier, port: int) -> str:
    """The engine's side; `port` is where `vcam serve` will be found. The new peer's name.

    Raises ConfigError or EngineError; the other side is told.
    """
    try:
        said, book = hear(carrier, ("name", "certificate"), PATIENCE), peers()
        peer = Known(free_name(said["name"], said["certificate"], book), said["certificate"])
        book.add(peer)
        own = Identity.own().certificate
    except (ConfigError, EngineError) as error:
        say(carrier, trouble=str(error), certificate="")
        carrier.flush(1.0)
        raise
    say(carrier, trouble="", port=str(port), certificate=own)
    carrier.flush(1.0)
    return peer.name

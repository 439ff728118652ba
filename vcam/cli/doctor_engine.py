"""vcam doctor --engine: does the other machine answer, does it know this one, do they fit?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vcam import __version__
from vcam.cli.findings import Check
from vcam.errors import ConfigError, EngineError
from vcam.remote import address, probe
from vcam.remote.address import Far

FAR = 0.15  # seconds there and back; more is a delay that people notice
_MORE = 0.03  # seconds that coding and sending add for most pictures (docs/measured.md)


def examine(text: str, look: Callable[[Far], probe.Found] = probe.probe) -> Iterator[Check]:
    """What is found of the engine that `--engine TEXT` names, in the order of need."""
    try:
        far = address.far(text)
    except ConfigError as error:
        yield _wrong("paired", str(error))
        return
    try:
        found = look(far)
    except ConfigError as error:
        yield _wrong("paired", str(error))
        return
    except EngineError as error:
        yield Check("reached", False, str(error), _wake(far), by_hand=True)
        return
    yield Check("reached", True, f"{far.host} answers, and knows this machine")
    yield _version(far, found)
    busy = "" if found.free else "wait until a run there has ended, or give it more: --places N"
    yield Check("places", bool(found.free), f"{found.free} free", busy, by_hand=True)
    yield Check("GPU", True, found.gpu or "it tells of none")
    yield _trip(found)


def _wrong(name: str, told: str) -> Check:
    detail, _, mend = told.partition("; ")
    return Check(name, False, detail, mend, by_hand=True)


def _wake(far: Far) -> str:
    if isinstance(far, address.Address):
        return f"try: ssh {far.host} {far.program} --version"
    return f"run there: vcam serve (it was paired at {far.known.address} port {far.known.port})"


def _version(far: Far, found: probe.Found) -> Check:
    same = found.version == __version__
    detail = f"{found.version} there, {__version__} here"
    mend = "" if same else f"bring {far.host} and this machine to the same version"
    return Check("version", same, detail, mend, by_hand=True)


def _trip(found: probe.Found) -> Check:
    there = 1000 * found.trip
    detail = f"{there:.0f} ms there and back; pictures come about {there + 1000 * _MORE:.0f} ms"
    slow = found.trip > FAR
    mend = "a machine nearer to you, or a cable in place of Wi-Fi" if slow else ""
    return Check("round trip", not slow, f"{detail} later than from here", mend, by_hand=True)

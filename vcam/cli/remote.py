"""vcam serve, pair, engines, peers: an engine for another machine, and who may use which."""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from vcam.errors import ConfigError, VcamError
from vcam.monitor import logs, terminal
from vcam.monitor.terminal import complain, say
from vcam.system import signals

if TYPE_CHECKING:
    from vcam.remote.address import Address
    from vcam.remote.trust import Book

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

PORT = 7823
SERVE = """\
Makes frames for runs on other machines. The voice comes here and is not written down; the face is
deleted when the session ends, or two minutes after its link was cut. Only machines that were
paired (`vcam pair`) are let in. With --stdio it serves one run over the standard streams, which
`vcam run --engine ssh:HOST` starts through ssh; then nothing listens.
"""
PAIR = """\
On the machine with the engine: vcam pair --listen ADDRESS prints a command with a code that is
good once, for two minutes. Type that command on the other machine. From then on it may send sound
and faces to this engine, and `vcam run --engine NAME` finds it there. Who has a login there that
asks for no password needs no code: vcam pair --ssh me@gpu-box.
"""


def add_parser(commands: Commands) -> None:
    """Add them to vcam's commands."""
    raw = argparse.RawDescriptionHelpFormatter
    server = commands.add_parser(
        "serve",
        help="make the frames for runs on other machines",
        description=SERVE,
        formatter_class=raw,
    )
    server.add_argument("--stdio", action="store_true", help="for one run, over standard streams")
    listen_options(server)
    server.add_argument("--places", type=_places, default=1, metavar="N", help="runs at once")
    server.set_defaults(command=serve)
    pairing = commands.add_parser(
        "pair",
        help="let a machine use the engine of another",
        description=PAIR,
        formatter_class=raw,
    )
    pairing.add_argument("host", nargs="?", metavar="HOST", help="where the code was printed")
    pairing.add_argument("code", nargs="*", metavar="CODE", help="what was printed there")
    pairing.add_argument(
        "--ssh", metavar="[USER@]HOST", help="with that machine, over a login there"
    )
    pairing.add_argument("--stdio", action="store_true", help="what --ssh starts there")
    pairing.add_argument("--as", dest="name", default="", metavar="NAME", help="call it so here")
    listen_options(pairing)
    pairing.set_defaults(command=pair)
    for name, about, command in (
        ("engines", "list the engines that this machine may use", list_engines),
        ("peers", "list the machines that may use this engine", list_peers),
    ):
        lists = commands.add_parser(name, help=about)
        lists.set_defaults(command=command, name="")
        below = lists.add_subparsers(metavar="forget")
        forget = below.add_parser("forget", help="no more; a session ends at once")
        forget.add_argument("name", metavar="NAME")


def listen_options(parser: argparse.ArgumentParser) -> None:
    """Where a command listens."""
    parser.add_argument(
        "--listen", default="127.0.0.1", metavar="ADDRESS", help="one of this machine's addresses"
    )
    parser.add_argument("--port", type=_port, default=PORT, help="of serve; pair takes the next")


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < (1 << 16) - 1:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return number


def _places(text: str) -> int:
    number = int(text)
    if not 0 < number <= 64:
        raise argparse.ArgumentTypeError("1 to 64 runs at once")
    return number


def serve(options: argparse.Namespace) -> int:
    """vcam serve: for paired machines until it is ended; with --stdio for one run."""
    if options.stdio:
        from vcam.remote.carrier import over_standard_streams
        from vcam.remote.door import Door

        complain(f"session ended: {Door(over_standard_streams()).run()}")
        return 0
    return refused(lambda: _served(options))


def _served(options: argparse.Namespace) -> None:
    from vcam.remote.server import Server, listening
    from vcam.remote.trust import peers

    listener = listening(options.listen, options.port)
    server, stop = Server(listener, options.places), threading.Event()
    known = ", ".join(peers().all()) or "nobody yet (vcam pair)"
    say(f"listening at {options.listen} port {options.port}, for: {known}")
    with (
        signals.listening() as answer,
        answer.stopping(stop.set),
        logs.told(terminal.note, logging.INFO),
    ):
        server.run(stop)


def pair(options: argparse.Namespace) -> int:
    """vcam pair: print a code and wait; vcam pair HOST CODE, to use one; or over ssh, without."""
    if options.stdio:
        return refused(lambda: _answered(options))
    comes = options.host or options.ssh
    return refused(lambda: _paired(options) if comes else _awaited(options))


def _answered(options: argparse.Namespace) -> None:
    from vcam.remote.by_login import answer
    from vcam.remote.carrier import over_standard_streams

    answer(over_standard_streams(), options.port)


def _login(typed: str) -> Address:
    """Where --ssh leads; people write it as `vcam run --engine` wants it, too."""
    from vcam.remote.address import Address

    try:
        return Address.read(f"ssh:{typed.removeprefix('ssh:')}")
    except ConfigError as error:
        raise ConfigError(f"--ssh {typed:.60}: give HOST or USER@HOST") from error


def _paired(options: argparse.Namespace) -> None:
    from vcam.remote import by_login
    from vcam.remote.pairing import pair

    if options.ssh and options.host:
        raise ConfigError(f"either {options.host} and a code, or --ssh {options.ssh}; not both")
    if options.ssh:
        engine = by_login.pair(_login(options.ssh), options.name, options.port)
        port = f" --port {engine.port}" if engine.port != PORT else ""
        say(f"start it there: vcam serve --listen ADDRESS{port}, one that reaches {engine.address}")
    elif options.code:
        engine = pair(options.host, options.port + 1, "".join(options.code), options.name)
    else:
        raise ConfigError(f"give the code as well; on {options.host} run: vcam pair")
    say(f"paired with {engine.name}. Your voice and your face will go there when you type:")
    say(f"vcam run --engine {engine.name}")


def _awaited(options: argparse.Namespace) -> None:
    from vcam.remote.pairing import Waiting
    from vcam.remote.server import bound, checked

    if checked(options.listen).is_loopback:
        terminal.note(
            f"only this machine reaches {options.listen}; for another one: "
            "vcam pair --listen ADDRESS"
        )
    with bound(options.listen, options.port + 1) as listener:
        waiting = Waiting(listener, options.port)
        other = "" if options.port == PORT else f" --port {options.port}"
        say("type this on the other machine, within two minutes:")
        say(f"vcam pair{other} {options.listen} {waiting.code}")
        name = waiting.run()
    say(f"paired with {name}: it may use this engine from now on (vcam serve)")


def list_engines(options: argparse.Namespace) -> None:
    """vcam engines [forget NAME]."""
    from vcam.remote.address import Paired
    from vcam.remote.probe import probe
    from vcam.remote.trust import engines

    if _forgotten(engines(), options.name):
        return
    known = engines().all()
    for each in known.values():
        try:
            found = probe(Paired(each), 3.0)
            told = f"{1000 * found.trip:.0f} ms there and back, {found.free} free, {found.version}"
            told += f", {found.gpu}" if found.gpu else ""
        except VcamError as error:
            told = str(error)
        say(f"{each.name}  {each.address}:{each.port}  {told}")
    if not known:
        say("none yet; on the machine with the engine run: vcam pair")


def list_peers(options: argparse.Namespace) -> None:
    """vcam peers [forget NAME]."""
    from vcam.remote.trust import peers

    if _forgotten(peers(), options.name):
        return
    known = peers().all()
    for each in known.values():
        say(f"{each.name}  {each.fingerprint.hex()[:16]}")
    if not known:
        say("none yet; run: vcam pair")


def _forgotten(book: Book, name: str) -> bool:
    """Whether there was somebody to forget."""
    if name:
        book.forget(name)
        say(f"{name} is forgotten")
    return bool(name)


def refused(work: Callable[[], None]) -> int:
    """Do it; what cannot be used as it was typed has exit code 2."""
    try:
        work()
    except ConfigError as error:
        complain(error)
        return 2
    return 0

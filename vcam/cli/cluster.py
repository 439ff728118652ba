"""vcam cluster: engines on many machines behind one address."""

from __future__ import annotations

import argparse
import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from vcam.cli.remote import listen_options, refused
from vcam.errors import ConfigError
from vcam.monitor import logs, terminal
from vcam.monitor.terminal import say
from vcam.system import signals

if TYPE_CHECKING:
    from vcam.cli.remote import Commands
    from vcam.remote.cluster.ray_fleet import Size

CLUSTER = """\
Lets paired machines (`vcam pair`) use engines on many machines, which Ray keeps: one for each run,
with a share of a GPU. Runs find their engines here, and send sound and face to them directly. With
no --ray it starts a Ray of its own on this machine. Ray belongs into a private network: whoever
reaches it can run programs on all of its machines.
"""


def add_parser(commands: Commands) -> None:
    """Add it to vcam's commands."""
    parser = commands.add_parser(
        "cluster",
        help="share the engines of many machines",
        description=CLUSTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listen_options(parser)
    parser.add_argument("--ray", default="", metavar="ADDRESS:PORT", help="a Ray that runs already")
    parser.add_argument(
        "--network",
        default="127.0.0.0/8",
        metavar="NETWORK",
        help="where runs reach the engines, such as 10.0.0.0/16",
    )
    parser.add_argument("--ports", type=_ports, default=(0, 0), metavar="FIRST-LAST",
                        help="where engines listen; any that are free")  # fmt: skip
    parser.add_argument("--least", type=_count, default=2, metavar="N", help="engines that wait")
    parser.add_argument("--most", type=_count, default=0, metavar="N", help="engines in all")
    parser.add_argument("--gpu", type=_share, default=0.0, metavar="SHARE",
                        help="of a GPU for each: 0.5 for two on one, 0 for none")  # fmt: skip
    parser.add_argument("--cpus", type=_share, default=2.0, metavar="N", help="cores for each")
    parser.add_argument("--drain", type=_share, default=60.0, metavar="SECONDS",
                        help="that sessions may go on when it is ended")  # fmt: skip
    parser.set_defaults(command=cluster)


def cluster(options: argparse.Namespace) -> int:
    """vcam cluster: until it is ended."""
    return refused(lambda: _served(options))


def _served(options: argparse.Namespace) -> None:
    from vcam.remote.cluster.ingress import Ingress
    from vcam.remote.cluster.ray_fleet import RayFleet, ray_at, ray_here
    from vcam.remote.server import listening
    from vcam.remote.trust import peers

    size, stop = _size(options), threading.Event()
    with contextlib.ExitStack() as ending:
        ending.enter_context(logs.told(terminal.note, logging.INFO))
        listener = ending.enter_context(listening(options.listen, options.port))
        ending.enter_context(ray_at(options.ray) if options.ray else ray_here())
        fleet = RayFleet(size)
        ending.callback(fleet.close)
        known = ", ".join(peers().all()) or "nobody yet (vcam pair)"
        say(f"listening at {options.listen} port {options.port}, for: {known}")
        say(f"{fleet.places.ready} engines are ready, in {size.network}")
        with signals.listening() as answer, answer.stopping(stop.set):
            cut = Ingress(listener, fleet).run(stop, options.drain)
        say(f"ended; {cut} sessions had not ended by themselves")


def _size(options: argparse.Namespace) -> Size:
    """What was asked for. Raises ConfigError."""
    from vcam.remote.cluster.ray_fleet import Size
    from vcam.remote.cluster.replica import checked_network
    from vcam.remote.server import checked

    if checked_network(options.network).is_loopback and not checked(options.listen).is_loopback:
        raise ConfigError(
            f"runs that come to {options.listen} from elsewhere would not reach engines in "
            f"{options.network}; name the network of the engines: --network 10.0.0.0/16"
        )
    most = options.most or options.least
    if most < options.least:
        raise ConfigError(f"--most {most} is less than --least {options.least}")
    first, last = options.ports
    return Size(options.least, most, options.gpu, options.cpus, options.network, first, last)


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not 0 < int(first) <= int(last or first) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text} are no ports")
    return int(first), int(last or first)


def _count(text: str) -> int:
    if not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError("1 to 1024 engines")
    return int(text)


def _share(text: str) -> float:
    if not 0 <= float(text) <= 1e5:
        raise argparse.ArgumentTypeError(f"{text} is none")
    return float(text)

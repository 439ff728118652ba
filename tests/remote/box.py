"""`vcam serve` with an engine that costs nothing.

python -m tests.remote.box PICTURES ADDRESS PORT [TCP]

TCP is the congestion control to ask the kernel for, in place of vcam's own choice.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from pathlib import Path

from tests.remote.drawn import drawing
from vcam.link.process import EngineProcess
from vcam.remote import sealed
from vcam.remote.door import Door
from vcam.remote.server import Server, listening

if __name__ == "__main__":
    pictures, address, port, *tcp = sys.argv[1:]
    sealed.CONGESTION = tcp[0].encode() if tcp else sealed.CONGESTION
    context, stop = multiprocessing.get_context("spawn"), threading.Event()
    main = drawing(Path(pictures))
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = Server(
        listening(address, int(port)),
        door=lambda carrier, host: Door(
            carrier,
            host=host,
            start=lambda fps, size: EngineProcess(context, fps, size, main),
        ),
    )
    server.run(stop)

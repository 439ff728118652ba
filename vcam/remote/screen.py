"""Pictures from a far engine on their way into the memory that the rim looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from vcam.link.memory import SharedMemory
from vcam.link.serve import Shown
from vcam.media import Image
from vcam.remote import wire
from vcam.remote.door import STAGES
from vcam.remote.way import Link, Tally, Trip
from vcam.remote.wire import Kind, Picture

FEW = 8  # pictures that are handed over at once; decoding leaves the rim time to take them


class Screen:
    """Decodes what came, and hands it to the rim."""

    def __init__(
        self,
        pipe: Connection,
        memory: SharedMemory,
        tally: Tally,
        trip: Trip,
        comes: Callable[[int], None],
    ) -> None:
        """`comes` hears the tick of a picture before the rim does."""
        self._pipe, self._memory, self._tally, self._trip = pipe, memory, tally, trip
        self._comes, self._number = comes, 0

    def show(self, link: Link, pictures: Sequence[Picture]) -> None:
        """Decode all, for each is predicted from the one before; hand over what may be due still.

        What a lost packet held up comes at once. The delay that the rim has learned may be long
        enough for all of it, as it is for what a local engine finishes late. Raises EngineError for
        what is no picture.
        """
        for left, picture in zip(range(len(pictures) - 1, -1, -1), pictures, strict=True):
            if picture.follows not in (-1, link.newest):
                link.carrier.send(wire.numbered(Kind.KEY, link.newest))
                return
            pixels = link.decoder.decode(picture.data)
            self._tally.picture(picture.at - link.newest, picture.lasts, picture.follows)
            link.newest = picture.at
            if not left or (left < FEW and picture.at > self._memory.shown):
                self._hand_over(picture, pixels)

    def _hand_over(self, picture: Picture, pixels: Image) -> None:
        self._comes(picture.at)
        self._number += 1
        self._memory.put(self._number, pixels)
        took = {
            STAGES[stage]: spent for stage, spent in picture.took.items() if stage < len(STAGES)
        }
        behind = picture.behind + self._trip.ticks
        about = (took, picture.lasts, behind, picture.speaking)
        self._pipe.send(Shown(self._number, picture.at, *about))

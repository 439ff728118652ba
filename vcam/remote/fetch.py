"""The child process on the user's machine that has its frames made elsewhere.

To the rim it is an engine process like any other: it reads the same ring of sound, writes pictures
into the same slots and says the same words (`vcam.link.serve`). While the link is silent it says
that it stands on the lowest level, so that the fallback plays; it dials again beside that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from vcam import clock
from vcam.engine.degradation import EMBEDDED, FULL
from vcam.errors import ConfigError, EngineError, VcamError
from vcam.link.memory import SharedMemory
from vcam.link.serve import Died, Note, Order, Ready, Vitals
from vcam.media import milliseconds
from vcam.monitor.stats import Change, FarStatus
from vcam.remote import place, wire, words
from vcam.remote.address import Far
from vcam.remote.carrier import Carrier
from vcam.remote.dialling import PAUSES, SSH_PAUSES, Dialler
from vcam.remote.door import WELCOME
from vcam.remote.face import PART, packed
from vcam.remote.place import Moved, Route
from vcam.remote.screen import Screen
from vcam.remote.uplink import Uplink
from vcam.remote.way import Link, Tally, Trip
from vcam.remote.wire import Kind, Message, Why, WireError
from vcam.system import signals

LOOK = 0.002  # seconds between looks at the ring of sound
SILENCE = 0.5  # seconds without a word after which the fallback plays
BEAT = 0.25  # seconds between two PINGs
LOST = 3.0  # seconds of silence after which the link is dialled anew
BUSY = 60.0  # seconds before a busy engine is asked again
OPENING = 30.0  # seconds in which a link must answer


def fetch(far: Far, pipe: Connection, memory: SharedMemory, fps: int) -> None:
    """What `vcam.link.serve.serve` does, by a `far` engine."""
    signals.leave_to_parent()
    try:
        order: Order = pipe.recv()
        if order.build:  # the far machine compiles for itself
            pipe.send(Died("", built=True))
            return
        Fetcher(far, order, fps, pipe, memory).run()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the rim has gone
    except VcamError as error:
        pipe.send(Died(str(error), final=True))


class Fetcher:
    """The process, from its order on."""

    def __init__(
        self,
        far: Far,
        order: Order,
        fps: int,
        pipe: Connection,
        memory: SharedMemory,
        dial: Callable[[], Carrier] | None = None,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._far, self._fps, self._pipe, self._memory = far, fps, pipe, memory
        self._now, self._ring = now, memory.ring()
        self._mode, self._run = order.profile.mode, secrets.token_hex(16)
        self._face = packed(order.profile)
        self._trip = Trip()
        self._link: Link | None = None
        self._coming: Link | None = None  # greeted, and not welcomed yet
        self._route = Route(far)
        pauses = PAUSES if far.beside else SSH_PAUSES
        self._dialler = Dialler(dial or self._route.dial, now, pauses)
        self._backends: tuple[str, ...] = ()
        self._level, self._away = FULL.name, False
        self._vitals, self._vitals_due = Vitals(), 0.0
        self._tally, self._thin = Tally(), False  # whether the voice had to go as Opus
        self._screen = Screen(pipe, memory, self._tally, self._trip, self._come_back)

    def run(self) -> None:
        """Until the rim closes the pipe: EOFError."""
        try:
            while True:
                self._wait()
                if self._pipe.poll():
                    self._pipe.recv()
                for link in filter(None, (self._link, self._coming)):
                    self._look(link)
                self._dial()
                self._beat()
        finally:
            self._dialler.stop()
            for link in filter(None, (self._link, self._coming)):
                link.carrier.send(wire.bye("done"))
                link.carrier.flush(0.2)
                link.carrier.close()

    def _wait(self) -> None:
        """For news of a link, or until the sound has to be looked at."""
        links = [link for link in (self._link, self._coming) if link and not link.carrier.ended]
        connection.wait([self._pipe, *(link.carrier.news for link in links)], LOOK)

    def _dial(self) -> None:
        """Reach for the engine while there is no link, or beside one that is silent."""
        link, now = self._link, self._now()
        silent = link is not None and link.live and now - link.heard > SILENCE
        if self._coming or not (link is None or (silent and self._far.beside)):
            self._dialler.rest()
            return
        if link is None and self._dialler.attempts == 0:
            self._pipe.send(Note(f"reaching {self._far.host}"))
        try:
            carrier = self._dialler.mind()
        except EngineError as error:
            self._pipe.send(Note(str(error)))
            return
        if carrier:
            self._coming = Link(carrier, self._memory.size, now)
            self._coming.greet(self._fps, self._memory.size, self._run)

    def _look(self, link: Link) -> None:
        """At what came, and send what is to go."""
        data, now = link.carrier.receive(0), self._now()
        self._tally.bytes += len(data)
        try:
            pictures = list(self._read(link, data, now))
            if pictures:
                self._screen.show(link, pictures)
        except Moved as moved:
            self._follow(link, moved)
            return
        except EngineError as error:
            self._lost(link, str(error))
            return
        silent = now - link.heard
        if link.carrier.refusal and not self._route.leads_on(link.carrier):
            raise ConfigError(self._refused(link.carrier.refusal))
        if link.carrier.ended or silent > (LOST if link.live else OPENING):
            ended = "has ended the link" if link.carrier.ended else "is silent"
            self._lost(link, f"{self._far.host} {ended}")
        elif link.open:
            self._tell(link, now)
            if link.live and silent > SILENCE:
                self._step_aside(f"{self._far.host} is silent")

    def _refused(self, why: str) -> str:
        return f"{self._far.host}: {why}; {self._far.mend}"

    def _read(self, link: Link, data: bytes, now: float) -> Iterator[wire.Picture]:
        """The pictures in `data`; everything else is done at once."""
        for message in link.reader.feed(data):
            link.heard = now
            if message.kind is Kind.FRAME:
                yield wire.Picture.read(message)
            elif message.kind is Kind.PLACE and self._may_lead_on(link):
                raise Moved(place.read(message, self._far.host))
            else:
                self._take(link, message, now)

    def _take(self, link: Link, message: Message, now: float) -> None:
        match message.kind:
            case Kind.WELCOME if link is self._coming:
                self._welcomed(link, wire.read_facts(message, WELCOME))
            case Kind.FACE_STATE if not link.open:
                self._open(link, has_it=message.body[:1] == wire.HAVE)
            case Kind.PONG:
                self._trip.note(now - wire.number(message) / 1e6)
            case Kind.NOTE:
                self._pipe.send(Note(wire.read_facts(message, {"text": str})["text"]))
            case Kind.READY:
                link.live = True
                self._ready(words.read_ready(message))
            case Kind.VITALS:
                self._vitals = words.read_vitals(message)
            case Kind.CHANGE:
                self._change(words.read_change(message))
            case Kind.DIED:
                said = wire.read_facts(message, {"reason": str, "final": bool, "later": bool})
                raise EngineError(f"{self._far.host}: {said['reason']}")
            case Kind.BYE:
                self._sent_away(link, *wire.read_bye(message))
            case _:
                raise WireError(f"a {message.kind.name} came from {self._far.host}")

    def _may_lead_on(self, link: Link) -> bool:
        """Once, from who welcomed us and has no engine itself."""
        return link is self._link and not (link.open or self._route.leads_on(link.carrier))

    def _sent_away(self, link: Link, why: Why, text: str) -> None:
        """Raises ConfigError where it is of no use to come again, else EngineError."""
        refused = why is Why.REFUSED and not self._route.leads_on(link.carrier)
        if refused or (why is Why.TAKEN_OVER and not self._coming):
            raise ConfigError(f"{self._far.host}: {text}")
        if why is Why.BUSY:
            self._dialler.wait(BUSY)
            text = f"{text}, next try in {BUSY:.0f} s"
        raise EngineError(f"{self._far.host}: {text}")

    def _welcomed(self, link: Link, said: dict[str, Any]) -> None:
        """This is the link now; one that was silent has had its time."""
        if self._link:
            self._link.carrier.close()
        self._link, self._coming, link.knows_opus = link, None, said["opus"]
        digest = hashlib.sha256(self._face).digest()
        link.carrier.send(wire.message(Kind.FACE, digest + len(self._face).to_bytes(4, "big")))

    def _open(self, link: Link, has_it: bool) -> None:
        for at in () if has_it else range(0, len(self._face), PART):
            part = self._face[at : at + PART]
            link.give(wire.message(Kind.FACE_PART, at.to_bytes(4, "big") + part))
        link.give(wire.facts(Kind.OPEN, mode=self._mode))
        link.open = True

    def _ready(self, ready: Ready) -> None:
        if not self._backends:  # once: after that the link only comes and goes
            self._backends = ready.backends
            self._pipe.send(ready)

    def _change(self, change: Change) -> None:
        self._level = change.after
        if not self._away:
            self._pipe.send(change)

    def _tell(self, link: Link, now: float) -> None:
        """A PING now and then, what is left of the face, then sound and gestures."""
        if now - link.pinged >= BEAT:
            link.pinged = now
            link.carrier.send(wire.numbered(Kind.PING, int(now * 1e6)))
        if link.giving(now):
            return
        if link.uplink is None:
            link.uplink = Uplink(self._ring, link.carrier, link.knows_opus, self._thin)
        link.rest(self._memory.resting, now)
        link.express(self._memory.gestures)
        if self._memory.resting:
            link.uplink.skip()
        else:
            link.uplink.send(self._memory.shown, link.newest)
        self._thin = link.uplink.thin

    def _step_aside(self, reason: str) -> None:
        """The fallback plays until frames come again."""
        if not self._away and self._backends:
            self._away = True
            self._pipe.send(Change(self._ring.end, self._level, EMBEDDED.name, reason))

    def _come_back(self, at: int) -> None:
        self._dialler.succeeded()
        if self._away:
            self._away = False
            self._pipe.send(Change(at, EMBEDDED.name, self._level, "the link is back"))

    def _follow(self, link: Link, moved: Moved) -> None:
        """The engine is elsewhere: a cluster has told where."""
        link.carrier.close()
        self._link = None
        self._route.moved(moved.place)
        self._dialler.at_once()

    def _lost(self, link: Link, reason: str) -> None:
        """A link is no more; another is tried after a pause."""
        link.carrier.close()
        if link is self._coming:
            self._coming = None
        else:
            self._link = None
            self._step_aside(reason)
        self._dialler.failed()
        self._pipe.send(Note(reason))

    def _beat(self) -> None:
        """A word a second, so that the rim sees a process that lives."""
        now = self._now()
        if now >= self._vitals_due:
            self._vitals_due = now + 1.0
            level = EMBEDDED.name if self._away else self._vitals.level or FULL.name
            far = self._tally.told(self._far.host, milliseconds(self._trip.ticks), self._thin)
            self._pipe.send(replace(self._vitals, level=level, remarks=self._remarks(far), far=far))

    def _remarks(self, far: FarStatus) -> str:
        """Where the frames come from and what the way is like, for people."""
        way = f"{far.trip_ms:.0f} ms there and back, {far.kbit:.0f} kbit/s"
        told = f"made by {far.host} ({way}); your voice goes there"
        return f"{told}; {self._vitals.remarks}" if self._vitals.remarks else told

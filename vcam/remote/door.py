"""The far end: a local engine for a rim on another machine, over one carrier.

The door owns no clock and keeps nothing: the face is deleted with the session, sound is never
written. Whoever reaches it is trusted as far as the carrier says: over ssh that is a login, over
TLS a certificate. A `Host` may keep the open engine for a rim whose link was cut.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from vcam import __version__, clock
from vcam.config import MODES
from vcam.engine.engine import Finished
from vcam.errors import ConfigError
from vcam.gpu import device
from vcam.link.process import EngineProcess
from vcam.media import AudioChunk
from vcam.remote import film, opus, wire, words
from vcam.remote.carrier import Carrier
from vcam.remote.face import Arriving
from vcam.remote.pace import Pace
from vcam.remote.rates import Rates
from vcam.remote.rooms import Host, Room, SentAway, read_hello
from vcam.remote.wire import Kind, Message, Why, WireError
from vcam.remote.words import Told

RATES = (25, 30, 50, 60)
SIZES = range(64, 1025, 2)
STAGES = ("motion", "render", "mouth")  # which a picture names by number
IDLE = 120.0  # seconds without sound after which a session ends
GREETING = 10.0  # seconds in which a rim must say who it is, and then begin to send a face
_NAP = 0.02  # seconds without news
_WORDS = 2048  # bytes that may wait before a picture: messages, and no picture
_MOST_BEHIND = 4  # frames behind the newest sound; older ones are not sent
WELCOME = {"protocol": int, "version": str, "free": int, "opus": bool, "gpu": str}


class Door:
    """One rim, from HELLO to BYE."""

    def __init__(
        self,
        carrier: Carrier,
        now: Callable[[], float] = clock.now,
        start: Callable[[int, int], EngineProcess] | None = None,
        host: Host | None = None,
    ) -> None:
        """`start` makes an engine process of a frame rate and a size."""
        context = multiprocessing.get_context("spawn")
        self._start = start or (lambda fps, size: EngineProcess(context, fps, size))
        self._carrier, self._now, self._reader = carrier, now, wire.Reader()
        self._rates = Rates()
        self._host, self.gone = host, threading.Event()  # its engine is in other hands
        self._engine: EngineProcess | None = None
        self._face: Arriving | None = None
        self._kept: Room | None = None  # from before the link was cut
        self._room: Room | None = None
        self._sent_away: SentAway | None = None
        self._said_bye = False
        self._returns = False  # whether the rim may come again
        self._hello: dict[str, Any] = {}
        self._pace = Pace()
        self._opus: opus.Decoder | None = None
        self._coder: film.Encoder | None = None
        self._key = True
        self._previous = self._shown = -1
        self._heard = 0
        self._told = Told()
        self._last_sound = now()

    def run(self) -> str:
        """Serve until the rim goes or is sent away; why it ended, for the log."""
        try:
            return self._serve()
        except (WireError, ConfigError) as error:
            why = error.why if isinstance(error, SentAway) else Why.ENDED
            self._returns = why is Why.TAKEN_OVER
            self._carrier.send(wire.bye(str(error), why))
            return str(error)
        finally:
            self._leave()
            self._carrier.flush(1.0)
            self._carrier.close()

    def send_away(self, why: Why, text: str) -> None:
        """End the session soon; from any thread."""
        self._sent_away = SentAway(why, text)

    def _leave(self) -> None:
        """The engine and the face are kept for the rim's return, or are no more."""
        if self._kept:
            self._kept.close()
        if self._room and self._returns and self._host and self._room.engine.alive:
            self._room.engine.rest(True)
            self._host.keep(self, self._room)
        elif self._room:
            self._room.close()
        elif self._face:
            self._face.close()
        if self._host:
            self._host.left(self)
        self.gone.set()

    def _serve(self) -> str:
        while not self._carrier.ended:
            if self._engine:
                self._engine.wait(_NAP, self._carrier.news)
            for message in self._reader.feed(self._carrier.receive(0 if self._engine else _NAP)):
                self._take(message)
            if self._sent_away:
                raise self._sent_away
            if self._now() - self._last_sound > (IDLE if self._room else GREETING):
                raise ConfigError("nothing came for too long")
            if self._engine is not None and not self._pass_on(self._engine):
                return "the engine ended"
        self._returns = not self._said_bye
        return "the rim has ended" if self._said_bye else "the link was cut"

    def _take(self, message: Message) -> None:
        """One message, if it may come now. Raises WireError."""
        self._rates.note(message.kind, self._now())
        if message.kind is Kind.BYE:
            self._said_bye = True
            self._carrier.close()
        elif message.kind is Kind.PING and self._hello:
            self._carrier.send(wire.numbered(Kind.PONG, wire.number(message)))
        elif self._engine is not None:
            self._during(self._engine, message)
        else:
            self._before(message)

    def _before(self, message: Message) -> None:
        """There is no engine yet: who is it, and which face shall it have?"""
        match message.kind:
            case Kind.HELLO if not self._hello:
                self._greet(message)
            case Kind.FACE if self._hello:
                self._expect(message)
            case Kind.FACE_PART if self._face:
                self._add(self._face, message)
            case Kind.OPEN if self._kept:
                self._reopen(self._kept, message)
            case Kind.OPEN if self._face and self._face.complete:
                self._open(self._face, message)
            case _:
                raise WireError(f"a {message.kind.name} came out of turn")

    def _during(self, engine: EngineProcess, message: Message) -> None:
        """The engine is open, or opens."""
        match message.kind:
            case Kind.SOUND:
                self._hear(engine, wire.Sound.read(message))
            case Kind.REST:
                self._last_sound = self._now()  # who rests says nothing, and lives
                engine.rest(message.body == b"\1")
            case Kind.KEY:
                wire.number(message)
                self._key = True
                self._pace.restart()
            case Kind.GESTURE:
                engine.express(wire.read_gesture(message))
            case _:
                raise WireError(f"a {message.kind.name} came out of turn")

    def _greet(self, message: Message) -> None:
        said = read_hello(message, "machine")
        if said["fps"] not in RATES or said["size"] not in SIZES:
            raise WireError(f"{said['size']} pixels at {said['fps']} fps were asked for")
        self._hello, self._last_sound = said, self._now()
        free = self._host.free if self._host else 1
        self._carrier.send(
            wire.facts(
                Kind.WELCOME,
                protocol=wire.PROTOCOL,
                version=__version__,
                free=free,
                opus=opus.is_here(),
                gpu=device.names()[: wire.LONGEST_TEXT],
            )
        )

    def _expect(self, message: Message) -> None:
        if len(message.body) != 36 or self._face:
            raise WireError("a FACE came that is none, or a second one")
        if self._host:
            self._kept = self._host.enter(self)
        digest, size = message.body[:32], int.from_bytes(message.body[32:], "big")
        if self._kept and not self._fits(self._kept, digest):
            self._kept.close()
            self._kept = None
        self._face = self._kept.face if self._kept else Arriving(digest, size)
        state = wire.HAVE if self._kept else wire.SEND
        self._carrier.send(wire.message(Kind.FACE_STATE, state))

    def _fits(self, kept: Room, digest: bytes) -> bool:
        """Whether what was kept is what the rim wants now."""
        wanted = (digest, *(self._hello[key] for key in ("run", "fps", "size")))
        have = (kept.face.digest, kept.run, kept.fps, kept.size)
        return have == wanted and kept.engine.alive

    def _add(self, face: Arriving, message: Message) -> None:
        if len(message.body) < 5:
            raise WireError("an empty part of a face came")
        face.add(int.from_bytes(message.body[:4], "big"), message.body[4:])
        self._last_sound = self._now()

    def _open(self, face: Arriving, message: Message) -> None:
        profile = replace(face.unpacked(), mode=_mode(message))
        fps, size = self._hello["fps"], self._hello["size"]
        room = Room(face, profile, self._start(fps, size), self._hello["run"], fps, size)
        room.engine.open(profile, AudioChunk(0, np.zeros(0, np.float32)))
        self._live(room)

    def _reopen(self, kept: Room, message: Message) -> None:
        """The engine that the rim left behind goes on."""
        if _mode(message) != kept.profile.mode:
            raise WireError("a face that is open was asked for in another mode")
        kept.engine.rest(False)
        self._kept = None
        self._live(kept)

    def _live(self, room: Room) -> None:
        self._pace = room.pace = Pace(room.pace.kbit)  # of another connection, from the same rate
        self._coder = film.Encoder(room.size, room.fps, self._pace.kbit)
        self._room, self._engine = room, room.engine

    def _hear(self, engine: EngineProcess, sound: wire.Sound) -> None:
        chunk = self._decoded(sound) if sound.packet else sound.chunk
        engine.send(chunk)
        now = self._now()
        self._heard, self._shown, self._last_sound = chunk.end, sound.shown, now
        self._pace.arrived(sound.newest, now)

    def _decoded(self, sound: wire.Sound) -> AudioChunk:
        if not opus.is_here():
            raise WireError("a SOUND as Opus came, which this machine does not know")
        self._opus = self._opus or opus.Decoder()
        return self._opus.decode(sound.chunk.start, sound.packet)

    def _pass_on(self, engine: EngineProcess) -> bool:
        """Everything that the engine has said; whether it lives."""
        frames = engine.receive(self._shown, 0.0)
        for news in self._told.news(engine):
            self._carrier.send(news)
        if frames:
            self._send(frames[-1], engine)
        kbit = self._pace.decide(self._now())
        if kbit is not None and self._coder:
            self._coder.follow(kbit)
        self._carrier.thin(self._pace.halved)
        if engine.alive or frames:
            return True
        self._carrier.send(words.last(engine))
        return False

    def _send(self, finished: Finished, engine: EngineProcess) -> None:
        """A frame, unless it is too old or the link too full: then it costs nothing."""
        frame, lasts = finished.frame, finished.lasts
        if self._pace.halved:
            if frame.at // lasts % 2:
                return
            lasts *= 2
        late = self._heard - frame.at > finished.behind + _MOST_BEHIND * lasts
        if self._coder is None or self._pace.jammed or late:
            return
        if self._carrier.unsent > _WORDS:  # the one before has not left yet
            self._pace.full()
            return
        data, key = self._coder.encode(frame.array(), self._key)
        took = {
            STAGES.index(stage): spent for stage, spent in finished.took.items() if stage in STAGES
        }
        follows = -1 if key else self._previous
        picture = wire.Picture(
            frame.at, follows, lasts, finished.behind, self._heard, engine.speaking, took, data
        )
        self._carrier.send(picture.coded())
        self._pace.sent(frame.at, self._now())
        self._previous, self._key = frame.at, False


def _mode(message: Message) -> str:
    """What an OPEN asks for. Raises WireError."""
    mode = str(wire.read_facts(message, {"mode": str})["mode"])
    if mode not in MODES:
        raise WireError(f"the mode {mode:.20} was asked for")
    return mode

"""What travels between a rim and a far engine: messages of bounded size, and nothing that runs.

Big-endian: u32 length, u8 kind, body; the length counts kind and body. JSON bodies are flat, with
known keys and short strings alone. A message that is too long, of an unknown kind or of a wrong
shape is a `WireError`, after which the connection ends.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

from vcam.errors import EngineError
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.motion.gestures import ORDER, Begun

PROTOCOL = 3
LONGEST_TEXT = 256  # characters of a string in JSON
_HEAD = struct.Struct(">IB")
_SOUND = struct.Struct(">qqqB")
_FRAME = struct.Struct(">qqIIqBBB")
_TOOK = struct.Struct(">Bf")
PCM, OPUS = 0, 1  # how sound is coded: 16-bit samples, or one packet (`vcam.remote.opus`)
H264 = 0  # how a picture is coded
SPEAKING = 1  # a flag of a picture
MOST_STAGES = 16
_MOST_BEHIND = 8 * TICKS_PER_SECOND  # of sound, that a picture may have waited for

Json: TypeAlias = "dict[str, str | int | float | bool]"


class WireError(EngineError):
    """What came is no message of ours."""


class Kind(IntEnum):
    """The messages; the first that a rim sends is HELLO, the engine's answer WELCOME."""

    HELLO = 1
    WELCOME = 2
    FACE = 3
    FACE_STATE = 4
    FACE_PART = 5
    OPEN = 6
    SOUND = 7
    REST = 8
    KEY = 9
    PING = 10
    PONG = 11
    NOTE = 12
    READY = 13
    VITALS = 14
    CHANGE = 15
    DIED = 16
    FRAME = 17
    BYE = 19
    GESTURE = 20
    PLACE = 32  # of a cluster: where a rim's engine is


class Why(IntEnum):
    """The reasons of a BYE."""

    ENDED = 0
    REFUSED = 1  # and would be again
    BUSY = 2
    TAKEN_OVER = 3  # by a newer connection of the same rim
    DRAINING = 4  # the engine's machine ends its service


HAVE, SEND = b"\0", b"\1"  # a FACE_STATE: the face is there still, or shall come
_KIB = 1024
LIMITS: dict[Kind, int] = {  # bytes of a body
    Kind.HELLO: 4 * _KIB, Kind.WELCOME: 4 * _KIB, Kind.FACE: 40, Kind.FACE_STATE: _KIB,
    Kind.FACE_PART: 64 * _KIB, Kind.OPEN: 4 * _KIB, Kind.SOUND: 4 * _KIB, Kind.REST: 1,
    Kind.KEY: 8, Kind.PING: 8, Kind.PONG: 8, Kind.NOTE: 2 * _KIB, Kind.READY: 2 * _KIB,
    Kind.VITALS: 2 * _KIB, Kind.CHANGE: 2 * _KIB, Kind.DIED: 2 * _KIB, Kind.FRAME: 256 * _KIB,
    Kind.BYE: 512, Kind.GESTURE: 9, Kind.PLACE: 2 * _KIB,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as it came."""

    kind: Kind
    body: bytes


class Reader:
    """Bytes, cut anywhere -> whole messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises WireError; nothing is read after that."""
        self._pending += data
        return list(self._whole())

    def _whole(self) -> Iterator[Message]:
        pending = self._pending
        while len(pending) >= _HEAD.size:
            length, number = _HEAD.unpack_from(pending)
            if number not in LIMITS:
                raise WireError(f"a message of the unknown kind {number} came")
            kind = Kind(number)
            if not 1 <= length <= LIMITS[kind] + 1:
                raise WireError(f"a {kind.name} of {length} bytes came")
            end = _HEAD.size - 1 + length
            if len(pending) < end:
                return
            body = bytes(pending[_HEAD.size : end])
            del pending[:end]
            yield Message(kind, body)


def message(kind: Kind, body: bytes = b"") -> bytes:
    """A message as it travels."""
    assert len(body) <= LIMITS[kind], (kind, len(body))
    return _HEAD.pack(len(body) + 1, kind) + body


def facts(kind: Kind, **values: str | int | float | bool) -> bytes:
    """A message whose body is flat JSON; strings are cut to what may travel."""
    short = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in values.items()
    }
    return message(kind, json.dumps(short, ensure_ascii=True).encode()[: LIMITS[kind]])


def read_facts(message: Message, known: Mapping[str, type]) -> dict[str, Any]:
    """A flat JSON body with just the `known` keys, of their types. Raises WireError."""
    try:
        found = json.loads(message.body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a {message.kind.name} that is no JSON came") from error
    if not isinstance(found, dict) or set(found) != set(known):
        raise WireError(f"a {message.kind.name} with other keys than {', '.join(known)} came")
    for key, kind in known.items():
        if kind is float and type(found[key]) is int:
            found[key] = float(found[key])
        _demand(message, key, found[key], kind)
    return found


def _demand(message: Message, key: str, value: object, kind: type) -> None:
    good = type(value) is kind
    if isinstance(value, str):
        good &= len(value) <= LONGEST_TEXT
    if isinstance(value, float):
        good &= math.isfinite(value)
    if isinstance(value, int):
        good &= abs(value) < 2**63
    if not good:
        raise WireError(f"a {message.kind.name} whose {key} is no {kind.__name__} came")


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of the voice, and what the rim has to say with it."""

    chunk: AudioChunk
    shown: int  # tick of the frame on show
    newest: int  # tick of the newest frame that arrived
    packet: bytes = b""  # its samples as Opus; what was read has either these or those

    def coded(self) -> bytes:
        """As a message: the packet, or 16-bit samples."""
        samples = np.clip(np.rint(self.chunk.samples * 32_767), -32_768, 32_767).astype(">i2")
        codec = OPUS if self.packet else PCM
        head = _SOUND.pack(self.chunk.start, self.shown, self.newest, codec)
        return message(Kind.SOUND, head + (self.packet or samples.tobytes()))

    @classmethod
    def read(cls, message: Message) -> Sound:
        """What `coded` gave. Raises WireError."""
        body = message.body
        if len(body) < _SOUND.size:
            raise WireError(f"a SOUND of {len(body)} bytes came")
        start, shown, newest, codec = _SOUND.unpack_from(body)
        data = body[_SOUND.size :]
        if not 0 <= start < 1 << 56 or codec not in (PCM, OPUS) or (codec == PCM and len(data) % 2):
            raise WireError(f"a SOUND of the unknown kind {codec}, or outside all time, came")
        if codec == OPUS:
            return cls(AudioChunk(start, np.zeros(0, np.float32)), shown, newest, data)
        samples = np.frombuffer(data, ">i2").astype(np.float32)
        return cls(AudioChunk(start, samples / np.float32(32_767)), shown, newest)


@dataclass(frozen=True, slots=True)
class Picture:
    """A coded frame."""

    at: int
    follows: int  # the tick of the frame that it was predicted from; -1: of none
    lasts: int
    behind: int
    heard: int  # up to which tick sound had come
    speaking: bool
    took: Mapping[int, float]  # milliseconds, by the number of the stage
    data: bytes

    def coded(self) -> bytes:
        """As a message."""
        flags = SPEAKING if self.speaking else 0
        head = _FRAME.pack(
            self.at, self.follows, self.lasts, self.behind, self.heard, flags, H264, len(self.took)
        )
        took = b"".join(_TOOK.pack(stage, spent) for stage, spent in self.took.items())
        return message(Kind.FRAME, head + took + self.data)

    @classmethod
    def read(cls, message: Message) -> Picture:
        """What `coded` gave. Raises WireError."""
        body = message.body
        if len(body) < _FRAME.size:
            raise WireError(f"a FRAME of {len(body)} bytes came")
        at, follows, lasts, behind, heard, flags, codec, stages = _FRAME.unpack_from(body)
        end = _FRAME.size + stages * _TOOK.size
        if codec != H264 or stages > MOST_STAGES or len(body) < end:
            raise WireError(f"a FRAME of the unknown kind {codec}, or cut off, came")
        took = dict(_TOOK.iter_unpack(body[_FRAME.size : end]))
        if not all(math.isfinite(spent) for spent in took.values()):
            raise WireError("a FRAME that took no time that is a number came")
        if not 0 < lasts <= TICKS_PER_SECOND or behind > _MOST_BEHIND:
            raise WireError(f"a FRAME of {lasts} ticks, {behind} behind its sound, came")
        return cls(at, follows, lasts, behind, heard, bool(flags & SPEAKING), took, body[end:])


def gesture(begun: Begun) -> bytes:
    """A gesture as a message: when it begins, and which it is."""
    return message(Kind.GESTURE, struct.pack(">qB", begun.at, ORDER.index(begun.name)))


def read_gesture(message: Message) -> Begun:
    """What `gesture` gave. Raises WireError."""
    if len(message.body) != 9 or message.body[8] >= len(ORDER):
        raise WireError("a GESTURE came that nobody knows")
    at, code = struct.unpack(">qB", message.body)
    if not 0 <= at < 1 << 56:
        raise WireError("a GESTURE before or after all time came")
    return Begun(at, ORDER[code])


def number(message: Message) -> int:
    """The one number of a KEY, PING or PONG. Raises WireError."""
    if len(message.body) != 8:
        raise WireError(f"a {message.kind.name} of {len(message.body)} bytes came")
    return int.from_bytes(message.body, "big", signed=True)


def numbered(kind: Kind, value: int) -> bytes:
    """A message that is one number."""
    return message(kind, value.to_bytes(8, "big", signed=True))


def bye(text: str, why: Why = Why.ENDED) -> bytes:
    """The last message, with the reason for people."""
    return message(Kind.BYE, bytes([why]) + text.encode()[: LIMITS[Kind.BYE] - 1])


def read_bye(message: Message) -> tuple[Why, str]:
    """What `bye` gave. Raises WireError."""
    if not message.body or message.body[0] not in set(Why):
        raise WireError("a BYE without a reason came")
    return Why(message.body[0]), read_text(Message(Kind.BYE, message.body[1:]))


def read_text(message: Message) -> str:
    """The text of a message, printable."""
    text = message.body.decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable())

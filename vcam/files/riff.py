"""Sound files as they are found: tags in front, sizes that were never filled in, strange chunks.

FFmpeg takes a WAV file's header at its word. `Sight` shows it the file behind any ID3 tags, and a
WAV file with a plain header of the same meaning, whose size is true.
"""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

from vcam.errors import MediaError

UNKNOWN = 0xFFFFFFFF  # as a size, to FFmpeg: until the file's end
NEVER_FILLED = 0x7FFF0000  # sizes from here on: 2 or 4 GiB, less a header, before they are known
ALL_ONES = 0x11000  # or so little below any other power of two
FIRST_POWER = 1 << 24  # which is no size of a short file by chance
LONGEST = 3600  # seconds; what claims more than vcam would read anyway is no true size
LARGEST_HEADER = 1 << 16  # bytes of a chunk that is kept
LONGEST_PADDING = 1 << 16  # zeros that taggers leave after a tag
FORMS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
KEPT = (b"fmt ", b"fact")
FAMILIAR = (b"data", b"LIST", *KEPT)
SUN = {(1, 16): 3, (1, 24): 4, (1, 32): 5, (3, 32): 6, (3, 64): 7, (6, 8): 27, (7, 8): 1}
MOST_CHUNKS = 1000  # before the samples; a file of zeros has millions


class Sight:
    """A file, read from byte `start` on, with `head` in front; for whatever reads and seeks."""

    def __init__(self, file: BinaryIO, name: str, start: int = 0, head: bytes = b"") -> None:
        """`name` is a name for FFmpeg, which looks at how it ends."""
        self.name = name
        self.promised: int | None = None  # bytes of a whole that was cut off; else nothing
        self._file, self._start, self._head, self._at = file, start, head, 0
        self._size = len(head) + max(0, file.seek(0, io.SEEK_END) - start)

    def read(self, size: int) -> bytes:
        """The next bytes, `size` at most; none at the end."""
        if self._at < len(self._head):
            found = self._head[self._at : self._at + size]
        elif self._at < self._size:
            self._file.seek(self._start + self._at - len(self._head))
            found = self._file.read(size)
        else:
            return b""
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on at another place; give it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where it goes on."""
        return self._at


class CutShort(MediaError):
    """A WAV file that ends before its samples begin."""


def seen(file: BinaryIO, name: str) -> Sight:
    """What FFmpeg shall see of an open `file`. Raises `CutShort`."""
    size = file.seek(0, io.SEEK_END)
    start = _behind_tags(file, size)
    file.seek(start)
    form, _, kind = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if form not in FORMS or kind != b"WAVE":
        return Sight(file, name, start)
    return Wave(file, start, size).sight(name)


class Wave:
    """The chunks of a WAV file that begins at byte `start` of a `file` of so many bytes."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        """Read the headers of all chunks up to the samples. Raises `CutShort`."""
        self._file, self._start, self._end = file, start, size
        file.seek(start)
        self._order = ">" if file.read(4) == b"RIFX" else "<"
        self._whole: int = self._unpack("I", file.read(4))[0]
        self._chunks: dict[bytes, bytes] = {}
        self._samples, self._claimed = self._find_samples()

    def sight(self, name: str) -> Sight:
        """The samples behind a header that is true."""
        told = self._claimed if 0 < self._claimed <= self._there else UNKNOWN
        sight = Sight(self._file, name, self._samples, self._header(told))
        if self._claimed > self._there and not self._was_never_filled_in(self._claimed):
            sight.promised = self._samples + self._claimed
        return sight

    def _header(self, told: int) -> bytes:
        if self._order == ">" and (head := self._sun_header(told)):
            return head
        kept = [(key, self._chunks[key]) for key in KEPT if key in self._chunks]
        head = b"WAVE" + b"".join(self._packed(key, len(body)) + body for key, body in kept)
        head += self._packed(b"data", told)
        form = b"RIFX" if self._order == ">" else b"RIFF"
        whole = self._packed(form, min(len(head) + told, UNKNOWN))
        return whole + head

    def _sun_header(self, size: int) -> bytes:
        """The same as an AU file: of a WAV's big-endian samples FFmpeg makes noise."""
        tag, channels, rate, _, _, bits = self._unpack("HHIIHH", self._form)
        code = SUN.get((tag, bits))
        return struct.pack(">4s5I", b".snd", 24, size, code, rate, channels) if code else b""

    @property
    def _form(self) -> bytes:
        return self._chunks.get(b"fmt ", b"")[:16].ljust(16, b"\0")

    @property
    def _there(self) -> int:
        """Bytes behind the beginning of the samples."""
        return self._end - self._samples

    def _was_never_filled_in(self, size: int) -> bool:
        """Whether a size larger than the file is what programs write before they know it.

        Then the file is whole, and else it was cut off: there the size of everything agrees. Both
        are read to their end; what was cut off is told.
        """
        least = self._samples - self._start - 8 + size
        if _is_placeholder(size) or _is_placeholder(self._whole) or self._whole < least:
            return True
        bytes_a_second: int = self._unpack("HHIIHH", self._form)[3]
        return 0 < LONGEST * bytes_a_second < size

    def _find_samples(self) -> tuple[int, int]:
        """Where the samples begin, and how many bytes of them the header claims."""
        at, long_size = self._start + 12, 0
        for _ in range(MOST_CHUNKS):
            header = self._read(at, 8)
            if len(header) < 8:
                break
            key, size = self._unpack("4sI", header)
            at += 8
            if key == b"data":
                claimed = long_size if size == UNKNOWN and long_size else size
                return (self._end if self._is_empty(at, claimed) else at), claimed
            if key == b"ds64":
                self._whole, long_size = self._unpack("QQ", self._read(at, 16).ljust(16, b"\0"))
            elif key in KEPT and size <= LARGEST_HEADER:
                self._chunks[key] = self._read(at, size + size % 2)
            at += size + self._padding(at, size)
        raise CutShort("it ends before its samples begin")

    def _is_empty(self, at: int, claimed: int) -> bool:
        """Whether nothing but chunks, to the end of the file, follows samples that are none."""
        if claimed or self._start + 8 + self._whole < self._end - 1:
            return False
        while at < self._end - 1:
            name, size = self._unpack("4sI", self._read(at, 8).ljust(8, b"\0"))
            at += 8 + size + size % 2
            if not _is_name(name) or at > self._end + 1:
                return False
        return True

    def _padding(self, at: int, size: int) -> int:
        """Bytes behind a chunk of `size` bytes at byte `at`: most programs make sizes even."""
        following = self._read(at + size, 5) if size % 2 else b""
        unpadded = following[1:] not in FAMILIAR and _is_name(following[:4])
        return 0 if unpadded else size % 2

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)

    def _packed(self, key: bytes, size: int) -> bytes:
        return key + struct.pack(f"{self._order}I", size)

    def _unpack(self, kinds: str, packed: bytes) -> tuple[Any, ...]:
        return struct.unpack(self._order + kinds, packed)


def _is_placeholder(size: int) -> bool:
    """Whether a size is one that nobody has counted: none, or nearly a power of two."""
    power = 1 << size.bit_length()
    return size == 0 or size >= NEVER_FILLED or (power >= FIRST_POWER and power - size < ALL_ONES)


def _is_name(letters: bytes) -> bool:
    """Whether these four bytes may be a chunk's name."""
    return len(letters) == 4 and letters.isascii() and letters.decode("ascii").isprintable()


def _behind_tags(file: BinaryIO, size: int) -> int:
    """Where the file begins behind its ID3v2 tags; 0 where nothing is behind them."""
    at = 0
    while length := _tag(file, at):
        at += length
    file.seek(at)
    following = file.read(LONGEST_PADDING if at else 4)
    zeros = len(following) - len(following.lstrip(b"\0"))
    padded = at and following[zeros:].startswith(FORMS)
    return (at + zeros if padded else at) if at < size else 0


def _tag(file: BinaryIO, at: int) -> int:
    """Bytes of the ID3v2 tag at byte `at`, 0 without one (https://id3.org/id3v2.4.0-structure)."""
    file.seek(at)
    header = file.read(10)
    if len(header) < 10 or header[:3] != b"ID3" or max(header[6:]) >= 0x80:
        return 0
    size = sum(part << shift for part, shift in zip(header[6:], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if header[5] & 0x10 else 0)

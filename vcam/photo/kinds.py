"""What a file is, by its first bytes: its name says little (messengers call WebP photo.jpg)."""

from __future__ import annotations

import re

HEAD = 4096  # bytes that are enough to tell
# The names of those that can be read; `picture` knows how.
PNG, JPEG, WEBP, AVIF, HEIC = "PNG", "JPEG", "WebP", "AVIF", "HEIC"

_SAVE = "save it as JPEG or PNG"
_PICTURES = {
    "AVIF": _SAVE,
    "HEIC": "save it as JPEG (iPhone: Settings, Camera, Formats, Most Compatible; or mail the "
    "photo to yourself)",
    "WebP": _SAVE,
    "GIF": _SAVE,
    "TIFF": _SAVE,
    "BMP": _SAVE,
    "JPEG XL": _SAVE,
    "JPEG 2000": _SAVE,
    "Photoshop": _SAVE,
    "GIMP": "export it as JPEG or PNG",
    "icon": _SAVE,
    "raw camera": "export it as JPEG",
    "SVG": "give a photo",
}
_OTHERS = {
    "a film": "save one frame of it as JPEG or PNG",
    "a sound file": "give a photo",
    "a PDF document": "save the picture in it as JPEG or PNG",
    "a PostScript drawing": "give a photo",
    "a web page": "save the picture itself, not the page that shows it",
    "a ZIP archive": "unpack it first",
    "an archive": "unpack it first",
    "a program": "give a photo",
    "what macOS keeps beside a file": "give the file of the same name without '._'",
    "a text file": "give a photo",
    "empty": "copy the photo again",
}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8", JPEG),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"FUJIFILMCCD-RAW", "raw camera"),
    *((start, "raw camera") for start in (b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"\0\0\1\0", "icon"),
    (b"%!PS", "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (b"\x1aE\xdf\xa3", "a film"),
    (b"FLV\1", "a film"),
    (b"\0\0\1\xba", "a film"),
    (b"\0\0\1\xb3", "a film"),
    (b"0&\xb2u\x8ef\xcf\x11", "a film"),
    *((start, "a sound file") for start in (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf1")),
    (b"PK\3\4", "a ZIP archive"),
    *(
        (start, "an archive")
        for start in (b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"BZh")
    ),
    *((start, "a program") for start in (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe")),
    (b"\0\5\x16\7", "what macOS keeps beside a file"),
)
_RIFF = {b"WEBP": WEBP, b"AVI ": "a film", b"WAVE": "a sound file"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_DNG = (b"\x12\xc6\1\0\4\0\0\0", b"\xc6\x12\0\1\0\0\0\4")  # the tag DNGVersion in a TIFF
_RAW = re.compile(r"\.(3fr|arw|cr2|cr3|dng|erf|iiq|kdc|mef|mos|nef|nrw|pef|rwl|sr2|srf|srw)", re.I)
_WEB = re.compile(rb"<!doctype html|<html|<head|<body|<script", re.I)


def kind_of(content: bytes, suffix: str = "") -> str | None:
    """One of the names above, or None for what nobody knows.

    Raw photos of many cameras are TIFF files inside; there alone the name's `suffix` counts.
    """
    head = content[:HEAD]
    kind = _by_start(head)
    if kind == "TIFF" and (head[8:10] == b"CR" or _RAW.fullmatch(suffix) or _dng(head)):
        return "raw camera"
    return kind or _by_text(head)


def told(kind: str | None) -> str:
    """What the matter is with a file of this kind, and what to do, as a sentence after its name."""
    if kind in _PICTURES:
        return f"{named(kind)}; {_PICTURES[kind]}"
    if kind in _OTHERS:
        return f"is {kind}{'' if kind == 'empty' else ', no picture'}; {_OTHERS[kind]}"
    return "is no picture that vcam knows; give a JPEG, PNG, WebP or AVIF file"


def named(kind: str) -> str:
    """What is said after a file's name: "is a WebP picture"."""
    return f"is {'an' if kind in ('AVIF', 'icon', 'SVG') else 'a'} {kind} picture"


def too_new(kind: str) -> str:
    """The sentence for a kind that is read here, but whose library could not read this file."""
    return f"{named(kind)}, damaged or too new for what reads it here; {_PICTURES[kind]}"


def _by_start(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if b"%PDF-" in head[:1024]:
        return "a PDF document"
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def _by_brand(head: bytes) -> str:
    """Of an ISO base media file: its own brand first, then those it is compatible with."""
    end = min(int.from_bytes(head[:4], "big"), 256)
    own, others = head[8:12], {head[at : at + 4] for at in range(16, end - 3, 4)}
    if own == b"crx ":
        return "raw camera"
    if own == b"jxl ":
        return "JPEG XL"
    if {own, *others} & {b"avif", b"avis"}:
        return AVIF
    return HEIC if own in _HEIC or (own[:3] == b"mif" and others & _HEIC) else "a film"


def _by_text(head: bytes) -> str | None:
    if not head:
        return "empty"
    sixteen = head[:2] in (b"\xff\xfe", b"\xfe\xff")  # bits a character, as Windows writes
    text = head.replace(b"\0", b"") if sixteen else head
    if b"<svg" in text:
        return "SVG"
    if _WEB.search(text):
        return "a web page"
    return "a text file" if sixteen or not re.search(rb"[\0-\x08\x0e-\x1a\x7f]", text) else None


def _dng(head: bytes) -> bool:
    return any(tag in head for tag in _DNG)

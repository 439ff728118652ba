"""Picture files as cameras, phones, browsers and editors write them, made up."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

RED, BLUE = (250, 10, 10), (20, 30, 200)
# EXIF's orientation -> how an upright picture lies in such a file.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def marked(height=32, width=48):
    """[height, width, 3]: blue, and red above left, so that no turn or mirror looks like it."""
    picture = np.full((height, width, 3), BLUE, np.uint8)
    picture[: height // 2, : width // 3] = RED
    return picture


def saved(picture, kind="PNG", orientation=1, **options):
    """A file of the PIL or NumPy picture `picture`, stored as `orientation` says."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    if orientation in STORED:
        picture = picture.transpose(STORED[orientation])
        exif = Image.Exif()
        exif[0x112] = orientation
        options["exif"] = exif.tobytes()
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    """One of a PNG."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, depth, colour_type, rows, *chunks):
    """A PNG of packed `rows`, of bit depths and with chunks that no library writes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _s15(value):
    return struct.pack(">i", round(value * 65536))


def _icc(space, connection, tags):
    """A colour profile of version 2 with these tags: name -> content."""
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content
    size = at + len(data)
    header = struct.pack(">I4x4s4s4s4s", size, b"\2\x40\0\0", b"mntr", space, connection)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += _s15(0.9642) + _s15(1.0) + _s15(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def rgb_profile(columns, gamma):
    """Of a screen: XYZ (D50) of its red, green and blue, and its gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    tags = {b"wtpt": b"XYZ " + bytes(4) + _s15(0.9642) + _s15(1.0) + _s15(0.8249)}
    for name, xyz in zip((b"r", b"g", b"b"), columns, strict=True):
        tags[name + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(_s15(value) for value in xyz)
        tags[name + b"TRC"] = curve
    return _icc(b"RGB ", b"XYZ ", tags)


# Primaries adapted to D50, as their owners publish them.
DISPLAY_P3 = rgb_profile(
    ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)), 2.2
)
ADOBE_RGB = rgb_profile(
    ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)), 2.2
)


def grey_profile(gamma):
    """Of a grey picture."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ " + bytes(4) + _s15(0.9642) + _s15(1.0) + _s15(0.8249)
    return _icc(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def ink_profile():
    """Of a press whose every ink is the same grey: what comes out shows that it was used."""
    grid = bytes(
        value
        for inks in np.ndindex(2, 2, 2, 2)
        for value in (255 - 60 * sum(inks), 128, 128)  # Lab: light, and no colour
    )
    matrix = b"".join(_s15(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    curve = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + 4 * curve + grid + 3 * curve
    return _icc(b"CMYK", b"Lab ", {b"A2B0": table})


def ycck(inks):
    """A JPEG as Photoshop writes it for print: inks [h, w, 4] as brightness, colours and black."""
    picture = Image.fromarray(inks[..., :3]).convert("YCbCr")
    stored = np.dstack([255 - np.array(picture), inks[..., 3:]])
    content = saved(Image.fromarray(stored, "CMYK"), "JPEG", quality=95, subsampling=0)
    at = content.index(b"Adobe") + 11  # how the colours are coded
    return content[:at] + b"\2" + content[at + 1 :]

"""The constants of a frozen TensorFlow graph, read without TensorFlow.

A frozen graph is a protocol buffer (protobuf.dev, "Encoding"; tensorflow/core/framework, graph,
node_def, attr_value and tensor .proto): node 1 {name 1, op 2, attr 5 {key 1, value 2 {tensor 8
{dtype 1, shape 2 {dim 2 {size 1}}, tensor_content 4}}}}. Only that is looked at; nothing is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from vcam.errors import WeightsError

LARGEST = 2 << 30  # bytes of a file; protocol buffers cannot be larger
_FLOAT = 1  # DT_FLOAT
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
Field: TypeAlias = "tuple[int, int | memoryview]"


def read_constants(path: Path) -> dict[str, Tensor]:
    """Every float32 constant of the graph in `path`, by its node's name.

    Raises WeightsError for a file that is missing, too large, damaged or no frozen graph.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise WeightsError(f"{path} is larger than 2 GiB and so no frozen graph")
        return dict(_constants(memoryview(path.read_bytes())))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is no frozen TensorFlow graph, or damaged: {error}") from error


def _constants(graph: memoryview) -> Iterator[tuple[str, Tensor]]:
    for number, node in _fields(graph):
        if number != 1:
            continue
        facts = _last(_inside(node))
        if 1 in facts and 2 in facts and bytes(_inner(facts[2])) == b"Const":
            found = _value(_inner(node))
            if found is not None:
                yield bytes(_inner(facts[1])).decode(), found


def _value(node: memoryview) -> Tensor | None:
    """The attribute called value of a constant, if it holds float32 numbers."""
    for number, attribute in _fields(node):
        if number != 5:
            continue
        facts = _last(_inside(attribute))
        if bytes(_inner(facts.get(1, _NOTHING))) == b"value":
            tensor = _last(_inside(facts.get(2, _NOTHING))).get(8)
            return None if tensor is None else _tensor(_inner(tensor))
    return None


_NOTHING = memoryview(b"")


def _tensor(content: memoryview) -> Tensor | None:
    facts = _last(_fields(content))
    if facts.get(1) != _FLOAT or 4 not in facts:
        return None
    shape = [_size(dim) for number, dim in _inside(facts.get(2, _NOTHING)) if number == 2]
    data = _inner(facts[4])
    if 4 * math.prod(shape) != len(data):
        raise ValueError(f"{len(data)} bytes for numbers in the shape {shape}")
    return torch.from_numpy(np.frombuffer(data, "<f4").reshape(shape).copy())


def _size(dim: int | memoryview) -> int:
    size = _last(_inside(dim)).get(1, 0)
    if not isinstance(size, int):
        raise ValueError("a size that is no number")
    return size


def _last(fields: Iterator[Field]) -> dict[int, int | memoryview]:
    """Of a field that stands several times the last holds."""
    return dict(fields)


def _inner(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _inside(value: int | memoryview) -> Iterator[Field]:
    return _fields(_inner(value))


def _fields(message: memoryview) -> Iterator[Field]:
    """Numbers of the fields of a message, and their values, as they stand."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_EIGHT, _FOUR):
            length = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at + length > len(message):
            raise ValueError("a field that ends behind its message")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next thing starts."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")

"""The made-up head in the layout of the file that upstream publishes."""

from __future__ import annotations

from torch import Tensor

from vcam.engine.synthetic_files import published
from vcam.flame.model import FlameModel
from vcam.flame.synthetic import EXPRESSIONS, SHAPES, made_up_model

__all__ = ["EXPRESSIONS", "SHAPES", "as_published", "made_up_model"]


def as_published(model: FlameModel) -> dict[str, dict[str, Tensor]]:
    """The model in the layout of the file that upstream publishes."""
    nested: dict[str, dict[str, Tensor]] = {}
    for name, tensor in published(model).items():
        folder, last = name.split(".")
        nested.setdefault(folder, {})[last] = tensor
    return nested

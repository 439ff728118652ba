"""Small TFLite networks in the LiteRT runtime (`vcam[face]`): arrays in, arrays out."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vcam.errors import ConfigError
from vcam.media import FloatArray
from vcam.muted import muted

ASSETS = Path(__file__).parent / "assets"


class LiteNet:
    """One network of `vcam/assets`, on one thread."""

    def __init__(self, name: str) -> None:
        """Raises ConfigError when the runtime is not installed."""
        runtime = _runtime()
        with muted():
            self._net = runtime.Interpreter(str(ASSETS / f"{name}.tflite"), num_threads=1)
            self._net.allocate_tensors()
        self._input = int(self._net.get_input_details()[0]["index"])
        self._outputs = [int(out["index"]) for out in self._net.get_output_details()]

    def __call__(self, data: FloatArray) -> list[FloatArray]:
        """Run the network on `data`, shaped as its input; copies of its outputs, in its order."""
        self._net.set_tensor(self._input, data)
        self._net.invoke()
        return [np.array(self._net.get_tensor(index), np.float32) for index in self._outputs]


@cache
def _runtime() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise ConfigError(
            "finding a face in a photo needs one more package: pip install 'vcam[face]'"
        ) from error

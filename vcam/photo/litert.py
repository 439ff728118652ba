"""Small TFLite networks in the LiteRT runtime: arrays in, arrays out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vcam.media import FloatArray
from vcam.muted import muted
from vcam.system import missing

ASSETS = Path(__file__).parents[1] / "assets"


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
    return missing.LITERT.load()

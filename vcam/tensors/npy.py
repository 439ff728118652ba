"""One array of numbers in NumPy's own file, read without its pickles."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError  # what NumPy raises for some damaged headers

import numpy as np
from numpy.typing import NDArray

from vcam.errors import WeightsError


def read_npy(path: Path) -> NDArray[np.float64]:
    """The array of a `.npy` file. Raises WeightsError for anything else."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray) or loaded.dtype.kind not in "fiub":
            raise ValueError("it holds no numbers")
        return loaded.astype(np.float64)
    except (OSError, ValueError, SyntaxError, TypeError, EOFError, TokenError, MemoryError,
            OverflowError, KeyError) as error:  # fmt: skip
        raise WeightsError(f"{path} is no array of numbers: {error!s:.80}") from error

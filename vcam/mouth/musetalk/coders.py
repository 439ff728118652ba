"""Which image coder does what: the exact one, a tiny one, or one for each part.

A *manner* is a way to paint. What a profile asks for gives a painter one of them or, with "auto",
several: from the best to the cheapest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vcam.errors import WeightsError
from vcam.mouth.musetalk.settings import Coder
from vcam.nets.musetalk import Inpainter


@dataclass(frozen=True, slots=True)
class Manner:
    """Who encodes and decodes, and for how long an encoded reference is good."""

    name: str = "exact"
    masked: bool = False  # by the tiny coder: what is to be painted
    whole: bool = False  # the reference
    decoder: bool = False
    lasting: int = 1  # frames that one reference may serve

    @property
    def parts(self) -> tuple[bool, bool, bool]:
        """Which of them the tiny coder does."""
        return self.masked, self.whole, self.decoder


EXACT = Manner()
STEADY = Manner("kept reference")
TINY = Manner("tiny", True, True, True)
_MIXED = {
    "tiny-encoder": Manner("tiny-encoder", masked=True, whole=True),
    "tiny-decoder": Manner("tiny-decoder", decoder=True),
    "tiny-reference": Manner("tiny-reference", whole=True),
}


def needed(net: Inpainter, coder: Coder) -> Inpainter:
    """The network with the coders that this choice uses; what it does not use takes no memory.

    Raises WeightsError when the tiny coder is asked for and not there.
    """
    if coder == "auto":
        return net
    if coder == "exact":
        return Inpainter(net.coder, net.unet)
    if net.tiny is None:
        raise WeightsError(f"coder: {coder} needs the tiny image coder: vcam models pull taesd")
    return Inpainter(net.tiny if coder == "tiny" else net.coder, net.unet, net.tiny)


def manners(net: Inpainter, coder: Coder, lasting: int) -> tuple[Manner, ...]:
    """The ways to paint with what is `needed`.

    `lasting`: frames that one reference may serve wherever the coder is not exact.
    """
    if coder == "exact":
        return (EXACT,)
    if coder == "auto":
        cheaper = (STEADY,) if net.tiny is None else (STEADY, TINY)
        return (EXACT, *(replace(way, lasting=lasting) for way in cheaper))
    return (replace(TINY if coder == "tiny" else _MIXED[coder], lasting=lasting),)

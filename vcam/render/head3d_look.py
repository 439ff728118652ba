"""Who the embedded avatar can be."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]  # RGB, 0..255


@dataclass(frozen=True, slots=True)
class Look:
    """Who the avatar is: colours, RGB 0..255."""

    skin: Colour = (236, 188, 160)
    blush: Colour = (226, 120, 104)
    lips: Colour = (208, 116, 106)
    hair: Colour = (58, 38, 32)
    iris: Colour = (112, 74, 42)
    cap: Colour | None = (236, 150, 60)  # a beanie, or bare hair
    long_hair: bool = False
    cloth: Colour = (62, 96, 128)
    cord: Colour = (238, 232, 222)
    wall: tuple[Colour, Colour] = ((214, 232, 230), (140, 178, 184))
    freckles: bool = False


LOOKS = {
    "sunny": Look(),
    "forest": Look(
        skin=(158, 106, 78),
        blush=(180, 78, 62),
        lips=(160, 80, 76),
        hair=(34, 26, 26),
        iris=(84, 54, 36),
        cap=(64, 128, 98),
        cloth=(222, 186, 116),
        cord=(250, 240, 222),
        wall=((206, 220, 214), (132, 162, 156)),
    ),
    "berry": Look(
        skin=(250, 212, 190),
        blush=(238, 132, 120),
        lips=(214, 104, 108),
        hair=(152, 78, 42),
        iris=(70, 122, 96),
        cap=(140, 66, 112),
        long_hair=True,
        cloth=(238, 226, 208),
        cord=(150, 84, 122),
        wall=((232, 218, 234), (172, 156, 192)),
        freckles=True,
    ),
    "river": Look(
        skin=(226, 176, 140),
        blush=(214, 112, 92),
        lips=(196, 106, 96),
        hair=(40, 32, 36),
        iris=(94, 62, 40),
        cap=None,
        cloth=(196, 84, 72),
        cord=(246, 236, 220),
        wall=((240, 230, 210), (206, 184, 152)),
    ),
    "dune": Look(
        skin=(198, 142, 106),
        blush=(204, 98, 82),
        lips=(182, 86, 84),
        hair=(52, 34, 30),
        iris=(96, 66, 40),
        cap=None,
        long_hair=True,
        cloth=(70, 130, 126),
        cord=(244, 224, 180),
        wall=((248, 226, 206), (222, 170, 146)),
    ),
}

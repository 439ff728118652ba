"""Who the embedded avatar can be."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]  # RGB, 0..255


@dataclass(frozen=True, slots=True)
class Look:
    """Who the avatar is: whose head, what it wears, and colours, RGB 0..255."""

    person: str = "child"  # of `mesh.load_head`
    cut: str = ""  # of `hair.CUTS`; empty: a child's, long or not, with or without a cap
    wear: str = "hoodie"  # of `wear.CLOTHES`
    glasses: Colour | None = None
    lashes: float = 1.0  # their width, against a cartoon's
    lines: float = 0.0  # 0..1: how deep the skin's
    beard: float = 0.0  # 0..1: how thick
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


_BOARD = ((226, 230, 234), (158, 170, 182))
_STUDY = ((232, 226, 216), (184, 170, 152))
_DUSK = ((214, 220, 232), (138, 150, 176))

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
    "anna": Look(
        person="woman",
        cut="parted",
        wear="jacket",
        lashes=0.6,
        skin=(240, 196, 170),
        blush=(224, 130, 112),
        lips=(196, 98, 94),
        hair=(112, 70, 42),
        iris=(86, 108, 92),
        cloth=(52, 64, 88),
        cord=(244, 242, 238),
        wall=_BOARD,
    ),
    "omar": Look(
        person="man",
        cut="short",
        wear="shirt",
        lashes=0.25,
        beard=0.75,
        skin=(206, 154, 118),
        blush=(196, 108, 88),
        lips=(172, 98, 88),
        hair=(38, 30, 30),
        iris=(74, 50, 34),
        cloth=(142, 168, 196),
        cord=(156, 182, 208),
        wall=_STUDY,
    ),
    "grace": Look(
        person="matron",
        cut="curly",
        wear="jacket",
        glasses=(72, 34, 44),
        lashes=0.5,
        lines=0.45,
        skin=(134, 88, 64),
        blush=(160, 74, 62),
        lips=(134, 66, 66),
        hair=(52, 44, 44),
        iris=(60, 40, 28),
        cloth=(122, 48, 66),
        cord=(246, 238, 226),
        wall=_STUDY,
    ),
    "henrik": Look(
        person="elder",
        cut="bald",
        wear="jacket",
        glasses=(44, 46, 52),
        lashes=0.15,
        lines=0.8,
        beard=0.3,
        skin=(232, 186, 164),
        blush=(216, 122, 108),
        lips=(184, 112, 104),
        hair=(176, 172, 168),
        iris=(96, 122, 146),
        cloth=(72, 78, 74),
        cord=(214, 226, 236),
        wall=_DUSK,
    ),
    "mei": Look(
        person="woman",
        cut="bob",
        wear="shirt",
        glasses=(40, 40, 46),
        lashes=0.55,
        skin=(236, 194, 164),
        blush=(222, 128, 110),
        lips=(190, 92, 90),
        hair=(30, 26, 30),
        iris=(62, 42, 30),
        cloth=(226, 222, 214),
        cord=(238, 234, 226),
        wall=_DUSK,
    ),
    "joao": Look(
        person="man",
        cut="swept",
        wear="jacket",
        lashes=0.25,
        beard=0.12,
        skin=(226, 178, 146),
        blush=(212, 118, 98),
        lips=(186, 108, 98),
        hair=(84, 56, 38),
        iris=(98, 72, 46),
        cloth=(86, 92, 104),
        cord=(240, 240, 240),
        wall=_BOARD,
    ),
}

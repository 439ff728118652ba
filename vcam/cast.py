"""Who is on: the face that was asked for, and who stands in while it cannot be shown."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace

from vcam import gpu, networks
from vcam.errors import WeightsError
from vcam.profile import Profile

# A neural stage, and the models without which it does not open.
NEEDS = {
    "artalk": ("artalk", "flame"),
    "gagavatar": ("gagavatar", "flame"),
    "musetalk": ("musetalk",),
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Two forms of one person."""

    star: Profile  # as asked for
    understudy: Profile  # opens at once, anywhere; the star itself where it does that

    @property
    def doubled(self) -> bool:
        """Whether there is an understudy."""
        return self.understudy is not self.star


def cast(profile: Profile) -> Cast:
    """Who stands in for `profile`: nobody unless it may open a neural stage here."""
    return Cast(profile, embedded(profile)) if may_be_neural(profile) else alone(profile)


def alone(profile: Profile) -> Cast:
    """Nobody stands in, and nobody is on before `profile` is."""
    return Cast(profile, profile)


def embedded(profile: Profile) -> Profile:
    """The same person without a GPU: visemes move the puppet, or the head where there is none."""
    drawn = profile.renderer if profile.renderer in ("puppet", "head3d") else "auto"
    return replace(profile, motion="visemes", renderer=drawn, mouth="passthrough")


def may_be_neural(profile: Profile) -> bool:
    """Whether an engine on the GPU may open for `profile`, by looks that load nothing heavy."""
    return bool(neural_stages(profile)) and _has_torch() and gpu.present()


def neural_stages(profile: Profile) -> tuple[str, ...]:
    """The backends for the GPU that `profile` asks for or allows, and whose models are here."""
    released = profile.weights == "released"
    found: tuple[str, ...] = ()
    face = profile.renderer in ("auto", "gagavatar") and profile.motion in ("auto", "artalk")
    if face and (profile.folder or not released) and _are_here(profile, "artalk", "gagavatar"):
        found += ("gagavatar", "artalk")
    if profile.mouth in ("auto", "musetalk") and _are_here(profile, "musetalk"):
        found += ("musetalk",)
    return found


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def _are_here(profile: Profile, *stages: str) -> bool:
    try:
        networks.source(profile.weights).require(*(name for each in stages for name in NEEDS[each]))
    except WeightsError:
        return False
    return True

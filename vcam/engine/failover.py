"""Who is on: the face that was asked for, and who stands in while it cannot be shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vcam.engine import networks
from vcam.errors import WeightsError
from vcam.gpu import device
from vcam.profiles.profile import Profile
from vcam.system import missing

# A neural stage, and the models without which it does not open.
NEEDS = {
    "artalk": ("artalk", "flame"),
    "gagavatar": ("gagavatar", "flame"),
    "musetalk": ("musetalk",),
}


@dataclass(frozen=True, slots=True)
class Failover:
    """Two forms of one person."""

    primary: Profile  # as asked for
    fallback: Profile  # opens at once, anywhere; the primary itself where it does that

    @property
    def has_fallback(self) -> bool:
        """Whether there is a fallback."""
        return self.fallback is not self.primary


def failover(profile: Profile) -> Failover:
    """Who stands in for `profile`: nobody unless it may open a neural stage here."""
    return Failover(profile, embedded(profile)) if may_be_neural(profile) else alone(profile)


def alone(profile: Profile) -> Failover:
    """Nobody stands in, and nobody is on before `profile` is."""
    return Failover(profile, profile)


def embedded(profile: Profile) -> Profile:
    """The same person without a GPU: visemes move the puppet, or the head where there is none."""
    drawn = profile.renderer if profile.renderer in ("puppet", "head3d") else "auto"
    return replace(profile, motion="visemes", renderer=drawn, mouth="passthrough")


def may_be_neural(profile: Profile) -> bool:
    """Whether an engine on the GPU may open for `profile`, by looks that load nothing heavy."""
    return bool(neural_stages(profile)) and _has_torch() and device.present()


def neural_stages(profile: Profile) -> tuple[str, ...]:
    """The backends for the GPU that `profile` asks for or allows, and whose models are here."""
    released = profile.weights == "released"
    if profile.avatar is not None:
        return (profile.renderer, *_beside(profile))
    found: tuple[str, ...] = ()
    face = profile.renderer in ("auto", "gagavatar") and profile.motion in ("auto", "artalk")
    if face and (profile.folder or not released) and _are_here(profile, "artalk", "gagavatar"):
        found += ("gagavatar", "artalk")
    if profile.mouth in ("auto", "musetalk") and _are_here(profile, "musetalk"):
        found += ("musetalk",)
    return found


def _beside(profile: Profile) -> tuple[str, ...]:
    """What an avatar that was trained elsewhere may have beside its renderer."""
    wanted = {"artalk": profile.motion, "musetalk": profile.mouth}
    return tuple(
        name
        for name, chosen in wanted.items()
        if chosen in ("auto", name) and _are_here(profile, name)
    )


def _has_torch() -> bool:
    return missing.TORCH.is_here


def _are_here(profile: Profile, *stages: str) -> bool:
    try:
        networks.source(profile.weights).require(*(name for each in stages for name in NEEDS[each]))
    except WeightsError:
        return False
    return True

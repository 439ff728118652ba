"""What is added to a profile that is there already: tracked frames, and a photo of shoulders."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vcam.enroll import torso
from vcam.enroll.own_avatar.flashavatar import CALM
from vcam.enroll.own_avatar.found import look
from vcam.enroll.own_avatar.frames import Clip, frame_files, read_clip
from vcam.enroll.own_avatar.motion import motion_of
from vcam.enroll.own_avatar.rigged import keep_motion, portrait
from vcam.enroll.own_avatar.tracker import recognise
from vcam.errors import ConfigError
from vcam.media import FloatArray
from vcam.motion.tracked import MOTION
from vcam.photo.enrolled import PORTRAIT
from vcam.photo.landmarks import Landmarker
from vcam.photo.picture import read_picture
from vcam.photo.torso import TORSO
from vcam.profiles import consent, store
from vcam.profiles.consent import Consent
from vcam.profiles.profile import RIGGED, Profile, read, write
from vcam.system import opencv as cv2

_SAME = 0.05  # of a shape code's numbers, by which one person's differ between two clips


def demand(name: str, sources: Sequence[Path], photo: Path | None) -> None:
    """Raise ConfigError unless something can be added to the profile `name`; before consent."""
    profile = read(store.own(name))
    if not sources and photo is None:
        raise ConfigError("what shall be added? a folder of tracked frames, or --torso PHOTO")
    if sources and not recognise(look(sources)):
        raise ConfigError("no tracked frames (00000.frame and so on) are there to be added")
    if photo is not None:
        demand_headless(profile)


def demand_headless(profile: Profile) -> None:
    """Raise ConfigError for a face that has shoulders of its own."""
    if profile.renderer not in ("gagavatar", *RIGGED):
        raise ConfigError(
            f"{profile.title} has shoulders of its own; --torso is for gagavatar, "
            f"{' and '.join(RIGGED)}"
        )


def add(name: str, sources: Sequence[Path], photo: Path | None, agreed: Consent) -> list[str]:
    """Add to the user's own profile `name`, all or nothing; what to tell them.

    `agreed` is to the photo. Raises ConfigError or WeightsError.
    """
    demand(name, sources, photo)
    folder = store.own(name)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as beside:
        profile, notes = read(folder), list[str]()
        unfinished = Path(beside)
        if sources:
            profile, told = _frames(profile, sources, unfinished)
            notes += told
        if photo is not None:
            profile = with_torso(profile, photo, folder, unfinished, agreed)
            notes.append("its head stands on the shoulders of that photo")
            if profile.background == CALM:
                profile = replace(profile, background="keep")
                notes.append("behind it is the photo's room (background: keep)")
            profile = _pictured_anew(profile, folder, unfinished)
        for made in sorted(unfinished.iterdir()):
            shutil.move(made, folder / made.name)
        write(profile, folder)
    return notes


def _pictured_anew(profile: Profile, folder: Path, made: Path) -> Profile:
    """Draw the portrait of what `folder` will be with what was `made`, into `made`."""
    if profile.renderer not in RIGGED:
        return profile
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as whole:
        for part in (folder, made):
            shutil.copytree(part, whole, dirs_exist_ok=True)
        profile = pictured(profile, Path(whole))
        shutil.move(Path(whole) / PORTRAIT, made / PORTRAIT)
    return profile


def pictured(profile: Profile, folder: Path) -> Profile:
    """Draw the portrait of an avatar on FLAME as the call will show it; the consent to it."""
    if profile.renderer not in RIGGED:
        return profile
    shown = portrait(folder, profile.renderer, profile.background)
    if not cv2.imwrite(str(folder / PORTRAIT), np.ascontiguousarray(shown[..., ::-1])):
        raise ConfigError(f"cannot write the portrait into {folder}")
    bound = replace(profile.consent, portrait_sha256=consent.digest(folder / PORTRAIT))
    return replace(profile, consent=bound)


def with_torso(profile: Profile, photo: Path, folder: Path, into: Path, agreed: Consent) -> Profile:
    """Write the still layer of the profile in `folder` to `into`; the profile that shows it."""
    demand_headless(profile)
    torso.add(photo, marks_of(profile, folder), into)
    bound = replace(
        profile.consent if profile.consent.given else agreed,
        torso_sha256=consent.digest(into / TORSO),
    )
    return replace(profile, torso=True, consent=bound)


def marks_of(profile: Profile, folder: Path) -> FloatArray:
    """Where the profile's head is drawn at rest: 68 points in sides of the frame."""
    if profile.renderer in RIGGED:
        from vcam.render.avatars import identity
        from vcam.render.avatars.rig import marks_at_rest

        return marks_at_rest(identity.load(folder, profile.renderer))
    portrait = read_picture(folder / PORTRAIT).colours
    faces = Landmarker().find(portrait)
    if not faces:
        raise ConfigError(f"no face is found in {folder / PORTRAIT}; create the profile anew")
    return np.asarray(faces[0].ibug / len(portrait), np.float32)


def _frames(profile: Profile, sources: Sequence[Path], into: Path) -> tuple[Profile, list[str]]:
    files = frame_files(look(sources))
    clip = read_clip(files)
    motion = motion_of(clip)
    notes = [f"{len(files)} tracked frames", *keep_motion(motion, into)]
    if profile.folder and _another(clip, profile.folder):
        notes.append("their shape is not this profile's: another person, or another tracking")
    if "idle" not in motion:
        notes.append("shorter than 6 s: no idle motion comes of it")
        return profile, notes
    return replace(profile, idle="tracked"), notes


def _another(clip: Clip, folder: Path) -> bool:
    """Whether the frames have another shape than those that the profile holds already."""
    from vcam.tensors.checkpoint import read_state

    if not (folder / MOTION).is_file():
        return False
    shape = read_state(folder / MOTION).get("shape")
    return shape is not None and bool((shape - clip.shape).abs().mean() > _SAME)

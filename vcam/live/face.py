"""Whose face a run shows."""

from __future__ import annotations

from dataclasses import replace

from vcam.config import RunConfig
from vcam.profiles import profile
from vcam.profiles.profile import Profile


def chosen_face(config: RunConfig) -> Profile:
    """The profile to be shown, in the mode that was asked for; ConfigError if it may not."""
    face = profile.wearing(config.look, profile.load(config.profile))
    face.require_consent()
    return replace(face, mode=config.mode) if config.mode else face


def face_name(face: Profile) -> str:
    """What people call it."""
    return face.folder.name if face.folder else "demo"

"""What was found in a photo, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the photo that the user should know: what will be seen, and what helps."""

    text: str
    refuses: bool = False  # no profile can be made of it

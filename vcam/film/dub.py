"""A film and a voice -> the film, saying what the voice says.

For pictures that were rendered or recorded beforehand and carry no landmarks: they are found frame
by frame, and a mouth painter does to each frame what it does live.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcam import __version__
from vcam.audio.wav import read_wav
from vcam.camera.video_file import VideoFile
from vcam.errors import ConfigError, MediaError
from vcam.files.container import opened, read
from vcam.film.upright import Upright
from vcam.gpu import compiled
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image
from vcam.photo.landmarks import Face, Landmarker
from vcam.picture.badge import Stamp, provenance
from vcam.picture.finish import Finish
from vcam.profiles.consent import Consent
from vcam.profiles.profile import Profile
from vcam.stages import MouthPainter, Remarking
from vcam.system import missing
from vcam.weights import manifest

SIMILAR = 0.7  # of the largest face's size: then nobody can tell whose mouth is meant
LOOK_AGAIN = 5  # frames without the face until the whole picture is searched once more

FindLandmarks = Callable[[Image], "FloatArray | None"]


@dataclass(frozen=True, slots=True)
class Dubbed:
    """What became of a film."""

    frames: int
    faceless: int  # frames in which no face was found; they are as they were
    voice_left: float  # seconds of voice that the film was too short for
    film_left: float  # seconds of film after the voice's end; the mouth is as it was
    remark: str = ""  # what was lost in the film, and what the painter could not do

    def __str__(self) -> str:
        """For people: what was done, and what was left."""
        left = {
            "s of the voice left out": round(self.voice_left, 1),
            "s of the film after the voice": round(self.film_left, 1),
        }
        told = [f"{self.frames} frames", *(f"{many} {what}" for what, many in left.items() if many)]
        return ", ".join([*told, self.remark] if self.remark else told)


class FollowedFace:
    """Finds one face's landmarks in every picture of a film."""

    def __init__(self, landmarker: Landmarker | None = None) -> None:
        """Raises ConfigError when LiteRT is not installed."""
        self._landmarker = landmarker or Landmarker()
        self._last: Face | None = None
        self._missed = LOOK_AGAIN

    def __call__(self, picture: Image) -> FloatArray | None:
        """The 68 points [68, 2] in pixels of `picture` [h, w, 3] RGB, or None without a face.

        Raises MediaError when two faces are so alike in size that either could be meant.
        """
        face = self._last and self._landmarker.follow(picture, self._last)
        self._missed = 0 if face else self._missed + 1
        if face is None and self._missed >= LOOK_AGAIN:
            face, self._missed = self._search(picture), 0
        self._last = face or self._last
        return None if face is None else face.ibug

    def _search(self, picture: Image) -> Face | None:
        faces = self._landmarker.find(picture)
        if len(faces) > 1 and faces[1].eye_distance > SIMILAR * faces[0].eye_distance:
            raise MediaError(
                f"there are {len(faces)} faces of about one size in the film; "
                "cut the picture to the one that shall speak"
            )
        return faces[0] if faces else None


def dub_with_musetalk(
    video: Path,
    voice: Path,
    out: Path,
    profile: Profile,
    agreed: Consent,
    folder: Path | None = None,
    device: str = "cuda",
    progress: Callable[[float], None] = lambda share: None,
) -> Dubbed:
    """`dub` with MuseTalk, under the profile's mouth settings and badge.

    Whoever `video` shows has `agreed`, which the new film records. `folder` holds the released
    files; None is where `vcam models pull` puts them. Raises, besides what `dub` raises,
    ConfigError without consent or LiteRT, WeightsError for files that are missing or wrong, and
    DeviceError without the device or torch.
    """
    if not agreed.given:
        raise ConfigError(f"nobody is recorded as having agreed to be shown in {video}")
    read(video, "film").close()
    if folder is None:
        manifest.find("musetalk")
        folder = manifest.folder()
    missing.TORCH.require()
    compiled.use()
    from vcam.mouth.musetalk.painter import MuseTalkMouth

    landmarks = FollowedFace()
    painter = MuseTalkMouth.open(folder, profile.musetalk, device)
    record = _record(agreed, video)
    facts = provenance(video.stem, __version__, ("musetalk",), profile.badge, record)
    return dub(video, voice, out, painter, landmarks, progress, Stamp(profile.badge), facts)


def _record(agreed: Consent, video: Path) -> dict[str, str]:
    """Who agreed to be shown, when, and in which film."""
    with read(video, "film") as film:
        digest = hashlib.file_digest(film, "sha256").hexdigest()
    who = {"person": agreed.person, "agreed_by": agreed.agreed_by, "agreed_at": agreed.agreed_at}
    return {**who, "film_sha256": digest}


def dub(
    video: Path,
    voice: Path,
    out: Path,
    painter: MouthPainter,
    landmarks: FindLandmarks,
    progress: Callable[[float], None] = lambda share: None,
    finish: Finish = lambda frame: frame,
    facts: Mapping[str, str] | None = None,
) -> Dubbed:
    """Write `video` with the mouth painted for `voice`, and that voice as its sound, to `out`.

    The film keeps its frames and their times, and stands upright (`Upright`). Where the voice ends
    before the film, the mouth stays as it was; where the film ends first, the rest of the voice is
    left out. `progress` hears the share done, 0..1; `finish` has the last word on each frame;
    `facts` go into the file. Raises MediaError when a file cannot be read or written, or when not
    one frame shows a face.
    """
    sound = read_wav(voice)
    painter.reset()
    frames = faceless = end = 0
    with _upright(video) as film, VideoFile(out, film.size, film.rate, facts) as camera:
        for at, picture, share in film:
            points = landmarks(picture)
            faceless += points is None
            painted = painter.step(Frame(at, picture, points), _nearby(sound, at, painter.context))
            camera.hear(_part(sound, end, at))
            camera.send(finish(painted.host()))
            frames, end = frames + 1, at
            progress(share)
        if frames == faceless:
            raise MediaError(f"no face was found in {video}; give a film that shows one")
        last = end + TICKS_PER_SECOND // film.rate
        camera.hear(_part(sound, end, last))
        lost = film.remark
    heard = len(sound.samples)
    left = (heard - last) / TICKS_PER_SECOND
    remark = painter.remark if isinstance(painter, Remarking) else ""
    remarks = ", ".join(each for each in (lost, remark) if each)
    return Dubbed(frames, faceless, max(left, 0.0), max(-left, 0.0), remarks)


@contextmanager
def _upright(video: Path) -> Iterator[Upright]:
    with opened(video, "film") as film:
        yield Upright(film, video)


def _part(sound: AudioChunk, start: int, end: int) -> AudioChunk:
    return AudioChunk(start, sound.samples[start:end])


def _nearby(sound: AudioChunk, at: int, context: int) -> AudioChunk:
    """The sound around tick `at`, silence where there is none."""
    start, end = at - context, at + context
    known = sound.samples[max(start, 0) : max(end, 0)]
    before, after = max(-start, 0), max(end - max(start, 0) - len(known), 0)
    return AudioChunk(start, np.pad(known, (min(before, end - start), after))[: end - start])

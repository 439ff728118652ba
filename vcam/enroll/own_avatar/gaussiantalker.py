"""A GaussianTalker's two folders, as training and preprocessing leave them -> one file.

Nothing of `cfg_args` is looked at: it is a line of Python. The camera matrices in the JSON files
are not used either; poses are those of `track_params.pt`, by which the points were trained.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.audio.resample import Decimator
from vcam.audio.wav import read_wav
from vcam.enroll.own_avatar.found import Found, demand_all, text
from vcam.enroll.own_avatar.kinds import Brought
from vcam.errors import ConfigError, VcamError, WeightsError
from vcam.media import Image
from vcam.nets.gaussiantalker import GaussianTalkerNet
from vcam.render.gaussiantalker import hearing
from vcam.render.gaussiantalker.identity import FILE, Recording, TalkerIdentity, demand_sound
from vcam.render.gaussiantalker.letters import Loudness
from vcam.render.gaussiantalker.points import Resting
from vcam.render.splat.camera import Camera
from vcam.system import opencv as cv2
from vcam.tensors.arrays import read_numbers
from vcam.tensors.ply import columns, read_vertices

MOST_TORSOS = 1500  # frames: a minute; more would only make the profile large
BUDGET = 24 << 20  # bytes of torso pictures, so that the profile can be carried
SAMPLE = Path(__file__).parents[2] / "assets" / "hello.wav"
_QUALITY = 92  # of WebP, when they are larger as they are
_TRANSFORMS = ("transforms_train.json", "transforms_val.json")
_VOICES = ("aud.wav", "aud_train.wav", "aud_novel.wav")
_EYES = "AU45_r"


def recognise(found: Found) -> bool:
    """Whether a GaussianTalker is among the files."""
    return bool(found.named("deformation.pth")) or bool(found.named("track_params.pt"))


def demand(found: Found) -> None:
    """Raise ConfigError that names all that is not among the files."""
    lacks = []
    for look in (_model, lambda all_: _torsos(all_, _transforms(all_)[0]), _tracked, _bare_room):
        try:
            look(found)
        except ConfigError as error:
            lacks.append(str(error))
    if len(lacks) == 1:
        raise ConfigError(lacks[0])
    demand_all("GaussianTalker", lacks)


def bring(found: Found, folder: Path) -> Brought:
    """Read everything and write the avatar into `folder`. Raises ConfigError or WeightsError."""
    points, deformation = _model(found)
    net = GaussianTalkerNet.load(deformation)
    numbers, camera = _transforms(found)
    torsos = _torsos(found, numbers)
    euler, translation = _poses(found, max(torsos))
    chosen = sorted(torsos)
    notes = [f"GaussianTalker: {len(chosen)} of {len(numbers)} recorded frames"]
    identity = TalkerIdentity(
        rest=resting(points),
        net=net,
        camera=camera,
        room=torch.from_numpy(_room(found, camera)),
        recording=Recording(euler[chosen], translation[chosen], _packed(torsos, camera, notes)),
        blinks=torch.from_numpy(_blinks(found, notes)),
        loudness=_loudness(found, notes),
        landmarks=_landmarks(found, chosen, notes),
    )
    try:
        demand_sound(identity)
    except ValueError as error:
        raise ConfigError(f"the parts of this GaussianTalker do not fit: {error}") from error
    identity.save(folder / FILE)
    notes.append(_hearing(found, net.config.channels))
    return Brought("gaussiantalker", _portrait(identity), notes)


def _model(found: Found) -> tuple[Path, Path]:
    """point_cloud.ply and deformation.pth of the last iteration of the fine stage."""
    folders = {
        int(match[1]): path.parent
        for path in found.named("deformation.pth")
        if (match := re.fullmatch(r"iteration_(\d{1,9})", path.parent.name))
    }
    if not folders:
        raise ConfigError(
            "point_cloud/iteration_N/deformation.pth is missing: the trained model; give the "
            "model folder as well (coarse_iteration_N folders cannot talk)"
        )
    last = folders[max(folders)]
    if not (last / "point_cloud.ply").is_file():
        raise ConfigError(f"{last} has no point_cloud.ply")
    return last / "point_cloud.ply", last / "deformation.pth"


def resting(path: Path) -> Resting:
    """The Gaussians of point_cloud.ply, raw as stored. Raises WeightsError."""
    vertices = read_vertices(path)

    def named(*names: str) -> Tensor:
        return columns(vertices, *names, path=path)

    others = named(*(f"f_rest_{index}" for index in range(45)))
    harmonics = torch.cat(
        [
            named("f_dc_0", "f_dc_1", "f_dc_2")[:, None],
            others.view(-1, 3, 15).transpose(1, 2),  # the file goes through one colour first
        ],
        1,
    )
    return Resting(
        named("x", "y", "z"),
        named("scale_0", "scale_1", "scale_2"),
        named("rot_0", "rot_1", "rot_2", "rot_3"),
        vertices["opacity"] if "opacity" in vertices else named("opacity")[:, 0],
        harmonics,
    )


def _transforms(found: Found) -> tuple[list[int], Camera]:
    """The numbers of the recorded frames, and the camera's inside."""
    numbers: list[int] = []
    camera: Camera | None = None
    for path in found.named(*_TRANSFORMS):
        try:
            content = json.loads(text(path))
            numbers += [int(frame["img_id"]) for frame in content["frames"]]
            sides = round(2 * float(content["cx"])), round(2 * float(content["cy"]))
            camera = Camera.centred(*sides, float(content["focal_len"]))
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise ConfigError(f"{path} is no list of recorded frames: {error!r:.100}") from error
    if camera is None:
        raise ConfigError(f"{_TRANSFORMS[0]} is missing: the data folder; give it as well")
    return sorted(set(numbers)), camera


def _torsos(found: Found, numbers: list[int]) -> dict[int, Path]:
    """The longest stretch of recorded frames whose torso was cut out, by number."""
    known = set(numbers)
    pictures = {
        int(path.stem): path
        for path in found.files
        if path.parent.name == "torso_imgs" and re.fullmatch(r"\d{1,7}\.png", path.name)
    }
    there = sorted(number for number in pictures if number in known)
    if not there:
        raise ConfigError(
            "torso_imgs/N.png is missing: the torso of each recorded frame. (An avatar whose torso "
            "was trained as points of its own cannot be drawn here.)"
        )
    runs, start = list[list[int]](), 0
    for index in range(1, len(there) + 1):
        if index == len(there) or there[index] != there[index - 1] + 1:
            runs.append(there[start:index])
            start = index
    longest = max(runs, key=len)[:MOST_TORSOS]
    return {number: pictures[number] for number in longest}


def _poses(found: Found, last: int) -> tuple[Tensor, Tensor]:
    path = _tracked(found)
    numbers = read_numbers(path)
    euler, translation = numbers.get("euler"), numbers.get("trans")
    if not isinstance(euler, Tensor) or not isinstance(translation, Tensor):
        raise WeightsError(f"{path} lacks euler or trans")
    for name, value in (("euler", euler), ("trans", translation)):
        if value.ndim != 2 or value.shape[1] != 3 or len(value) <= last:
            raise WeightsError(f"{path}: {name} is {tuple(value.shape)}, for frame {last} too few")
    depth = float(translation[:, 2].median())
    if not depth < -1:  # the camera stands some 7 units (of 0.1 m) before the head
        raise ConfigError(
            f"{path}: the head is at z {depth:.2f}, where a GaussianTalker's is near -7. These are "
            "another tracker's numbers, and the picture would be empty"
        )
    return euler.float(), translation.float()


def _tracked(found: Found) -> Path:
    return found.one("track_params.pt", "the head poses of the training video")


def _bare_room(found: Found) -> Path:
    return found.one("bc.jpg", "the room without the person")


def _room(found: Found, camera: Camera) -> Image:
    path = _bare_room(found)
    room = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if room is None:
        raise ConfigError(f"{path} is no picture, or damaged")
    if room.shape[:2] != (camera.height, camera.width):
        room = cv2.resize(room, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    rgb: Image = np.ascontiguousarray(room[..., ::-1])
    return rgb


def _packed(torsos: dict[int, Path], camera: Camera, notes: list[str]) -> tuple[bytes, ...]:
    """The torso pictures as they are, or as WebP when they would make the profile too large."""
    files = [torsos[number] for number in sorted(torsos)]
    for path in (files[0], files[-1]):
        seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if seen is None or seen.shape != (camera.height, camera.width, 4):
            shape = "unreadable" if seen is None else "x".join(map(str, seen.shape))
            raise ConfigError(
                f"{path} is {shape}, not a picture of {camera.height}x{camera.width} with "
                "transparency"
            )
    if sum(path.stat().st_size for path in files) <= BUDGET:
        return tuple(path.read_bytes() for path in files)
    notes.append("torso pictures: WebP, which is lossy, to keep the profile small")
    return tuple(_as_webp(path) for path in files)


def _as_webp(path: Path) -> bytes:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ConfigError(f"{path} is no picture, or damaged")
    coded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    return bytes(coded)


def _blinks(found: Found, notes: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if not found.named("au.csv"):
        notes.append("au.csv is missing: the eyes blink in a usual way, not in the person's own")
        return np.zeros(1, np.float32)
    path = found.one("au.csv", "the blinks of the training video")
    rows = csv.reader(text(path).splitlines())
    names = [name.strip() for name in next(rows, [])]
    if _EYES not in names:
        raise ConfigError(f"{path} has no column {_EYES}")
    column = names.index(_EYES)
    try:
        values = np.array([float(row[column]) for row in rows if row], np.float32)
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return np.nan_to_num(values, posinf=0, neginf=0)


def _loudness(found: Found, notes: list[str]) -> Loudness:
    """How loud the training video's sound is: its features are told relative to that."""
    for name in _VOICES:
        for path in found.named(name)[:1]:
            try:
                samples = Decimator().step(read_wav(path).samples)
                return Loudness.of(samples)
            except VcamError as error:
                notes.append(f"{name} cannot be read ({error}); another is looked for")
    notes.append("no aud.wav: vcam's own greeting stands for it; with it, lips are more exact")
    return Loudness.of(Decimator().step(read_wav(SAMPLE).samples))


def _landmarks(found: Found, chosen: list[int], notes: list[str]) -> Tensor | None:
    """68 points of each recorded frame, which the mouth painter needs."""
    files = {path.stem: path for path in found.files if path.suffix == ".lms"}
    paths = [files[str(number)] for number in chosen if str(number) in files]
    if len(paths) < len(chosen):
        notes.append("no .lms files: MuseTalk cannot repaint this mouth")
        return None
    try:
        marks = np.array([np.loadtxt(path, np.float32) for path in paths])
    except (ValueError, OSError) as error:
        raise ConfigError(f"the .lms files are no landmarks: {error!s:.100}") from error
    if marks.shape[1:] != (68, 2):
        raise ConfigError(f"the .lms files hold {marks.shape[1:]} numbers, not 68 points")
    return torch.from_numpy(marks)


def _hearing(found: Found, channels: int) -> str:
    """Keep the front end, if it was given; what to say about it."""
    for path in found.files:
        if path.suffix == ".pb":
            kept = hearing.keep(path)
            if kept != channels:
                raise ConfigError(
                    f"this avatar was trained with {channels} audio channels and {path.name} "
                    f"gives {kept}: bring {hearing.called(channels)}"
                )
    if hearing.kept(channels).is_file():
        return f"it hears with {hearing.called(channels)}"
    return f"bring its hearing too: vcam profile import {hearing.called(channels)}"


def _portrait(identity: TalkerIdentity) -> Image:
    """Of the first recorded frame: room, torso and head at rest, for lists and for consent."""
    from vcam.render.gaussiantalker.portrait import still

    return still(identity)

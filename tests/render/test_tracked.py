# ruff: noqa: E402 - imports follow the skip
"""Tracked identities: import, profile folders, and what is refused."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.parity import gaga_synth
from tests.render.stand_ins import person
from vcam.errors import ConfigError, WeightsError
from vcam.profiles import profile as profiles
from vcam.render.gagavatar.background import background
from vcam.render.gagavatar.tracked import (
    Tracked,
    load_profile,
    profile_name,
    read_tracked,
    save_profile,
)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self):
        return Path.touch, (self._mark,)


@pytest.fixture
def tracked_file(tmp_path):
    """As upstream writes it: arrays, more entries than are used."""
    entry = gaga_synth.tracked_entry(5) | {
        "bbox": np.zeros(4),
        "expcode": np.zeros(100),
        "vis_image": np.zeros((3, 8, 8), np.uint8),
    }
    path = tmp_path / "tracked.pt"
    torch.save({"some.one.jpg": entry, "other.png": gaga_synth.tracked_entry(6)}, path)
    return path


def test_every_identity_is_read(tracked_file):
    people = read_tracked(tracked_file)
    assert set(people) == {"some.one.jpg", "other.png"}
    assert torch.equal(people["some.one.jpg"].transform, person(5).transform)
    assert people["other.png"].image.shape == (3, 512, 512)


def test_an_imported_identity_comes_back_from_its_profile(tracked_file, tmp_path, monkeypatch):
    original = read_tracked(tracked_file)["some.one.jpg"]
    folder = save_profile(original, tmp_path / "profiles" / "somebody", 'Some "One"')
    back = load_profile(folder)
    assert torch.equal(back.transform, original.transform)
    assert torch.equal(back.shape, original.shape)
    assert (back.image - original.image).abs().max() <= 0.5 / 255 + 1e-6
    assert {path.name for path in folder.iterdir()} == {
        "profile.yaml",
        "portrait.png",
        "tracked.safetensors",
    }
    assert 'title: "Some \\"One\\""' in (folder / "profile.yaml").read_text()
    monkeypatch.setattr(profiles, "RENDERER", {"gagavatar": None})
    assert profiles.read(folder).title == 'Some "One"'


def test_a_profile_is_never_overwritten(tmp_path):
    save_profile(person(5), tmp_path / "somebody", "Somebody")
    with pytest.raises(FileExistsError):
        save_profile(person(6), tmp_path / "somebody", "Somebody")


@pytest.mark.parametrize(
    ("missing", "words"), [("shapecode", "shape code"), ("transform_matrix", "camera")]
)
def test_a_profile_without_shape_or_camera_is_refused(tmp_path, missing, words):
    from safetensors.torch import load_file, save_file

    folder = save_profile(person(5), tmp_path / "somebody", "Somebody")
    path = folder / "tracked.safetensors"
    save_file({k: v for k, v in load_file(path).items() if k != missing}, path)
    with pytest.raises(ConfigError, match=words):
        load_profile(folder)


def test_a_profile_that_was_never_tracked_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"tracked\.safetensors"):
        load_profile(tmp_path)


def test_an_entry_without_a_shape_code_is_refused(tmp_path):
    entry = gaga_synth.tracked_entry(5)
    del entry["shapecode"]
    path = tmp_path / "tracked.pt"
    torch.save({"a": entry}, path)
    with pytest.raises(WeightsError, match="shapecode"):
        read_tracked(path)


def test_foreign_objects_are_refused_and_nothing_of_them_is_run(tmp_path):
    path, mark = tmp_path / "tracked.pt", tmp_path / "mark"
    torch.save({"a.jpg": gaga_synth.tracked_entry(5) | {"vis_image": Trap(mark)}}, path)
    with pytest.raises(WeightsError, match="nothing of it was run"):
        read_tracked(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("image", np.zeros((3, 512, 511), np.float32)),
        ("image", np.array(1.0)),
        ("transform_matrix", np.zeros((5, 4), np.float32)),
    ],
)
def test_entries_of_another_shape_are_refused(tmp_path, entry, value):
    path = tmp_path / "tracked.pt"
    torch.save({"a.jpg": gaga_synth.tracked_entry(5) | {entry: value}}, path)
    with pytest.raises(WeightsError):
        read_tracked(path)


def test_numbers_that_are_none_are_refused():
    someone = person(5)
    with pytest.raises(WeightsError, match="NaN"):
        Tracked(someone.image, someone.transform * float("nan"), someone.shape)


@pytest.mark.parametrize(
    ("photo", "name"),
    [("tom.hanks.jpg", "tom-hanks"), ("a b/ü.png", "imported"), ("_x_.webp", "_x_")],
)
def test_profiles_are_named_after_their_photo(photo, name):
    assert profile_name(photo) == name


def test_a_broken_picture_is_refused(tmp_path):
    (tmp_path / "background.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"background\.png is a text file, no picture"):
        background("background.png", 32, person(5).image, tmp_path)


def test_backgrounds(tmp_path):
    portrait = person(5).image
    assert not background("black", 32, portrait).any()
    assert background("#ff8000", 32, portrait)[:, 3, 4].tolist() == pytest.approx([1, 128 / 255, 0])
    blurred = background("blur", 64, portrait)
    assert blurred.shape == (3, 64, 64)
    assert blurred.std() < 0.7 * portrait.std()
    folder = save_profile(person(6), tmp_path / "somebody", "Somebody")
    picture = background(str(folder / "portrait.png"), 48, portrait)
    assert picture.shape == (3, 48, 48)
    with pytest.raises(ConfigError, match="no background"):
        background("chartreuse", 32, portrait)


def test_a_person_with_an_outline_stands_on_black(tmp_path):
    """As the network has learned: upstream cuts the head out before anything else."""
    folder = save_profile(person(6), tmp_path / "somebody", "Somebody")
    assert load_profile(folder).image[:, 0].max() > 0
    photo = cv2.imread(str(folder / "portrait.png"))
    alpha = np.full((*photo.shape[:2], 1), 255, np.uint8)
    alpha[: len(photo) // 2] = 0
    cv2.imwrite(str(folder / "portrait.png"), np.concatenate([photo, alpha], axis=2))
    image = load_profile(folder).image
    half = image.shape[1] // 2
    assert not image[:, :half].any()
    lower = torch.from_numpy(photo[half:, :, ::-1].copy()).permute(2, 0, 1) / 255
    assert torch.equal(image[:, half:], lower)


@pytest.mark.parametrize("wanted", ["keep", "blur"])
def test_what_was_behind_the_person_is_kept(tmp_path, wanted):
    """A green wall with a red person in its middle: behind the person is wall."""
    photo = np.zeros((256, 256, 4), np.uint8)
    photo[...] = (40, 200, 60, 0)
    photo[64:, 64:192] = (30, 20, 220, 255)
    cv2.imwrite(str(tmp_path / "portrait.png"), photo)
    behind = background(wanted, 64, torch.zeros(3, 64, 64), tmp_path)
    wall = torch.tensor([60, 200, 40])[:, None, None] / 255
    assert (behind - wall).abs().max() < 0.02


def test_behind_a_head_on_black_is_black(tmp_path):
    folder = save_profile(person(6), tmp_path / "somebody", "Somebody")
    assert not background("keep", 32, person(6).image, folder).any()
    assert not background("keep", 32, person(6).image).any()


def test_a_background_picture_lies_in_the_profile(tmp_path):
    cv2.imwrite(str(tmp_path / "background.png"), np.full((20, 30, 3), (9, 99, 199), np.uint8))
    behind = background("background.png", 32, torch.zeros(3, 64, 64), tmp_path)
    assert (behind[:, 5, 5] * 255).tolist() == pytest.approx([199, 99, 9])
    with pytest.raises(ConfigError, match="no background"):
        background("background.png", 32, torch.zeros(3, 64, 64), tmp_path / "elsewhere")


@pytest.mark.slow
def test_the_script_lists_imports_and_explains(tracked_file, tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "import_tracked"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), str(tracked_file), "--into", str(tmp_path / "p")]
        return subprocess.run([*command, *more], capture_output=True, text=True)

    assert run().stdout.split() == ["some.one.jpg", "other.png"]
    made = run("--only", "other.png")
    assert made.returncode == 0
    assert (tmp_path / "p" / "other" / "portrait.png").is_file()
    again = run("--only", "other.png")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert "Traceback" not in again.stderr


def test_an_imported_person_runs_only_with_consent(tracked_file, tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    script = Path(__file__).parents[2] / "scripts" / "import_tracked"
    agreed = {"other.png": [], "some.one.jpg": ["--i-am-the-person", "Some One"]}
    for photo, consent in agreed.items():
        command = [sys.executable, str(script), str(tracked_file), "--only", photo, *consent]
        subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="no consent is recorded"):
        profiles.load("other").require_consent()
    name = next(path.parent.name for path in tmp_path.glob("some*/profile.yaml"))
    some_one = profiles.load(name)
    some_one.require_consent()
    assert some_one.consent.person == "Some One"
    assert some_one.renderer == "gagavatar"

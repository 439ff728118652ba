import dataclasses

import pytest

from vcam import profile
from vcam.config import RunConfig, build, read_yaml
from vcam.errors import ConfigError


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A folder of profiles that is looked at first."""
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    return tmp_path


def write(folder, name, text):
    (folder / name).mkdir()
    (folder / name / "profile.yaml").write_text(text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"fps": 24}, "25 or 30"), ({"size": 63}, "even number"), ({"seconds": 0.0}, "above 0")],
)
def test_bad_settings_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        RunConfig(**settings)


def test_the_demo_profile_is_in_order():
    demo = profile.load("demo")
    assert (demo.motion, demo.renderer, demo.mouth) == ("visemes", "head3d", "passthrough")
    assert demo.folder.name == "demo"


def test_an_unknown_profile_names_its_neighbour():
    with pytest.raises(ConfigError, match="no profile called demi; did you mean demo"):
        profile.load("demi")


@pytest.mark.parametrize("name", ["../demo", "", "a/b", ".hidden", "x" * 65, "a\x00b", "demo\n"])
def test_a_name_cannot_leave_the_folder(name):
    with pytest.raises(ConfigError, match="cannot be a profile's name"):
        profile.load(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rendrer: head3d", "unknown setting rendrer; did you mean renderer"),
        ("renderer: head4d", "unknown renderer head4d; did you mean head3d"),
        ("seed: many", "seed must be a whole number, not 'many'"),
        ("title: 3", "title must be text"),
        ("version: 9", "version 9"),
        ("musetalk: {blend: loud}", "blend is 'loud'; known are"),
        ("musetalk: {strenght: 1}", "unknown setting strenght; did you mean strength"),
        ("folder: /", "unknown setting folder"),
        ("- a list", "must hold settings"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("", "must hold settings"),
    ],
)
def test_a_bad_profile_is_refused_kindly(profiles, text, said):
    write(profiles, "me", text)
    with pytest.raises(ConfigError, match=said):
        profile.load("me")


def test_a_missing_or_huge_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "huge.yaml").write_text("a" * (1 << 21))
    with pytest.raises(ConfigError, match="too large"):
        read_yaml(tmp_path / "huge.yaml")


def test_parts_are_built_and_missing_settings_named():
    @dataclasses.dataclass(frozen=True)
    class Camera:
        fps: int

    with pytest.raises(ConfigError, match="x: setting fps is missing"):
        build(Camera, {}, "x")
    assert build(Camera, {"fps": 25}, "x").fps == 25


def test_a_portrait_is_shown_beforehand_only_where_somebody_agreed(profiles):
    write(profiles, "stranger", "renderer: head3d")
    (profiles / "stranger" / "portrait.png").write_bytes(b"")
    stranger = profile.load("stranger")
    assert stranger.portrait
    assert stranger.placeholder is None
    assert profile.load("demo").placeholder

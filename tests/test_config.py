import dataclasses

import pytest

from vcam.config import RunConfig, build, read_yaml
from vcam.errors import ConfigError
from vcam.profiles import profile


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
    [
        ({"fps": 24}, "at 25, 30, 50 or 60 frames"),
        ({"size": 63}, "even number"),
        ({"seconds": 0.0}, "above 0"),
        ({"seconds": float("nan")}, "above 0"),
        ({"seconds": float("inf")}, "above 0"),
        ({"output": "64x64"}, "64x64: give even numbers, from 128x128"),
        ({"output": "1280"}, "write WIDTHxHEIGHT"),
    ],
)
def test_bad_settings_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        RunConfig(**settings)


@pytest.mark.parametrize(
    ("output", "zoom", "renderer", "side"),
    [
        ("1280x720", 1.0, "puppet", 720),
        ("1920x1080", 1.0, "puppet", 1080),
        ("1920x1080", 2.0, "puppet", 1080),
        ("1280x720", 0.75, "puppet", 540),
        ("3840x2160", 1.0, "puppet", 1080),
        ("", 1.0, "puppet", 512),
        ("1280x720", 1.0, "head3d", 720),
        ("1280x720", 1.0, "gagavatar", 512),
    ],
)
def test_an_embedded_face_is_drawn_as_large_as_it_is_shown(output, zoom, renderer, side):
    assert RunConfig(output=output).side(renderer, zoom) == side
    assert RunConfig(output=output, size=384).side(renderer, zoom) == 384


def test_the_picture_is_the_square_where_nothing_else_is_said():
    assert RunConfig().picture == (512, 512)
    assert RunConfig(size=640).picture == (640, 640)


def accepted(**settings):
    try:
        return RunConfig(**settings)
    except ConfigError:
        return None


def test_the_numbers_that_are_told_are_the_ones_that_pass():
    assert [fps for fps in range(100) if accepted(fps=fps)] == [25, 30, 50, 60]
    sizes = [size for size in range(1100) if accepted(size=size)]
    assert (sizes[0], sizes[-1], {size % 2 for size in sizes}) == (128, 1080, {0})
    for least_or_most in ("128x128", "3840x2160"):
        assert accepted(output=least_or_most)
    for beyond in ("126x128", "128x126", "3842x2160", "3840x2162", "129x128"):
        assert not accepted(output=beyond)


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


def test_on_macos_the_camera_gets_the_only_size_that_obs_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert RunConfig(size=384).picture == (384, 384)
    monkeypatch.setattr("sys.platform", "darwin")
    assert RunConfig(size=384).picture == (1280, 720)
    assert RunConfig(output="640x360").picture == (640, 360)
    assert RunConfig(camera="film.mp4").picture == RunConfig(camera="none").picture == (512, 512)

"""What setup has kept, and which option goes before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.platforms import has_mode
from vcam.cli import choices, run_options
from vcam.cli.choices import Choices
from vcam.cli.main import COMMANDS, main
from vcam.cli.options import parser
from vcam.config import RunConfig
from vcam.errors import ConfigError

ALL = Choices("me", "", "Desk", "/dev/video10")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def read(*words: str) -> RunConfig:
    return run_options.read(parser(COMMANDS).parse_args(["run", *words]))


def test_what_was_kept_comes_back() -> None:
    assert choices.kept() == Choices()
    choices.keep(ALL)
    assert choices.kept() == ALL
    assert has_mode(choices.path(), 0o600)


def test_a_run_takes_what_was_kept_and_nothing_else_changes() -> None:
    plain = read()
    assert plain == RunConfig()
    choices.keep(ALL)
    chosen = read()
    assert (chosen.profile, chosen.microphone, chosen.camera) == ("me", "Desk", "/dev/video10")
    assert (chosen.fps, chosen.size, chosen.voice) == (plain.fps, plain.size, plain.voice)


@pytest.mark.parametrize(
    ("words", "profile", "look", "microphone", "camera"),
    [
        (["--camera", "auto"], "me", "", "Desk", "auto"),
        (["--mic", "Other"], "me", "", "Other", "/dev/video10"),
        (["--wav", "a.wav"], "me", "", None, "/dev/video10"),
        (["--profile", "demo"], "demo", "", "Desk", "/dev/video10"),
        (["--look", "river"], "demo", "river", "Desk", "/dev/video10"),
    ],
)
def test_an_option_goes_before_it(
    words: list[str], profile: str, look: str, microphone: str | None, camera: str
) -> None:
    choices.keep(ALL)
    found = read(*words)
    assert (found.profile, found.look) == (profile, look)
    assert (found.microphone, found.camera) == (microphone, camera)


def test_films_and_measurements_do_not_depend_on_it() -> None:
    choices.keep(ALL)
    options = parser(COMMANDS).parse_args(["render", "a.wav", "-o", "a.mp4"])
    assert run_options.read_face(options).profile == "demo"


@pytest.mark.parametrize("text", ["microphone: x\n", "mic: 3\n", "- a\n", "mic: [\n"])
def test_a_broken_file_costs_one_sentence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    choices.path().parent.mkdir(parents=True)
    choices.path().write_text(text)
    with pytest.raises(ConfigError, match="choose again with: vcam setup"):
        choices.kept()
    assert main(["run", "--no-hud"]) == 1
    assert "vcam setup" in capsys.readouterr().err


def test_where_nothing_can_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "vcam").write_text("a file")
    with pytest.raises(ConfigError, match="a file where a folder is expected"):
        choices.keep(ALL)

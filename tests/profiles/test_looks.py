"""The embedded head in one of its looks, with no photo and no consent."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcam.cli import run_options
from vcam.cli.main import COMMANDS, main
from vcam.cli.options import parser
from vcam.engine.backends import Asked, open_stages
from vcam.errors import ConfigError
from vcam.profiles import profile, store
from vcam.render.head3d.look import LOOKS


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    return tmp_path


def test_a_profile_is_made_of_a_look_and_runs_without_consent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["profile", "create", "work", "--look", "river", "--title", "Work"]) == 0
    assert "try it:  vcam run --profile work" in capsys.readouterr().out
    made = profile.load("work")
    assert (made.look, made.title, made.renderer) == ("river", "Work", "head3d")
    assert store.check("work") == []
    assert open_stages(Asked(made, 30, 128)).names == ("visemes", "head3d", "passthrough")
    assert main(["profile", "create", "work", "--look", "dune"]) == 1
    assert "there is a profile called work already" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--background", "black"], ["--renderer", "puppet"]])
def test_what_a_look_cannot_have_is_refused(more: list[str], home: Path) -> None:
    assert main(["profile", "create", "work", "--look", "river", *more]) == 1
    assert not list(home.iterdir())


def test_a_run_wears_the_look_from_its_first_moment() -> None:
    shipped = profile.load("demo")
    assert profile.wearing("", shipped) == shipped
    for look in LOOKS:
        worn = profile.wearing(look, shipped)
        assert worn.look == look
        assert worn.placeholder is None  # the demo's own portrait is of another look
        worn.require_consent()


@pytest.mark.parametrize(
    ("look", "renderer", "told"),
    [("rivr", "head3d", "did you mean river?"), ("river", "puppet", "leave --profile away")],
)
def test_a_look_that_cannot_be_worn_is_told(look: str, renderer: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        profile.wearing(look, profile.Profile(renderer=renderer))


@pytest.mark.parametrize("words", ["run", "start", "render a.wav -o a.mp4"])
def test_the_look_that_was_typed_is_that_of_the_run(words: str) -> None:
    options = parser(COMMANDS).parse_args([*words.split(), "--look", "dune"])
    assert run_options.read_face(options).look == "dune"

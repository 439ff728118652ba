"""What tests/wine asks for, and what it says where it cannot run; CI runs the rest of it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.platforms import not_on_windows

pytestmark = not_on_windows("it is there already")


@pytest.fixture
def wine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module, with a folder of its own."""
    monkeypatch.setenv("VCAM_WINE", str(tmp_path))
    loader = importlib.machinery.SourceFileLoader("wine", str(Path(__file__).with_name("wine")))
    spec = importlib.util.spec_from_loader("wine", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    return module


def test_without_wine_it_says_so_and_makes_nothing(
    wine: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wine, "program", lambda name: None)
    assert wine.main(["-c", ""]) == 125
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "Wine" in said
    assert list(tmp_path.iterdir()) == []


def test_packages_are_those_of_windows(wine: ModuleType) -> None:
    """Those of the base and of the tests; nothing of Linux's, no torch."""
    pytest.importorskip("pip", reason="no pip, so no Wine stage")
    names = {each.split(">")[0].split("<")[0].split("=")[0] for each in wine.requirements()}
    assert {"numpy", "pillow", "ai-edge-litert", "pyvirtualcam", "pytest", "colorama"} <= names
    assert not names & {"pulsectl", "torch", "triton"}


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/opt/wheels", "Z:/opt/wheels"),
        ("file:///opt/simple", "file:///Z:/opt/simple"),
        ("https://example.org/simple", "https://example.org/simple"),
    ],
)
def test_pip_under_wine_looks_where_pip_looks_here(wine: ModuleType, here: str, there: str) -> None:
    assert wine.windows_path(here) == there


def test_another_recipe_is_made_anew(
    wine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for step in ("make_interpreter", "make_packages", "make_prefix"):
        monkeypatch.setattr(wine, step, lambda step=step: made.append(step))
    wine.prepare()
    wine.prepare()
    assert made == ["make_interpreter", "make_packages", "make_prefix"]
    (tmp_path / "ready").write_text("an older recipe")
    wine.prepare()
    assert len(made) == 6

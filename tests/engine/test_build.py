"""Compiling ahead, with openers that only count."""

from __future__ import annotations

import os
import time

import pytest

from vcam.cli.main import main
from vcam.engine import build
from vcam.engine.backends import Asked
from vcam.engine.engine import Engine
from vcam.errors import DeviceError
from vcam.gpu import compiled, device
from vcam.profiles.profile import Profile, made_up

FACE = made_up("synthetic")
ASKED = Asked(FACE, 30, 512)
NAMES = ["gagavatar", "artalk", "musetalk"]


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """A machine with a GPU, whose stages open as strings; which ones were."""
    names: list[str] = []
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path))
    for variable in compiled.FOLDERS:
        monkeypatch.setenv(variable, "")  # put back afterwards, whatever `use` says
    monkeypatch.setattr(device, "present", lambda: True)
    for name in NAMES:
        monkeypatch.setitem(build.OPENERS, name, lambda asked, name=name: names.append(name))
    return names


def test_each_stage_is_compiled_once(opened):
    assert not build.is_built(ASKED)
    assert list(build.build(ASKED)) == [
        "compiling gagavatar (1 of 3)",
        "compiling artalk (2 of 3)",
        "compiling musetalk (3 of 3)",
    ]
    assert opened == NAMES
    assert build.is_built(ASKED)
    assert list(build.build(ASKED)) == []


def test_what_was_compiled_before_a_failure_is_not_compiled_again(opened, monkeypatch):
    def broken(asked):
        raise DeviceError("no C compiler")

    with monkeypatch.context() as without:
        without.setitem(build.OPENERS, "artalk", broken)
        with pytest.raises(DeviceError, match="C compiler"):
            list(build.build(ASKED))
    assert list(build.build(ASKED)) == ["compiling artalk (1 of 2)", "compiling musetalk (2 of 2)"]


def test_another_size_is_another_picture(opened):
    list(build.build(ASKED))
    assert list(build.build(Asked(FACE, 30, 256))) == [
        "compiling gagavatar (1 of 2)",
        "compiling musetalk (2 of 2)",
    ]
    assert build.is_built(Asked(FACE, 25, 512))  # the rate is no matter of kernels


def test_an_embedded_face_needs_nothing(opened):
    embedded = Asked(Profile(motion="visemes", renderer="head3d", mouth="passthrough"), 30, 512)
    assert build.is_built(embedded)
    assert list(build.build(embedded)) == []


def test_without_a_gpu_there_is_nothing_to_compile(opened, monkeypatch, capsys):
    monkeypatch.setattr(device, "present", lambda: False)
    assert build.is_built(ASKED)
    assert main(["models", "build"]) == 1
    assert "nothing to compile" in capsys.readouterr().err


def test_the_command_says_what_it_does(opened, capsys):
    assert main(["models", "build"]) == 0
    told = capsys.readouterr().out
    assert "compiling musetalk (3 of 3)" in told
    assert "all is compiled in" in told


class Opening:
    """An engine that opens as nothing; how it was told to compile."""

    def __init__(self, monkeypatch) -> None:
        self.eager = False
        monkeypatch.setattr(compiled, "eagerly", lambda: setattr(self, "eager", True))
        monkeypatch.setattr(Engine, "_opened", lambda asked, say, watch: self)
        self.compiled = True


def test_who_is_patient_waits_for_the_compilers_and_notes_it(opened, monkeypatch):
    opening = Opening(monkeypatch)
    assert Engine.open(FACE, 30, 512).compiled
    assert not opening.eager
    assert build.is_built(ASKED)


def test_who_is_not_does_without_until_all_is_compiled(opened, monkeypatch):
    opening = Opening(monkeypatch)
    assert not Engine.open(FACE, 30, 512, patient=False).compiled
    assert opening.eager
    list(build.build(ASKED))
    again = Opening(monkeypatch)
    assert Engine.open(FACE, 30, 512, patient=False).compiled
    assert not again.eager


def test_slow_kernels_are_waited_for_only_where_two_engines_do_not_fit(opened):
    list(build.build(ASKED))
    build.note_opened(ASKED, build.QUICK + 20)
    assert not build.is_quick(ASKED)
    build.note_opened(ASKED, None)
    assert build.is_quick(ASKED)


def test_a_stamp_that_is_no_stamp_tells_nothing(opened, tmp_path):
    list(build.build(ASKED))
    build.note_opened(ASKED, build.QUICK + 1)
    assert not build.is_quick(ASKED)
    for stamp in (tmp_path / "compiled").glob("*.json"):
        stamp.write_text("[1, 2")
    assert build.is_quick(ASKED)


def test_building_forgets_what_nobody_has_used_for_a_month(opened, tmp_path):
    folder = compiled.folder()
    for name in ("older.kept", "older.json", "today.kept"):
        (folder / name).touch()
        if name.startswith("older"):
            os.utime(folder / name, (0, time.time() - compiled.UNUSED - 60))
    list(build.build(ASKED))
    left = {path.name for path in folder.iterdir() if path.is_file()}
    assert "today.kept" in left
    assert not left & {"older.kept", "older.json"}
    assert build.is_built(ASKED)

"""What `vcam doctor` concludes from its findings."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from tests.platforms import not_on_windows
from vcam.cli import doctor
from vcam.cli.findings import Check, failed
from vcam.cli.main import main
from vcam.cli.verdict import ABILITIES, CAMERA, CORE, FILMS, NEURAL, PHOTO, ROOM, SOUND, Verdict

WELL = [
    Check("OpenCV", True, "5.0.0", part=CORE),
    Check("Films", True, "H.264", part=FILMS),
    Check("Sound server", True, "pulseaudio", part=SOUND),
    Check("pyvirtualcam", True, "0.15", part=CAMERA),
    Check("Camera /dev/video10", True, "free", suffices=True, part=CAMERA),
    Check("ai-edge-litert", True, "here", part=PHOTO),
    Check("torch", True, "2.13", part=NEURAL),
    Check("Memory", True, "8 GiB", part=ROOM),
]


def without(*names: str) -> Verdict:
    """The verdict where these are missing."""
    return Verdict([replace(each, ok=each.name not in names, mend="make it") for each in WELL])


@pytest.mark.parametrize(
    ("missing", "impossible"),
    [
        ((), set()),
        (("OpenCV",), set(ABILITIES)),
        (("Films",), {"film", "demo"}),
        (("Sound server",), {"call"}),
        (("Camera /dev/video10",), {"call"}),
        (("ai-edge-litert",), {"puppet"}),
        (("torch",), {"neural"}),
        (("Memory",), set()),
        (("pyvirtualcam",), set()),  # there is a camera that does without
    ],
)
def test_what_is_missing_costs_what_needs_it(
    missing: tuple[str, ...], impossible: set[str]
) -> None:
    can = without(*missing).can
    assert {name for name, possible in can.items() if not possible} == impossible


def test_a_cross_is_for_what_is_needed_and_a_dash_for_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    without("Sound server", "torch", "pyvirtualcam").tell()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "You can have: films, the demo, a puppet of your photo."
    assert lines[1] == "Not yet: a call, for which is missing: Sound server."
    marks = {line[2:].split("  ")[0]: line[0] for line in lines if line[1:2] == " "}
    assert (marks["Sound server"], marks["torch"], marks["pyvirtualcam"]) == ("✗", "–", "–")
    assert marks["OpenCV"] == "✓"


def test_the_script_holds_every_mend_once_and_runs_nothing_optional_or_by_hand() -> None:
    script = Verdict(
        [
            Check("a", False, "missing", "touch needed   (or: touch other)", part=CORE),
            Check("b", False, "missing", "touch needed   (or: touch other)", part=CORE),
            Check("c", False, "missing", "touch optional", part=NEURAL),
            failed("d", "it is full; touch it by hand"),
            failed("e", "few files; run: ulimit -n 1024"),
            Check("f", True, "here", "touch well", part=CORE),
        ]
    ).script()
    assert [line for line in script.splitlines() if not line.startswith("#")] == [
        "touch needed   # (or: touch other)"
    ]
    assert "# touch optional" in script
    assert "# d: touch it by hand" in script
    assert "# e: ulimit -n 1024" in script
    assert "touch well" not in script


def test_on_windows_the_script_is_one_for_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    script = Verdict([Check("a", False, "missing", "winget install a", part=CORE)]).script()
    assert [line[:1] for line in script.splitlines()] == ["#", "w"]
    assert "/bin/sh" not in script


@not_on_windows("it has no sh")
def test_every_mend_of_this_machine_is_a_script_that_sh_reads() -> None:
    script = Verdict(doctor.examine()).script()
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=10)
    assert script.startswith("#!/bin/sh\n")


@pytest.mark.parametrize("possible", [True, False])
def test_the_exit_code_says_whether_a_call_is_possible(
    possible: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = list(without(*([] if possible else ["Sound server"])).checks)
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    for how in ([], ["--json"], ["--fix"]):
        assert main(["doctor", *how]) == (0 if possible else 1)
        told = capsys.readouterr().out
        if how == ["--json"]:
            found = json.loads(told)
            assert found["can"]["call"] is possible
            assert found["missing"] == ({} if possible else {"call": ["Sound server"]})
            assert {check["name"] for check in found["checks"]} == {each.name for each in WELL}

"""`vcam --help`."""

from __future__ import annotations

import argparse
import shlex

import pytest

from vcam.cli.grouped_help import GROUPS
from vcam.cli.main import COMMANDS
from vcam.cli.options import parser

WHOLE = parser(COMMANDS)
(ALL,) = [each.choices for each in WHOLE._actions if isinstance(each, argparse._SubParsersAction)]


def test_every_command_is_in_one_group_and_told() -> None:
    named = [name for names, _ in GROUPS.values() for name in names]
    assert sorted(named) == sorted(ALL)
    lines = WHOLE.format_help().splitlines()
    for name in ALL:
        (told,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(told.split(maxsplit=1)) == 2
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("title", GROUPS)
def test_examples_are_understood(title: str) -> None:
    text = WHOLE.format_help()
    for example in GROUPS[title][1]:
        assert f"      $ {example}\n" in text
        assert WHOLE.parse_args(shlex.split(example)[1:]).command


def test_the_help_of_one_command_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        WHOLE.parse_args(["doctor", "--help"])
    told = capsys.readouterr().out
    assert "--fix" in told
    assert "be in a call" not in told

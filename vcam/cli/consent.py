"""Consent on the command line: who is shown, and that they agreed; `profile create` and `dub`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from vcam.errors import ConfigError
from vcam.monitor import terminal
from vcam.profiles import consent
from vcam.profiles.consent import Consent


def add(parser: argparse.ArgumentParser) -> None:
    """The options by which consent is given."""
    agreed = parser.add_mutually_exclusive_group()
    agreed.add_argument(
        "--i-am-the-person",
        dest="person",
        nargs="?",
        const="",
        metavar="YOUR NAME",
        help="and I agree to be shown",
    )
    agreed.add_argument("--consent", type=Path, metavar="FILE", help="who agreed, and when (YAML)")


def given(options: argparse.Namespace, where: str, name: str = "") -> Consent:
    """From the command line, a file, or a question on the terminal; else ConfigError.

    `where` the person is seen: "photo", "film". `name` is theirs if they give none.
    """
    if options.consent:
        return consent.from_file(options.consent)
    if options.person is not None:
        return consent.by_the_person(options.person or name, _now())
    if not terminal.out.file.isatty():
        raise ConfigError(
            f"who is in the {where}, and did they agree? --i-am-the-person, or --consent FILE"
        )
    terminal.say(f"This shows a real person talking. Only do this with your own {where},")
    terminal.say("or with the written consent of the person in it (--consent FILE).")
    answer = terminal.ask(f"Your name, if you are the person in the {where} and agree: ")
    return consent.by_the_person(answer, _now())


def _now() -> datetime:
    return datetime.now(UTC)

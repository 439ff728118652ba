"""What `vcam setup` was told: microphone, face and camera of every run that is not told others."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import yaml

from vcam import access, places
from vcam.config import RunConfig, build, read_yaml
from vcam.errors import ConfigError

NAME = "settings.yaml"
AGAIN = "choose again with: vcam setup"


@dataclass(frozen=True, slots=True)
class Choices:
    """As the options of `vcam run` are called; empty words choose nothing."""

    profile: str = ""
    look: str = ""
    mic: str = ""
    camera: str = ""

    def __str__(self) -> str:
        """ "profile me, camera /dev/video10"; "" where nothing is chosen."""
        return ", ".join(f"{name} {said}" for name, said in asdict(self).items() if said)

    def into(self, config: RunConfig) -> RunConfig:
        """`config` with these in place of what it has."""
        return replace(
            config,
            profile=self.profile or config.profile,
            look=self.look or config.look,
            microphone=self.mic or config.microphone,
            camera=self.camera or config.camera,
        )


def path() -> Path:
    """Where they lie."""
    return places.settings_path() / NAME


def kept() -> Choices:
    """Those of the last setup, none where there was none; ConfigError for a file that is broken."""
    file = path()
    if not file.exists():
        return Choices()
    try:
        return build(Choices, read_yaml(file), str(file))
    except ConfigError as error:
        raise ConfigError(f"{error}; {AGAIN}") from error


def keep(chosen: Choices) -> None:
    """Write them; ConfigError says what refuses."""
    file = path()
    told = {name: said for name, said in asdict(chosen).items() if said}
    text = "# Written by vcam setup; options of vcam run go first.\n"
    text += yaml.safe_dump(told, allow_unicode=True, sort_keys=False)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        places.write_whole(file, text)
    except OSError as error:
        told_why = access.refusal(file, error, "XDG_CONFIG_HOME")
        raise ConfigError(f"cannot keep what was chosen in {told_why}") from error

"""How the user's commands reach a run: its control socket, its log, the settings it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from vcam import access
from vcam.config import RunConfig
from vcam.control import requests, settings
from vcam.control.server import ControlServer
from vcam.errors import Busy, DeviceError, VcamError
from vcam.monitor import logs
from vcam.monitor.logs import log

Act = Callable[[requests.Request], Mapping[str, Any]]


class Reach:
    """All of it belongs to one run of this user; a second one lives without."""

    def __init__(self, act: Act, alone: bool) -> None:
        """`act` does a request. With `alone`, Busy where another run can be asked already."""
        self._control: ControlServer | None = None
        self._log: logs.LogFile | None = None
        self._unreached = ""
        self._closing = ExitStack()
        try:
            self._control = _listening(act)
        except DeviceError as error:
            if alone:
                raise
            if isinstance(error, Busy):
                return
            self._unreached = f"no command can reach this run: {error}"
        with ExitStack() as opening:
            if self._control:
                opening.callback(self._control.close)
            self._log = opening.enter_context(logs.opened())
            self._closing = opening.pop_all()

    def close(self) -> None:
        """Let another run have it."""
        self._closing.close()

    @property
    def watched(self) -> bool:
        """Whether a display follows this run."""
        return self._control is not None and self._control.watched

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong with it, for people."""
        return tuple(filter(None, (self._unreached, self._log.trouble if self._log else "")))

    def publish(self, news: Mapping[str, Any]) -> None:
        """Tell the displays that follow."""
        if self._control:
            self._control.publish(news)

    def keep(self, config: RunConfig) -> None:
        """These are the settings now, also for a run that begins after a crash."""
        if self._control is None:
            return
        try:
            settings.keep(config)
        except OSError as error:
            log.warning("the settings cannot be kept: %s", access.explained(error))
        except VcamError as error:
            log.warning("the settings cannot be kept: %s", error)


def _listening(act: Act) -> ControlServer:
    """The started server; Busy where another run has it."""
    control = ControlServer(act)
    control.start()
    return control

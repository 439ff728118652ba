"""What the keys of the display do: the requests of the control socket, and pages to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vcam import clock
from vcam.cli.lists import LISTS, NOW, Choice
from vcam.control.picture import LARGEST, unpacked
from vcam.errors import ConfigError, VcamError
from vcam.media import Image
from vcam.monitor import logs
from vcam.monitor.hud import Page
from vcam.monitor.verdict import switches
from vcam.motion import gestures

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]

TOGGLES = {  # key: which switch of `Presence`, the request that sets it and the one that ends it
    "m": ("muted", "mute", "unmute"),
    "i": ("idle", "idle", "unidle"),
    "p": ("hidden", "panic", "unhide"),
    " ": ("paused", "pause", "unpause"),
    "r": ("real", "real", "avatar"),
}
GESTURES = {str(number): name for number, name in enumerate(gestures.ORDER, 1)}
SAME_FRIGHT = 1.0  # seconds: who panics presses more than once, and stays hidden
NOTICE = 5.0  # seconds that an answer is shown
READ_EVERY = 1.0  # seconds between two looks at the log
LOG_LINES = 40  # more than fit
HELP = (
    ("m", "mute, and the voice again"),
    ("i", "avatar idles, voice goes on"),
    ("p", "panic: hide all, and back"),
    ("space", "stand still, no voice"),
    ("f, F", "the next face; all of them"),
    ("1-6", ", ".join(gestures.ORDER)),
    ("r", "your real camera, and back"),
    ("c, d", "another camera, microphone"),
    ("l, v, ?", "log; picture only; keys"),
)


@dataclass(frozen=True)
class Leaving:
    """What q does: a request, or only that the display ends; and the words for it."""

    word: str
    told: str
    request: str = ""


QUIT = Leaving("quit", "end vcam", "stop")
LEAVE = Leaving("leave", "leave; vcam goes on")


class Keys:
    """The keyboard's side of a display. Keys come on a thread of their own, looks on another."""

    def __init__(
        self, leaving: Leaving, ask: Ask | None = None, now: Callable[[], float] = clock.now
    ) -> None:
        """`ask` sends a request to the run; None until there is one."""
        self.leaving, self.ask, self._now = leaving, ask, now
        self.left = False  # whether the display shall end
        self._page = ""  # the key that shows it
        self._choice: Choice | None = None
        self._notice, self._until = "", 0.0
        self._fright = -SAME_FRIGHT
        self._face = ""  # that was asked for last
        self._newest: list[str] = []
        self._read = -READ_EVERY

    def press(self, key: str) -> None:
        """Do what `key` is for; what cannot be done is told in the display."""
        try:
            self._do(key)
        except VcamError as error:
            self._tell(str(error))

    @property
    def notice(self) -> str:
        """The answer to the newest key, for some seconds."""
        return self._notice if self._now() < self._until else ""

    @property
    def page(self) -> Page | None:
        """What is shown in place of the numbers; None for these."""
        if choice := self._choice:
            return Page(choice.lines())
        if self._page == "?":
            return Page((*HELP, ("q", self.leaving.told)))
        if self._page == "l":
            return Page(tuple(("", line) for line in self._log()), newest=True)
        return None

    @property
    def only_picture(self) -> bool:
        """Whether the picture shall have all the room."""
        return self._page == "v"

    def picture(self, width: int, height: int) -> Image | None:
        """What is shown, in at most so many pixels; None while there is nothing."""
        if self.ask is None:
            return None
        try:
            return unpacked(
                self._ask("picture", width=min(width, LARGEST), height=min(height, LARGEST))
            )
        except VcamError:  # it starts, or ends; what is wrong with it is told elsewhere
            return None

    def footer(self) -> tuple[str, ...]:
        """The keys in one line, from the longest to the shortest."""
        end = f"q {self.leaving.word}"
        return (
            "m mute  i idle  p panic  space pause  f face  1-6 gestures  r real  c camera  "
            f"d microphone  l log  v picture  ? help  {end}",
            f"m mute  i idle  p panic  space pause  f face  r real  l log  ? help  {end}",
            f"m mute  p panic  l log  ? help  {end}",
            f"m mute  p panic  ? help  {end}",
        )

    def _do(self, key: str) -> None:
        page, choice, self._choice = self._page, self._choice, None
        if choice:  # any key ends it
            self._page = ""
        if choice and (picked := choice.picked(key)):
            self._pick(choice, *picked)
        elif key in TOGGLES:
            self._toggle(key)
        elif key in LISTS and key != page:
            self._choice = LISTS[key](self._ask("status")["status"])
            self._page = key
        elif key == "f":
            self._next_face()
        elif key in GESTURES:
            self._ask("express", gesture=GESTURES[key])
        elif key in "?lv":
            self._page = "" if self._page == key else key
        elif key == "q" and self.leaving.request:
            self._ask(self.leaving.request)
        elif key == "q":
            self.left = True

    def _log(self) -> list[str]:
        """The newest lines, read once a second."""
        if self._now() - self._read >= READ_EVERY:
            self._read = self._now()
            try:
                self._newest = logs.newest(LOG_LINES)
            except VcamError as error:
                self._newest = [str(error)]
        return self._newest

    def _toggle(self, key: str) -> None:
        switch, begin, end = TOGGLES[key]
        on = switch in switches(str(self._ask("status")["status"]["presence"]))
        if key == "p":
            on = on and self._now() - self._fright >= SAME_FRIGHT
            self._fright = self._now()
        self._ask(end if on else begin)

    def _pick(self, choice: Choice, name: str, words: str) -> None:
        if words.endswith(NOW):
            self._tell(f"it is {words.removesuffix(NOW)} already")
            return
        self._tell(f"{words} comes in a moment")
        self._ask(choice.request, **{choice.setting: name})

    def _next_face(self) -> None:
        from vcam.profiles import profile

        now = self._face or str(self._ask("status")["status"]["profile"])
        names = profile.names()
        others = [name for name in names if name > now] + [name for name in names if name < now]
        if not others:
            raise ConfigError("there is no other face; make one with: vcam profile create")
        self._face = others[0]  # also if it is refused: the next key goes on from there
        self._tell(f"{others[0]} comes in a moment")
        self._ask("switch", profile=others[0])

    def _tell(self, words: str) -> None:
        self._notice, self._until = words, self._now() + NOTICE

    def _ask(self, do: str, **more: str | int) -> Mapping[str, Any]:
        if self.ask is None:
            raise ConfigError("vcam is still starting; press it again in a moment")
        return self.ask({"do": do, **more})

"""Who has asked for vcam's microphone never hears the raw one: judged on a server of lists."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.audio.fake_server import NOWHERE, FakeServer
from vcam.audio import own_devices
from vcam.audio.listeners import SETTLED, Listeners
from vcam.audio.server import ServerWatch
from vcam.audio.strays import Strays
from vcam.errors import DeviceError
from vcam.system.missing import PULSE

try:
    PULSE.load()  # its exceptions are what a move may raise
except DeviceError as lacking:
    pytest.skip(f"no libpulse here: {lacking}", allow_module_level=True)


class Now:
    """A clock that is cranked by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class Desk:
    """A server with a microphone, a loudspeaker, and whoever looks after streams."""

    def __init__(self, own: bool = True) -> None:
        self.server, self.now = FakeServer(), Now()
        self.microphone = self.server.device(self.server.sources, "desk_mic")
        self.speaker = self.server.device(self.server.sinks, "speaker")
        if own:
            own_devices.make(self.server)
        self.listeners = Listeners(self.server, self.now)
        self.strays = Strays(self.server, self.now)

    @property
    def vcam(self) -> int:
        return next(each.index for each in self.server.sources if each.name == "vcam")

    @property
    def sink(self) -> int:
        return next(each.index for each in self.server.sinks if each.name == "vcam_voice")

    def look(self, later: float = 0.0) -> None:
        self.now.at += later
        self.listeners.keep()
        self.strays.keep()


def names(server: FakeServer) -> list[str]:
    return [each.name for each in (*server.sinks, *server.sources)]


def test_what_a_stream_has_asked_for_counts_wherever_it_is_first_seen() -> None:
    desk = Desk()
    asked = desk.server.listen(desk.microphone, target_object="vcam")
    numbered = desk.server.listen(desk.microphone, target_object=str(desk.vcam))
    other = desk.server.listen(desk.microphone, target_object="desk_mic")
    silent = desk.server.listen(desk.microphone)
    desk.look()
    assert [each.source for each in (asked, numbered)] == [desk.vcam, desk.vcam]
    assert [each.source for each in (other, silent)] == [desk.microphone, desk.microphone]


def test_who_was_there_before_ours_is_brought_as_soon_as_it_is_made() -> None:
    desk = Desk(own=False)
    early = desk.server.listen(desk.microphone, target_object="vcam")
    desk.look()
    assert desk.server.moves == []
    own_devices.make(desk.server)
    assert early.source == desk.vcam


def test_who_heard_ours_is_brought_back_whoever_moved_it_meanwhile() -> None:
    desk = Desk()
    meeting = desk.server.listen(desk.vcam)
    desk.look()
    own_devices.release(desk.server)  # nobody may do so, and somebody does
    for module in list(desk.server.modules):
        desk.server.module_unload(module.index)
    meeting.source = desk.microphone
    desk.look(later=60.0)
    own_devices.make(desk.server)
    desk.look(later=60.0)
    assert meeting.source == desk.vcam


@pytest.mark.parametrize("wish", [{}, {"target_object": "vcam"}])
def test_a_user_has_the_last_word_once_devices_have_settled(wish: dict[str, str]) -> None:
    desk = Desk()
    meeting = desk.server.listen(desk.vcam, **wish)
    desk.look()
    meeting.source = desk.microphone
    desk.look(later=SETTLED / 2)
    assert meeting.source == desk.vcam  # too soon after the devices were made
    desk.look(later=2 * SETTLED)
    meeting.source = desk.microphone
    desk.look(later=2 * SETTLED)
    desk.server.default_source = "headset_mic"
    desk.look()
    assert meeting.source == desk.microphone


def test_a_server_that_carries_a_move_out_late_is_not_taken_for_the_user() -> None:
    desk = Desk()
    desk.look(later=10 * SETTLED)
    meeting = desk.server.listen(desk.microphone, target_object="vcam")
    desk.look()
    meeting.source = desk.microphone  # as PipeWire still says
    desk.look(later=0.01)
    desk.look(later=2 * SETTLED)
    assert meeting.source == desk.vcam


def test_a_stream_that_is_nowhere_yet_is_left_alone() -> None:
    desk = Desk()
    desk.server.listen(NOWHERE, target_object="vcam")
    desk.look()
    assert desk.server.moves == []


def test_the_modules_own_stream_is_never_moved() -> None:
    desk = Desk()
    own = [each for each in desk.server.listeners if each.owner_module != NOWHERE]
    own[0].source = desk.microphone  # where PipeWire puts it when our sink has gone
    own[0].proplist["target.object"] = "vcam_voice"
    desk.look()
    assert desk.server.moves == []


def test_devices_that_somebody_listens_to_stay_and_are_taken_over() -> None:
    desk = Desk()
    made = [module.index for module in desk.server.modules]
    meeting = desk.server.listen(desk.vcam, application_name="Meeting")
    own_devices.release(desk.server)
    own_devices.make(desk.server)
    assert [module.index for module in desk.server.modules] == made
    desk.server.listeners.remove(meeting)
    own_devices.release(desk.server)
    assert desk.server.modules == []
    assert names(desk.server) == ["speaker", "desk_mic"]


def test_a_listener_of_our_sinks_monitor_keeps_them_too() -> None:
    desk = Desk()
    monitor = next(each for each in desk.server.sources if each.name == "vcam_voice.monitor")
    desk.server.listen(monitor.index)
    own_devices.release(desk.server)
    assert "vcam" in names(desk.server)


def test_only_what_is_missing_is_made() -> None:
    desk = Desk()
    sink = desk.sink
    desk.server.module_unload(desk.server.modules[-1].index)
    own_devices.make(desk.server)
    assert desk.sink == sink
    assert names(desk.server).count("vcam") == 1


def test_the_default_microphone_stays_the_default_one() -> None:
    desk = Desk(own=False)
    own_devices.make(desk.server)
    assert desk.server.chosen == ["desk_mic"]


@pytest.mark.parametrize("default", ["@DEFAULT_SOURCE@", "", "vcam"])
def test_what_is_no_microphone_is_not_made_the_default_one(default: str) -> None:
    desk = Desk(own=False)
    desk.server.default_source = default
    own_devices.make(desk.server)
    assert desk.server.chosen == []


def test_players_that_the_server_has_put_into_our_output_are_taken_out() -> None:
    desk = Desk()
    music = desk.server.play(desk.speaker)
    lost = desk.server.play(desk.sink, target_object="speaker")  # as PipeWire does
    desk.look(later=2 * SETTLED)
    assert lost.sink == desk.speaker
    desk.server.default_sink, music.sink = "vcam_voice", desk.sink  # the loudspeaker goes
    desk.look()
    assert music.sink == desk.sink  # there is no other
    desk.server.default_sink = "speaker"
    desk.look(later=60.0)
    assert music.sink == desk.speaker


def test_players_that_belong_there_stay() -> None:
    desk = Desk()
    ours = desk.server.play(desk.sink, application_process_id=str(os.getpid()))
    asked = desk.server.play(desk.sink)
    named = desk.server.play(desk.sink, target_object="vcam_voice")
    moved = desk.server.play(desk.speaker)
    desk.look()
    moved.sink = desk.sink
    desk.look(later=2 * SETTLED)
    desk.server.default_sink = "headphones"
    desk.look()
    assert {each.sink for each in (ours, asked, named, moved)} == {desk.sink}


def test_people_are_told_who_keeps_the_microphone_there(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.server.listen(desk.vcam, application_name="Meeting")
    monkeypatch.setattr("pulsectl.Pulse", lambda name: desk.server)
    monkeypatch.setattr("sys.platform", "linux")
    assert "is still heard by Meeting" in own_devices.left(remove=True)
    desk.server.listeners.pop()
    assert own_devices.left(remove=True) == ""
    assert "vcam" not in names(desk.server)


class Stumbling(FakeServer):
    """Takes vcam's devices away while it is asked: one answer fails, the next ones are true."""

    def __init__(self) -> None:
        super().__init__()
        self.watch, self.fails, self.steps = ServerWatch(), False, 0

    def event_mask_set(self, *_: str) -> None: ...

    def event_callback_set(self, changed: Callable[[object], None]) -> None:
        self.changed = changed

    def event_listen_stop(self) -> None: ...

    def event_listen(self, timeout: float) -> None:
        """What happens between two looks."""
        self.steps += 1
        if self.steps > 1:
            self.watch._stop.set()
            return
        gone = next(each.index for each in self.sources if each.name == "vcam")
        self.sources[:] = [each for each in self.sources if each.index != gone]
        self.listeners[-1].source = self.sources[0].index
        self.device(self.sources, "vcam")
        self.fails = True
        self.changed(None)

    def source_output_list(self) -> list[object]:
        if self.fails:
            self.fails = False
            raise PULSE.load().PulseError("Failed to load module")
        return super().source_output_list()


def test_what_vanishes_between_two_questions_costs_no_memory_of_listeners() -> None:
    server = Stumbling()
    server.device(server.sources, "desk_mic")
    stream = server.listen(server.device(server.sources, "vcam"))
    server.watch._listen(server, 1)
    (vcam,) = [each.index for each in server.sources if each.name == "vcam"]
    assert server.moves == [(stream.index, vcam)]


class Refusing(Stumbling):
    """Its connection breaks just before a question."""

    def source_list(self) -> list[object]:
        raise PULSE.load().pulsectl.c.pa.CallError("pa_context_get_source_info_list")


def test_a_connection_that_breaks_between_two_questions_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, next_one = Refusing(), Stumbling()
    watch = next_one.watch
    next_one.steps = 1  # it ends after one look
    next_one.device(next_one.sources, "desk_mic")
    connections = iter((broken, next_one))
    monkeypatch.setattr("pulsectl.Pulse", lambda name: next(connections))
    watch._follow()
    assert next(connections, None) is None
    assert watch._used

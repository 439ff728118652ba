from tests.fakes import HandClock
from vcam.camera.memory import MemoryCamera
from vcam.live.watchers import POLL_INTERVAL, Watchers


class Meeting(MemoryCamera):
    """A camera that knows who watches it."""

    def __init__(self) -> None:
        super().__init__(limit=0)
        self.count: int | None = 1
        self.asked = 0

    def readers(self) -> int | None:
        return self.count

    def watchers(self) -> list[str]:
        self.asked += 1
        return ["zoom"]


def test_names_are_asked_for_seldom_and_only_where_somebody_reads():
    camera, clock = Meeting(), HandClock()
    watchers = Watchers(lambda: camera, clock)
    for _ in range(100):
        watchers.look()
    assert (watchers.count, watchers.names, camera.asked) == (1, ("zoom",), 1)
    camera.count, clock.time = 0, clock.time + POLL_INTERVAL
    watchers.look()
    assert (watchers.count, watchers.names, camera.asked) == (0, (), 1)
    camera.count, clock.time = None, clock.time + POLL_INTERVAL  # an old driver
    watchers.look()
    assert (watchers.count, watchers.names) == (None, ("zoom",))


def test_of_other_cameras_nothing_is_known():
    watchers = Watchers(lambda: MemoryCamera(limit=0))
    watchers.look()
    assert (watchers.count, watchers.names) == (None, ())

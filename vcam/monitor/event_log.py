"""From one snapshot to the next: what has happened, each event once, with how long it lasted."""

from __future__ import annotations

from collections.abc import Iterator

from vcam.monitor.stats import Snapshot

AGAIN = 60.0  # seconds before the same remark is worth a line again
QUIET = 1.0  # seconds with sound that end a silence
LONG_GAP = 200.0  # ms between two frames at the camera that are worth a line
MOST_REMARKS = 64  # remembered; more are new anyway
CHOICES = ("profile", "presence", "camera", "microphone", "voice")


class EventLog:
    """Give it every snapshot; it gives lines. Time is the run's own."""

    def __init__(self) -> None:
        self._before: Snapshot | None = None
        self._fell: float | None = None  # when the engine stopped being live
        self._troubles: dict[str, float] = {}  # since when
        self._silent: tuple[float, float] | None = None  # filled before; newest look without sound
        self._remarks: dict[str, float] = {}  # when they were told

    def entries(self, now: Snapshot) -> Iterator[str]:
        """What has happened since the last call."""
        before, self._before = self._before, now
        if before is None:
            before = Snapshot(camera=now.camera, microphone=now.microphone, voice=now.voice)
            yield _beginning(now)
            self._fell = now.seconds
        yield from self._choices(before, now)
        yield from self._engine(before, now)
        yield from self._devices(before, now)
        yield from _machine(before, now)

    def end(self) -> str:
        """What there is to say of the whole run."""
        last = self._before or Snapshot()
        return (
            f"ends after {last.seconds:.0f} s: {last.frames} frames, {last.on_time:.2%} on time, "
            f"longest gap {last.gap_ms:.0f} ms, engine restarted {last.engine.restarts} times"
        )

    def _choices(self, before: Snapshot, now: Snapshot) -> Iterator[str]:
        for name in CHOICES:
            old, new = getattr(before, name), getattr(now, name)
            if old != new:
                yield f"{name}: {old or 'none'} -> {new or 'none'}" if old else f"{name}: {new}"

    def _engine(self, before: Snapshot, now: Snapshot) -> Iterator[str]:
        engine, was = now.engine, before.engine
        if engine.restarts > was.restarts or (engine.state, was.state) == ("failed", "live"):
            if self._fell is None:
                self._fell = now.seconds
            yield f"engine {engine.state}: {engine.note or 'it ended'}"
        elif engine.state == "live" and self._fell is not None:
            took, self._fell = now.seconds - self._fell, None
            again = " again" if engine.restarts else ""
            yield f"engine live{again} after {took:.1f} s: {' + '.join(engine.backends)}"
        elif engine.backends != was.backends and engine.backends:
            yield f"engine now {' + '.join(engine.backends)}"
        for step in engine.timeline:
            if step not in was.timeline:
                yield f"engine {step.before} -> {step.after}: {step.reason}"
        if engine.state == "live" and engine.note != was.note and self._is_new(engine.note, now):
            yield f"engine: {engine.note}"

    def _is_new(self, remark: str, now: Snapshot) -> bool:
        """Whether nobody has been told of it lately."""
        last = self._remarks.pop(remark, -AGAIN)
        self._remarks[remark] = now.seconds
        while len(self._remarks) > MOST_REMARKS:
            self._remarks.pop(next(iter(self._remarks)))
        return bool(remark) and now.seconds - last >= AGAIN

    def _devices(self, before: Snapshot, now: Snapshot) -> Iterator[str]:
        for trouble in now.trouble:
            if trouble not in self._troubles:
                self._troubles[trouble] = now.seconds
                yield f"lost: {trouble}"
        for trouble in [each for each in self._troubles if each not in now.trouble]:
            yield f"back after {now.seconds - self._troubles.pop(trouble):.1f} s: {trouble}"
        if now.silence_filled_ms > before.silence_filled_ms:
            if self._silent is None:
                yield f"no sound comes from {now.microphone}; silence takes its place"
            filled = self._silent[0] if self._silent else before.silence_filled_ms
            self._silent = (filled, now.seconds)
        elif self._silent and now.seconds - self._silent[1] > QUIET:
            lasted, self._silent = (now.silence_filled_ms - self._silent[0]) / 1000, None
            yield f"sound again from {now.microphone} after {lasted:.1f} s"
        if now.overflows > before.overflows:
            yield f"{now.overflows - before.overflows} blocks of sound were lost"


def _beginning(now: Snapshot) -> str:
    return f"begins: camera {now.camera}, microphone {now.microphone}, voice {now.voice or 'none'}"


def _machine(before: Snapshot, now: Snapshot) -> Iterator[str]:
    stood = (now.stood_ms - before.stood_ms) / 1000
    if stood > 0:
        yield f"the machine stood still for {stood:.1f} s; what was missed is left out"
    if now.gap_ms > max(before.gap_ms, LONG_GAP):
        yield f"the camera waited {now.gap_ms:.0f} ms for a frame, the longest so far"

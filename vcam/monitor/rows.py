"""What the display says below the state: rows of a name and what there is to say, if anything."""

from __future__ import annotations

from rich.table import Table

from vcam.media import TICKS_PER_SECOND
from vcam.monitor.minute import sparkline
from vcam.monitor.stats import Change, EngineStatus, FarStatus, GpuStatus, Quantiles, Snapshot
from vcam.monitor.streams import harmless
from vcam.monitor.terminal import text

ANY = "any"  # the format of a camera that leads nowhere
WORTH_MISSING = 0.005  # share of the pictures
WORTH = 0.05  # ms from which on a stage is worth a row
HOT, BUSY = 85.0, 0.9  # degrees and share of time from which on the GPU is shown in yellow
TIMELINE = 4  # newest steps shown
GIB = 1024  # MiB
NAMES = 13  # columns that they take, with the gap


def picture_rows(now: Snapshot, columns: int, most: int | None) -> Table:
    """How late the picture is and where it goes; `columns` of the last minute, 0 for none.

    A narrow terminal has one line of `most` columns for each thing, here and below, and cuts what
    is longer; else None.
    """
    table = _rows(most)
    if now.latency_ms.count:
        table.add_row("latency", f"{_quantiles(now.latency_ms)} ms")
        if most is None:
            share = f"50/95/99 of 100; shown after {now.delay_ms:.0f} ms"
            table.add_row("", text(share, "dim"))
    if any(now.minute_ms) and columns:
        table.add_row("last minute", sparkline(now.minute_ms, now.minute_late, columns))
    if not now.camera:
        return table
    table.add_row("frames", f"{now.fps:.1f} fps, {now.on_time:.2%} on time")
    if now.late or now.dropped:
        lost = f"{now.late} late, {now.dropped} dropped, longest gap {now.gap_ms:.0f} ms"
        table.add_row("", text(lost, "yellow"))
    table.add_row("camera", text(now.camera))
    if now.camera_format != ANY:
        table.add_row("", text(now.camera_format, "dim"))
    return table


def sound_rows(now: Snapshot, most: int | None) -> Table:
    """Where the voice comes from and goes to."""
    table = _rows(most)
    if now.microphone:
        table.add_row("microphone", text(now.microphone))
    lost = [f"{now.overflows} blocks of sound lost"] if now.overflows else []
    if now.silence_filled_ms:
        lost.append(f"{now.silence_filled_ms / 1000:.1f} s without sound")
    if lost:
        table.add_row("", text(", ".join(lost), "yellow"))
    if now.voice:
        sync = f"{harmless(now.voice)}, {now.voice_offset_ms:+.1f} ms from its picture"
        table.add_row("voice", f"{sync}, drift {now.drift_ppm:+.0f} ppm")
    return table


def stage_rows(now: Snapshot, most: int | None) -> Table:
    """Who draws, and what it takes."""
    table, engine = _rows(most), now.engine
    for name, taken in now.stages_ms.items():
        if taken.p99 >= WORTH:
            table.add_row(name, f"{_quantiles(taken)} ms")
    if engine.backends:
        stages = (each for each in engine.backends if each != "passthrough")  # it does nothing
        table.add_row("drawn by", " → ".join(stages))
    if engine.far:
        _far(table, engine.far)
    _quality(table, engine)
    if now.memory_mib:
        table.add_row("memory", f"{now.memory_mib + engine.memory_mib:.0f} MiB")
    if engine.gpu:
        _gpu(table, engine.gpu, "there" if engine.far else "here")
    if engine.restarts:
        table.add_row("engine", text(f"{engine.restarts} times started again", "yellow"))
    elif engine.note and engine.state == "starting":
        table.add_row("engine", text(engine.note, "yellow"))
    return table


def _quality(table: Table, engine: EngineStatus) -> None:
    """How much of the face is drawn, and what was before."""
    if not engine.level:
        return
    level = text(engine.level, "yellow" if engine.reason else "")
    if engine.load:
        spent = "yellow" if engine.load > 1 else "dim"
        level.append(f"  a frame takes {engine.load:.0%} of its time", spent)
    if engine.mode:
        level.append(f"  {engine.mode} mode", "dim")
    table.add_row("quality", level)
    for change in engine.timeline[-TIMELINE:]:
        table.add_row("", text(change_line(change), "dim"))


def change_line(change: Change) -> str:
    """A change of level in one line."""
    seconds = change.at // TICKS_PER_SECOND
    when = f"{seconds // 60:02}:{seconds % 60:02}"
    return f"{when} {change.before} → {change.after}: {change.reason}"


def _far(table: Table, far: FarStatus) -> None:
    """Which machine draws, and the way to it."""
    way = text(f"{far.host}  {far.trip_ms:.0f} ms there and back  {far.kbit:.0f} kbit/s")
    if far.missing >= WORTH_MISSING:
        way.append(f"  {far.missing:.0%} left out", "yellow")
    way.append("  voice as Opus" if far.opus else "", "dim")
    table.add_row("made by", way)


def _gpu(table: Table, gpu: GpuStatus, where: str) -> None:
    memory = f"{gpu.own_mib / GIB:.1f} GiB {where}"
    if gpu.total_mib:
        memory += f", {gpu.used_mib / GIB:.1f} of {gpu.total_mib / GIB:.0f} GiB in use"
    table.add_row("GPU memory", memory)
    if gpu.stages_mib:
        stages = ", ".join(f"{name} {mib:.0f}" for name, mib in gpu.stages_mib.items())
        table.add_row("", text(f"{stages} MiB", "dim"))
    if gpu.total_mib:
        worry = gpu.slowed or gpu.celsius >= HOT or gpu.load >= BUSY
        slowed = f", slowed down by {gpu.slowed}" if gpu.slowed else ""
        name = f"{gpu.name}, " if gpu.name else ""
        heat = f", {gpu.celsius:.0f} °C" if gpu.celsius else ""  # nobody tells it of a far one
        state = f"{name}{gpu.load:.0%} busy{heat}{slowed}"
        table.add_row("GPU", text(state, "yellow" if worry else ""))


def _rows(most: int | None) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", min_width=NAMES - 2, no_wrap=True)
    table.add_column(width=most, no_wrap=most is not None, overflow="ellipsis")
    return table


def _quantiles(taken: Quantiles) -> str:
    return f"{taken.p50:.1f} / {taken.p95:.1f} / {taken.p99:.1f}"

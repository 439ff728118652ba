"""The terminal display: a snapshot becomes a rich renderable; it knows nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from vcam.media import TICKS_PER_SECOND, Image
from vcam.stats import Change, EngineStatus, GpuStatus, Quantiles, Snapshot

PREVIEW, SMALLEST = 34, 16  # columns; two picture rows share a line of text
NUMBERS = 58  # columns that the numbers want beside it
QUIETEST, LOUDEST = -60.0, 0.0  # dB shown by the level meter
HOT, BUSY = 85.0, 0.9  # degrees and share of time from which on the GPU is shown in yellow
TIMELINE = 4  # newest steps shown
GIB = 1024  # MiB
STATE = {"live": "green", "starting": "yellow", "restarting": "red", "failed": "red"}


@dataclass(frozen=True)
class Display:
    """All of a snapshot, in a terminal of any width; a narrow one shows no picture."""

    now: Snapshot
    ends: str  # what Ctrl-C does

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, body = self.now, Table.grid(padding=(0, 2))
        numbers = Group(_troubles(now), _picture(now), Text(), _sound(now), Text(), _stages(now))
        columns = min(PREVIEW, options.max_width - NUMBERS)
        beside = now.preview is not None and columns >= SMALLEST
        body.add_row(*([preview(now.preview, columns)] if beside else []), numbers)
        yield Panel(body, title=_title(now), subtitle=self.ends, border_style="dim", expand=False)


def render(now: Snapshot, ends: str = "Ctrl-C ends") -> RenderableType:
    """The whole display."""
    return Display(now, ends)


def line(now: Snapshot) -> str:
    """The same in one line, for a log."""
    latency = now.latency_ms
    return (
        f"{now.engine.state}{'' if now.presence == 'live' else f' ({now.presence})'} "
        f"{now.fps:.1f} fps, latency {latency.p50:.0f}/{latency.p95:.0f}/"
        f"{latency.p99:.0f} ms, on time {now.on_time:.2%}, late {now.late}, dropped {now.dropped}, "
        f"level {now.level_db:.0f} dB{', speaking' if now.engine.speaking else ''}, "
        f"overflows {now.overflows}, camera {now.camera}"
        + f", {_played(now.engine)}"
        + "".join(f", {word}" for word in (now.engine.note, *now.trouble) if word)
    )


def preview(pixels: Image, columns: int = PREVIEW) -> Text:
    """The picture in half blocks: each character holds one pixel above another."""
    small = cv2.resize(pixels, (columns, columns), interpolation=cv2.INTER_AREA)
    text = Text(no_wrap=True)
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style.parse(f"{_hex(above)} on {_hex(below)}"))
        text.append("\n")
    text.right_crop(1)
    return text


def _hex(rgb: list[int]) -> str:
    red, green, blue = (np.array(rgb) & 0xFC).tolist()  # fewer colours: rich remembers styles
    return f"#{red:02x}{green:02x}{blue:02x}"


def _title(now: Snapshot) -> Text:
    engine = now.engine
    title = Text.assemble(" vcam ", (now.profile, "bold"), "  ")
    title.append(f"● {engine.state}", STATE.get(engine.state, ""))
    if now.presence != "live":
        title.append(f"  {now.presence}", "bold yellow")
    title.append(f"  {now.seconds // 60:02.0f}:{now.seconds % 60:02.0f} ", "dim")
    return title


def _troubles(now: Snapshot) -> Table:
    """On top, because a low terminal cuts off what is below."""
    table = _rows()
    for trouble in now.trouble:
        table.add_row("trouble", Text(trouble, "red"))
    return table


def _picture(now: Snapshot) -> Table:
    table = _rows()
    table.add_row("camera", now.camera)
    table.add_row("", Text(now.camera_format, "dim"))
    table.add_row("frames", f"{now.fps:.1f} fps, {now.on_time:.2%} on time")
    lost = f"{now.late} late, {now.dropped} dropped, longest gap {now.gap_ms:.0f} ms"
    table.add_row("", Text(lost, "yellow" if now.late or now.dropped else "dim"))
    table.add_row("latency", f"{_quantiles(now.latency_ms)} ms")
    table.add_row(
        "", Text(f"p50 / p95 / p99, microphone to frame; shown after {now.delay_ms:.0f} ms", "dim")
    )
    return table


def _sound(now: Snapshot) -> Table:
    table = _rows()
    table.add_row("microphone", now.microphone)
    table.add_row("level", _level(now))
    trouble = now.overflows or now.silence_filled_ms
    counts = f"{now.overflows} overflows, {now.silence_filled_ms / 1000:.1f} s without sound"
    table.add_row("", Text(counts, "yellow" if trouble else "dim"))
    if now.voice:
        sync = f"{now.voice}, {now.voice_offset_ms:+.1f} ms from its picture"
        table.add_row("voice", f"{sync}, drift {now.drift_ppm:+.0f} ppm")
    return table


def _level(now: Snapshot) -> Table:
    level = min(max(now.level_db, QUIETEST), LOUDEST) - QUIETEST
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(LOUDEST - QUIETEST, level, width=20, complete_style="green")
    speaking = Text("speaking", "bold green") if now.engine.speaking else Text("silent", "dim")
    row.add_row(bar, f"{now.level_db:4.0f} dB", speaking)
    return row


def _stages(now: Snapshot) -> Table:
    table = _rows()
    for name, taken in now.stages_ms.items():
        table.add_row(name, f"{_quantiles(taken)} ms")
    engine = now.engine
    table.add_row("backends", " → ".join(engine.backends) or "…")
    _show(table, engine)
    table.add_row("memory", f"{now.memory_mib:.0f} MiB rim, {engine.memory_mib:.0f} MiB engine")
    if engine.gpu:
        _gpu(table, engine.gpu)
    if engine.note or engine.restarts:
        note = engine.note or f"restarts: {engine.restarts}"
        table.add_row("engine", Text(note, "red" if engine.state == "restarting" else "yellow"))
    return table


def _show(table: Table, engine: EngineStatus) -> None:
    """What is on show, why it is not everything, and what was before."""
    if not engine.rung:
        return
    rung = Text(engine.rung, "yellow" if engine.reason else "green")
    if engine.load:
        rung.append(f"  a frame takes {engine.load:.0%} of its time", "dim")
    if engine.mode:
        rung.append(f"  {engine.mode} mode", "dim")
    table.add_row("on show", rung)
    if engine.reason:
        table.add_row("", Text(engine.reason, "yellow"))
    for change in engine.timeline[-TIMELINE:]:
        table.add_row("", Text(change_line(change), "dim"))


def change_line(change: Change) -> str:
    """A step on the ladder in one line."""
    seconds = change.at // TICKS_PER_SECOND
    when = f"{seconds // 60:02}:{seconds % 60:02}"
    return f"{when} {change.before} → {change.after}: {change.reason}"


def _gpu(table: Table, gpu: GpuStatus) -> None:
    memory = f"{gpu.own_mib / GIB:.1f} GiB here"
    if gpu.total_mib:
        memory += f", {gpu.used_mib / GIB:.1f} of {gpu.total_mib / GIB:.0f} GiB in use"
    table.add_row("GPU memory", memory)
    if gpu.stages_mib:
        stages = ", ".join(f"{name} {mib:.0f}" for name, mib in gpu.stages_mib.items())
        table.add_row("", Text(f"{stages} MiB", "dim"))
    if gpu.total_mib:
        worry = gpu.slowed or gpu.celsius >= HOT or gpu.load >= BUSY
        slowed = f", slowed down by {gpu.slowed}" if gpu.slowed else ""
        state = f"{gpu.load:.0%} busy, {gpu.celsius:.0f} °C{slowed}"
        table.add_row("GPU", Text(state, "yellow" if worry else ""))


def _played(engine: EngineStatus) -> str:
    """What is on show, for a line."""
    return f"on show {engine.rung or 'nothing'}" + (engine.reason and f" ({engine.reason})")


def _rows() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", width=10)
    table.add_column()
    return table


def _quantiles(taken: Quantiles) -> str:
    return f"{taken.p50:.1f} / {taken.p95:.1f} / {taken.p99:.1f}"

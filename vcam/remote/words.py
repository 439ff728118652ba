"""What an engine process says (`vcam.link.serve`), as messages and back."""

from __future__ import annotations

import json

from vcam.link.process import EngineProcess
from vcam.link.serve import Ready, Vitals
from vcam.monitor.stats import Change, GpuStatus
from vcam.remote import wire
from vcam.remote.wire import Kind, Message, WireError

_VITALS: dict[str, type] = {
    "memory_mib": float, "remarks": str, "level": str, "load": float, "whole": bool,
    "gpu_own_mib": float, "gpu_used_mib": float, "gpu_total_mib": float, "gpu_load": float,
    "gpu_name": str,
}  # fmt: skip


class Told:
    """What the other side has been told of an engine."""

    def __init__(self) -> None:
        self._said: dict[Kind, object] = {Kind.NOTE: "", Kind.READY: None}

    def news(self, engine: EngineProcess) -> list[bytes]:
        """Messages of what is new."""
        messages = []
        while engine.changes:
            messages.append(_change(engine.changes.popleft()))
        now: dict[Kind, object] = {
            Kind.NOTE: engine.note,
            Kind.READY: engine.ready,
            Kind.VITALS: engine.vitals,
        }
        messages += [_word(kind, engine) for kind in now if now[kind] != self._said.get(kind)]
        self._said = now
        return messages


def last(engine: EngineProcess) -> bytes:
    """Why it has ended."""
    words = engine.last_words
    final, later = bool(words and words.final), bool(words and words.later)
    return wire.facts(Kind.DIED, reason=engine.end, final=final, later=later)


def read_ready(message: Message) -> Ready:
    """Of a READY; what is compiled is the far machine's affair. Raises WireError."""
    said = wire.read_facts(message, {"backends": str, "mode": str, "whole": bool})
    try:
        names = tuple(str(name) for name in json.loads(said["backends"]))
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError("a READY without backends came") from error
    return Ready(names, said["mode"], said["whole"], compiled=True)


def read_change(message: Message) -> Change:
    """Of a CHANGE. Raises WireError."""
    known = {"at": int, "before": str, "after": str, "reason": str}
    return Change(**wire.read_facts(message, known))


def read_vitals(message: Message) -> Vitals:
    """Of a VITALS. Raises WireError."""
    said = wire.read_facts(message, _VITALS)
    gpu = GpuStatus(
        own_mib=said["gpu_own_mib"],
        used_mib=said["gpu_used_mib"],
        total_mib=said["gpu_total_mib"],
        load=said["gpu_load"],
        name=said["gpu_name"],
    )
    shown = gpu if said["gpu_total_mib"] else None
    return Vitals(
        said["memory_mib"], shown, said["remarks"], said["level"], said["load"], said["whole"]
    )


def _word(kind: Kind, engine: EngineProcess) -> bytes:
    ready = engine.ready
    if kind is Kind.NOTE:
        return wire.facts(kind, text=engine.note)
    if kind is Kind.VITALS or ready is None:
        return _vitals(engine.vitals)
    backends = json.dumps(ready.backends)
    return wire.facts(kind, backends=backends, mode=ready.mode, whole=ready.whole)


def _change(change: Change) -> bytes:
    return wire.facts(
        Kind.CHANGE,
        at=change.at,
        before=change.before,
        after=change.after,
        reason=change.reason,
    )


def _vitals(vitals: Vitals) -> bytes:
    gpu = vitals.gpu
    return wire.facts(
        Kind.VITALS,
        memory_mib=float(vitals.memory_mib),
        remarks=vitals.remarks,
        level=vitals.level,
        load=float(vitals.load),
        whole=vitals.whole,
        gpu_own_mib=float(gpu.own_mib if gpu else 0),
        gpu_used_mib=float(gpu.used_mib if gpu else 0),
        gpu_total_mib=float(gpu.total_mib if gpu else 0),
        gpu_load=float(gpu.load if gpu else 0),
        gpu_name=gpu.name[: wire.LONGEST_TEXT] if gpu else "",
    )

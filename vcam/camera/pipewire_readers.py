"""Who watches a camera at PipeWire, as PipeWire's own program tells."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

PROGRAM = "pw-dump"
PATIENCE = 1.0  # seconds for its answer
NODE, LINK = "PipeWire:Interface:Node", "PipeWire:Interface:Link"
NAMES = ("application.name", "node.description", "node.name")  # the best first


def watchers(node: str) -> list[str]:
    """Names of the programs that the node called `node` has links to; none where nobody tells."""
    if not shutil.which(PROGRAM):
        return []
    try:
        told = subprocess.run(
            [PROGRAM], capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE
        )
        return linked(json.loads(told.stdout), node)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # it has gone, or hangs
        return []


def linked(objects: Iterable[Mapping[str, Any]], node: str) -> list[str]:
    """Of what the program tells, the names of those who are linked to the node called `node`."""
    told = [(each.get("id"), each.get("type"), each.get("info") or {}) for each in objects]
    nodes = {number: info.get("props") or {} for number, kind, info in told if kind == NODE}
    ours = {number for number, props in nodes.items() if props.get("node.name") == node}
    readers = (
        nodes.get(info.get("input-node-id"), {})
        for _, kind, info in told
        if kind == LINK and info.get("output-node-id") in ours
    )
    names = (next((props[key] for key in NAMES if props.get(key)), "") for props in readers)
    return list(dict.fromkeys(filter(None, names)))

"""A sound server that only keeps lists, with the face of `pulsectl.Pulse`."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

NOWHERE = 0xFFFFFFFF


@dataclass
class FakeServer:
    """Lists of devices, streams and modules; numbers are never given out twice."""

    default_source: str = "desk_mic"
    default_sink: str = "speaker"
    sources: list[Any] = field(default_factory=list)
    sinks: list[Any] = field(default_factory=list)
    listeners: list[Any] = field(default_factory=list)
    players: list[Any] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    name: str = "pulseaudio"
    numbers: int = 0

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def device(self, devices: list[Any], name: str, owner: int = NOWHERE) -> int:
        """Add a device to `sources` or `sinks`; its number."""
        proplist = {"device.class": "monitor"} if name.endswith(".monitor") else {}
        devices.append(
            SimpleNamespace(
                index=self.number(), name=name, description=name, owner_module=owner,
                proplist=proplist, state="idle",
            )
        )  # fmt: skip
        return int(devices[-1].index)

    def listen(self, source: int, owner: int = NOWHERE, **properties: str) -> Any:
        """A program listens to the source number `source`."""
        return self._stream(self.listeners, "source", source, owner, properties)

    def play(self, sink: int, **properties: str) -> Any:
        """A program plays into the sink number `sink`."""
        return self._stream(self.players, "sink", sink, NOWHERE, properties)

    def _stream(
        self, streams: list[Any], kind: str, device: int, owner: int, properties: dict[str, str]
    ) -> Any:
        proplist = {name.replace("_", "."): value for name, value in properties.items()}
        stream = SimpleNamespace(index=self.number(), owner_module=owner, proplist=proplist)
        setattr(stream, kind, device)
        streams.append(stream)
        return stream

    def module_load(self, name: str, arguments: str) -> int:
        index = self.number()
        self.modules.append(SimpleNamespace(index=index, name=name, argument=arguments))
        words = dict(word.split("=", 1) for word in arguments.split() if "=" in word)
        if name == "module-null-sink":
            self.device(self.sinks, words["sink_name"], index)
            self.device(self.sources, words["sink_name"] + ".monitor", index)
        else:
            self.device(self.sources, words["source_name"], index)
            (master,) = [each.index for each in self.sources if each.name == words["master"]]
            self.listen(master, owner=index)
        return index

    def module_unload(self, index: int) -> None:
        for things in (self.modules, self.sinks, self.sources, self.listeners):
            things[:] = [each for each in things if index not in (self._owner(each), each.index)]

    @staticmethod
    def _owner(thing: Any) -> int:
        return int(getattr(thing, "owner_module", NOWHERE))

    def source_list(self) -> list[Any]:
        return list(self.sources)

    def sink_list(self) -> list[Any]:
        return list(self.sinks)

    def source_output_list(self) -> list[Any]:
        return list(self.listeners)

    def sink_input_list(self) -> list[Any]:
        return list(self.players)

    def module_list(self) -> list[Any]:
        return list(self.modules)

    def server_info(self) -> Any:
        return SimpleNamespace(
            default_source_name=self.default_source,
            default_sink_name=self.default_sink,
            server_name=self.name,
        )

    def source_default_set(self, name: str) -> None:
        self.chosen.append(name)
        self.default_source = name

    def source_output_move(self, stream: int, source: int) -> None:
        self.moves.append((stream, source))
        next(each for each in self.listeners if each.index == stream).source = source

    def sink_input_move(self, stream: int, sink: int) -> None:
        self.moves.append((stream, sink))
        next(each for each in self.players if each.index == stream).sink = sink
